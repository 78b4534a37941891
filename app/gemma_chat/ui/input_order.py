"""Keys, pastes and clicks take effect in the order in which they came.

Textual carries out a key of the window at once, while the letters before it still wait in the queue
of the input, and what a widget makes of a key travels through further queues. Over a slow line keys
come in bundles: letters typed before a switch of tabs would land in the tab after it, and those
after an enter would go with the message.

Here an event that may change where the next one belongs (a *deed*) waits until those before it have
had their effect, and what follows waits for its own. Letters follow one another without waiting.

Whether something has had its effect is found out by a round: a callback goes from queue to queue,
from the inside of the screen to the app, and comes back when each of them was worked off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, Literal

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

PATIENCE: Final = 1.0
"""Seconds after which what comes by the keyboard no longer waits for what came before."""

_ROUNDS_OF_A_DEED: Final = 2
"""In the first one a widget may ask something of another that was passed already."""
_LETTERS: Final = frozenset({"backspace", "delete"})
"""Keys beside the printable ones that do nothing but change the text."""
_PASSING: Final = (events.MouseMove, events.MouseScrollDown, events.MouseScrollUp)

Kind = Literal["passing", "letter", "deed"]
Deliver = Callable[[events.Event], Coroutine[Any, Any, None]]


class InputOrder:
    """Delivers the events of keyboard and mouse, one deed at a time."""

    def __init__(self, app: App[Any], deliver: Deliver) -> None:
        """`deliver` is Textual's own way from the app to the widgets."""
        self._app = app
        self._deliver = deliver
        self._waiting: deque[events.Event] = deque()
        self._under_way: Literal["nothing", "letters", "deed"] = "nothing"
        self._begun = 0
        """How often something came under way."""
        self._round = 0
        """The number of the newest round."""
        self._going_round = False
        self._rounds_left = 0
        self._shown: tuple[Screen[Any], Widget | None] | None = None
        """The screen, and what had the keyboard, when the round began."""
        self._switching = 0
        """How many deeds go on outside of the queues, and will show another tab."""
        self._impatience: asyncio.TimerHandle | None = None

    def concerns(self, event: events.Event) -> bool:
        """Whether this has come from outside and is yet to be delivered."""
        return isinstance(event, events.InputEvent | events.Paste) and not event.is_forwarded

    async def take(self, event: events.Event) -> None:
        """Deliver this as soon as what came before it has had its effect."""
        self._waiting.append(event)
        if len(self._waiting) == 1:
            await self._deliver_waiting()

    async def during(self, work: Awaitable[object]) -> None:
        """Do this work, which ends with another tab shown; what is typed waits for its end."""
        self._switching += 1
        try:
            await work
        finally:
            self._switching -= 1
            self._app.call_later(self._look_whether_settled)

    # ------------------------------------------------------------ one after another

    async def _deliver_waiting(self) -> None:
        while self._waiting and self._may_pass(event := self._waiting[0]):
            kind = self._kind(event)
            await self._deliver(event)
            self._waiting.popleft()
            if kind == "deed":
                self._under_way = "deed"
                self._begin(_ROUNDS_OF_A_DEED)
            elif kind == "letter" and self._under_way == "letters":
                self._rounds_left = 1
            elif kind == "letter":
                self._under_way = "letters"
                self._begin(1)

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

    # ------------------------------------------------------------ rounds through the queues

    def _begin(self, rounds: int) -> None:
        self._begun += 1
        loop = asyncio.get_running_loop()
        self._impatience = loop.call_later(PATIENCE, self._give_up, self._begun)
        self._rounds_left = rounds
        self._go_round()

    def _go_round(self) -> None:
        self._round += 1
        self._rounds_left -= 1
        self._going_round = True
        self._shown = self._app.screen, self._app.focused
        # Twice to each: what a widget makes of an event goes to the end of its own queue first.
        way = (station for one in self._stations() for station in (one, one))
        self._hop(self._round, deque(way))

    def _stations(self) -> Iterable[MessagePump]:
        """Whose queues an event may go through: first those who stand inside of others."""
        if self._under_way == "letters" and self._app.focused is not None:
            return self._app.focused.ancestors_with_self
        top, *below = reversed(self._app.screen_stack)
        # What is chosen in a dialog goes to the screen below it.
        return (*reversed([*top.walk_children(with_self=True)]), *below, self._app)

    def _hop(self, number: int, way: deque[MessagePump]) -> None:
        while way:
            if way.popleft().call_later(self._hop, number, way):
                return
        self._app.call_later(self._arrived, number)

    async def _arrived(self, number: int) -> None:
        if number == self._round:
            self._going_round = False
            # Work that was begun meanwhile takes its first steps.
            await asyncio.sleep(0)
            await self._look_whether_settled()

    async def _look_whether_settled(self) -> None:
        if self._under_way == "nothing" or self._going_round or self._switching:
            return
        if self._rounds_left or self._shown != (self._app.screen, self._app.focused):
            self._rounds_left = max(1, self._rounds_left)
            self._go_round()
            return
        await self._settled(self._begun)

    def _give_up(self, begun: int) -> None:
        self._app.call_later(self._settled, begun)

    async def _settled(self, begun: int) -> None:
        if begun != self._begun or self._under_way == "nothing":
            return
        if self._impatience is not None:
            self._impatience.cancel()
        self._under_way = "nothing"
        self._going_round = False
        await self._deliver_waiting()
