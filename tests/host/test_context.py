"""Which stored messages the model shall know."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.host.context import exchanges_of, history_of
from gemma_chat.store.records import Message
from gemma_chat.terms import MessageRole, MessageState

STATES: tuple[MessageState, ...] = get_args(MessageState)


def message(
    number: int, turn: int, role: MessageRole, text: str = "x", state: MessageState = "complete"
) -> Message:
    return Message(
        message=number, session=1, turn=turn, role=role, text=text, state=state, created=0.0
    )


def test_questions_stored_before_earlier_replies_are_paired_by_turn() -> None:
    stored = [
        message(1, 1, "user", "q1"),
        message(2, 2, "user", "q2"),
        message(3, 1, "assistant", "r1"),
        message(4, 2, "assistant", "r2"),
    ]
    assert [(one.role, one.text, one.turn) for one in history_of(stored)] == [
        ("user", "q1", 1),
        ("assistant", "r1", 1),
        ("user", "q2", 2),
        ("assistant", "r2", 2),
    ]


@pytest.mark.parametrize("state", [state for state in STATES if state != "complete"])
def test_a_question_that_was_not_answered_is_left_out(state: MessageState) -> None:
    assert history_of([message(1, 1, "user", state=state), message(2, 1, "assistant")]) == ()


@pytest.mark.parametrize("state", ["complete", "stopped", "length", "interrupted", "failed"])
def test_a_reply_is_known_as_far_as_it_goes(state: MessageState) -> None:
    stored = [message(1, 1, "user"), message(2, 1, "assistant", "half", state)]
    assert [one.text for one in history_of(stored)] == ["x", "half"]


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_reply_and_its_question_are_left_out(text: str) -> None:
    assert history_of([message(1, 1, "user"), message(2, 1, "assistant", text)]) == ()


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.sampled_from(["user", "assistant"]),
            st.sampled_from(["", "a"]),
            st.sampled_from(STATES),
        )
    )
)
def test_roles_always_alternate(
    stored: list[tuple[int, MessageRole, str, MessageState]],
) -> None:
    messages = [message(number, *fields) for number, fields in enumerate(stored)]
    roles = [one.role for one in history_of(messages)]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    for exchange in exchanges_of(messages):
        assert exchange.question.message < exchange.reply.message
