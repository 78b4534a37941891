"""The host's socket: accepts terminals, passes their requests on, and sends them what happens."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gemma_chat.errors import GemmaChatError, HostError, ProtocolError
from gemma_chat.host.connection import LEAVING, Answers, Connection
from gemma_chat.host.framing import STREAM_BUFFER_BYTES, shut
from gemma_chat.host.peer import peer_of
from gemma_chat.host.protocol import Event, Leaving

MAX_CLIENTS: Final = 64
_LEAVING_SECONDS: Final = 2.0
"""How long slow clients may take to receive the last words."""

_log = logging.getLogger(__name__)


class HostServer:
    """Listens on a unix socket for terminals of the same user."""

    def __init__(
        self,
        socket_path: Path,
        *,
        program: str,
        on_clients: Callable[[], None],
    ) -> None:
        """Prepare; `start` begins to listen. `on_clients` is called when `clients` changes."""
        self._socket_path = socket_path
        self._answers: Answers | None = None
        self._program = program
        self._on_clients = on_clients
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self._leaving = False

    @property
    def clients(self) -> int:
        """How many terminals are connected."""
        return sum(1 for connection in self._connections if connection.accepted)

    async def start(self, answers: Answers) -> None:
        """Begin to accept clients, whose requests `answers` carries out.

        Raises `HostError` when the socket cannot be made.
        """
        self._answers = answers
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, str(self._socket_path), limit=STREAM_BUFFER_BYTES
            )
        except OSError as error:
            raise HostError(
                f"The socket {self._socket_path} cannot be made: {error.strerror or error}."
            ) from error
        finally:
            os.umask(before)

    def publish(self, event: Event) -> None:
        """Send `event` to every client; never waits."""
        for connection in self._connections:
            connection.event(event)

    def stop_accepting(self) -> None:
        """Accept nobody any more, so that a new terminal starts another host."""
        self._leaving = True
        if self._server is not None:
            self._server.close()
        self._socket_path.unlink(missing_ok=True)

    async def close(self, reason: str) -> None:
        """Accept nobody any more, tell every client `reason`, and end the connections."""
        self.stop_accepting()
        self.publish(Leaving(reason))
        for connection in self._connections:
            connection.finish()
        if self._serving:
            _done, pending = await asyncio.wait(self._serving, timeout=_LEAVING_SECONDS)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        assert self._answers is not None
        connection = Connection(
            reader,
            writer,
            self._answers,
            self._program,
            number=next(self._numbers),
            readers=lambda: self.clients,
            is_leaving=lambda: self._leaving,
        )
        try:
            refusal = self._refusal(writer)
            if refusal:
                await connection.refuse(refusal, leaving=self._leaving)
            else:
                self._connections.add(connection)
                await connection.serve(self._on_clients)
        except ProtocolError as error:
            _log.warning("client %d: %s", connection.peer, error)
        except GemmaChatError as error:
            _log.error("client %d cannot be served: %s", connection.peer, error)
        except OSError as error:
            _log.info("client %d is gone: %s", connection.peer, error)
        finally:
            self._connections.discard(connection)
            try:
                await shut(writer)
            finally:
                if connection.accepted and connection.peer not in self._peers():
                    await self._answers.left(connection.peer)
                self._on_clients()

    def _peers(self) -> set[int]:
        return {connection.peer for connection in self._connections}

    def _refusal(self, writer: asyncio.StreamWriter) -> str:
        if self._leaving:
            return LEAVING
        if len(self._connections) >= MAX_CLIENTS:
            return f"The host serves {MAX_CLIENTS} terminals already; close one."
        uid = peer_of(writer.get_extra_info("socket")).uid
        if uid != os.getuid():
            _log.warning("refused a client of uid %d", uid)
            return "This host serves another user."
        return ""
