"""The judges of the fault rounds are able to condemn."""

from __future__ import annotations

import msgspec
import pytest
from tests.faults.ledger import Promises
from tests.faults.rewritten import Rewritten

from gemma_chat.host.protocol import MessageState, MessageView


def question(number: int, text: str, state: MessageState = "complete") -> MessageView:
    return MessageView(number, number, "user", text, state, 0.0)


def reply(number: int, text: str, state: MessageState = "complete") -> MessageView:
    return MessageView(number, number - 1, "assistant", text, state, 0.0)


WHOLE = (question(1, "one"), reply(2, "first"), question(3, "two"), reply(4, "second"))


@pytest.fixture
def promises() -> Promises:
    promises = Promises()
    for text in ("one", "two"):
        promises.acknowledge("somebody", text)
    for view in WHOLE:
        promises.show(view)
    promises.hear(2, 0, "fir")
    promises.hear(2, 3, "st")
    return promises


def test_what_was_promised_and_is_there_is_no_fault(promises: Promises) -> None:
    assert promises.faults(WHOLE) == []


@pytest.mark.parametrize(
    ("transcript", "fault"),
    [
        (WHOLE[1:], "question 1 'one' is gone"),
        (WHOLE[:3], "reply 4 was shown as complete and is gone"),
        ((WHOLE[2], WHOLE[3], WHOLE[0], WHOLE[1]), "the order is"),
        ((*WHOLE, question(5, "two")), "is there 2 times"),
        ((*WHOLE, question(5, "three")), "nobody sent 'three'"),
        ((*WHOLE[:3], reply(4, "sec")), "is complete 'sec'"),
        ((*WHOLE[:3], reply(4, "second", "interrupted")), "is interrupted 'second'"),
        ((*WHOLE, reply(5, "th", "streaming")), "5 is streaming"),
        ((WHOLE[0], reply(2, "other"), *WHOLE[2:]), "on the screen"),
    ],
)
def test_each_broken_promise_is_a_fault(
    promises: Promises, transcript: tuple[MessageView, ...], fault: str
) -> None:
    assert any(fault in one for one in promises.faults(transcript))


def test_each_sender_finds_its_questions_in_its_own_order() -> None:
    promises = Promises()
    for sender, text in (("a", "one"), ("b", "three"), ("a", "two")):
        promises.acknowledge(sender, text)
    one, two, three = (question(1, "one"), question(2, "two"), question(3, "three"))
    assert promises.faults((one, two, three)) == []
    swapped = (question(1, "two"), question(2, "one"), three)
    assert promises.faults(swapped) == ["a was told ['one', 'two'], stored is ['two', 'one']"]


def test_what_was_sent_without_an_answer_may_be_there_once(promises: Promises) -> None:
    promises.unsure.add("three")
    assert promises.faults((*WHOLE, question(5, "three"))) == []
    assert promises.faults((*WHOLE, question(5, "three"), question(7, "three"))) != []


def test_a_reply_that_went_on_keeps_its_beginning(promises: Promises) -> None:
    promises.reopened[4] = 3
    assert promises.faults((*WHOLE[:3], reply(4, "second thought", "interrupted"))) == []
    assert promises.faults((*WHOLE[:3], reply(4, "thought", "interrupted"))) != []


def test_a_terminal_that_is_behind_shows_how_a_reply_ended_before_it_went_on(
    promises: Promises,
) -> None:
    promises.reopened[4] = 3
    promises.show(WHOLE[3])
    longer = msgspec.structs.replace(WHOLE[3], turn=5, text="second thought")
    assert promises.faults((*WHOLE[:3], longer)) == []
    promises.show(longer)
    assert promises.faults((*WHOLE[:3], longer)) == []
    assert promises.faults(WHOLE) != []


def test_text_that_only_the_screen_had_is_counted(promises: Promises) -> None:
    promises.hear(9, 0, "three words and")
    assert promises.most_lost((*WHOLE, reply(9, "three", "interrupted"))) == 10


# ---------------------------------------------------------------- what one person rewrites


def edited(said: tuple[str, ...]) -> tuple[str, ...]:
    return (*said[:1], "other")


@pytest.fixture
def rewritten() -> Rewritten:
    return Rewritten({("one", "two")}, {"Sea"})


def test_a_change_that_was_answered_is_there(rewritten: Rewritten) -> None:
    rewritten.change(edited, sure=True)
    rewritten.rename("Ships", sure=True)
    there = (WHOLE[0], WHOLE[1], question(5, "other"))
    assert rewritten.faults(there, "Ships") == []
    assert rewritten.faults(WHOLE, "Sea") != []


@pytest.mark.parametrize("third", ["two", "other"])
@pytest.mark.parametrize("title", ["Sea", "Ships"])
def test_a_change_without_an_answer_is_there_or_not(
    rewritten: Rewritten, third: str, title: str
) -> None:
    rewritten.change(edited, sure=False)
    rewritten.rename("Ships", sure=False)
    there = (WHOLE[0], WHOLE[1], question(5, third))
    assert rewritten.faults(there, title) == []
    # Whoever has looked knows.
    assert len(rewritten.said) == len(rewritten.titles) == 1


@pytest.mark.parametrize(
    ("transcript", "fault"),
    [
        (WHOLE[:2], "the questions are ('one',)"),
        ((*WHOLE, question(5, "other")), "the questions are"),
        ((WHOLE[2], WHOLE[3], WHOLE[0], WHOLE[1]), "the order is"),
        ((*WHOLE[:3], reply(4, "sec", "streaming")), "4 is streaming"),
    ],
)
def test_half_a_change_is_a_fault(
    rewritten: Rewritten, transcript: tuple[MessageView, ...], fault: str
) -> None:
    rewritten.change(edited, sure=False)
    assert any(fault in one for one in rewritten.faults(transcript, "Sea"))


def test_another_title_is_a_fault(rewritten: Rewritten) -> None:
    assert rewritten.faults(WHOLE, "Ships") == ["the title is 'Ships', not 'Sea'"]
