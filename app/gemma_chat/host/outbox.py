"""What waits to be sent to one client, in order and bounded.

Pieces of the same reply are joined, so a client gets few large events instead of many small ones.
When more waits than the limit, the client is too slow: all waiting events are dropped and a fresh
snapshot takes their place. Replies are never dropped; the server reads no further request of a
client before its replies have gone out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gemma_chat.host.protocol import (
    Aside,
    AsideChanged,
    DownloadsChanged,
    Event,
    LockChanged,
    MessageChanged,
    MessageUpdated,
    MessageView,
    ModelChanged,
    Notice,
    Reply,
    SessionChanged,
    Snapshot,
    SummarizerChanged,
    Thought,
    TranscriptChanged,
    TurnFinished,
    TurnText,
    Welcome,
)

MAX_WAITING_CHARACTERS: Final = 2_000_000
"""More waiting text than this, and the events make room for a snapshot."""
MAX_WAITING_EVENTS: Final = 4_000

_LATEST_ONLY: Final = (LockChanged, ModelChanged, SummarizerChanged, DownloadsChanged)

Outgoing = Welcome | Reply | Event


class Outbox:
    """The queue of one client."""

    def __init__(self, snapshot: Callable[[], Iterable[Event]]) -> None:
        """`snapshot` gives the events that tell a client the whole state."""
        self._snapshot = snapshot
        self._waiting: deque[Outgoing] = deque()
        self._text: list[str] = []
        self._text_length = 0
        self._characters = 0
        self._overflowed = False

    def __bool__(self) -> bool:
        return self._overflowed or bool(self._waiting)

    def reply(self, reply: Reply) -> None:
        """Add a reply, behind the events that came before it."""
        self._seal()
        self._waiting.append(reply)

    def event(self, event: Event) -> None:
        """Add an event; when that is too much, all events make room for a snapshot."""
        if self._overflowed:
            return
        self._characters += _weight(event)
        if isinstance(event, TurnText) and self._joins(event):
            self._text.append(event.text)
            self._text_length += len(event.text)
        else:
            self._seal()
            self._append(event)
        if self._characters > MAX_WAITING_CHARACTERS or len(self._waiting) > MAX_WAITING_EVENTS:
            self._overflow()

    def take(self) -> list[Outgoing]:
        """Everything that waits, in order; empties the outbox."""
        self._seal()
        taken = list(self._waiting)
        if self._overflowed:
            taken += self._snapshot()
        self._waiting.clear()
        self._characters = 0
        self._overflowed = False
        return taken

    def _append(self, event: Event) -> None:
        if isinstance(event, _LATEST_ONLY) and self._waiting:
            last = self._waiting[-1]
            if type(last) is type(event):
                self._waiting.pop()
        if isinstance(event, TurnText):
            self._text = [event.text]
            self._text_length = len(event.text)
        self._waiting.append(event)

    def _joins(self, event: TurnText) -> bool:
        last = self._waiting[-1] if self._waiting else None
        if not isinstance(last, TurnText) or last.message != event.message:
            return False
        return event.offset == last.offset + self._text_length

    def _seal(self) -> None:
        """Put the joined pieces into the event they belong to."""
        if len(self._text) > 1 and self._waiting and isinstance(self._waiting[-1], TurnText):
            first = self._waiting[-1]
            self._waiting[-1] = msgspec.structs.replace(first, text="".join(self._text))
        self._text = []

    def _overflow(self) -> None:
        self._waiting = deque(one for one in self._waiting if isinstance(one, Reply))
        self._text = []
        self._overflowed = True


def _weight(event: Event) -> int:
    match event:
        case TurnText():
            return len(event.text)
        case AsideChanged():
            return _weight_of_aside(event.aside)
        case MessageChanged() | MessageUpdated():
            return _weight_of_message(event.view)
        case TranscriptChanged():
            return sum(map(_weight_of_message, event.messages or ()))
        case SessionChanged():
            view = event.view
            return len(view.draft) + len(view.settings.system_instruction) + len(view.summary.text)
        case Notice():
            return len(event.text)
        case TurnFinished():
            return len(event.error)
        case Snapshot():
            return sum(_weight(SessionChanged(view)) for view in event.sessions)
        case _:
            return 0


def _weight_of_message(view: MessageView) -> int:
    return len(view.text) + sum(map(_weight_of_aside, view.asides))


def _weight_of_aside(aside: Aside) -> int:
    if isinstance(aside, Thought):
        return len(aside.text)
    return len(aside.arguments) + len(aside.result)
