"""Messages the store would not take in their last state: kept here until it does.

A disk that is full gets room again. Until then the reply is shown as what it is, text that is in
memory only; it is shown as finished from the moment it is on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from gemma_chat.errors import StoreError
from gemma_chat.host.protocol import Event, MessageUpdated, MessageView, Notice
from gemma_chat.host.views import message_view
from gemma_chat.store.faults import AbsentError
from gemma_chat.store.records import Message
from gemma_chat.store.store import Store
from gemma_chat.terms import FinishedState

RETRY_SECONDS: Final = 1.0
IN_MEMORY: Final = (
    "This reply is not stored yet; it is kept in memory and stored as soon as that is possible."
)
STORED_AT_LAST: Final = "What could not be stored is stored now."

_log = logging.getLogger(__name__)


class Unstored:
    """What is still to be written, in the order in which it came."""

    def __init__(self, store: Store, publish: Callable[[Event], None]) -> None:
        self._store = store
        self._publish = publish
        self._waiting: dict[int, Message] = {}
        self._leaving: dict[int, None] = {}
        self._due: asyncio.TimerHandle | None = None

    def keep(self, message: Message) -> None:
        """Write `message`, which is in its last state, when that works again."""
        self._waiting[message.message] = message
        self._try_later()

    def forget(self, message: int) -> None:
        """The store has taken a later state of this message."""
        self._waiting.pop(message, None)

    def drop(self, message: int) -> None:
        """Take a message out of the store when that works again."""
        self._leaving[message] = None
        self._try_later()

    def view(self, stored: MessageView) -> MessageView | None:
        """What is shown of a stored message: `None` when it is only waiting to be removed."""
        if stored.message in self._leaving:
            return None
        waiting = self._waiting.get(stored.message)
        return stored if waiting is None else in_memory(waiting)

    def write(self) -> None:
        """Write all that waits now; raises `StoreError` when that still does not work."""
        for message in tuple(self._waiting.values()):
            self._write_one(message)
        for number in tuple(self._leaving):
            self._remove_one(number)

    def close(self) -> None:
        """Try for the last time, and give up."""
        if self._due is not None:
            self._due.cancel()
        try:
            self.write()
        except StoreError as error:
            lost = [*self._waiting, *self._leaving]
            _log.error("the last states of messages %s were never stored: %s", lost, error)

    def _try_later(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._try)

    def _try(self) -> None:
        self._due = None
        try:
            self.write()
        except StoreError as error:
            _log.info("not yet stored: %s", error)
            self._try_later()
        else:
            self._publish(Notice("information", STORED_AT_LAST))

    def _write_one(self, message: Message) -> None:
        try:
            stored = self._store.finish_message(
                message.message,
                state=_last_state(message),
                text=message.text,
                error=message.error,
                metrics=message.metrics,
                asides=message.asides,
            )
        except AbsentError:
            # Its conversation was deleted meanwhile.
            del self._waiting[message.message]
            return
        del self._waiting[message.message]
        self._publish(MessageUpdated(message.session, message_view(stored)))

    def _remove_one(self, number: int) -> None:
        try:
            self._store.remove_message(number)
        except AbsentError:
            _log.info("message %d has gone already", number)
        del self._leaving[number]


def in_memory(message: Message) -> MessageView:
    """A message that is not stored in its last state: a reply is not shown as finished."""
    view = message_view(message)
    if message.role == "user":
        return view
    return msgspec.structs.replace(
        view, state="failed", error=f"{message.error} {IN_MEMORY}".strip()
    )


def _last_state(message: Message) -> FinishedState:
    match message.state:
        case "queued" | "streaming":
            return "interrupted"
        case state:
            return state
