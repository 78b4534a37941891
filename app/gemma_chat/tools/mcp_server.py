"""The tools of one server of the Model Context Protocol (https://modelcontextprotocol.io).

What a server says is not trusted: its names are made to fit, its descriptions bounded and shown
with visible control characters, its results are text like that of any other tool.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.errors import ToolError, visible
from gemma_chat.tools.tool import Tool, bounded, object_of, spec_of

if TYPE_CHECKING:
    import mcp_types
    from mcp import Client
    from mcp.client import Transport

START_SECONDS: Final = 30.0
REST_SECONDS: Final = 300.0
"""A server that did not answer is not waited for again before so long."""
MAX_TOOLS: Final = 64
MAX_PAGES: Final = 20
MAX_SCHEMA_CHARACTERS: Final = 20_000
_MAX_NAME: Final = 64
_MAX_STDERR: Final = 2_000
_SHOWN_STDERR: Final = 300

_log = logging.getLogger(__name__)


class McpServer:
    """A connection to one server, and its process when it has one.

    A task of its own enters and leaves it: the client's cancel scopes are bound to one task.
    """

    def __init__(
        self, settings: McpServerSettings, *, start_seconds: float = START_SECONDS
    ) -> None:
        self._settings = settings
        self._start_seconds = start_seconds
        self._holding: asyncio.Task[None] | None = None
        self._started: asyncio.Future[tuple[Tool, ...]] | None = None
        self._leave = asyncio.Event()
        self._client: Client | None = None
        self._stderr = b""
        self._rests_until = 0.0
        """On the loop's clock."""

    @property
    def name(self) -> str:
        """Its name in the settings, with which the names of its tools begin."""
        return self._settings.name

    async def tools(self) -> tuple[Tool, ...]:
        """Its tools; it is started, or connected to, when it is not.

        Raises:
            ToolError: It cannot be started or reached, or does not answer as it must.
        """
        if self._started is None or self._may_start_again():
            self._leave = asyncio.Event()
            self._stderr = b""
            self._started = asyncio.get_running_loop().create_future()
            self._holding = asyncio.create_task(
                self._hold(self._started), name=f"tool server {self.name}"
            )
        return await asyncio.shield(self._started)

    def _may_start_again(self) -> bool:
        has_ended = self._holding is not None and self._holding.done()
        return has_ended and asyncio.get_running_loop().time() >= self._rests_until

    async def close(self) -> None:
        """Leave it and end its process; again is fine."""
        self._leave.set()
        if self._holding is not None:
            await asyncio.wait([self._holding])

    async def _hold(self, started: asyncio.Future[tuple[Tool, ...]]) -> None:
        try:
            await self._import_client()
            with self._listening() as errors:
                await self._serve(started, errors)
        except Exception as error:
            _log.warning("the tool server %s: %s", self.name, _cause(error))
            if not started.done():
                if isinstance(error, TimeoutError):
                    self._rests_until = asyncio.get_running_loop().time() + REST_SECONDS
                started.set_exception(self._start_error(error))
                # Whoever asked may have gone.
                started.exception()
        finally:
            self._client = None
            if not started.done():
                started.cancel()

    async def _serve(self, started: asyncio.Future[tuple[Tool, ...]], errors: int) -> None:
        from mcp import Client

        leaving = asyncio.create_task(self._leave.wait())
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(leaving.cancel)
            async with asyncio.timeout(self._start_seconds):
                client = Client(self._transport(errors), cache=None)
                self._client = await stack.enter_async_context(client)
                tools = await self._list(client)
            if not started.done():
                started.set_result(tools)
            await leaving

    def _transport(self, errors: int) -> Transport:
        from mcp.client.stdio import StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client

        if self._settings.url:
            return streamable_http_client(self._settings.url)
        environment = dict(self._settings.env)
        if shutil.which(self._settings.command, path=environment.get("PATH")) is None:
            raise FileNotFoundError(self._settings.command)
        parameters = StdioServerParameters(
            command=self._settings.command,
            args=list(self._settings.args),
            env=environment,
            cwd=Path.home(),
        )
        return stdio_client(parameters, errlog=os.fdopen(errors, "w", closefd=False))

    @contextlib.contextmanager
    def _listening(self) -> Iterator[int]:
        """A descriptor for the error output of a process, of which the last words are kept."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        loop = asyncio.get_running_loop()

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                self._stderr = (self._stderr + os.read(reading, 65_536))[-_MAX_STDERR:]

        loop.add_reader(reading, read)
        try:
            yield writing
        finally:
            read()
            loop.remove_reader(reading)
            os.close(writing)
            os.close(reading)

    async def _import_client(self) -> None:
        try:
            # It takes most of a second, which the loop of a host does not have.
            await asyncio.to_thread(importlib.import_module, "mcp")
            # It logs each line that is no message with a trace, however many there are.
            logging.getLogger("mcp.client.stdio").setLevel(logging.CRITICAL)
        except ImportError:
            raise ToolError(
                f"The tool server {self.name} cannot be used: the package mcp is missing. "
                'Install it with: pip install "gemma-chat[mcp]"'
            ) from None

    async def _list(self, client: Client) -> tuple[Tool, ...]:
        tools: dict[str, Tool] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            for one in page.tools:
                if len(tools) == MAX_TOOLS:
                    _log.warning("the tool server %s has too many tools", self.name)
                    return tuple(tools.values())
                tool = self._tool(one, tools)
                if tool is not None:
                    tools[tool.name] = tool
            cursor = page.next_cursor
            if not cursor:
                break
        return tuple(tools.values())

    def _tool(self, given: mcp_types.Tool, others: dict[str, Tool]) -> Tool | None:
        name = _fitting_name(self.name, given.name, others)
        schema = json.dumps(_visible_words({**given.input_schema, "type": "object"}))
        if len(schema) > MAX_SCHEMA_CHARACTERS:
            _log.warning("the tool %s of %s was left out: its schema is too long", name, self.name)
            return None

        async def run(arguments: str) -> str:
            return await self._call(given.name, name, arguments)

        return Tool(spec_of(name, given.description or "", schema), run)

    async def _call(self, its_name: str, name: str, arguments: str) -> str:
        from mcp import MCPError
        from mcp_types.jsonrpc import CONNECTION_CLOSED

        values = object_of(name, arguments)
        client = self._client
        if client is None:
            raise ToolError(f"The tool server {self.name} is not running any more. Ask again.")
        try:
            result = await client.call_tool(its_name, values)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                # The next turn that needs it starts it again.
                self._leave.set()
            raise ToolError(f"The tool server {self.name} failed: {bounded(str(error))}") from error
        except (OSError, RuntimeError, ValueError) as error:
            raise ToolError(f"The tool server {self.name} failed: {_cause(error)}") from error
        text = _text_of(result)
        if result.is_error:
            raise ToolError(text)
        return text

    def _start_error(self, error: BaseException) -> ToolError:
        if isinstance(error, ToolError):
            return error
        settings = self._settings
        what = f"at {settings.url}" if settings.url else f"with {settings.command}"
        if isinstance(error, TimeoutError):
            why = (
                f"it did not answer within {self._start_seconds:g} seconds as a server of the "
                "Model Context Protocol does"
            )
        elif settings.command and isinstance(error, FileNotFoundError):
            why = "there is no such command"
        else:
            why = _cause(error)
        said = " ".join(visible(self._stderr.decode("utf-8", "replace")).split())
        last = f" Its last words: {said[-_SHOWN_STDERR:]}" if said else ""
        return ToolError(
            f"The tool server {self.name} cannot be used {what}: {why}. "
            f"Check [mcp.servers.{self.name}] in the settings file, or turn it off.{last}"
        )


def _fitting_name(server: str, name: str, others: dict[str, Tool]) -> str:
    """`name` behind that of its server, as a tool may be named, and as no other one is.

    No name of a server and none of a tool on board holds two underscores, so a server cannot take
    the name, and with it the permission, of another's tool.
    """
    base = re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}__{name}")[:_MAX_NAME]
    fitting = base
    number = 2
    while fitting in others:
        fitting = f"{base[: _MAX_NAME - 4]}_{number}"
        number += 1
    return fitting


def _visible_words(schema: Any) -> Any:
    """A schema whose titles and descriptions show their control characters."""
    if isinstance(schema, list):
        return [_visible_words(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: visible(value)
        if key in ("description", "title") and isinstance(value, str)
        else _visible_words(value)
        for key, value in schema.items()
    }


def _text_of(result: mcp_types.CallToolResult) -> str:
    parts = [_block_text(block) for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(parts)


def _block_text(block: mcp_types.ContentBlock) -> str:
    match block.type:
        case "text":
            return block.text
        case "image" | "audio":
            return f"[{block.type}, {block.mime_type}, not shown]"
        case "resource_link":
            return f"[link: {block.uri}]"
        case "resource":
            text = getattr(block.resource, "text", None)
            return text if isinstance(text, str) else f"[data: {block.resource.uri}]"


def _cause(error: BaseException) -> str:
    """What went wrong at the bottom of a group of errors, in words."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    words = " ".join(str(error).split())[:_SHOWN_STDERR]
    return f"{words} ({type(error).__name__})" if words else type(error).__name__
