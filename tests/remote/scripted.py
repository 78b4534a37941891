"""A chat server for tests that does exactly what a test says, however wrong that is.

It speaks on raw sockets, so that an answer can be cut, slow, endless or no HTTP at all.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

DEADLINE = 60.0
"""Seconds after which a wait that should have ended counts as a failed test."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


class Line:
    """The connection to one client."""

    def __init__(self, connected: socket.socket, *, on_end: Callable[[], None]) -> None:
        """`on_end` is called before the end of a reply is written."""
        self._socket = connected
        self._on_end = on_end
        self.is_open = True
        """Whether everything could be written so far."""

    def send(self, data: bytes) -> None:
        """Write; a client that has gone is no error."""
        try:
            self._socket.sendall(data)
        except OSError:
            self.is_open = False

    def head(
        self, status: int = 200, kind: str = "text/event-stream", **headers: str | int
    ) -> None:
        lines = [f"HTTP/1.1 {status} Word", f"Content-Type: {kind}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def event(self, event: dict[str, Any] | str) -> None:
        text = event if isinstance(event, str) else json.dumps(event)
        self.send(f"data: {text}\n\n".encode())

    def says(self, *texts: str) -> None:
        for text in texts:
            self.event(delta(content=text))

    def ends(self, reason: str = "stop") -> None:
        # Whoever reads the end may ask again before this thread has come any further.
        self._on_end()
        self.event(delta(finish=reason))
        self.event("[DONE]")

    def answer(self, status: int, value: object) -> None:
        """A whole JSON answer."""
        body = json.dumps(value).encode()
        self.head(status, "application/json", Content_Length=len(body))
        self.send(body)

    def gone(self) -> bool:
        """Wait until the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            return self._socket.recv(1) == b""
        return True


Script = Callable[[Line, Request], None]


def delta(*, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk of a chat completion."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def reply(*texts: str, reason: str = "stop") -> Script:
    """An ordinary reply in these pieces."""

    def script(line: Line, request: Request) -> None:
        line.head()
        line.event(delta(role="assistant"))
        line.says(*texts)
        line.ends(reason)

    return script


def echo(line: Line, request: Request) -> None:
    """Say what was asked last."""
    reply("You said: ", request.json["messages"][-1]["content"])(line, request)


def refuse(status: int, value: object) -> Script:
    """An error as JSON."""
    return lambda line, request: line.answer(status, value)


class ScriptedServer:
    """Listens on a free port of this machine; each connection has a thread of its own."""

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.chat: Script = echo
        """Answers `/v1/chat/completions`."""
        self.answers: dict[str, Script] = {
            "/v1/models": refuse(200, {"data": [{"id": "scripted-model", "owned_by": "tests"}]})
        }
        """Answers other paths; what is not here is 404."""
        self.requests: list[Request] = []
        self.open = 0
        """Chats that are being answered now."""
        self.most_open = 0
        self._tls = tls
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._sockets: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def chats(self) -> list[Request]:
        """The chat requests, oldest first."""
        return [one for one in self.requests if one.path.endswith("/chat/completions")]

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for a change of requests or open chats after which `holds`."""
        with self._changed:
            if not self._changed.wait_for(holds, DEADLINE):
                raise TimeoutError("The server was not asked what the test expects.")

    def close(self) -> None:
        """Stop listening, and drop every connection, as a server that is killed."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connected)
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.closing(connected):
            if self._tls is not None:
                connected = self._tls.wrap_socket(connected, server_side=True)
            request = _read(connected)
            # Chosen before anybody can see that this chat is open, and choose another script.
            script = self._script(request)
            with self._counted(request) as end:
                script(Line(connected, on_end=end), request)
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_WR)

    @contextlib.contextmanager
    def _counted(self, request: Request) -> Iterator[Callable[[], None]]:
        """A chat is open from here to the end of its reply, which is told by a call."""
        counts = request.path.endswith("/chat/completions")

        def end() -> None:
            nonlocal counts
            with self._changed:
                self.open -= counts
                counts = False
                self._changed.notify_all()

        with self._changed:
            self.requests.append(request)
            self.open += counts
            self.most_open = max(self.most_open, self.open)
            self._changed.notify_all()
        try:
            yield end
        finally:
            end()

    def _script(self, request: Request) -> Script:
        if request.path.endswith("/chat/completions"):
            return self.chat
        return self.answers.get(request.path, refuse(404, {"detail": "Not Found"}))


def _read(connected: socket.socket) -> Request:
    with connected.makefile("rb") as stream:
        method, path, _ = stream.readline().decode().split()
        headers: dict[str, str] = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Request(method, path, headers, stream.read(int(headers.get("content-length", 0))))
