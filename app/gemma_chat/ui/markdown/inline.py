"""Emphasis, code spans, links and the rest of what stands inside a paragraph."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gemma_chat.ui.markdown.lines import PLAIN, Run, Runs, Tag, Tags
from gemma_chat.ui.markdown.parser import References, parser
from gemma_chat.ui.markdown.visible import visible_text

if TYPE_CHECKING:
    from markdown_it.token import Token

_OPENING: dict[str, Tag] = {
    "strong_open": "strong",
    "em_open": "emphasis",
    "s_open": "strike",
    "link_open": "link",
}
_MAX_URL = 2_000
"""Longer ones (images as data) say nothing to a reader."""


def inline_runs(source: str, references: References) -> Runs:
    """The runs of a paragraph; a hard break is a line end in the text."""
    if references:
        return _parse(source, references)
    return _parse_without_references(source)


@lru_cache(maxsize=2048)
def _parse_without_references(source: str) -> Runs:
    return _parse(source, {})


def _parse(source: str, references: References) -> Runs:
    markdown = parser()
    tokens: list[Token] = []
    markdown.inline.parse(source, markdown, {"references": references}, tokens)
    return _runs(tokens)


def _runs(tokens: list[Token]) -> Runs:
    runs: list[Run] = []
    tags: Tags = PLAIN
    link_start = 0
    href = ""
    for token in tokens:
        kind = token.type
        if kind in _OPENING:
            tags |= {_OPENING[kind]}
            if kind == "link_open":
                link_start, href = len(runs), str(token.attrs.get("href", ""))
        elif kind.endswith("_close"):
            tags -= {_OPENING[kind.removesuffix("close") + "open"]}
            if kind == "link_close":
                runs.extend(_url(href, "".join(run.text for run in runs[link_start:]), tags))
        elif kind == "softbreak":
            runs.append(Run(" ", tags))
        elif kind == "hardbreak":
            runs.append(Run("\n", tags))
        elif kind == "code_inline":
            runs.append(Run(_one_line(token.content), tags | {"code"}))
        elif kind == "image":
            label = _one_line(token.content) or "image"
            runs.append(Run(f"▣ {label}", tags | {"link"}))
            runs.extend(_url(str(token.attrs.get("src", "")), label, tags))
        elif token.content:
            runs.append(Run(_one_line(token.content), tags))
    return _joined(runs)


def _one_line(text: str) -> str:
    return visible_text(text).replace("\n", " ").replace("\t", " ")


def _url(href: str, label: str, tags: Tags) -> list[Run]:
    """The address behind a link, unless its text already says it."""
    address = _one_line(href)
    if not address or address in (label, f"mailto:{label}") or len(address) > _MAX_URL:
        return []
    return [Run(f" ({address})", tags | {"url"})]


def _joined(runs: list[Run]) -> Runs:
    """Neighbours of one look as one run: a grapheme may have come in pieces."""
    joined: list[Run] = []
    for run in runs:
        if joined and joined[-1].tags == run.tags:
            joined[-1] = Run(joined[-1].text + run.text, run.tags)
        else:
            joined.append(run)
    return tuple(run for run in joined if run.text)
