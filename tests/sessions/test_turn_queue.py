"""The order of the queue holds for every sequence of comings and goings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gemma_chat.sessions.turn_queue import TurnQueue


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    number: int
    background: bool
    of: int = 0

    @property
    def session(self) -> int:
        return self.of or self.number


class QueueAgainstASortedList(RuleBasedStateMachine):
    """The queue always equals the waiting turns by lane, by when they asked, and by what a person
    moved."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: TurnQueue[Ask] = TurnQueue()
        self.model: list[Ask] = []
        self.rank: dict[Ask, int] = {}
        self.holder: Ask | None = None
        self.asked = 0

    def expected(self) -> list[Ask]:
        return sorted(self.model, key=lambda ask: (ask.background, self.rank[ask]))

    @rule(background=st.booleans())
    def ask(self, background: bool) -> None:
        self.asked += 1
        ask = Ask(self.asked, background)
        self.rank[ask] = self.asked
        self.model.append(ask)
        assert self.queue.add(ask) == self.expected().index(ask) + 1

    @precondition(lambda self: self.holder is None)
    @rule()
    def take(self) -> None:
        expected = self.expected()
        self.holder = self.queue.take()
        assert self.holder is (expected[0] if expected else None)
        if self.holder is not None:
            self.model.remove(self.holder)

    @precondition(lambda self: self.holder is not None)
    @rule()
    def finish(self) -> None:
        self.holder = None

    @precondition(lambda self: self.holder is not None)
    @rule()
    def give_way_if_told(self) -> None:
        assert self.holder is not None
        waits = any(not ask.background for ask in self.model)
        gives_way = bool(self.queue.giving_way([self.holder], slots=1))
        assert gives_way == (self.holder.background and waits)
        if gives_way:
            self.rank[self.holder] = min([0, *(self.rank[ask] for ask in self.model)]) - 1
            self.model.append(self.holder)
            assert self.queue.put_back(self.holder) == self.expected().index(self.holder) + 1
            self.holder = None

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ask = data.draw(st.sampled_from(self.model))
        self.model.remove(ask)
        assert self.queue.remove(ask)
        assert not self.queue.remove(ask)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), step=st.sampled_from((-1, 1)))
    def move(self, data: st.DataObject, step: Literal[-1, 1]) -> None:
        ask = data.draw(st.sampled_from(self.model))
        lane = [one for one in self.expected() if one.background == ask.background]
        place = lane.index(ask) + step
        other = lane[place] if 0 <= place < len(lane) else None
        assert self.queue.move(ask, step) is other
        if other is not None:
            self.rank[ask], self.rank[other] = self.rank[other], self.rank[ask]

    @invariant()
    def order_is_lane_then_time(self) -> None:
        assert list(self.queue.order) == self.expected()
        assert len(self.queue) == len(self.model)


TestQueueAgainstASortedList = QueueAgainstASortedList.TestCase


@given(st.lists(st.booleans(), max_size=20))
def test_clearing_hands_out_everybody_in_running_order(lanes: list[bool]) -> None:
    queue: TurnQueue[Ask] = TurnQueue()
    asks = [Ask(number, background) for number, background in enumerate(lanes)]
    for ask in asks:
        queue.add(ask)
    assert list(queue.clear()) == sorted(asks, key=lambda ask: (ask.background, ask.number))
    assert queue.take() is None


SESSIONS = st.integers(1, 4)


@given(st.lists(st.tuples(SESSIONS, st.booleans()), max_size=12), st.integers(1, 4))
def test_with_several_slots_a_session_never_runs_two_turns(
    asked: list[tuple[int, bool]], slots: int
) -> None:
    queue: TurnQueue[Ask] = TurnQueue()
    for number, (session, background) in enumerate(asked, 1):
        queue.add(Ask(number, background, of=session))
    running: list[Ask] = []
    while len(running) < slots and (ask := queue.take(running)) is not None:
        running.append(ask)
    sessions = [ask.session for ask in running]
    assert len(set(sessions)) == len(sessions)
    left_out = {ask.session for ask in queue.order} - set(sessions)
    assert len(running) == slots or not left_out


def test_only_as_many_background_turns_give_way_as_people_wait_for_a_slot() -> None:
    queue: TurnQueue[Ask] = TurnQueue()
    summary, title, reply = Ask(1, True, of=1), Ask(2, True, of=2), Ask(3, False, of=3)
    running = [summary, reply, title]
    assert queue.giving_way(running, slots=3) == ()
    queue.add(Ask(4, False, of=4))
    assert queue.giving_way(running, slots=4) == ()
    assert queue.giving_way(running, slots=3) == (title,)
    queue.add(Ask(5, False, of=5))
    assert queue.giving_way(running, slots=3) == (title, summary)
    queue.add(Ask(6, False, of=6))
    assert queue.giving_way(running, slots=3) == (title, summary)


def test_a_second_question_of_a_session_that_runs_sends_nobody_away() -> None:
    queue: TurnQueue[Ask] = TurnQueue()
    running = [Ask(1, True, of=1), Ask(2, False, of=2)]
    queue.add(Ask(3, False, of=2))
    assert queue.giving_way(running, slots=2) == ()
    assert queue.take(running) is None


def test_two_questions_of_one_session_never_change_places_and_who_left_cannot_be_moved() -> None:
    queue: TurnQueue[Ask] = TurnQueue()
    first, second, other = Ask(1, False, of=1), Ask(2, False, of=1), Ask(3, False, of=2)
    for ask in (first, second, other):
        queue.add(ask)
    assert queue.move(second, -1) is None
    assert queue.move(other, -1) is second
    assert queue.order == (first, other, second)
    assert queue.take() is first
    assert queue.move(first, 1) is None
    assert queue.order == (other, second)
