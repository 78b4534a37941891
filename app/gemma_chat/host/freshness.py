"""Which events are out of date, and therefore dropped.

An event about a tab is out of date when that tab is not open, and one about a turn when that turn
has finished or a later turn of the tab has already begun to speak: turns of one tab run one after
another, and their numbers only grow. A question of a later turn that waits in the queue does not
make the running turn old.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gemma_chat.host.protocol import (
    AsideChanged,
    Event,
    MessageChanged,
    MessageRemoved,
    MessageUpdated,
    SessionChanged,
    SessionClosed,
    SessionView,
    Snapshot,
    TranscriptChanged,
    TurnFinished,
    TurnText,
)

_OfTurn = MessageChanged | MessageRemoved | TurnText | AsideChanged | TurnFinished


@dataclass(slots=True)
class _Turns:
    """What is known of one tab's turns: those up to `over` are past, and so are `finished`."""

    over: int = 0
    finished: set[int] = field(default_factory=set)

    def is_past(self, turn: int) -> bool:
        return turn <= self.over or turn in self.finished

    def speaks(self, turn: int) -> None:
        """`turn` runs now, so every turn before it is past."""
        self.over = max(self.over, turn - 1)
        self.finished = {number for number in self.finished if number > self.over}


class Freshness:
    """Remembers which tabs are open and how far their turns are."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._turns: dict[int, _Turns] = {}
        self._snapshot_due = True

    def expect_snapshot(self) -> None:
        """A new connection: nothing about tabs is believed before its `Snapshot`."""
        self._snapshot_due = True

    def admits(self, event: Event) -> bool:
        """Take note of `event` and tell whether it is still of interest."""
        match event:
            case Snapshot():
                self._snapshot_due = False
                # What is told from now on is newer. Turns may even count from the beginning again:
                # the host works on a database that was restored.
                self._turns.clear()
                self._open = {view.session for view in event.sessions}
            case SessionChanged():
                return not self._snapshot_due and self._note_tab(event.view)
            case SessionClosed():
                return not self._snapshot_due and self._note_closed(event.session)
            case MessageUpdated() | TranscriptChanged():
                return not self._snapshot_due and event.session in self._open
            case MessageChanged() | MessageRemoved() | TurnText() | AsideChanged() | TurnFinished():
                return not self._snapshot_due and self._note_turn(event)
        return True

    def _note_tab(self, view: SessionView) -> bool:
        turns = self._turns.get(view.session)
        if view.session not in self._open and turns is not None:
            # A tab that was closed and is opened again has no running turn.
            turns.over = max(turns.over, view.turn)
        self._open.add(view.session)
        return True

    def _note_closed(self, session: int) -> bool:
        self._turns.setdefault(session, _Turns())
        was_open = session in self._open
        self._open.discard(session)
        return was_open

    def _note_turn(self, event: _OfTurn) -> bool:
        if event.session not in self._open:
            return False
        turns = self._turns.setdefault(event.session, _Turns())
        if turns.is_past(event.turn):
            return False
        if isinstance(event, TurnText):
            turns.speaks(event.turn)
        elif isinstance(event, TurnFinished):
            turns.finished.add(event.turn)
        return True
