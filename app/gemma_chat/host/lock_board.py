"""The generation lock as the terminals see it: tabs by number and name, the summarizer by its."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import ChangeQueue, LockChanged, LockEntry, LockView, TurnPhase
from gemma_chat.host.throttle import Throttle
from gemma_chat.host.turns import RunningTurn
from gemma_chat.sessions import events
from gemma_chat.sessions.lock import GenerationLock

FIGURES_SECONDS: Final = 1.0
"""While nothing but the holder's figures change, they are told this often."""
SUMMARIZER_NAME: Final = "summarizer"
WARM_UP_NAME: Final = "warm-up"

Order = tuple[tuple[int, int, str, TurnPhase, int], ...]


class LockBoard:
    """Puts the lock into a view, and tells its changes without flooding anybody."""

    def __init__(
        self,
        publish: Callable[[LockChanged], None],
        turns: Callable[[], Iterable[RunningTurn]],
        name_of: Callable[[int], str],
        about: Callable[[events.LockEntry], int],
    ) -> None:
        """`turns` are those of all tabs that have not ended, in the order they were asked;
        `name_of` gives the title of a tab, `about` the tab that background work is for, or 0."""
        self._publish = publish
        self._turns = turns
        self._name_of = name_of
        self._about = about
        self._lock: GenerationLock | None = None
        self._order: Order = ()
        self._throttle = Throttle(FIGURES_SECONDS, self._tell)

    def watch(self, lock: GenerationLock | None) -> None:
        """Show this lock from now on."""
        self._lock = lock
        self.changed()

    def changed(self) -> None:
        """The lock, its queue or a title may have changed: tell at once when the order did."""
        if order_of(self.view()) != self._order:
            self._throttle.now()
        else:
            self._throttle.soon()

    def change(self, request: ChangeQueue) -> None:
        """Move or end an entry. Raises `HostError` where that cannot be."""
        lock = self._lock
        if lock is None or not request.ticket:
            raise HostError(
                "This message waits for a model; it can be moved once the model is loaded."
            )
        match request.change:
            case "cancel":
                done = lock.withdraw(request.ticket)
            case "sooner":
                done = lock.move(request.ticket, -1)
            case "later":
                done = lock.move(request.ticket, 1)
        if not done:
            raise HostError(_why_not(lock, request))
        # What began before is finished by the engine, which may be busy; it waits no longer.
        self.changed()

    def close(self) -> None:
        """Tell nothing more."""
        self._throttle.cancel()

    def view(self) -> LockView:
        """Who holds the lock and who waits; turns that wait for a model come last."""
        turns = list(self._turns())
        known = {turn.engine_key: turn for turn in turns if turn.engine_key is not None}
        holders, waiting = [], []
        if self._lock is not None:
            picture = self._lock.picture()
            holders = [self._entry(entry, known) for entry in picture.holders]
            waiting = [self._entry(entry, known) for entry in picture.waiting]
        waiting += [self._not_queued(turn) for turn in turns if turn.engine_key is None]
        return LockView(holders[0] if holders else None, tuple(waiting), tuple(holders[1:]))

    def _tell(self) -> None:
        view = self.view()
        self._order = order_of(view)
        self._publish(LockChanged(view))

    def _entry(
        self, entry: events.LockEntry, known: dict[tuple[int, int], RunningTurn]
    ) -> LockEntry:
        turn = known.get((entry.session, entry.turn))
        return LockEntry(
            session=0 if turn is None else turn.session,
            turn=0 if turn is None else turn.number,
            name=_background_name(entry) if turn is None else self._name_of(turn.session),
            background=entry.background,
            phase=_phase(entry.phase),
            prompt_done=entry.prompt_done,
            prompt_total=entry.prompt_total,
            generated=entry.generated,
            tokens_per_second=entry.tokens_per_second,
            elapsed=time.monotonic() - entry.since,
            ticket=entry.ticket,
            moved=entry.moved,
            about=self._about(entry) if turn is None else 0,
        )

    def _not_queued(self, turn: RunningTurn) -> LockEntry:
        return LockEntry(
            session=turn.session,
            turn=turn.number,
            name=self._name_of(turn.session),
            elapsed=time.monotonic() - turn.since,
        )


def _why_not(lock: GenerationLock, request: ChangeQueue) -> str:
    waiting = lock.waiting
    place = next((i for i, one in enumerate(waiting) if one.ticket == request.ticket), -1)
    if place < 0:
        return "This turn waits no longer: it runs, or has ended. Nothing was changed."
    beside = place + (-1 if request.change == "sooner" else 1)
    if 0 <= beside < len(waiting):
        if waiting[beside].session == waiting[place].session:
            return (
                "Its neighbour is a question of the same tab, and those stay in their order; "
                "select one of the two messages in its tab to exchange them."
            )
        return "Background work runs after all that people wait for; it keeps its place."
    return f"It is the {'first' if request.change == 'sooner' else 'last'} in the queue already."


def _background_name(entry: events.LockEntry) -> str:
    return WARM_UP_NAME if entry.purpose == "warm-up" else SUMMARIZER_NAME


def _phase(phase: events.TurnPhase) -> TurnPhase:
    return "idle" if phase == "finished" else phase


def order_of(view: LockView) -> Order:
    """Who holds the lock and who waits: what must be told at once when it changes."""
    nobody = LockEntry(0, 0, "", phase="idle")
    entries = (*(view.holders or (nobody,)), *view.waiting)
    return tuple((one.session, one.turn, one.name, one.phase, one.ticket) for one in entries)
