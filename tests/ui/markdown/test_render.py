"""What each construct of markdown looks like."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pygments.lexers.data import JsonLexer
from pygments.token import Token
from rich.cells import cell_len
from tests.ui.markdown import documents as d

from gemma_chat.ui.markdown import Line, Tag, render_markdown


def texts(source: str, width: int = 40) -> list[str]:
    return [line.text for line in render_markdown(source, width)]


def tagged(lines: list[Line], tag: Tag) -> list[str]:
    return [run.text for line in lines for run in line.runs if tag in run.tags]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("one\ntwo", ["one two"]),
        ("one  \ntwo", ["one", "two"]),
        ("one\\\ntwo", ["one", "two"]),
        ("one\n\n\n\ntwo", ["one", "", "two"]),
        ("# A\ntext", ["A", "text"]),
        ("text\n## A", ["text", "", "A"]),
        ("A\n===", ["A"]),
        ("- a\n- b", [" • a", " • b"]),
        ("- a\n\n- b", [" • a", "", " • b"]),
        ("- a\n  - b\n    - c\n      - d", [" • a", "    ◦ b", "       ▪ c", "          ▪ d"]),
        ("9. a\n10. b", [" 9. a", "10. b"]),
        ("1. a\n\n   b", [" 1. a", "", "    b"]),
        ("- [ ] a\n- [X] b", [" ☐ a", " ☑ b"]),
        ("1. [x] a", [" 1. ☑ a"]),
        ("-", [" • "]),
        ("> a\nb", ["▎ a b"]),
        ("> a\n>\n> > b", ["▎ a", "▎ ", "▎ ▎ b"]),
        ("***", ["─" * 40]),
        ("a\n```\nb\n```\nc", ["a", "", " b", "", "c"]),
        ("```sh\nls\n```", [" sh", " ls"]),
        ("    a\n\n    b", [" a", " ", " b"]),
        ("```\n\tx\n```", ["     x"]),
        ("<b>a</b> &lt; &amp;", ["<b>a</b> < &"]),
        ("<div>\n\n*a*", ["<div>", "", "a"]),
        ("![a cat](cat.png)", ["▣ a cat (cat.png)"]),
        ("\\*a\\*", ["*a*"]),
    ],
)
def test_a_construct_has_its_lines(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[a](https://b.c)", "a (https://b.c)"),
        ("<https://b.c>", "https://b.c"),
        ("[https://b.c](https://b.c)", "https://b.c"),
        ("<me@b.c>", "me@b.c"),
        ("[a](<>)", "a"),
        ("[a][r]\n\n[r]: /b", "a (/b)"),
        ("[bank.com](https://evil.example)", "bank.com (https://evil.example)"),
        ("[a](javascript:x)", "[a](javascript:x)"),
    ],
)
def test_a_link_shows_where_it_leads_unless_its_text_says_so(source: str, expected: str) -> None:
    assert texts(source, 60) == [expected]


def test_emphasis_is_tagged_also_when_it_is_nested() -> None:
    (line,) = render_markdown("a **b *c*** ~~d~~ `e`", 40)

    assert [(run.text, set(run.tags)) for run in line.runs] == [
        ("a ", set()),
        ("b ", {"strong"}),
        ("c", {"strong", "emphasis"}),
        (" ", set()),
        ("d", {"strike"}),
        (" ", set()),
        ("e", {"code"}),
    ]


def test_code_is_coloured_by_what_its_words_are() -> None:
    lines = render_markdown('```python\nreturn "a"  # b\n```', 40)

    assert tagged(lines, "keyword") == ["return"]
    assert tagged(lines, "string") == ['"a"']
    assert tagged(lines, "comment") == ["# b"]


@pytest.mark.parametrize("language", ["no-such-language", "../../etc/passwd", "\x1b[31m", "{.py}"])
def test_code_of_an_unknown_language_is_plain(language: str) -> None:
    lines = render_markdown(f"```{language}\nif x\n```", 40)

    assert lines[-1].text == " if x"
    assert tagged(lines, "keyword") == []


@pytest.mark.parametrize("broken", [RecursionError("deep"), ["other text"]])
def test_a_lexer_that_fails_or_loses_text_costs_only_the_colours(
    broken: Exception | list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_tokens(_: object, __: str) -> list[tuple[object, str]]:
        if isinstance(broken, Exception):
            raise broken
        return [(Token.Keyword, text) for text in broken]

    monkeypatch.setattr(JsonLexer, "get_tokens", get_tokens)

    lines = render_markdown("```json\n[1,\n2]\n```", 40)

    assert [line.text for line in lines] == [" json", " [1,", " 2]"]
    assert tagged(lines, "keyword") == []


def test_a_table_is_fitted_to_the_width() -> None:
    source = "| name | what it does |\n|:-:|--:|\n| a | one two three four five six |\n| b |"

    assert texts(source, 24) == [
        "name │      what it does",
        "─────┼──────────────────",
        " a   │     one two three",
        "     │     four five six",
        " b   │                  ",
    ]


def test_copied_text_leaves_out_bars_and_padding_but_keeps_structure() -> None:
    source = "> quote\n\n- item one two three\n\n      code\n"

    lines = [line for line in render_markdown(source, 16) if line.text]

    assert [(line.text[line.lead :], line.glue) for line in lines] == [
        ("quote", None),
        (" • item one two", None),
        ("three", " "),
        ("code", None),
    ]


@settings(max_examples=80, deadline=None)
@given(d.hostile, st.integers(1, 60))
def test_no_text_brings_a_control_character_to_the_screen(text: str, width: int) -> None:
    for line in render_markdown(text, width):
        assert all(char.isprintable() or char in "\u200d\u200c\u3000" for char in line.text)


@settings(max_examples=50, deadline=None)
@example("```" + "x" * 300, 40)
@given(st.one_of(d.documents, d.hostile), st.integers(40, 80))
def test_lines_are_never_wider_than_the_screen_unless_deeply_nested(text: str, width: int) -> None:
    for line in render_markdown(text, width):
        if line.text.count("▎") + line.text.count("•") < 3 and "│" not in line.text:
            assert cell_len(line.text) <= width or line.text.startswith(" " * 30)


@pytest.mark.parametrize(
    "source",
    [
        ">" * 5_000 + " a",
        "- " * 2_000 + "a",
        "[" * 20_000,
        "*" * 20_000,
        "`" * 9_999 + "a",
        "|" * 3_000 + "\n" + "|-" * 3_000,
        "a" * 100_000,
        "\u0301" * 20_000,
    ],
)
def test_huge_and_degenerate_texts_are_rendered(source: str) -> None:
    assert all(len(line.text) < 200_000 for line in render_markdown(source, 80))
