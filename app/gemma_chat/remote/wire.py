"""One HTTP request and its answer, as it comes in.

A thread of its own talks to the server, so whoever waits can give up at any moment: while the name
is looked up, in a TLS handshake, between two bytes of a header. `http.client` is all that takes: it
follows no redirects, so a key goes nowhere but to its server, and its socket can be shut down from
another thread, which is how a reply is stopped.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections import deque
from dataclasses import dataclass
from time import monotonic

from gemma_chat.remote.address import ServerAddress

_READ_BYTES = 64 * 1024
_MOST_WAITING = 1024 * 1024
"""Bytes that were received and not taken; beyond them the server has to wait."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take, in seconds."""

    connect: float
    silence: float
    total: float | None = None
    """For the whole answer; `None` for a reply, which may take any time."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent to a server."""

    address: ServerAddress
    method: str
    path: str
    key: str = ""
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer."""

    status: int
    content_type: str
    location: str = ""
    retry_after: str = ""


class TooSlowError(Exception):
    """The server did not do in time what it is waited for: `connecting` or `answering`."""

    def __init__(self, *, connecting: bool, seconds: float) -> None:
        super().__init__(connecting, seconds)
        self.connecting = connecting
        self.seconds = seconds


class Exchange:
    """Asks one question, from the moment it is made; `close` it in any case."""

    def __init__(self, question: Question, patience: Patience) -> None:
        self._question = question
        self._patience = patience
        self._changed = threading.Condition()
        self._head: Head | None = None
        self._received: deque[bytes] = deque()
        self._waiting = 0
        self._over = False
        self._fault: Exception | None = None
        self._closed = False
        self._woken = False
        self._connected = False
        self._socket: socket.socket | None = None
        now = monotonic()
        self._due = now + patience.connect
        self._end = now + patience.total if patience.total is not None else float("inf")
        threading.Thread(target=self._talk, name="gemma-chat server", daemon=True).start()

    @property
    def head(self) -> Head | None:
        """The beginning of the answer, once it is there."""
        return self._head

    def receive(self, seconds: float | None = None) -> bytes | None:
        """The next bytes of the answer; empty at its end, `None` when none came in `seconds`.

        Before the head is there it returns `None` too, at the latest when it comes. Raises
        `TooSlowError`, or what went wrong in the connection: `OSError` or `HTTPException`.
        """
        until = float("inf") if seconds is None else monotonic() + seconds
        with self._changed:
            begun = self._head is not None
            while True:
                if self._received:
                    data = self._received.popleft()
                    self._waiting -= len(data)
                    self._changed.notify_all()
                    return data
                if self._fault is not None:
                    raise self._fault
                if self._over:
                    return b""
                if self._woken or (self._head is not None and not begun):
                    self._woken = False
                    return None
                now = monotonic()
                due = min(self._due, self._end)
                if now >= due:
                    raise self._too_slow()
                if now >= until:
                    return None
                self._changed.wait(min(due, until) - now)

    def wake(self) -> None:
        """Let the running or the next `receive` return `None`. From any thread."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Give the answer up: the server notices that its connection is gone. Twice is fine."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._socket is not None:
                # Not the method of an SSL socket, which must not be used by two threads.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _too_slow(self) -> TooSlowError:
        if not self._connected:
            return TooSlowError(connecting=True, seconds=self._patience.connect)
        total = self._patience.total
        seconds = total if total is not None and monotonic() >= self._end else None
        return TooSlowError(connecting=False, seconds=seconds or self._patience.silence)

    # ------------------------------------------------------------ the thread

    def _talk(self) -> None:
        connection = self._connection()
        try:
            connection.connect()
            if self._keep(connection.sock):
                self._read(self._ask(connection))
        except Exception as error:
            self._finish(error)
        else:
            self._finish(None)
        finally:
            with self._changed:
                # Its number may be another connection's as soon as it is closed.
                kept, self._socket = self._socket, None
            connection.close()
            # An answer without a length keeps the socket open beyond its connection.
            if kept is not None:
                kept.close()

    def _connection(self) -> http.client.HTTPConnection:
        address = self._question.address
        kind = (
            http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        )
        return kind(address.host, address.port, timeout=self._patience.connect)

    def _keep(self, connected: socket.socket) -> bool:
        """Remember the socket; `False` when the answer was given up meanwhile."""
        connected.settimeout(None)
        with self._changed:
            self._socket = connected
            self._connected = True
            self._due = monotonic() + self._patience.silence
            return not self._closed

    def _ask(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        question = self._question
        headers = {
            "Accept": "text/event-stream, application/json",
            "User-Agent": "gemma-chat",
            "Connection": "close",
        }
        if question.body is not None:
            headers["Content-Type"] = "application/json"
        if question.key:
            headers["Authorization"] = f"Bearer {question.key}"
        target = question.address.target(question.path)
        # A server that refuses a long question closes while it is still being sent, and says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(question.method, target, body=question.body, headers=headers)
        return connection.getresponse()

    def _read(self, response: http.client.HTTPResponse) -> None:
        with response:
            with self._changed:
                self._head = Head(
                    status=response.status,
                    content_type=response.headers.get_content_type(),
                    location=response.getheader("Location", ""),
                    retry_after=response.getheader("Retry-After", ""),
                )
                self._due = monotonic() + self._patience.silence
                self._changed.notify_all()
            while (data := response.read1(_READ_BYTES)) and self._put(data):
                pass

    def _put(self, data: bytes) -> bool:
        """Hand `data` over; `False` when nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting < _MOST_WAITING)
            self._received.append(data)
            self._waiting += len(data)
            self._due = monotonic() + self._patience.silence
            self._changed.notify_all()
            return not self._closed

    def _finish(self, fault: Exception | None) -> None:
        with self._changed:
            self._fault = fault
            self._over = True
            self._changed.notify_all()
