"""What markdown is turned into: lines of tagged runs of text.

Invariant: the text of a run has been through `visible_text`, so it holds no control character
and no line end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gemma_chat.ui.markdown.wrapping import wrap

Tag = Literal[
    "heading",
    "title",
    "strong",
    "emphasis",
    "strike",
    "code",
    "link",
    "url",
    "marker",
    "quote",
    "bar",
    "rule",
    "table-head",
    "fence",
    "language",
    "keyword",
    "string",
    "number",
    "comment",
    "name",
    "operator",
    "person",
    "model",
    "user",
    "status",
    "warning",
    "error",
]
"""What a run is. A painter gives each tag a style; tags of one run are laid over each other."""

Tags = frozenset[Tag]
PLAIN: Tags = frozenset()


class Run(NamedTuple):
    """A stretch of text of one look."""

    text: str
    tags: Tags = PLAIN


Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One row, without margin and without padding to the right."""

    runs: Runs = ()
    lead: int = 0
    """Characters at the start that are layout (bars, padding), left out of copied text."""
    glue: str | None = None
    """None: a line of its own. Else it goes on where the line before was wrapped, and this is
    the white space that stood in between."""
    fill: Tags = PLAIN
    """How the rest of the row, up to the right edge, looks."""

    @property
    def text(self) -> str:
        """The characters of the row as painted."""
        return "".join(run.text for run in self.runs)

    def indented(self, space: Run) -> Line:
        """The line behind white space, which is text unless the line goes on a wrapped one."""
        is_layout = self.lead > 0 or self.glue is not None
        lead = self.lead + len(space.text) if is_layout else 0
        return replace(self, runs=(space, *self.runs), lead=lead)

    def barred(self, bar: Run) -> Line:
        """The line behind a bar, which is layout in any case."""
        return replace(self, runs=(bar, *self.runs), lead=self.lead + len(bar.text))


BLANK = Line()


def tagged(runs: Iterable[Run], *tags: Tag) -> Runs:
    """The runs with more tags laid over them."""
    added = frozenset(tags)
    return tuple(Run(run.text, run.tags | added) for run in runs)


def wrap_runs(runs: Sequence[Run], width: int) -> Iterator[Line]:
    """Break runs into lines of at most `width` cells; a line end in the text starts a new one."""
    text = "".join(run.text for run in runs)
    for row in wrap(text, width):
        yield Line(_slice(runs, row.start, row.end), glue=row.glue)


def _slice(runs: Sequence[Run], start: int, end: int) -> Runs:
    """The runs of the characters from `start` to `end`."""
    pieces: list[Run] = []
    position = 0
    for run in runs:
        if position >= end:
            break
        after = position + len(run.text)
        if after > start:
            pieces.append(Run(run.text[max(0, start - position) : end - position], run.tags))
        position = after
    return tuple(piece for piece in pieces if piece.text)
