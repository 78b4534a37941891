"""Search: what matches, where it is marked, and in which order one goes from match to match."""

from __future__ import annotations

import pytest
from tests.ui.transcript.messages import message

from gemma_chat.ui.transcript.finding import Finder, Match
from gemma_chat.ui.transcript.rows import MessageRows

WIDTH = 24


def rows_of(*texts: str, width: int = WIDTH) -> MessageRows:
    rows = MessageRows({"user": "You", "assistant": "Gemma"})
    rows.set_width(width)
    for number, text in enumerate(texts, 1):
        rows.put(message(number, text))
    rows.settle(20)
    return rows


def found(wanted: str, *texts: str, width: int = WIDTH) -> Finder:
    finder = Finder(rows_of(*texts, width=width), width, wanted)
    while finder.read_on():
        pass
    return finder


def marked(wanted: str, text: str, *, width: int = WIDTH) -> list[str]:
    """The marked pieces of a message, row by row, as they stand on the screen."""
    rows = rows_of(text, width=width)
    finder = Finder(rows, width, wanted)
    entry = rows.entry(1)
    assert entry is not None
    return [
        entry.line(row).text[span.start : span.end]
        for row in entry.body_rows()
        for span in finder.spans(entry, row)
    ]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ("sea", 3),
        ("Sea", 1),
        ("SEA", 1),
        ("the sea", 2),
        ("  the   sea ", 2),
        ("the Sea", 1),
        ("x", 0),
        ("", 0),
    ],
)
def test_case_counts_when_a_capital_letter_is_wanted(wanted: str, count: int) -> None:
    assert found(wanted, "the sea, the Sea", "**SEA**").count == count


def test_what_is_read_is_searched_and_not_its_markup() -> None:
    text = "a **bold** word and `code`"
    assert found("bold word", text).count == 1
    assert found("**bold", text).count == 0
    assert found("a.b [x](", "a.b [x]( and aXb").count == 1


def test_a_match_over_a_wrapped_line_is_marked_on_both_rows() -> None:
    assert marked("wrapped here", "this line will be wrapped here", width=26) == [
        "wrapped",
        "here",
    ]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("漢字", "日本の漢字です"),
        ("👩‍👩‍👧‍👦", "family 👩‍👩‍👧‍👦 here"),
        ("שלום", "he said שלום עולם"),
        ("é", "cafe\u0301 and café"),
        ("straße", "die STRASSE und die Straße"),
    ],
)
def test_any_script_is_found_and_marked_whole(wanted: str, text: str) -> None:
    assert marked(wanted, text)[-1].casefold() == wanted.casefold()


def test_bars_and_numbers_of_the_layout_are_no_part_of_it() -> None:
    assert marked("quoted", "> quoted text") == ["quoted"]
    assert found("│", "> quoted text").count == 0


def test_a_line_of_five_thousand_columns_is_searched_and_marked() -> None:
    text = "```\n" + "word " * 999 + "needle\n```"
    assert marked("needle", text, width=80) == ["needle"]
    assert found("word", text, width=80).count == 999


@pytest.mark.parametrize(
    ("wanted", "source"),
    [
        ("bold", "**b**old"),
        ("a_b", "`a_b`"),
        ("é", "caf&eacute;"),
        ("3.", "1. one\n1. two\n1. three"),
        ("one two", "one\\\ntwo"),
        ("x < y", "x \\< y"),
        ("ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ"),
    ],
)
def test_no_match_is_overlooked_for_how_it_is_written(wanted: str, source: str) -> None:
    assert found(wanted, source).count == 1


def test_one_goes_from_match_to_match_and_around_the_end() -> None:
    finder = found("a", "a a", "b", "a")
    steps = [finder.step(1, near=1) for _ in range(4)]
    assert steps == [Match(1, 0), Match(1, 1), Match(3, 0), Match(1, 0)]
    assert [finder.step(-1, near=1) for _ in range(2)] == [Match(3, 0), Match(1, 1)]
    assert (finder.place, finder.count) == (2, 3)


def test_one_begins_where_one_is_reading() -> None:
    assert found("a", "a", "b", "a", "a").step(-1, near=2) == Match(1, 0)
    assert found("a", "a", "b", "a", "a").step(1, near=2) == Match(3, 0)


def test_there_may_be_nothing_to_go_to() -> None:
    assert found("z", "a", "b").step(1, near=1) is None
    assert found("  ", "a").step(1, near=1) is None


def test_a_message_that_changed_is_read_again() -> None:
    rows = rows_of("one", "two")
    finder = Finder(rows, WIDTH, "two")
    finder.read_on()
    finder.step(1, near=1)
    rows.put(message(2, "gone"))
    finder.refresh(2)
    finder.read_on()
    assert (finder.count, finder.current) == (0, None)


def test_reading_ten_thousand_messages_is_done_in_slices() -> None:
    finder = Finder(rows_of(*(f"message {n} **needle**" for n in range(3000))), WIDTH, "needle")
    slices = 1
    while finder.read_on():
        slices += 1
    assert finder.count == 3000
    assert slices > 1
