"""A conversation as Markdown, JSON, HTML and SVG."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.reading import parse_conversations
from gemma_chat.exchange.transcript import Attachment, Line, Tab, Thought, ToolUse, Transcript
from gemma_chat.exchange.writing import (
    FORMATS,
    Format,
    file_name,
    format_of,
    rendered,
    write_new_file,
)
from gemma_chat.terms import FinishedState, MessageRole, TabMark, UseOutcome

SEA = Transcript(
    "The sea",
    (
        Line("user", "What is the *sea*?", 1_700_000_001.0),
        Line(
            "assistant",
            "Salt **water**:\n\n```py\nprint('~')\n```\n",
            1_700_000_002.5,
            model="gemma-3-270m Q4_K_M",
            pinned=True,
        ),
        Line("user", "Go on"),
        Line("assistant", "It is", ending="stopped", model="gemma-3-270m Q4_K_M"),
        Line("user", "And you?"),
        Line("assistant", "Ahoy.", model="SmolLM2\n135M"),
    ),
    1_700_000_000.0,
    SessionSettings(
        system_instruction="Answer as a pirate.\nAlways.",
        sampling=SamplingSettings(temperature=0.3, stop=("END",)),
    ),
    Tab("Work", "star", pinned=True),
)
TREE = Transcript(
    "Tides",
    (
        Line("user", "Why?", attachments=(Attachment("sea.png", "ab", "image", "png", 9, 3, 2),)),
        Line("assistant", "a first try", chosen=False),
        Line(
            "assistant",
            "The moon.",
            parent=1,
            asides=(
                Thought(0, text="Hm", seconds=1.5),
                ToolUse(0, 0, "c1", "sky", '{"at": 1}', outcome="answered", result="full"),
                Thought(4, 1, "So"),
            ),
        ),
        Line("user", "And the other question", parent=0, chosen=False),
        Line("user", "More of the first try", parent=2),
        Line("user", "And the sun?", parent=3),
    ),
)
HOSTILE = (
    "</p></title></style></svg><script>alert(1)</script> & \x1b[31mred\x1b[0m \x00 ]]> \u202e "
    "[x](javascript:alert(1)) ![i](http://example.org/i.png) <img src=x onerror=alert(1)> \ud800"
)
ATTACK = Transcript(HOSTILE, (Line("user", HOSTILE), Line("assistant", HOSTILE, model=HOSTILE)))


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_markdown_has_a_heading_for_each_message_and_keeps_theirs() -> None:
    text = rendered(SEA, "markdown")
    assert re.findall(r"^##? .*", text, re.MULTILINE) == [
        "# The sea",
        "## System instruction",
        "## You",
        "## Assistant · gemma-3-270m Q4_K_M",
        "## You",
        "## Assistant (stopped)",
        "## You",
        "## Assistant · SmolLM2 135M",
    ]
    assert "Salt **water**:\n\n```py\nprint('~')\n```" in text
    assert "> Answer as a pirate.\n> Always." in text


@pytest.mark.parametrize("form", ["markdown", "html", "svg"])
def test_the_model_is_named_where_another_one_begins_to_answer(form: Format) -> None:
    text = rendered(SEA, form)
    assert text.count("gemma-3-270m Q4_K_M") == 1
    assert text.count("Assistant · SmolLM2 135M") == 1


@pytest.mark.parametrize("form", ["markdown", "html", "svg"])
def test_what_a_person_reads_is_the_chosen_branch(form: Format) -> None:
    text = rendered(TREE, form)
    assert [line.text for line in TREE.shown] == ["Why?", "The moon.", "And the sun?"]
    assert all(line.text in text for line in TREE.shown)
    assert "first try" not in text
    assert "other question" not in text


def asides() -> st.SearchStrategy[tuple[Thought | ToolUse, ...]]:
    places, words = st.integers(0, 9), st.text(max_size=9)
    thought = st.builds(Thought, places, places, words, st.floats(0, 99))
    outcome = st.sampled_from(get_args(UseOutcome))
    use = st.builds(ToolUse, places, places, words, words, words, words, outcome, words)
    return st.lists(st.one_of(thought, use), max_size=2).map(tuple)


def attachments() -> st.SearchStrategy[tuple[Attachment, ...]]:
    kind = st.sampled_from(("image", "audio"))
    one = st.builds(Attachment, st.text(), st.text(), kind, st.text(), st.integers(0, 10**9))
    return st.lists(one, max_size=1).map(tuple)


@st.composite
def trees(draw: st.DrawFn) -> tuple[Line, ...]:
    """Messages each of which follows any earlier one, any of those beside each other chosen."""
    lines = draw(st.lists(a_line(), max_size=6))
    parents = [draw(st.none() | st.integers(0, place)) for place in range(len(lines))]
    beside: dict[int, list[int]] = {}
    for place, parent in enumerate(parents):
        beside.setdefault(place if parent is None else parent, []).append(place)
    chosen = {draw(st.sampled_from(places)) for places in beside.values()}
    return tuple(
        replace(line, parent=parent, chosen=place in chosen)
        for place, (line, parent) in enumerate(zip(lines, parents, strict=True))
    )


def a_line() -> st.SearchStrategy[Line]:
    return st.builds(
        Line,
        st.sampled_from(get_args(MessageRole)),
        st.text(),
        st.floats(0, 4e9),
        st.sampled_from(get_args(FinishedState)),
        st.text(max_size=9),
        st.booleans(),
        asides=asides(),
        attachments=attachments(),
    )


def transcripts() -> st.SearchStrategy[Transcript]:
    times = st.floats(0, 4e9)
    tab = st.builds(Tab, st.text(max_size=9), st.sampled_from(get_args(TabMark)), st.booleans())
    settings = st.builds(SessionSettings, system_instruction=st.text(max_size=20))
    return st.builds(Transcript, st.text(max_size=9), trees(), times, settings, tab)


@given(transcripts())
@example(SEA)
@example(TREE)
def test_json_comes_back_as_it_went(transcript: Transcript) -> None:
    assert parse_conversations(rendered(transcript, "json").encode()) == (transcript,)


@pytest.mark.parametrize("form", ["markdown", "html", "svg"])
def test_what_a_person_reads_names_files_and_calls_of_tools(form: Format) -> None:
    cat = Attachment("my `cat`.png", "0" * 64, "image", "PNG", 10)
    calls = (
        Thought(0, text="Hm."),
        ToolUse(0, name="add", arguments='{"a":\n 1}', outcome="answered", result="2"),
        ToolUse(0, name="<b>", arguments="x" * 1000, outcome="refused"),
    )
    lines = (
        Line("user", "", attachments=(cat,)),
        Line("assistant", "", ending="stopped", asides=calls),
    )
    text = unescape(rendered(Transcript("", lines), form))
    assert "my `cat`.png (PNG)" in text
    assert 'called add {"a": 1}' in text
    assert "called <b> xxx" in text
    assert re.search(r"x…:\s+refused|x…: refused", re.sub(r"</text>\n<text[^>]*>", "", text))
    assert "x" * 300 not in text
    assert "Hm." not in text


def test_html_renders_the_models_markdown_and_shows_the_persons_as_typed() -> None:
    page = rendered(SEA, "html")
    assert "<strong>water</strong>" in page
    assert "What is the *sea*?" in page
    assert "prefers-color-scheme: dark" in page


def test_nothing_in_a_message_becomes_active_in_html() -> None:
    tags = Tags(rendered(ATTACK, "html")).found
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    links = [attributes.get("href") or "" for tag, attributes in tags if tag == "a"]
    assert not [link for link in links if link.startswith(("javascript:", "data:"))]


def test_a_page_fetches_nothing() -> None:
    tags = Tags(rendered(ATTACK, "html")).found
    assert not [tag for tag, attributes in tags if "src" in attributes or tag == "link"]


def test_a_picture_is_well_formed_whatever_was_said() -> None:
    for transcript in (SEA, ATTACK):
        root = ElementTree.fromstring(rendered(transcript, "svg"))
        assert {child.tag.rpartition("}")[2] for child in root.iter()} <= {
            "svg",
            "style",
            "rect",
            "text",
        }


def test_long_lines_are_broken_in_a_picture_and_wide_characters_counted() -> None:
    transcript = Transcript("t", (Line("user", "界" * 100 + " " + "word " * 40),))
    root = ElementTree.fromstring(rendered(transcript, "svg"))
    texts = [child.text or "" for child in root.iter() if child.tag.endswith("text")]
    assert max(map(len, texts)) <= 84
    assert "".join(texts).count("界") == 100
    assert sum(text.count("word") for text in texts) == 40


def test_a_picture_that_nothing_would_open_is_refused() -> None:
    with pytest.raises(ExchangeError, match="too many for a picture"):
        rendered(Transcript("t", (Line("user", "x\n" * 30_000),)), "svg")


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_conversation_can_be_written(form: Format) -> None:
    assert rendered(Transcript("", ()), form)


def test_a_files_name_says_the_format() -> None:
    assert format_of(Path("a.HTML")) == "html"
    with pytest.raises(ExchangeError, match="does not say in which format"):
        format_of(Path("a.docx"))


def test_a_file_is_private_whole_and_never_overwritten_unasked(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    path = folder / "sea.md"
    write_new_file(path, "one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ExchangeError, match="left as it is"):
        write_new_file(path, "two")
    write_new_file(path, "three", replace=True)
    assert path.read_text() == "three"
    assert list(folder.iterdir()) == [path]
    with pytest.raises(ExchangeError, match="cannot be written"):
        write_new_file(tmp_path / "missing" / "sea.md", "x")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The sea", "7-The-sea.md"),
        ("../../etc/passwd\x00\x1b[2J", "7-etc-passwd-2J.md"),
        ("", "7.md"),
        ("x" * 300, f"7-{'x' * 58}.md"),
    ],
)
def test_a_title_becomes_a_plain_name_of_a_file(title: str, name: str) -> None:
    assert file_name(title, 7, "markdown") == name


def test_a_name_of_wide_letters_fits_into_a_file_system() -> None:
    assert len(file_name("𠮷" * 300, 7, "html").encode()) <= 255
