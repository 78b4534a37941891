"""The way from the engine thread to the event loop."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import cast

from gemma_chat.sessions.outbox import Outbox


class EagerLoop:
    """A loop that is as quick as a loop can be: it runs what it is given at once."""

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        callback()


def test_what_is_posted_together_arrives_together_however_quick_the_loop_is() -> None:
    batches: list[list[str]] = []
    outbox = Outbox[str](batches.append)
    outbox.bind(cast(AbstractEventLoop, EagerLoop()))
    outbox.post("result", "event")
    outbox.post("another")
    assert batches == [["result", "event"], ["another"]]
