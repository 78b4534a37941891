"""Conversations on their way from the store to a file and back."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.exchange.transcript import Line, Transcript
from gemma_chat.host.library import fetched, imported
from gemma_chat.host.portable import import_request, transcript_from
from gemma_chat.host.protocol import (
    Conversation,
    ConversationView,
    FetchConversation,
    MessageState,
    MessageView,
)
from gemma_chat.host.views import message_view
from gemma_chat.store.store import Store


@st.composite
def trees(draw: st.DrawFn) -> tuple[Line, ...]:
    """Messages of which each follows any one before it."""
    count = draw(st.integers(1, 12))
    parents = [draw(st.integers(0, place)) for place in range(count)]
    chosen = {
        draw(st.sampled_from([at for at, one in enumerate(parents) if one == parent]))
        for parent in sorted(set(parents))
    }
    return tuple(
        Line(
            draw(st.sampled_from(("user", "assistant"))),
            f"message {place}",
            1.0 + place,
            parent=None if parent == place else parent,
            chosen=place in chosen,
        )
        for place, parent in enumerate(parents)
    )


@given(trees())
def test_every_tree_comes_back_from_the_store_as_it_went_in(lines: tuple[Line, ...]) -> None:
    store = Store.in_memory()
    session = imported(store, import_request(Transcript("t", lines))).session
    views = [message_view(one) for one in store.messages(session, branches="all")]
    written = transcript_from(fetched(store, FetchConversation(0, session)), views)
    shown = store.messages(session)
    store.close()
    assert written.lines == lines
    assert [line.text for line in written.shown] == [one.text for one in shown]


def view(number: int, parent: int, state: MessageState = "complete") -> MessageView:
    return MessageView(number, 1, "user", f"message {number}", state, 1.0, parent=parent)


def written(views: Sequence[MessageView]) -> list[tuple[str, int | None]]:
    head = ConversationView(1, "t", True, 1.0, 1.0, len(views))
    transcript = transcript_from(Conversation(0, head, SessionSettings()), views)
    return [(line.text, line.parent) for line in transcript.lines]


def test_what_follows_a_message_that_is_not_finished_follows_what_stands_above_it() -> None:
    views = [view(5, 0), view(6, 5), view(7, 5, "streaming"), view(8, 7)]
    assert written(views) == [("message 5", None), ("message 6", None), ("message 8", 1)]


def test_a_question_that_waits_to_be_answered_anew_is_kept_with_its_answers() -> None:
    answered = [view(5, 0, "queued"), view(6, 5), view(7, 5, "queued")]
    assert written(answered) == [("message 5", None), ("message 6", None)]
    assert written([view(5, 0), view(6, 5, "queued")]) == [("message 5", None)]


def test_what_follows_a_message_that_is_gone_follows_the_one_right_before_it() -> None:
    assert written([view(5, 0), view(7, 6)]) == [("message 5", None), ("message 7", None)]
