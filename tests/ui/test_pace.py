"""When the screen takes what has arrived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tests.ui.scripted import ScriptedLink, message

from gemma_chat.host import protocol as p
from gemma_chat.ui.link import Inbox
from gemma_chat.ui.pace import Pace


class Clock:
    """As much of the program as a pace needs; its timers go off when they are told to."""

    _driver = None

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def call_later(self, callback: Callable[[], None]) -> None:
        callback()

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.due.append(callback)
        return Timer(self, callback)


class Timer:
    def __init__(self, clock: Clock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback = callback

    def stop(self) -> None:
        self._clock.due.remove(self._callback)


def paced(taken: list[int]) -> tuple[Clock, ScriptedLink]:
    """A link whose events are taken, at most one frame of text an hour."""
    clock, link = Clock(), ScriptedLink()
    inbox = Inbox(link)
    pace = Pace(cast(Any, clock), lambda: taken.append(len(inbox.take())), 3600.0)
    inbox.open(pace.wake)
    return clock, link


def text(offset: int) -> p.TurnText:
    return p.TurnText(1, 1, 2, offset, "word")


CHANGE = p.MessageChanged(1, 1, message(3, "changed"))


def test_text_is_collected_between_two_frames() -> None:
    taken: list[int] = []
    clock, link = paced(taken)
    link.event(CHANGE)
    link.event(text(0))
    link.event(text(4))
    assert taken == [1]
    clock.due[0]()
    assert taken == [1, 2]


def test_a_change_that_somebody_made_waits_for_no_frame_and_takes_the_text_with_it() -> None:
    taken: list[int] = []
    clock, link = paced(taken)
    link.event(CHANGE)
    link.event(text(0))
    link.event(CHANGE)
    assert taken == [1, 2]
    assert clock.due == []
