"""One turn on a server: a request, and its reply as it streams in."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

from gemma_chat.engine.interface import (
    Ended,
    EndReason,
    Generated,
    Interrupted,
    Prefill,
    ReplyPart,
    Step,
    TokenCounts,
    ToolCall,
)
from gemma_chat.errors import GemmaChatError
from gemma_chat.remote.asking import WHAT_GOES_WRONG
from gemma_chat.remote.chunks import (
    CallPiece,
    Chunk,
    UnreadableChunkError,
    Usage,
    read_chunk,
)
from gemma_chat.remote.events import EventReader, EventTooLargeError
from gemma_chat.remote.faults import Faults
from gemma_chat.remote.pairs import PairJoiner
from gemma_chat.remote.thoughts import ThoughtsInText
from gemma_chat.remote.wire import Exchange, Head

LOOK_AGAIN_SECONDS: Final = 0.25
"""A step waits no longer for the server, so that the engine thread can look who else waits."""
USAGE_SECONDS: Final = 2.0
"""The reply is complete, and the server's own count of its tokens may still come."""
MOST_CHARACTERS: Final = 4_000_000
MOST_CALLS: Final = 128

_DONE = "[DONE]"
_ERROR_BYTES = 64 * 1024


class RemoteTurn:
    """See `gemma_chat.engine.interface.TurnRun`.

    A server cannot pause a reply. So a background turn says nothing before its end, and when it
    gives way it lets its request go and asks anew later: nobody sees half a reply twice.
    """

    def __init__(
        self,
        ask: Callable[[], Exchange],
        faults: Faults,
        *,
        prompt_tokens: int,
        limit: int,
        background: bool,
        on_usage: Callable[[Usage], None],
    ) -> None:
        """`ask` sends the request; the reply ends after `limit` tokens at the latest."""
        self._ask = ask
        self._faults = faults
        self._limit = limit
        self._background = background
        self._on_usage = on_usage
        self._interrupted = threading.Event()
        self._exchange: Exchange | None = None
        self._finished = False
        self.prompt_tokens = prompt_tokens
        self.counts = TokenCounts()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._events = EventReader()
        self._chunks: deque[Chunk] = deque()
        self._calls: dict[int, CallPiece] = {}
        self._text = PairJoiner()
        self._thinking = PairJoiner()
        self._in_text = ThoughtsInText()
        self._held: list[ReplyPart] = []
        self._characters = 0
        self._reading = True
        self._finish_reason = ""
        self._fault: GemmaChatError | None = None
        self._ends_at = float("inf")
        self._over = False
        self.counts.generated = 0

    def interrupt(self) -> None:
        """See the interface."""
        self._interrupted.set()
        exchange = self._exchange
        if exchange is not None:
            exchange.wake()

    def give_way(self) -> None:
        """See the interface: the reply so far is given up, and begun again later."""
        self._interrupted.clear()
        self._let_go()
        self._begin_anew()

    def finish(self) -> str:
        """See the interface. Closing the connection is what stops the server."""
        if self._finished:
            return ""
        self._finished = True
        self._let_go()
        parts = (*self._held, *self._rest_of_text())
        return "".join(part.text for part in parts if part.kind == "text")

    def step(self) -> Step:
        """Take what has come, or wait for it."""
        if self._exchange is None and not self._over:
            self._exchange = self._ask()
        while True:
            if self._interrupted.is_set():
                self._interrupted.clear()
                return Interrupted()
            if self._chunks:
                step = self._take(self._chunks.popleft())
            elif self._fault is not None:
                raise self._fault
            elif self._over or monotonic() >= self._ends_at:
                return self._end()
            elif not self._receive():
                return Interrupted()
            else:
                continue
            if step is not None:
                return step

    # ------------------------------------------------------------ what comes in

    def _receive(self) -> bool:
        """Read more of the stream; `False` when nothing came for a while."""
        assert self._exchange is not None
        try:
            data = self._exchange.receive(min(LOOK_AGAIN_SECONDS, self._ends_at - monotonic()))
        except WHAT_GOES_WRONG as error:
            if self._finish_reason:
                self._over = True
                return True
            raise self._faults.of_connection(error) from None
        head = self._exchange.head
        if head is not None:
            self._check(head, data)
        if data == b"":
            self._over = True
            self._must_be_complete()
        elif data:
            self._read(data)
        return data is not None

    def _check(self, head: Head, data: bytes | None) -> None:
        """Raise what is wrong with the answer as a whole."""
        succeeded = 200 <= head.status < 300
        if succeeded and head.content_type == "text/event-stream":
            return
        body = self._rest_of(data)
        raise (
            self._faults.of_content(head, body) if succeeded else self._faults.of_status(head, body)
        )

    def _rest_of(self, data: bytes | None) -> bytes:
        """The body of an answer that is an error, as far as it comes soon."""
        assert self._exchange is not None
        body = data or b""
        until = monotonic() + USAGE_SECONDS
        try:
            while data != b"" and len(body) < _ERROR_BYTES and monotonic() < until:
                data = self._exchange.receive(until - monotonic())
                body += data or b""
        except WHAT_GOES_WRONG:
            pass
        return body

    def _read(self, data: bytes) -> None:
        """Take the events in `data`. What is wrong with one is raised after those before it."""
        event = ""
        try:
            for event in self._events.feed(data):
                if event.strip() == _DONE:
                    self._over = True
                    return
                self._chunks.append(read_chunk(event))
        except EventTooLargeError as error:
            self._fault = self._faults.unreadable(f"an event of {error}")
        except UnreadableChunkError as error:
            what = f"{self._faults.quoted(event)[:80]!r} ({error})"
            self._fault = self._faults.unreadable(what)

    def _must_be_complete(self) -> None:
        complete = self._finish_reason or any(chunk.finish for chunk in self._chunks)
        if not complete and not any(chunk.error for chunk in self._chunks):
            raise self._faults.cut()

    # ------------------------------------------------------------ what it says

    def _take(self, chunk: Chunk) -> Step | None:
        """The step that one event is; `None` when nobody need hear of it."""
        if chunk.error:
            raise self._faults.in_reply(chunk.error)
        if chunk.usage is not None:
            self._count(chunk.usage)
        if chunk.finish:
            self._finish_reason = chunk.finish
            self._ends_at = monotonic() + USAGE_SECONDS
        if self._reading and chunk.says_something:
            self._reading = False
            self._chunks.appendleft(chunk)
            return Prefill(self.prompt_tokens, self.prompt_tokens)
        if chunk.says_something:
            return self._say(chunk)
        if self._reading and chunk.total > 0:
            self.prompt_tokens = chunk.total
            return Prefill(min(chunk.read, chunk.total), chunk.total)
        return None

    def _count(self, usage: Usage) -> None:
        self.prompt_tokens = usage.prompt
        self.counts.reused = min(usage.cached, usage.prompt)
        self.counts.evaluated = usage.prompt - self.counts.reused
        if usage.generated:
            self.counts.generated = usage.generated
        self._on_usage(usage)

    def _say(self, chunk: Chunk) -> Step:
        if chunk.usage is None:
            self.counts.generated += 1
        self._characters += len(chunk.text) + len(chunk.thinking)
        for piece in chunk.calls:
            self._characters += len(piece.arguments)
            self._add_call(piece)
        if self._characters > MOST_CHARACTERS or len(self._calls) > MOST_CALLS:
            raise self._faults.unreadable(
                f"a reply of more than {MOST_CHARACTERS:,} characters or {MOST_CALLS} calls"
            )
        parts = [
            ReplyPart("thinking", self._thinking.add(chunk.thinking)),
            *self._in_text.add(self._text.add(chunk.text)),
        ]
        if self.counts.generated > self._limit:
            # The server was told the limit and does not keep it.
            self._finish_reason, self._over = "length", True
            self._chunks.clear()
        return Generated(*self._told(parts))

    def _add_call(self, piece: CallPiece) -> None:
        known = self._calls.get(piece.index, CallPiece(piece.index))
        self._calls[piece.index] = CallPiece(
            piece.index,
            known.id or piece.id,
            known.name or piece.name,
            known.arguments + piece.arguments,
        )

    def _end(self) -> Ended:
        self._let_go()
        self._over = True
        rest = [
            ReplyPart("thinking", self._thinking.rest()),
            *self._rest_of_text(),
            *(ReplyPart("tool_call", call=_call(piece)) for piece in self._calls.values()),
        ]
        held, self._held, self._background = self._held, [], False
        reason: EndReason = "length" if self._finish_reason == "length" else "stop"
        return Ended(reason, *self._told([*held, *rest]))

    def _rest_of_text(self) -> list[ReplyPart]:
        """What is held back of the text, whose meaning is certain at the end."""
        return [*self._in_text.add(self._text.rest()), *self._in_text.rest()]

    def _told(self, parts: list[ReplyPart]) -> tuple[str, tuple[ReplyPart, ...]]:
        """How `parts` are told: text alone as text. Those of a background turn are held back."""
        said = [part for part in parts if part.text or part.call is not None]
        if self._background:
            self._held += said
            return "", ()
        if all(part.kind == "text" for part in said):
            return "".join(part.text for part in said), ()
        return "", tuple(said)

    def _let_go(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()


def _call(piece: CallPiece) -> ToolCall:
    return ToolCall(piece.id, piece.name, piece.arguments or "{}")


class NoWarmUp:
    """A `TurnRun` that ends at once: what a server warms up is its own affair."""

    prompt_tokens = 0

    def __init__(self) -> None:
        self.counts = TokenCounts()

    def step(self) -> Step:
        """The end."""
        return Ended("stop", "")

    def give_way(self) -> None:
        """Nothing is there to be kept."""

    def interrupt(self) -> None:
        """It ends by itself."""

    def finish(self) -> str:
        """Nothing was said."""
        return ""
