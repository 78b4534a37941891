"""Servers of the Model Context Protocol, against a real one over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.ports import free_port

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.errors import ToolError
from gemma_chat.tools.mcp_server import McpServer
from gemma_chat.tools.mcp_servers import McpServers
from gemma_chat.tools.tool import MAX_DESCRIPTION_CHARACTERS, Tool

ECHO = Path(__file__).with_name("echo_server.py")


def stdio(name: str = "echo", **env: str) -> McpServerSettings:
    return McpServerSettings(
        name=name, command=sys.executable, args=(str(ECHO),), env=tuple(env.items())
    )


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server over HTTP on this machine."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(ECHO), str(port)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "running on" in line:
            break
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.communicate()


SHARED = pytest.mark.asyncio(loop_scope="module")
"""Of tests that use the one server of this module, in the loop in which it was started."""


@pytest_asyncio.fixture(params=["stdio", "http"], scope="module", loop_scope="module")
async def server(request: pytest.FixtureRequest) -> AsyncIterator[McpServer]:
    if request.param == "stdio":
        server = McpServer(stdio(MOOD="good"))
    else:
        server = McpServer(McpServerSettings(name="echo", url=request.getfixturevalue("url")))
    yield server
    await server.close()


async def by_name(server: McpServer) -> dict[str, Tool]:
    return {tool.name: tool for tool in await server.tools()}


@SHARED
async def test_its_tools_are_called_under_its_name(server: McpServer) -> None:
    tools = await by_name(server)
    assert await tools["echo__echo"].run('{"text": "ab", "times": 2}') == "abab"
    assert await tools["echo__picture"].run("{}") == "Here:\n[image, image/png, not shown]"
    results = await asyncio.gather(*(tools["echo__echo"].run('{"text": "x"}') for _ in range(5)))
    assert results == ["x"] * 5


@SHARED
async def test_what_it_says_is_bounded_and_its_control_characters_are_visible(
    server: McpServer,
) -> None:
    tools = await by_name(server)
    description = tools["echo__echo"].spec.description
    assert description.startswith("Echo \\x1b[2Jlong")
    assert len(description) == MAX_DESCRIPTION_CHARACTERS
    assert {"echo__strange_name_with_signs", "echo__strange_name_with_signs_2"} <= set(tools)
    strange = tools["echo__strange_name_with_signs"]
    assert "1" in await strange.run("{}")
    assert await tools["echo__strange_name_with_signs_2"].run("{}") == "too"


@SHARED
@pytest.mark.parametrize(
    ("tool", "arguments", "complaint"),
    [
        ("echo__fail", "{}", "Error executing tool fail"),
        ("echo__echo", "[]", "The arguments of echo__echo are not a JSON object"),
        ("echo__echo", "{", "The arguments of echo__echo are not a JSON object"),
        ("echo__echo", '{"times": "x"}', "text"),
    ],
)
async def test_a_failed_call_is_a_sentence(
    server: McpServer, tool: str, arguments: str, complaint: str
) -> None:
    tools = await by_name(server)
    with pytest.raises(ToolError, match=complaint):
        await tools[tool].run(arguments)


async def test_a_process_is_given_its_environment_and_ends_with_the_last_user() -> None:
    servers = McpServers(lambda: [stdio(MOOD="good")])
    tools = {tool.name: tool for tool in await servers.tools("echo", user=1)}
    assert await servers.tools("echo", user=2) == tuple(tools.values())
    assert await tools["echo__environment"].run('{"name": "MOOD"}') == "good"
    servers.release(1)
    assert await tools["echo__echo"].run('{"text": "still there"}') == "still there"
    servers.release(2)
    await servers.close()
    with pytest.raises(ToolError, match="is not running any more"):
        await tools["echo__echo"].run('{"text": "x"}')


async def test_a_server_that_dies_is_named_and_started_again_when_it_is_needed() -> None:
    server = McpServer(stdio())
    tools = await by_name(server)
    with pytest.raises(ToolError, match="The tool server echo failed"):
        await tools["echo__die"].run("{}")
    await server.close()
    again = await by_name(server)
    assert await again["echo__echo"].run('{"text": "back"}') == "back"
    await server.close()


async def test_a_server_whose_settings_changed_is_started_anew() -> None:
    moods = ["good", "bad"]
    configured = [stdio(MOOD=moods[0])]
    servers = McpServers(lambda: configured)
    for mood in moods:
        configured[0] = stdio(MOOD=mood)
        tools = {tool.name: tool for tool in await servers.tools("echo", user=1)}
        assert await tools["echo__environment"].run('{"name": "MOOD"}') == mood
    servers.release(1, keep=["echo"])
    await servers.close()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (McpServerSettings(name="gone", command="/no/such/command"), "there is no such command"),
        (
            McpServerSettings(
                name="loud",
                command=sys.executable,
                args=("-c", "import sys; sys.exit('\\x1b[2Jwrong key')"),
            ),
            r"Its last words: \\x1b\[2Jwrong key",
        ),
        (McpServerSettings(name="folder", command=os.sep), "Check .mcp.servers.folder"),
        (McpServerSettings(name="web", url="http://127.0.0.1:9/mcp"), "at http://127.0.0.1:9/mcp"),
    ],
)
async def test_a_server_that_cannot_be_used_is_named(
    settings: McpServerSettings, complaint: str
) -> None:
    server = McpServer(settings)
    with pytest.raises(ToolError, match=complaint) as raised:
        await server.tools()
    assert f"The tool server {settings.name} cannot be used" in str(raised.value)
    await server.close()


async def test_a_server_that_never_answers_is_given_up_and_not_waited_for_again(
    tmp_path: Path,
) -> None:
    starts = tmp_path / "starts"
    silent = McpServerSettings(
        name="silent",
        command="/bin/sh",
        args=("-c", f"echo start >> {starts}; while read line; do :; done"),
    )
    server = McpServer(silent, start_seconds=0.2)
    for _ in range(3):
        with pytest.raises(ToolError, match=r"it did not answer within 0\.2 seconds"):
            await server.tools()
    await server.close()
    assert not starts.exists() or starts.read_text() == "start\n"


async def test_a_server_that_is_not_configured_is_named() -> None:
    servers = McpServers(list)
    with pytest.raises(ToolError, match=r"There is no tool server other. Write .mcp.servers.other"):
        await servers.tools("other", user=1)
    await servers.close()


async def test_without_its_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    server = McpServer(stdio())
    with pytest.raises(ToolError, match=r"pip install .gemma-chat\[mcp\]"):
        await server.tools()
    await server.close()
