"""[mcp.servers.NAME] in the settings file."""

from __future__ import annotations

from typing import Any

import pytest

from gemma_chat.config.document import parse_document, render, to_settings
from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.errors import SettingsError

FILE = """
[mcp.servers.files]
command = "uvx"
args = ["some-server", "--root", "/data"]
env = { TOKEN = "x" }

[mcp.servers.web]
url = "http://127.0.0.1:8000/mcp"
"""


def test_servers_are_read_and_written_again() -> None:
    settings = to_settings(parse_document(FILE))
    assert settings.mcp_servers == (
        McpServerSettings(
            name="files",
            command="uvx",
            args=("some-server", "--root", "/data"),
            env=(("TOKEN", "x"),),
        ),
        McpServerSettings(name="web", url="http://127.0.0.1:8000/mcp"),
    )
    assert to_settings(parse_document(render(settings))) == settings


def test_a_file_without_servers_explains_how_to_write_one() -> None:
    text = render(to_settings({}))
    assert "[mcp.servers.NAME]" in text
    assert to_settings(parse_document(text)).mcp_servers == ()


@pytest.mark.parametrize(
    ("mcp", "complaint"),
    [
        (3, "mcp must hold servers"),
        ({"server": {}}, "mcp must hold servers"),
        ({"servers": []}, "mcp.servers must hold sections"),
        ({"servers": {"a b": {"url": "http://x"}}}, "The server name 'a b' is not allowed"),
        ({"servers": {"a_b": {"url": "http://x"}}}, "The server name 'a_b' is not allowed"),
        ({"servers": {"x" * 21: {"url": "http://x"}}}, "is not allowed: 1 to 20"),
        ({"servers": {"a": 3}}, "mcp.servers.a must be a section"),
        ({"servers": {"a": {}}}, "either a command, to be started, or a url"),
        ({"servers": {"a": {"command": "x", "url": "http://x"}}}, "either a command"),
        ({"servers": {"a": {"url": "file:///etc"}}}, "must begin with http"),
        ({"servers": {"a": {"command": 3}}}, "command must be text"),
        ({"servers": {"a": {"command": "x" * 5000}}}, "command must be text"),
        ({"servers": {"a": {"command": "x\0"}}}, "command must be text"),
        ({"servers": {"a": {"command": "x", "args": "y"}}}, "args must be a list"),
        ({"servers": {"a": {"command": "x", "args": [1]}}}, "args must be text"),
        ({"servers": {"a": {"command": "x", "args": ["y"] * 201}}}, "args must be a list"),
        ({"servers": {"a": {"command": "x", "env": ["y"]}}}, "env must be a table"),
        ({"servers": {"a": {"command": "x", "env": {"A=B": "y"}}}}, "environment variable"),
        ({"servers": {"a": {"command": "x", "env": {"A": 1}}}}, "env.A must be text"),
        ({"servers": {"a": {"command": "x", "cmd": "y"}}}, "mcp.servers.a.cmd is not a setting"),
        ({"servers": {f"a{n}": {"command": "x"} for n in range(33)}}, "33 mcp.servers are too"),
    ],
)
def test_what_is_wrong_is_named(mcp: Any, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        to_settings({"mcp": mcp})
