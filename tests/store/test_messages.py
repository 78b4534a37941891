"""Messages: what is added comes back as it was, in order, finished or interrupted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.store.conftest import Clock

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.host.protocol import MessageView
from gemma_chat.store.interruption import INTERRUPTED_QUESTION, INTERRUPTED_REPLY
from gemma_chat.store.records import Message, Thought, ToolUse, TurnMetrics
from gemma_chat.store.store import Store

ABSENT = 4711


@pytest.fixture
def session(store: Store, settings: SessionSettings) -> int:
    return store.create(settings).session


def ask(store: Store, session: int, turn: int, text: str = "Why?") -> Message:
    return store.add_message(session, turn=turn, role="user", text=text, state="complete")


def has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def reply(store: Store, session: int, turn: int) -> Message:
    return store.add_message(session, turn=turn, role="assistant", state="streaming")


def test_a_turn_is_kept_from_the_question_to_the_figures(
    store: Store, session: int, clock: Clock
) -> None:
    question = ask(store, session, 1)
    clock.now = 1002.5
    answer = reply(store, session, 1)
    store.update_message(answer.message, text="Because of it.", durability="soon")
    assert store.message(answer.message).text == "Because of it."
    metrics = TurnMetrics(evaluated_tokens=12, generated_tokens=3, finish_reason="stop")
    finished = store.finish_message(answer.message, state="complete", metrics=metrics)
    assert finished.text == "Because of it."
    assert finished.metrics == metrics
    assert store.messages(session) == (question, finished)
    conversation = store.conversation(session)
    assert (conversation.turn, conversation.message_count) == (1, 2)
    assert conversation.updated == 1002.5


def test_a_message_is_a_view_of_the_protocol_by_its_names(store: Store, session: int) -> None:
    answer = reply(store, session, 3)
    record = store.finish_message(
        answer.message, state="length", text="so", metrics=TurnMetrics(generated_tokens=1)
    )
    view = msgspec.convert(record, MessageView, from_attributes=True)
    assert (view.message, view.turn, view.text, view.state) == (record.message, 3, "so", "length")
    assert view.metrics is not None
    assert view.metrics.generated_tokens == 1


def test_only_what_is_given_is_changed(store: Store, session: int) -> None:
    answer = store.add_message(
        session, turn=1, role="assistant", text="x", state="failed", error="boom"
    )
    changed = store.update_message(answer.message, text="")
    assert changed == msgspec.structs.replace(answer, text="")
    assert store.update_message(answer.message, state="stopped", error="").error == ""


def test_the_turn_of_a_conversation_only_grows(store: Store, session: int) -> None:
    ask(store, session, 5)
    ask(store, session, 2)
    assert store.conversation(session).turn == 5


def test_messages_are_read_in_stretches_from_the_end(store: Store, session: int) -> None:
    numbers = [ask(store, session, turn).message for turn in range(1, 8)]
    last = [message.message for message in store.messages(session, limit=3)]
    assert last == numbers[4:]
    middle = [message.message for message in store.messages(session, before=last[0], limit=3)]
    assert middle == numbers[1:4]
    assert [m.message for m in store.messages(session, before=middle[0], limit=3)] == numbers[:1]
    assert store.messages(session, before=numbers[0]) == ()
    assert store.messages(session, limit=0) == store.messages(session, limit=-1) == ()


def test_messages_of_other_conversations_stay_out(
    store: Store, session: int, settings: SessionSettings
) -> None:
    other = store.create(settings).session
    mine = ask(store, session, 1)
    ask(store, other, 1)
    assert store.messages(session) == (mine,)


def test_a_message_that_is_removed_is_gone(store: Store, session: int) -> None:
    message = ask(store, session, 1).message
    store.remove_message(message)
    assert store.messages(session) == ()
    assert store.conversation(session).message_count == 0


def test_every_call_about_a_message_that_does_not_exist_says_so(store: Store) -> None:
    calls = [
        lambda: store.message(ABSENT),
        lambda: store.update_message(ABSENT, text="x"),
        lambda: store.finish_message(ABSENT, state="complete"),
        lambda: store.remove_message(ABSENT),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=f"no message {ABSENT}"):
            call()


def test_at_start_an_unfinished_reply_keeps_its_text_and_is_interrupted(
    store: Store, session: int
) -> None:
    question = ask(store, session, 1)
    answer = reply(store, session, 1)
    store.update_message(answer.message, text="Half a sen")
    interrupted = store.mark_interrupted()
    assert [(m.message, m.text, m.state, m.error) for m in interrupted] == [
        (answer.message, "Half a sen", "interrupted", INTERRUPTED_REPLY)
    ]
    assert store.messages(session) == (question, *interrupted)


def test_at_start_a_question_whose_reply_has_no_text_is_interrupted_and_the_reply_removed(
    store: Store, session: int
) -> None:
    question = ask(store, session, 1)
    reply(store, session, 1)
    (interrupted,) = store.mark_interrupted()
    assert interrupted == msgspec.structs.replace(
        question, state="interrupted", error=INTERRUPTED_QUESTION
    )
    assert store.messages(session) == (interrupted,)


def test_at_start_questions_that_waited_are_interrupted_and_kept(
    store: Store, session: int
) -> None:
    waiting = [
        store.add_message(session, turn=turn, role="user", text=f"q{turn}", state="queued")
        for turn in (1, 2)
    ]
    interrupted = store.mark_interrupted()
    assert [m.message for m in interrupted] == [m.message for m in waiting]
    assert {m.state for m in interrupted} == {"interrupted"}
    assert [m.text for m in store.messages(session)] == ["q1", "q2"]
    assert store.mark_interrupted() == ()


def test_at_start_finished_turns_stay_as_they_are(store: Store, session: int) -> None:
    ask(store, session, 1)
    store.finish_message(reply(store, session, 1).message, state="stopped", text="x")
    before = store.messages(session)
    assert store.mark_interrupted() == ()
    assert store.messages(session) == before


def test_a_lone_surrogate_becomes_a_replacement_character_and_a_pair_a_character(
    store: Store, session: int
) -> None:
    assert ask(store, session, 1, "a\ud800b \ud83d\ude00").text == "a\ufffdb \U0001f600"
    store.rename(session, "\udfff", by="person")
    store.set_settings(
        session,
        SessionSettings(system_instruction="\ud800", sampling=SamplingSettings(stop=("\udc00",))),
    )
    conversation = store.conversation(session)
    assert conversation.title == conversation.settings.system_instruction == "\ufffd"
    assert conversation.settings.sampling.stop == ("\ufffd",)


def test_ten_megabytes_come_back_whole(store: Store, session: int) -> None:
    text = "\0ä\U0001f600\n" * 1_250_000
    assert ask(store, session, 1, text).text == text
    assert store.messages(session)[0].text == text


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters()))
def test_any_text_at_all_can_be_stored_and_is_returned_as_stored(store: Store, text: str) -> None:
    session = store.create(SessionSettings(), title=text).session
    message = ask(store, session, 1, text)
    assert store.message(message.message) == message
    assert not has_lone_surrogate(message.text)
    if not has_lone_surrogate(text):
        assert message.text == store.conversation(session).title == text


def test_thoughts_and_calls_are_kept_with_their_reply(store: Store, session: int) -> None:
    ask(store, session, 1)
    answer = reply(store, session, 1)
    asides = (
        Thought(at=0, text="Hm \ud800", seconds=1.5),
        ToolUse(at=3, step=1, call="c", name="clock", arguments='{"a": "é"}', result="noon"),
    )
    store.update_message(answer.message, asides=asides)
    kept = (msgspec.structs.replace(asides[0], text="Hm \ufffd"), asides[1])
    assert store.message(answer.message).asides == kept
    assert store.update_message(answer.message, text="x").asides == kept
    finished = store.finish_message(answer.message, state="complete", asides=asides[1:])
    assert finished.asides == asides[1:]


def test_a_reply_that_was_still_thinking_is_interrupted_and_kept(
    store: Store, session: int
) -> None:
    ask(store, session, 1)
    answer = reply(store, session, 1)
    store.update_message(answer.message, asides=[Thought(at=0, text="Hm")])
    (interrupted,) = store.mark_interrupted()
    assert (interrupted.message, interrupted.state) == (answer.message, "interrupted")


@pytest.mark.parametrize(
    "damaged", ["", "{", "[1]", '[{"type": "dream"}]', '[{"type": "thought"}]']
)
def test_damaged_thoughts_leave_the_message_readable(
    store: Store, session: int, damaged: str
) -> None:
    answer = reply(store, session, 1)
    store._connection.execute("UPDATE messages SET asides = ?", (damaged,))
    assert store.message(answer.message).asides == ()
