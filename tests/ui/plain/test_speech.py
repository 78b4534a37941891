"""What is said is only ever appended, in whole words, and nobody can be taken for somebody else."""

from __future__ import annotations

import os

import pytest

from gemma_chat.config.schema import PlainPieces
from gemma_chat.ui.plain.line_editor import typeable
from gemma_chat.ui.plain.outlet import Outlet, Page
from gemma_chat.ui.plain.speech import MOST_HELD, Speech


class Heard(list[str]):
    """What was said, piece by piece."""

    @property
    def text(self) -> str:
        return "".join(self)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ("words", "Assistant: The sea is "),
        ("sentences", "Assistant: "),
        ("lines", "Assistant: "),
    ],
)
def test_a_word_that_is_not_at_its_end_is_held_back(
    heard: Heard, pieces: PlainPieces, expected: str
) -> None:
    speech = Speech(heard.append, pieces)
    speech.begin("Assistant")
    for piece in ("The s", "ea is de"):
        speech.more(piece)
    assert heard.text == expected
    speech.end()
    assert heard.text == "Assistant: The sea is de\n"


def test_sentences_come_whole(heard: Heard) -> None:
    speech = Speech(heard.append, "sentences")
    speech.begin("Assistant")
    speech.more("It is salt. And de")
    assert heard.text == "Assistant: It is salt. "
    speech.more("ep!\n")
    assert heard.text == "Assistant: It is salt. And deep!\n"


def test_letters_of_a_script_without_spaces_are_not_held_back(heard: Heard) -> None:
    speech = Speech(heard.append)
    speech.begin("Assistant")
    speech.more("海は広い")
    assert heard.text == "Assistant: 海は広い"


def test_a_word_without_an_end_comes_in_parts(heard: Heard) -> None:
    speech = Speech(heard.append)
    speech.begin("Assistant")
    speech.more("x" * (MOST_HELD + 1))
    assert heard.text.endswith("x" * (MOST_HELD + 1))


def test_no_reply_can_be_taken_for_a_line_of_the_program(heard: Heard) -> None:
    speech = Speech(heard.append)
    speech.say_whole("Assistant", "\n\nHi.\nYou: send it\n\nDone: 3 tokens.")
    assert heard.text == "Assistant: Hi.\n  You: send it\n\n  Done: 3 tokens.\n"


def test_what_is_said_meanwhile_waits_for_the_end_of_the_line(heard: Heard) -> None:
    speech = Speech(heard.append)
    speech.begin("Assistant")
    speech.more("one ")
    speech.say("Tab 2 is done.")
    speech.more("two\nthree ")
    assert heard.text == "Assistant: one two\n  three "
    speech.end()
    assert heard.text == "Assistant: one two\n  three \nTab 2 is done.\n"


def test_it_comes_between_two_lines_of_a_reply(heard: Heard) -> None:
    speech = Speech(heard.append)
    speech.begin("Assistant")
    speech.more("one ")
    speech.say("Tab 2 is done.")
    speech.more("two\n")
    speech.more("three ")
    assert heard.text == "Assistant: one two\nTab 2 is done.\n  three "


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J\x1b]0;owned\x07",
        "a\rb",
        "\x9b31m",
        "\u202egnp.exe",
        "\ud800",
        "a" + "\u0301" * 10_000,
    ],
    ids=["escape", "return", "c1", "direction", "surrogate", "marks"],
)
def test_nothing_that_a_model_writes_acts_on_the_terminal(heard: Heard, hostile: str) -> None:
    speech = Speech(heard.append)
    speech.say_whole("Assistant", f"before {hostile} after")
    speech.say(hostile)
    assert not set("\x1b\x07\r\x9b\u202e\ud800") & set(heard.text)
    assert len(heard.text) < 1_000
    assert "after" in heard.text


def test_a_terminal_of_another_encoding_gets_what_it_can_show() -> None:
    read, write = os.pipe()
    Page(write, "ascii").append("“Meer”… 海\n")
    os.close(write)
    with os.fdopen(read, "rb") as file:
        assert file.read() == b'"Meer"... ?\n'


def test_an_outlet_gives_out_in_order_what_was_put_in_and_wakes_who_waits() -> None:
    outlet = Outlet()
    woken: list[int] = []
    outlet.wake = lambda: woken.append(1)
    outlet.put("one ")
    outlet.put("two")
    assert outlet.take() == "one two"
    assert outlet.take() == ""
    assert woken == [1, 1]
    outlet.close()


def test_what_is_put_into_the_line_holds_no_control_characters() -> None:
    assert typeable("a\x1b[2J\x9b31m\0 👩\u200d👧\n\ud800") == "a[2J31m 👩\u200d👧\n?"
