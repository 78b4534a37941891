"""The thoughts and tool calls of a reply while it streams."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from gemma_chat.engine.interface import ToolCall
from gemma_chat.sessions.history import ToolResult
from gemma_chat.store.records import Aside, Thought, ToolUse


class Asides:
    """What one reply has besides text, and what of it changed since it was last asked."""

    def __init__(self, known: Sequence[Aside] = ()) -> None:
        """`known` are those of a reply that goes on."""
        self._asides: list[Aside] = list(known)
        self._changed: set[int] = set()
        self._step = max((aside.step for aside in known), default=0)
        self._answered = False
        """Results came; what the model says next is another step."""
        self._thought: list[str] = []
        self._since: float | None = None

    @property
    def all(self) -> tuple[Aside, ...]:
        """All of them, in their order."""
        self._join_thought()
        return tuple(self._asides)

    def take_changes(self) -> list[tuple[int, Aside]]:
        """Those that are new or other than at the last call, with their places."""
        self._join_thought()
        changed = sorted(self._changed)
        self._changed.clear()
        return [(place, self._asides[place]) for place in changed]

    def think(self, text: str, *, at: int) -> bool:
        """More of a thought; `True` when it is a new one."""
        self._go_on()
        is_new = self._since is None
        if is_new:
            self._since = time.monotonic()
            self._add(Thought(at=at, step=self._step))
        self._thought.append(text)
        self._changed.add(len(self._asides) - 1)
        return is_new

    def say(self) -> bool:
        """The model says something; `True` when it was thinking."""
        self._go_on()
        return self.end_thought()

    def end_thought(self) -> bool:
        """The model goes on with something else; `True` when it was thinking."""
        if self._since is None:
            return False
        self._join_thought()
        seconds = max(0.001, time.monotonic() - self._since)
        self._replace(len(self._asides) - 1, seconds=seconds)
        self._since = None
        return True

    def add_call(self, call: ToolCall, *, at: int) -> None:
        """The model has made a call."""
        self._go_on()
        self.end_thought()
        self._add(
            ToolUse(
                at=at,
                step=self._step,
                call=call.id,
                name=call.name,
                arguments=call.arguments,
                error=call.error,
            )
        )

    def answer(self, result: ToolResult) -> None:
        """A call has its result; one that is not known is passed over."""
        self._answered = True
        for place, aside in enumerate(self._asides):
            if isinstance(aside, ToolUse) and aside.call == result.call_id:
                self._replace(place, outcome=result.outcome, result=result.text)

    def _go_on(self) -> None:
        if self._answered:
            self._answered = False
            self.end_thought()
            self._step += 1

    def end(self) -> None:
        """The turn is over: nothing waits for a result any more."""
        self.end_thought()
        for place, aside in enumerate(self._asides):
            if isinstance(aside, ToolUse) and aside.outcome == "waiting":
                if aside.error:
                    self._replace(place, outcome="failed", result=aside.error)
                else:
                    self._replace(place, outcome="stopped")

    def _add(self, aside: Aside) -> None:
        self._changed.add(len(self._asides))
        self._asides.append(aside)

    def _replace(self, place: int, **changes: object) -> None:
        self._asides[place] = msgspec.structs.replace(self._asides[place], **changes)
        self._changed.add(place)

    def _join_thought(self) -> None:
        if self._thought:
            last = self._asides[-1]
            assert isinstance(last, Thought)
            self._asides[-1] = msgspec.structs.replace(
                last, text=last.text + "".join(self._thought)
            )
            self._thought.clear()
