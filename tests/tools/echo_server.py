"""A tool server for tests: `python echo_server.py`, over stdin and stdout or, with a port, HTTP.

It is written with the protocol's own package, and says what a hostile one might say.
"""

from __future__ import annotations

import os
import sys

from mcp.server.mcpserver import MCPServer
from mcp_types import ImageContent, TextContent

server = MCPServer("echo")


@server.tool(description="Echo \x1b[2J" + "long " * 2000)
def echo(text: str, times: int = 1) -> str:
    return text * times


@server.tool()
def environment(name: str) -> str:
    """Tell an environment variable."""
    return os.environ.get(name, "")


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no luck")


@server.tool()
def die() -> str:
    """End the whole server."""
    os._exit(3)


@server.tool(structured_output=False)
def picture() -> list[TextContent | ImageContent]:
    """Give a picture."""
    return [
        TextContent(type="text", text="Here:"),
        ImageContent(type="image", data="AAAA", mime_type="image/png"),
    ]


@server.tool(name="strange name/with.signs")
def strange() -> dict[str, int]:
    """Give structure."""
    return {"one": 1}


@server.tool(name="strange name.with/signs")
def strange_too() -> str:
    """Have the same name once it fits."""
    return "too"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        sys.stderr.write("echo server begins\n")
        server.run("stdio")
