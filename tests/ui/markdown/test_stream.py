"""A text that grows looks, at every moment, like the finished one as far as it can."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ui.markdown import documents as d

from gemma_chat.ui.markdown import Line, MarkdownStream, render_markdown, stream

widths = st.integers(1, 60)


def streamed(text: str, sizes: list[int], width: int) -> MarkdownStream:
    growing = MarkdownStream(width)
    for piece in d.pieces(text, sizes):
        growing.feed(piece)
    return growing


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


@settings(max_examples=80, deadline=None)
@given(st.one_of(d.documents, d.fragments, d.hostile, d.with_definitions), d.chunk_sizes, widths)
def test_a_finished_stream_equals_the_text_rendered_at_once(
    text: str, sizes: list[int], width: int
) -> None:
    growing = streamed(text, sizes, width)

    growing.finish()

    assert growing.lines == render_markdown(text, width)


@settings(max_examples=50, deadline=None)
@given(d.documents, d.chunk_sizes, widths)
def test_a_stream_of_whole_blocks_equals_the_finished_text_even_before_its_end_is_known(
    text: str, sizes: list[int], width: int
) -> None:
    # Documents have no link definitions and no block of code left open: the two exceptions.
    growing = streamed(text, sizes, width)

    assert growing.lines == render_markdown(text, width)


@settings(max_examples=50, deadline=None)
@given(st.one_of(d.documents, d.hostile, d.with_definitions), d.chunk_sizes, widths)
def test_lines_before_the_reported_one_have_not_changed(
    text: str, sizes: list[int], width: int
) -> None:
    growing = MarkdownStream(width)

    for piece in d.pieces(text, sizes):
        before = list(growing.lines)
        first = growing.feed(piece)
        assert growing.lines[:first] == before[:first]
    before = list(growing.lines)
    first = growing.finish()

    assert growing.lines[:first] == before[:first]


@pytest.mark.parametrize("sizes", [[1], [2, 5], [100]])
def test_numbers_of_a_list_go_on_over_items_that_are_settled(sizes: list[int]) -> None:
    growing = streamed("7. a\n1. b\n1. c\n\n\n1. d\n", sizes, 20)

    assert texts(growing.lines) == [" 7. a", " 8. b", " 9. c", "", "10. d"]


def test_a_list_with_another_marker_starts_anew() -> None:
    growing = streamed("1. a\n2. b\n5) c\n6) d\n", [3], 20)

    assert texts(growing.lines) == [" 1. a", " 2. b", " 5. c", " 6. d"]


def test_a_link_whose_definition_comes_later_is_found_at_the_end() -> None:
    growing = streamed("see [there]\n\nmore\n\n[there]: https://example.org\n", [4], 60)
    assert texts(growing.lines) == ["see [there]", "", "more"]

    first = growing.finish()

    assert first == 0
    assert texts(growing.lines) == ["see there (https://example.org)", "", "more"]


def test_a_link_whose_definition_came_before_is_found_at_once() -> None:
    growing = streamed("[there]: https://example.org\n\nsee [there] \n\nmore", [4], 60)

    assert texts(growing.lines)[0] == "see there (https://example.org)"


def test_code_that_is_open_gets_its_final_colours_when_it_ends() -> None:
    growing = streamed('```python\n"""a\nclass\n', [4], 40)
    open_lines = list(growing.lines)

    first = growing.feed('"""\n```\n')

    assert first < len(open_lines)
    assert growing.lines == render_markdown('```python\n"""a\nclass\n"""\n```\n', 40)


@pytest.mark.parametrize("marker", ["-", "*", "1", "1.", "```", "==", "#", "|--", "> -"])
def test_a_line_of_markers_waits_until_it_is_known_what_it_becomes(marker: str) -> None:
    growing = MarkdownStream(40)
    growing.feed("Two things:\n")

    growing.feed(marker)

    assert texts(growing.lines) == ["Two things:"]
    assert growing.finish() <= 1
    assert growing.lines == render_markdown(f"Two things:\n{marker}", 40)


def test_a_carriage_return_and_its_line_feed_may_come_apart() -> None:
    growing = MarkdownStream(40)

    for piece in ("```\r", "\none\r", "", "\ntwo\r", "three\r\n"):
        growing.feed(piece)

    assert texts(growing.lines) == [" one", " two", " three"]


@pytest.mark.parametrize(
    "block",
    ["- an item\n", "1. an item\n\n", "    code\n\ntext\n\n", "# head\n", "word " * 20 + "\n\n"],
)
def test_only_the_tail_is_parsed_however_long_the_text_is(
    block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = MarkdownStream(40)
    growing.feed(block * 200)
    parsed: list[int] = []
    original = stream.parse_blocks

    def counting(source: str, references: stream.References) -> list[stream.Block]:
        parsed.append(len(source))
        return original(source, references)

    monkeypatch.setattr(stream, "parse_blocks", counting)
    for piece in d.pieces(block * 3, [4]):
        growing.feed(piece)

    assert max(parsed) <= 3 * len(block)


def test_an_open_block_of_code_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    growing = MarkdownStream(40)
    growing.feed("```python\n" + "x = 1\n" * 500)
    monkeypatch.setattr(stream, "parse_blocks", None)

    first = growing.feed("y = 2\n")

    assert first == len(growing.lines) - 1


def test_a_row_that_is_being_written_is_shown_in_the_columns_as_they_are() -> None:
    growing = MarkdownStream(40)
    growing.feed("text\n\n| one | two |\n|---|---|\n| a | b |\n")

    first = growing.feed("| c and mo")

    assert texts(growing.lines)[first:] == ["c   │    ", "and │    ", "mo  │    "]
    assert texts(growing.lines)[:first] == ["text", "", "one │ two", "────┼────", "a   │ b  "]


def test_a_wider_cell_lays_the_whole_table_out_again() -> None:
    growing = MarkdownStream(40)
    growing.feed("text\n\n| one | two |\n|---|---|\n| a | b |\n")

    first = growing.feed("| c and more |\n")

    assert first == 2
    assert texts(growing.lines)[2:] == [
        "one        │ two",
        "───────────┼────",
        "a          │ b  ",
        "c and more │    ",
    ]


@pytest.mark.parametrize(
    "after", ["\n", "> quote\n", "- item\n", "```\n", "    code\n", "# head\n"]
)
def test_a_table_ends_where_the_parser_says(after: str) -> None:
    text = f"| a | b |\n|---|---|\n| c | d |\n{after}| e | f |\n"
    growing = streamed(text, [1], 30)

    growing.finish()

    assert growing.lines == render_markdown(text, 30)
