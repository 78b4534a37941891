"""What stays in the prompt when a conversation outgrows its window."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.interface import ChatMessage, Prompt
from gemma_chat.errors import ContextOverflowError
from gemma_chat.sessions.history import Exchange, Step
from gemma_chat.sessions.replacement import (
    NOTHING_REPLACED,
    Digest,
    Replacement,
    decided,
    in_force,
    until,
)
from gemma_chat.sessions.window import (
    Space,
    Window,
    fit_window,
    fresh_replacement,
    messages_of,
)

sizes = st.integers(min_value=1, max_value=400)


class Rendering:
    """Prompts that are as long as a fixed part plus the summary and the exchanges that are left."""

    def __init__(self, fixed: int, exchanges: list[int], pinned: frozenset[int] = frozenset()):
        self.fixed = fixed
        self.exchanges = exchanges
        self.pinned = pinned
        self.calls = 0

    def __call__(self, replacement: Replacement) -> Prompt:
        self.calls += 1
        kept = [
            size
            for place, size in enumerate(self.exchanges)
            if place >= replacement.exchanges or place in self.pinned
        ]
        return Prompt((), self.fixed + len(replacement.summary) + sum(kept))

    def fit(self, space: Space, current: Replacement, summary: str = "") -> Window:
        count = len(self.exchanges)
        fresh = fresh_replacement(current, Digest(summary, count), count)
        return fit_window(
            self, space, exchanges=count, current=current, fresh=fresh, pinned=len(self.pinned)
        )


@given(
    fixed=sizes,
    exchanges=st.lists(sizes, max_size=40),
    pins=st.sets(st.integers(0, 39), max_size=3),
    before=st.integers(0, 50),
    summary=st.integers(0, 200),
    size=st.integers(64, 2000),
    limit=st.none() | st.integers(1, 3000),
)
def test_a_chosen_window_fits_and_never_takes_anything_back(
    fixed: int,
    exchanges: list[int],
    pins: set[int],
    before: int,
    summary: int,
    size: int,
    limit: int | None,
) -> None:
    space = Space.of(size, limit)
    pinned = frozenset(pins)
    render = Rendering(fixed, exchanges, pinned)
    count = len(exchanges)
    current = Replacement(min(before, count), 0)
    kept = sum(exchanges[place] for place in pinned if place < count)
    try:
        window = render.fit(space, current, "x" * summary)
    except ContextOverflowError:
        assert fixed + kept + space.least > size
        return
    chosen, tokens = window.replacement, window.prompt.token_count
    assert tokens + space.least <= size
    assert tokens >= fixed + kept
    assert chosen.exchanges >= current.exchanges
    if chosen != current:
        assert not space.holds(render(current))
    if count and chosen.exchanges == count > current.exchanges:
        last = replace(chosen, exchanges=count - 1, summary="")
        assert render(last).token_count + space.least > size
    if current.exchanges < chosen.exchanges < count - 2:
        assert tokens <= space.target
    assert render.calls <= 9 + count.bit_length()


def test_the_last_two_exchanges_stay_when_there_is_room_for_them() -> None:
    render = Rendering(100, [100] * 5 + [200, 200])
    window = render.fit(Space(800, 200), NOTHING_REPLACED, "x" * 20)
    assert window.replacement == Replacement(5, 7, "x" * 20, 7)


def test_after_an_overflow_several_turns_go_by_without_another() -> None:
    space = Space(1000, 250)
    exchanges: list[int] = []
    current, overflows = NOTHING_REPLACED, []
    for turn in range(40):
        window = Rendering(20, exchanges).fit(space, current, "x" * 50)
        if window.replacement != current:
            overflows.append(turn)
            current = window.replacement
        exchanges.append(50)
    assert overflows
    assert min(b - a for a, b in itertools.pairwise(overflows)) >= 7


def test_a_summary_that_does_not_fit_is_left_out_before_the_last_exchange_is() -> None:
    window = Rendering(100, [300, 300]).fit(Space(600, 100), NOTHING_REPLACED, "x" * 190)
    assert window.replacement == Replacement(1, 2)


def test_pinned_exchanges_stay_also_when_everything_else_has_to_go() -> None:
    render = Rendering(200, [100, 100, 100], frozenset({0}))
    window = render.fit(Space(400, 100), NOTHING_REPLACED)
    assert window.replacement.exchanges == 3
    assert window.prompt.token_count == 300


def test_pinned_exchanges_that_leave_no_room_are_named_with_the_remedy() -> None:
    render = Rendering(50, [500, 600, 100], frozenset({0, 1}))
    with pytest.raises(ContextOverflowError, match=r"2 pinned exchanges.*holds 1000.*Take a pin"):
        render.fit(Space(1000, 250), NOTHING_REPLACED)


def test_a_question_that_cannot_fit_alone_is_refused_with_its_size_and_the_limit() -> None:
    with pytest.raises(ContextOverflowError, match=r"5000 tokens.*holds 1000.*Shorten"):
        Rendering(5000, [10]).fit(Space(1000, 250), NOTHING_REPLACED)


def test_what_was_prepared_is_used_when_it_fits() -> None:
    prepared = Replacement(2, 3, "prepared", 3)
    render = Rendering(10, [100, 100, 100])
    window = fit_window(
        render,
        Space(300, 50),
        exchanges=3,
        current=NOTHING_REPLACED,
        fresh=Replacement(0, 3, "newer", 3),
        prepared=prepared,
    )
    assert window.replacement is prepared


def test_a_tab_that_stops_uses_the_room_of_the_reply_and_then_refuses() -> None:
    space = Space(400, 100)

    def fit(size: int) -> Window:
        return fit_window(
            Rendering(size, []),
            space,
            exchanges=0,
            current=NOTHING_REPLACED,
            fresh=NOTHING_REPLACED,
            overflow="stop",
        )

    assert fit(380).replacement == NOTHING_REPLACED
    with pytest.raises(ContextOverflowError, match=r"is full.*401 tokens.*400.*overflow"):
        fit(401)


@pytest.mark.parametrize(
    ("size", "limit", "room"), [(4096, None, 1024), (4096, 100, 100), (4096, 4000, 1024)]
)
def test_the_reply_gets_its_limit_or_a_quarter_of_the_window(
    size: int, limit: int | None, room: int
) -> None:
    assert Space.of(size, limit).room == room


def test_a_blank_system_instruction_is_no_message() -> None:
    exchange = Exchange(1, "q", (Step("a"),))
    asked = ChatMessage("user", "next")
    assert [m.role for m in messages_of(" \n", [exchange], asked)] == ["user", "assistant", "user"]
    assert [m.role for m in messages_of("Be kind", [], asked)] == ["system", "user"]


def test_the_summary_stands_between_the_instruction_and_what_is_pinned_or_left() -> None:
    exchanges = [
        Exchange(number, f"q{number}", (Step(f"a{number}"),), pinned=number == 2)
        for number in range(1, 5)
    ]
    asked = ChatMessage("user", "next")
    replacement = Replacement(3, 4, "They spoke.", 3)
    messages = messages_of("Be kind", exchanges, asked, replacement=replacement)
    assert [message.role for message in messages] == [
        "system",
        *["user", "assistant"] * 3,
        "user",
    ]
    texts = [message.text for message in messages]
    assert "They spoke." in texts[1]
    assert texts[3:] == ["q2", "a2", "q4", "a4", "next"]
    assert replacement.replaces(exchanges) == 2


def test_a_decision_holds_from_the_exchange_on_before_which_it_was_made() -> None:
    first, second = Replacement(2, 5, "one", 2), Replacement(6, 9, "two", 6)
    both = (first, second)
    assert in_force(both, 4) == NOTHING_REPLACED
    assert in_force(both, 5) == in_force(both, 8) == first
    assert in_force(both, 9) == second
    assert until(both, 8) == (first,)
    late = replace(second, summary="three")
    assert decided(both, late) == (first, late)


def test_a_summary_that_covers_less_than_the_one_in_the_prompt_is_not_taken() -> None:
    current = Replacement(6, 9, "covers six", 6)
    assert fresh_replacement(current, Digest("older", 4), 12).summary == "covers six"
    assert fresh_replacement(current, Digest("", 12), 12).summary == "covers six"
    assert fresh_replacement(current, Digest("newer", 8), 12).summary == "newer"
