"""Keys, pastes and clicks take effect in the order in which they came.

Textual carries out a key of the window at once, while the letters before it still wait in the queue
of the input, and what a widget makes of a key travels through further queues. Over a slow line keys
come in bundles: letters typed before a switch of tabs would land in the tab after it, and those
after an enter would go with the message.

Here an event that may change where the next one belongs (a *deed*) waits until those before it have
had their effect, and what follows waits for its own. Letters follow one another without waiting.

No clock has a say in that: a program that was stopped, or a terminal that takes nothing, delays
keys and misplaces none. Only for a host that does not answer nobody waits, and a person who wants
to leave waits for no answer at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Literal

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.widgets import Input, TextArea

PATIENCE: Final = 1.0
"""Seconds after which a person who wants to leave no longer waits for an answer of the host."""

_QUIET_TURNS: Final = 4
"""Turns of the event loop without a message in any queue, after which nothing is under way.

Each step of an effect takes a turn: a message is in its queue until it is worked off, and what is
made of it is in the next queue then. A task that was begun takes its first step within a turn.
"""
_EAGER_TURNS: Final = 200
"""After as many turns the look into the queues is taken less often."""
_LATER: Final = 0.002
_MOST_TURNS: Final = 2_000
"""After as many there is something in a queue that nobody will ever take out of it."""
_LETTERS: Final = frozenset({"backspace", "delete", "left", "right", "home", "end"})
"""Keys beside the printable ones that concern nothing but the text where they are typed."""
_PASSING: Final = (events.MouseMove, events.MouseScrollDown, events.MouseScrollUp)
_LEAVING: Final = frozenset({"program.quit", "program.detach", "program.suspend"})

Kind = Literal["passing", "letter", "deed"]
Deliver = Callable[[events.Event], Coroutine[Any, Any, None]]


class InputOrder:
    """Delivers the events of keyboard and mouse, one deed at a time."""

    def __init__(self, app: App[Any], deliver: Deliver, host_answers: Callable[[], bool]) -> None:
        """`deliver` is Textual's own way from the app to the widgets."""
        self._app = app
        self._deliver = deliver
        self._host_answers = host_answers
        self._waiting: deque[events.Event] = deque()
        self._under_way: Literal["nothing", "letters", "deed"] = "nothing"
        self._switches = 0
        """Deeds that go on outside of the queues and will change where what is typed belongs."""
        self._news = asyncio.Event()
        """Something has changed that may end the waiting for a switch."""
        self._watching: asyncio.Task[None] | None = None

    def concerns(self, event: events.Event) -> bool:
        """Whether this has come from outside and is yet to be delivered."""
        return isinstance(event, events.InputEvent | events.Paste) and not event.is_forwarded

    async def take(self, event: events.Event) -> None:
        """Deliver this as soon as what came before it has had its effect."""
        self._waiting.append(event)
        self._news.set()
        if len(self._waiting) == 1:
            await self._deliver_waiting()

    async def during(self, work: Awaitable[object]) -> None:
        """Do this work, which ends with another tab or message; what is typed waits for its end."""
        self._switches += 1
        try:
            await work
        finally:
            self._switches -= 1
            self._news.set()

    def look_again(self) -> None:
        """The host may answer no longer, or again."""
        self._news.set()

    # ------------------------------------------------------------ one after another

    async def _deliver_waiting(self) -> None:
        while self._waiting and self._may_pass(event := self._waiting[0]):
            kind = self._kind(event)
            await self._deliver(event)
            self._waiting.popleft()
            if kind != "passing":
                self._under_way = "deed" if kind == "deed" else "letters"
                if self._watching is None:
                    self._watching = asyncio.create_task(self._watch())

    def _may_pass(self, event: events.Event) -> bool:
        if self._under_way == "letters":
            return self._kind(event) != "deed"
        return self._under_way == "nothing"

    def _kind(self, event: events.Event) -> Kind:
        if isinstance(event, _PASSING):
            return "passing"
        if isinstance(event, events.Key):
            types = isinstance(self._app.focused, TextArea | Input)
            bound = event.key in self._app._bindings.key_to_bindings
            letter = event.is_printable or event.key in _LETTERS
            return "letter" if types and letter and not bound else "deed"
        return "letter" if isinstance(event, events.Paste) else "deed"

    # ------------------------------------------------------------ until it is settled

    async def _watch(self) -> None:
        began = asyncio.get_running_loop().time()
        await self._until_quiet()
        while self._switches and not self._is_vain(began):
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._news.wait()
            await self._until_quiet()
        # In the app's own task, where events are delivered.
        self._app.call_later(self._settled)

    async def _settled(self) -> None:
        self._watching = None
        self._under_way = "nothing"
        await self._deliver_waiting()

    def _is_vain(self, began: float) -> bool:
        """Whether nobody is to wait for the answer any longer, from which a switch is to come."""
        if not self._host_answers():
            return True
        is_long = asyncio.get_running_loop().time() - began >= PATIENCE
        return is_long and any(map(self._leaves, self._waiting))

    def _leaves(self, event: events.Event) -> bool:
        if not isinstance(event, events.Key):
            return False
        active = self._app.screen.active_bindings.get(event.key)
        return active is not None and active.binding.id in _LEAVING

    async def _until_quiet(self) -> None:
        quiet = turns = 0
        while quiet < _QUIET_TURNS and turns < _MOST_TURNS:
            await asyncio.sleep(0 if turns < _EAGER_TURNS else _LATER)
            turns += 1
            quiet = quiet + 1 if self._is_quiet() else 0

    def _is_quiet(self) -> bool:
        """Whether no message waits in a queue that something typed or clicked may go through."""
        top, *below = reversed(self._app.screen_stack)
        # Those through which most goes are looked at first; then everybody on the screen.
        pumps: tuple[MessagePump | None, ...] = (self._app, self._app.focused, top, *below)
        if any(pump is not None and pump.message_queue_size for pump in pumps):
            return False
        return not any(child.message_queue_size for child in top.walk_children())
