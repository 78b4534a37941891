"""The configured servers of tools: each runs once, as long as somebody uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.errors import ToolError
from gemma_chat.tools.mcp_server import McpServer
from gemma_chat.tools.tool import Tool


class McpServers:
    """Starts a server when its first user needs it, and ends it with its last one."""

    def __init__(self, configured: Callable[[], Iterable[McpServerSettings]]) -> None:
        """`configured` gives the servers as they are in the settings now."""
        self._configured = configured
        self._running: dict[str, tuple[McpServerSettings, McpServer]] = {}
        self._users: dict[str, set[int]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def tools(self, name: str, user: int) -> tuple[Tool, ...]:
        """The tools of the server `name`, which `user` uses from now on; raises `ToolError`."""
        settings = next((one for one in self._configured() if one.name == name), None)
        if settings is None:
            raise ToolError(
                f"There is no tool server {name}. Write [mcp.servers.{name}] into the settings "
                "file, or turn it off in this tab."
            )
        known = self._running.get(name)
        if known is None or known[0] != settings:
            if known is not None:
                self._close(known[1])
            known = self._running[name] = (settings, McpServer(settings))
        self._users.setdefault(name, set()).add(user)
        return await known[1].tools()

    def release(self, user: int, *, keep: Iterable[str] = ()) -> None:
        """`user` needs no server any more but those named in `keep`."""
        kept = set(keep)
        for name, users in list(self._users.items()):
            if name not in kept:
                users.discard(user)
            if not users:
                del self._users[name]
                self._close(self._running.pop(name)[1])

    async def close(self) -> None:
        """End all of them."""
        for user in {user for users in self._users.values() for user in users}:
            self.release(user)
        if self._closing:
            await asyncio.wait(self._closing)

    def _close(self, server: McpServer) -> None:
        task = asyncio.create_task(server.close(), name=f"close {server.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
