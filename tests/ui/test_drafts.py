"""Drafts: what is typed and what is folded come back as they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.host.protocol import MAX_MESSAGE_CHARACTERS
from gemma_chat.ui.drafts import FOLD_CHARACTERS, Draft, draft_of


@given(st.text(max_size=200), st.sampled_from([0, 1, FOLD_CHARACTERS, FOLD_CHARACTERS + 1]))
def test_a_saved_draft_says_the_same_when_it_comes_back(text: str, filling: int) -> None:
    full = text + "\n\n" + "x" * filling if filling else text
    assert draft_of(full).full == full


def test_the_editor_gets_no_more_than_it_can_carry() -> None:
    draft = draft_of("Please sum up:\n\n" + "y" * 50_000)
    assert draft == Draft("Please sum up:", ("y" * 50_000,))


def test_a_large_text_without_a_break_is_folded_as_a_whole() -> None:
    assert draft_of("y" * 50_000) == Draft("", ("y" * 50_000,))


def test_folded_pastes_follow_the_typed_text() -> None:
    draft = Draft("first").with_paste("second").with_paste("third")
    assert draft.full == "first\n\nsecond\n\nthird"
    assert draft.without_paste(0).full == "first\n\nthird"


def test_blanks_alone_are_nothing_to_send() -> None:
    assert Draft(" \n\t ", ("  \n",)).empty
    assert not Draft("", ("text",)).empty


def test_a_message_beyond_the_limit_is_named_with_its_length() -> None:
    assert Draft("", ("x" * MAX_MESSAGE_CHARACTERS,)).too_long == ""
    sentence = Draft("x", ("x" * MAX_MESSAGE_CHARACTERS,)).too_long
    assert "4,000,003" in sentence
    assert "4,000,000" in sentence


def test_a_message_that_comes_back_stands_before_what_was_typed_since() -> None:
    assert Draft("old", ("paste",)).before(Draft("new")) == Draft("old\nnew", ("paste",))
