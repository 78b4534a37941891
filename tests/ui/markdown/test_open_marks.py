"""Marks that have only been opened do not flicker while a reply streams."""

from __future__ import annotations

import pytest

from gemma_chat.ui.markdown import MarkdownStream, Tag
from gemma_chat.ui.markdown.open_marks import with_marks_closed


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("plain", "plain"),
        ("a **b", "a **b**"),
        ("a **b ", "a **b**"),
        ("a **", "a "),
        ("a *", "a "),
        ("a **b**", "a **b**"),
        ("a *b*", "a *b*"),
        ("*", ""),
        ("[a](http://b", "[a](http://b)"),
        ("**[a](http://b", "**[a](http://b)**"),
        ("[a](http://b) c", "[a](http://b) c"),
        ("a **b*", "a **b**"),
        ("a `b", "a `b`"),
        ("a `", "a "),
        ("a ``b ` c", "a ``b ` c``"),
        ("a `**` b", "a `**` b"),
        ("a **b `c", "a **b `c`**"),
        ("a ~~b", "a ~~b~~"),
        ("**a\n\nb", "**a\n\nb"),
        ("**a\n\nb **c", "**a\n\nb **c**"),
    ],
)
def test_open_marks_are_closed_in_the_last_paragraph(text: str, closed: str) -> None:
    assert with_marks_closed(text) == closed


@pytest.mark.parametrize(
    ("text", "tag", "shown"),
    [("say **bold words** now", "strong", "say bold words now"), ("`a b` c", "code", "a b c")],
)
def test_no_mark_is_ever_seen_while_it_is_typed(text: str, tag: Tag, shown: str) -> None:
    growing = MarkdownStream(60)

    for char in text:
        growing.feed(char)
        assert shown.startswith("".join(line.text for line in growing.lines).rstrip())

    growing.finish()
    assert any(tag in run.tags for run in growing.lines[0].runs)
