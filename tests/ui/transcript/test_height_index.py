"""The index behaves like a list of heights that is summed anew each time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gemma_chat.ui.transcript.height_index import HeightIndex

heights = st.lists(st.integers(1, 30), max_size=40)


class AgainstAList(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = [3, 1, 2]
        self.index = HeightIndex(self.model)

    @rule(height=st.integers(1, 30))
    def append(self, height: int) -> None:
        self.model.append(height)
        self.index.append(height)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), height=st.integers(1, 30))
    def change(self, data: st.DataObject, height: int) -> None:
        place = data.draw(st.integers(0, len(self.model) - 1))
        grown = self.index.set(place, height)
        assert grown == height - self.model[place]
        self.model[place] = height

    @invariant()
    def sums_are_those_of_the_list(self) -> None:
        assert self.index.total == sum(self.model)
        assert [self.index.offset(place) for place in range(len(self.model) + 1)] == [
            sum(self.model[:place]) for place in range(len(self.model) + 1)
        ]

    @invariant()
    def every_row_is_found(self) -> None:
        expected = [
            (place, row) for place, height in enumerate(self.model) for row in range(height)
        ]
        assert [self.index.locate(row) for row in range(self.index.total)] == expected


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


@given(heights)
def test_an_index_made_at_once_equals_one_grown_by_appending(values: list[int]) -> None:
    grown = HeightIndex()
    for height in values:
        grown.append(height)

    at_once = HeightIndex(values)

    assert [grown.offset(place) for place in range(len(values) + 1)] == [
        at_once.offset(place) for place in range(len(values) + 1)
    ]
    assert len(grown) == len(values)


@pytest.mark.parametrize(("row", "expected"), [(-5, (0, 0)), (6, (2, 0)), (9, (2, 3))])
def test_rows_outside_lie_at_the_start_or_past_the_end(row: int, expected: tuple[int, int]) -> None:
    assert HeightIndex([2, 4]).locate(row) == expected


def test_an_empty_index_has_no_rows() -> None:
    assert HeightIndex().total == 0
    assert HeightIndex().locate(3) == (0, 0)
