"""The tools of the tabs: those on board, and those of the servers that a person has configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.config.tools import MCP_PREFIX, ToolSettings
from gemma_chat.errors import ToolError
from gemma_chat.store.store import Store
from gemma_chat.tools.mcp_servers import McpServers
from gemma_chat.tools.on_board.calculator import calculator_tool
from gemma_chat.tools.on_board.clock import clock_tool
from gemma_chat.tools.on_board.files import file_tools
from gemma_chat.tools.on_board.history import FoundMessage, history_tool
from gemma_chat.tools.tool import Tool

_log = logging.getLogger(__name__)


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

    async def of(self, session: int, settings: ToolSettings) -> tuple[Tool, ...]:
        """The tools that are on in a tab. Its servers are started when they do not run.

        A server that cannot be used is told as a warning, and the tab goes on without it.
        """
        servers = [
            source.removeprefix(MCP_PREFIX)
            for source in settings.sources
            if source.startswith(MCP_PREFIX)
        ]
        self._servers.release(session, keep=servers)
        tools = list(self._on_board(settings))
        for name in servers:
            try:
                tools += await self._servers.tools(name, session)
            except ToolError as error:
                self._warn(session, str(error))
        return tuple(tools)

    def forget(self, session: int) -> None:
        """The tab is closed."""
        self._servers.release(session)

    async def close(self) -> None:
        """End all servers."""
        await self._servers.close()

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
