"""The tools of the tabs: those on board, and those of the servers that a person has configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.config.tools import MCP_PREFIX, ToolSettings
from gemma_chat.errors import ToolError
from gemma_chat.store.store import Store
from gemma_chat.tools.mcp_server import START_SECONDS
from gemma_chat.tools.mcp_servers import McpServers
from gemma_chat.tools.on_board.calculator import calculator_tool
from gemma_chat.tools.on_board.clock import clock_tool
from gemma_chat.tools.on_board.files import file_tools
from gemma_chat.tools.on_board.history import FoundMessage, history_tool
from gemma_chat.tools.tool import Tool

UNTOLD_SECONDS: Final = 5.0
"""So long a server may take to start before its tab is told why it waits."""


class TabTools:
    """Brings the tools of a tab into being, and lets go of what no tab needs any more."""

    def __init__(
        self,
        store: Store,
        servers: Callable[[], Iterable[McpServerSettings]],
        warn: Callable[[int, str], None],
    ) -> None:
        """`servers` are the configured ones; `warn` tells a tab what it has to do without."""
        self._store = store
        self._servers = McpServers(servers)
        self._warn = warn
        self._told: dict[tuple[int, str], bool] = {}
        """Whether a tab was told that a server cannot be used, or only that it is waited for."""

    async def of(self, session: int, settings: ToolSettings) -> tuple[Tool, ...]:
        """The tools that are on in a tab. Its servers are started when they do not run.

        A server that cannot be used is told as a warning, and the tab goes on without it. That is
        told once, not with every question, until the server works or is turned off and on.
        """
        servers = [
            source.removeprefix(MCP_PREFIX)
            for source in settings.sources
            if source.startswith(MCP_PREFIX)
        ]
        self._servers.release(session, keep=servers)
        self._forget_told(session, keep=servers)
        theirs = await asyncio.gather(*(self._of_server(session, name) for name in servers))
        return tuple(chain(self._on_board(settings), *theirs))

    def forget(self, session: int) -> None:
        """The tab is closed."""
        self._servers.release(session)
        self._forget_told(session)

    async def close(self) -> None:
        """End all servers."""
        await self._servers.close()

    async def _of_server(self, session: int, name: str) -> tuple[Tool, ...]:
        waiting = asyncio.get_running_loop().call_later(
            UNTOLD_SECONDS,
            self._tell,
            session,
            name,
            f"The tool server {name} is starting; this tab waits for it, {START_SECONDS:.0f} "
            "seconds at most.",
        )
        try:
            tools = await self._servers.tools(name, session)
        except ToolError as error:
            self._tell(session, name, str(error), is_refusal=True)
            return ()
        finally:
            waiting.cancel()
        self._told.pop((session, name), None)
        return tools

    def _tell(self, session: int, name: str, sentence: str, *, is_refusal: bool = False) -> None:
        """Tell once that a server is waited for, and once that it cannot be used."""
        if self._told.get((session, name)) != is_refusal:
            self._told[session, name] = is_refusal
            self._warn(session, sentence)

    def _forget_told(self, session: int, *, keep: Sequence[str] = ()) -> None:
        """Whoever turns a server on again is told again."""
        gone = [one for one in self._told if one[0] == session and one[1] not in keep]
        for one in gone:
            del self._told[one]

    def _on_board(self, settings: ToolSettings) -> Iterable[Tool]:
        if "clock" in settings.sources:
            yield clock_tool()
        if "calculator" in settings.sources:
            yield calculator_tool()
        if "files" in settings.sources:
            yield from file_tools(_folder(settings.folder))
        if "history" in settings.sources:
            yield history_tool(self._search)

    async def _search(self, words: str, limit: int) -> Sequence[FoundMessage]:
        """The newest messages that hold all of `words`; the last one may be a beginning."""
        return [
            FoundMessage(hit.title, hit.role, self._store.message(hit.message).text, hit.created)
            for hit in self._store.library.search(words, limit=limit)
        ]


def _folder(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
