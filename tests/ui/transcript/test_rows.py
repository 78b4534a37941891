"""What stands at which row, and that the reader's row stays where it is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ui.transcript.messages import history, message

from gemma_chat.host.protocol import MessageState, ScrollPosition
from gemma_chat.ui.transcript import entry, rows
from gemma_chat.ui.transcript.rows import MessageRows

VIEW = 10
NAMES = {"user": "You", "assistant": "Gemma"}


def filled(count: int, *, width: int = 30) -> MessageRows:
    filled_rows = MessageRows(NAMES)
    filled_rows.set_width(width)
    filled_rows.replace(history(count), reuse=False)
    return filled_rows


def texts(message_rows: MessageRows) -> list[str]:
    found = [message_rows.at(row) for row in range(message_rows.total)]
    return [place[0].painted_line(place[1]).text for place in found if place]


def top_line(message_rows: MessageRows) -> tuple[int, int]:
    found = message_rows.at(message_rows.settle(VIEW))
    assert found is not None
    return found[0].number, found[1]


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        ("complete", ["Gemma", "text", ""]),
        ("streaming", ["Gemma  … writing", "text▌", ""]),
        ("queued", ["Gemma  ◷ queued", "text", ""]),
        ("stopped", ["Gemma", "text", "■ stopped", ""]),
        ("length", ["Gemma", "text", "… cut: the reply limit or the", "context is used up", ""]),
        ("interrupted", ["Gemma", "text", "⚡ interrupted", ""]),
        ("failed", ["Gemma", "text", "! failed: It broke.", ""]),
    ],
)
def test_the_state_of_a_message_is_told_by_sign_and_word(
    state: MessageState, lines: list[str]
) -> None:
    one = filled(0)
    one.put(message(1, "text", state=state, error="It broke." if state == "failed" else ""))
    one.settle(VIEW)

    assert texts(one) == lines


def test_a_reply_without_text_shows_where_it_will_be_written() -> None:
    one = filled(0)
    one.put(message(1, "", state="streaming"))
    one.settle(VIEW)

    assert texts(one) == ["Gemma  … writing", "▌", ""]


def test_what_a_person_typed_is_shown_as_typed() -> None:
    one = filled(0)
    one.put(message(1, "a  *b*\n\n  # c\n1) d\te", role="user"))
    one.settle(VIEW)

    assert texts(one) == ["You", "a  *b*", "", "  # c", "1) d    e", ""]


def test_streamed_text_is_taken_once_and_in_order() -> None:
    one = filled(0)
    one.put(message(1, "", state="streaming"))
    one.settle(VIEW)

    assert one.add_text(1, 0, "Hello") is True
    assert one.add_text(1, 0, "Hello") is False
    assert one.add_text(1, 3, "lo you") is True
    assert one.add_text(1, 20, "later") is None
    assert one.add_text(2, 0, "unknown") is None
    one.flush(1)

    assert texts(one)[1] == "Hello you▌"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["word ", "\n", "- item\n", "```\n", "**b**"]), max_size=20))
def test_a_reply_ends_up_as_if_it_had_come_at_once(pieces: list[str]) -> None:
    growing = filled(0)
    growing.put(message(1, "", state="streaming"))
    growing.settle(VIEW)
    text = ""
    for piece in pieces:
        growing.add_text(1, len(text), piece)
        growing.flush(1)
        text += piece

    growing.put(message(1, text))
    at_once = filled(0)
    at_once.put(message(1, text))
    at_once.settle(VIEW)

    assert texts(growing) == texts(at_once)


def test_a_change_names_the_rows_to_paint_and_no_others() -> None:
    growing = filled(3)
    growing.put(message(4, "one\n\ntwo", state="streaming"))
    growing.settle(VIEW)
    start = growing.total - len(["head", "one", "", "two", "blank"])

    growing.add_text(4, 8, " and three")
    same_height = growing.flush(4)
    growing.add_text(4, 18, "\n\nfour")
    taller = growing.flush(4)

    assert same_height is not None
    assert taller is not None
    assert (same_height.first - start, same_height.end - start, same_height.moved) == (3, 5, False)
    assert (taller.first - start, taller.moved) == (3, True)


def test_a_message_nobody_looks_at_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    original = entry.render_markdown
    monkeypatch.setattr(
        entry,
        "render_markdown",
        lambda source, width: parsed.append(source) or original(source, width),
    )

    many = filled(1_000)
    many.settle(VIEW)
    many.add_text(2, len(history(2)[1].text), "\n\nmore text of a message far above")
    many.flush(2)

    assert 1 <= len(parsed) < 10
    assert not any("far above" in source for source in parsed)


def test_rows_of_messages_far_away_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MAX_PAINTED_ENTRIES", 8)
    many = filled(60)
    for row in range(many.settle(VIEW), 0, -VIEW):
        many.stand_at(row)
        many.settle(VIEW)

    painted = sum(found.is_painted for found in many._entries)

    assert painted <= 8


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.lists(st.integers(-12, 12), max_size=30))
def test_scrolling_moves_by_exactly_as_many_rows_as_asked(start: int, steps: list[int]) -> None:
    # A reader who scrolls less than a page at a time never sees an estimate.
    many = filled(80, width=12)
    exact = filled(80, width=12)
    for row in range(10_000):
        if exact.at(row) is None and row >= exact.total:
            break
    all_rows = [
        (number, row)
        for number, height in ((e.number, e.height) for e in exact._entries)
        for row in range(height)
    ]
    many.stand_at(start)
    expected = all_rows.index(top_line(many))
    for step in steps:
        expected = max(0, min(expected + step, exact.total - VIEW))
        many.stand_at(many.settle(VIEW) + step)

        assert top_line(many) == all_rows[expected]


@pytest.mark.parametrize("position", [ScrollPosition(False, 40, 1), ScrollPosition(False, 7, 0)])
def test_the_top_row_stays_when_things_change_above_and_below(position: ScrollPosition) -> None:
    many = filled(60)
    many.position = position
    assert top_line(many) == (position.message, position.row)

    many.put(message(3, "a much longer text\n\n" * 30))
    many.prepend(history(20, first=-30))
    many.put(message(100, "newer"))
    many.remove(5)

    assert top_line(many) == (position.message, position.row)
    assert many.position == position


def test_following_stays_at_the_end_whatever_comes() -> None:
    many = filled(10)

    for number in range(50, 60):
        many.put(message(number, "new\n\n" * number))
        assert many.settle(VIEW) == many.total - VIEW

    assert many.position == ScrollPosition()


@pytest.mark.parametrize("width", [10, 29, 80])
def test_another_width_keeps_the_message_at_the_top(width: int) -> None:
    many = filled(60)
    many.position = ScrollPosition(False, 30, 0)
    many.settle(VIEW)

    many.set_width(width)

    assert top_line(many) == (30, 0)


@pytest.mark.parametrize(
    "position", [ScrollPosition(False, 10_000, 3), ScrollPosition(False, -4, 99)]
)
def test_a_position_that_no_longer_exists_leads_to_the_nearest_rows(
    position: ScrollPosition,
) -> None:
    many = filled(20)

    many.position = position

    assert 0 <= many.settle(VIEW) <= many.total - VIEW


def test_removing_the_message_at_the_top_shows_the_next() -> None:
    many = filled(40)
    many.position = ScrollPosition(False, 12, 1)

    assert many.remove(12)
    assert not many.remove(12)

    assert top_line(many) == (13, 0)


def test_an_empty_conversation_has_no_rows() -> None:
    empty = filled(0)

    assert empty.settle(VIEW) == 0
    assert empty.at(0) is None
    assert empty.first_message is None
    assert empty.extent(0) is None


def test_a_very_long_reply_is_shown_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "MAX_MARKDOWN", 10)
    one = filled(0)
    one.put(message(1, "# long text"))
    one.settle(VIEW)

    assert texts(one) == ["Gemma", "# long text", ""]


def test_a_name_is_made_visible_too() -> None:
    one = MessageRows({"assistant": "\x1b[2Jmodel"})
    one.set_width(20)
    one.put(message(1, "text"))
    one.settle(VIEW)

    assert texts(one)[0] == "␛[2Jmodel"


def test_a_message_put_again_unchanged_keeps_its_rows() -> None:
    one = filled(3)
    one.settle(VIEW)

    change = one.put(history(3)[1])

    assert change.first == change.end
    assert not change.moved


def test_a_reply_names_its_model_when_it_is_another_than_that_of_the_reply_before() -> None:
    models = ("small", "small", "large", "", "l\x1b[2Jrge")
    one = filled(0)
    for number, model in enumerate(models, 1):
        one.put(msgspec.structs.replace(message(number, "text"), model=model))
    one.settle(VIEW)

    heads = texts(one)[::3]
    assert heads == ["Gemma", "Gemma", "Gemma  large", "Gemma", "Gemma  l␛[2Jrge"]
