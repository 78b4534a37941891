"""What stays in the prompt when a conversation outgrows its window."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.interface import ChatMessage, Prompt
from gemma_chat.errors import ContextOverflowError
from gemma_chat.sessions.history import Exchange, Step
from gemma_chat.sessions.window import LEAST_REPLY, fit_window, messages_of, reply_room

sizes = st.integers(min_value=1, max_value=400)


class Rendering:
    """Prompts that are as long as a fixed part plus the exchanges that are left."""

    def __init__(self, fixed: int, exchanges: list[int]) -> None:
        self.fixed = fixed
        self.exchanges = exchanges
        self.calls = 0

    def __call__(self, skip: int) -> Prompt:
        self.calls += 1
        return Prompt((), self.fixed + sum(self.exchanges[skip:]))


@given(
    fixed=sizes,
    exchanges=st.lists(sizes, max_size=40),
    before=st.integers(0, 50),
    size=st.integers(64, 2000),
    limit=st.none() | st.integers(1, 3000),
)
def test_a_chosen_window_fits_and_never_takes_anything_back(
    fixed: int, exchanges: list[int], before: int, size: int, limit: int | None
) -> None:
    room = reply_room(size, limit)
    render = Rendering(fixed, exchanges)
    before = min(before, len(exchanges))
    try:
        window = fit_window(
            render, exchanges=len(exchanges), left_out=before, context_size=size, room=room
        )
    except ContextOverflowError:
        assert fixed + min(room, LEAST_REPLY) > size
        return
    assert window.prompt.token_count + min(room, LEAST_REPLY) <= size
    assert before <= window.left_out <= len(exchanges)
    if window.left_out > before:
        assert fixed + sum(exchanges[before:]) + room > size
    if exchanges and window.left_out == len(exchanges) > before:
        assert fixed + exchanges[-1] + min(room, LEAST_REPLY) > size
    if before < window.left_out < len(exchanges) - 1:
        assert window.prompt.token_count <= size - room - size // 4
    assert render.calls <= 4 + len(exchanges).bit_length()


def test_after_an_overflow_several_turns_go_by_without_another() -> None:
    size, room = 1000, 250
    exchanges: list[int] = []
    left_out, overflows = 0, []
    for turn in range(40):
        render = Rendering(20, exchanges)
        window = fit_window(
            render, exchanges=len(exchanges), left_out=left_out, context_size=size, room=room
        )
        if window.left_out > left_out:
            overflows.append(turn)
            left_out = window.left_out
        exchanges.append(50)
    assert overflows
    assert min(b - a for a, b in itertools.pairwise(overflows)) >= 5


def test_a_question_that_cannot_fit_alone_is_refused_with_its_size_and_the_limit() -> None:
    with pytest.raises(ContextOverflowError, match=r"5000 tokens.*holds 1000.*Shorten"):
        fit_window(Rendering(5000, [10]), exchanges=1, left_out=0, context_size=1000, room=250)


@pytest.mark.parametrize(
    ("size", "limit", "room"), [(4096, None, 1024), (4096, 100, 100), (4096, 4000, 1024)]
)
def test_the_reply_gets_its_limit_or_a_quarter_of_the_window(
    size: int, limit: int | None, room: int
) -> None:
    assert reply_room(size, limit) == room


def test_a_blank_system_instruction_is_no_message() -> None:
    exchange = Exchange(1, "q", (Step("a"),))
    asked = ChatMessage("user", "next")
    assert [m.role for m in messages_of(" \n", [exchange], asked)] == ["user", "assistant", "user"]
    assert [m.role for m in messages_of("Be kind", [], asked)] == ["system", "user"]
