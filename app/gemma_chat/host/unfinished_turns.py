"""The turns of all tabs that have been asked and have not ended."""

from __future__ import annotations

from gemma_chat.host.turns import RunningTurn


class UnfinishedTurns:
    """Running and waiting turns, in the order in which they were asked."""

    def __init__(self) -> None:
        self._turns: dict[tuple[int, int], RunningTurn] = {}

    @property
    def all(self) -> tuple[RunningTurn, ...]:
        """Those of all tabs."""
        return tuple(self._turns.values())

    @property
    def under_way(self) -> bool:
        """Whether the loaded model is needed, by a turn that it answers or has in its queue.

        One that waits there may begin at any moment, before anybody here is told of it.
        """
        return any(turn.needs_model for turn in self._turns.values())

    def of(self, session: int) -> tuple[RunningTurn, ...]:
        """Those of one tab."""
        return tuple(turn for turn in self._turns.values() if turn.session == session)

    def waiting(self, session: int) -> tuple[RunningTurn, ...]:
        """Those of one tab whose new questions wait for their first word."""
        return tuple(turn for turn in self.of(session) if turn.waits)

    def queued_as(self, engine_key: tuple[int, int]) -> RunningTurn | None:
        """The one that the model knows by its own session and turn."""
        return next((turn for turn in self._turns.values() if turn.engine_key == engine_key), None)

    def replies(self, session: int) -> dict[int, str | None]:
        """The replies of a conversation that are not finished, with all their text so far.

        `None` is the text of a reply that has not begun.
        """
        return dict(turn.record.reply for turn in self.of(session))

    def calling(self, session: int) -> tuple[str, ...]:
        """The tools whose calls have no result yet."""
        return tuple(name for turn in self.of(session) for name in turn.calling)

    def add(self, turn: RunningTurn) -> None:
        """A turn was asked."""
        self._turns[turn.session, turn.number] = turn

    def remove(self, turn: RunningTurn) -> None:
        """A turn has ended."""
        self._turns.pop((turn.session, turn.number), None)
