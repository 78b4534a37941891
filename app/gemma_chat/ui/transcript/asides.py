"""Thoughts and tool calls in a transcript: one line each, and what is behind it when unfolded."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import msgspec

from gemma_chat.host.protocol import Aside, MessageView, Thought, ToolUse, UseOutcome
from gemma_chat.ui.markdown import Line, Run, Tag, render_markdown
from gemma_chat.ui.markdown.lines import BLANK, Runs, wrap_runs
from gemma_chat.ui.markdown.visible import visible_line

MAX_SHOWN: Final = 20_000
"""Characters of a thought, of arguments or of a result that are shown unfolded."""
_CUT_OFF: Final = -1.0
"""Seconds of a thought whose end nobody saw."""
_ARGUMENTS: Final = 200
"""Characters of the arguments in the one line of a call."""

_OUTCOMES: dict[UseOutcome, tuple[str, Tag]] = {
    "waiting": ("…", "status"),
    "answered": ("✓", "status"),
    "refused": ("✗ refused", "warning"),
    "failed": ("! failed", "error"),
    "stopped": ("■ not finished", "warning"),
}


@dataclass(frozen=True, slots=True)
class AsideRows:
    """The rows of a message up to the text that may still grow.

    `texts` ends at `base` characters of the message; `places` has, for each row, the aside that a
    click on it unfolds or folds, or -1.
    """

    lines: tuple[Line, ...] = ()
    places: tuple[int, ...] = ()
    base: int = 0


def aside_rows(view: MessageView, text: str, width: int, unfolded: AbstractSet[int]) -> AsideRows:
    """The rows of all asides of a reply, with the text between them.

    Args:
        view: the reply.
        text: its text, which may be further on than that of the view.
        width: columns.
        unfolded: the places of the asides that are shown whole.
    """
    lines: list[Line] = []
    places: list[int] = []
    base = 0
    for place, aside in enumerate(view.asides):
        if aside.at > base:
            between = text[base : aside.at]
            base = aside.at
            if between.strip():
                rows = [*([BLANK] if lines else []), *render_markdown(between, width), BLANK]
                lines += rows
                places += [-1] * len(rows)
        settled = aside if view.state in ("queued", "streaming") else _settled(aside)
        rows = _rows(settled, width, whole=place in unfolded)
        lines += rows
        places += [place] * len(rows)
    if lines and (text[base:].strip() or view.state == "streaming"):
        lines.append(BLANK)
        places.append(-1)
    return AsideRows(tuple(lines), tuple(places), base)


def _rows(aside: Aside, width: int, *, whole: bool) -> list[Line]:
    sign = "▾ " if whole else "▸ "
    if isinstance(aside, Thought):
        head: Runs = (Run(f"{sign}{_thought_words(aside)}", frozenset({"status"})),)
        behind = [("", aside.text)]
    else:
        words, tag = _OUTCOMES[aside.outcome]
        arguments = visible_line(aside.arguments[:_ARGUMENTS]).strip()
        head = (
            Run(f"{sign}⚒ ", frozenset({"status"})),
            Run(visible_line(aside.name), frozenset({"name"})),
            Run(f" {arguments}", frozenset({"status"})),
            Run(f"  {words}", frozenset({tag})),
        )
        behind = _behind_call(aside)
    # Folded it is one row, however long the arguments are.
    rows = [next(iter(wrap_runs(head, width)))]
    if whole:
        for label, text in behind:
            rows += _quoted(label, text, width)
    return rows


def _settled(aside: Aside) -> Aside:
    """What became of a thought or a call when the program died in the middle of it."""
    if isinstance(aside, Thought):
        return aside if aside.seconds else msgspec.structs.replace(aside, seconds=_CUT_OFF)
    if aside.outcome == "waiting":
        return msgspec.structs.replace(aside, outcome="stopped")
    return aside


def _thought_words(thought: Thought) -> str:
    if not thought.seconds:
        return "thinking …"
    if thought.seconds == _CUT_OFF:
        return "thought, and was interrupted"
    seconds = round(thought.seconds)
    if seconds >= 60:
        return f"thought for {seconds // 60} min {seconds % 60} s"
    return f"thought for {seconds} s" if seconds else "thought for less than 1 s"


def _behind_call(use: ToolUse) -> list[tuple[str, str]]:
    behind = [("arguments", use.arguments)]
    if use.error:
        behind.append(("error", use.error))
    if use.result and use.result != use.error:
        behind.append(("result", use.result))
    return behind


def _quoted(label: str, text: str, width: int) -> list[Line]:
    """Text as it stands, behind a bar."""
    bar = Run("│ ", frozenset({"bar"}))
    rows: list[Line] = []
    if label:
        rows.append(Line((bar, Run(label, frozenset({"strong"})))))
    cut = text[:MAX_SHOWN]
    if len(text) > MAX_SHOWN:
        cut += f"\n… {len(text) - MAX_SHOWN} more characters"
    for line in cut.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        run = Run(visible_line(line), frozenset({"quote"}))
        rows += [row.barred(bar) for row in wrap_runs((run,), max(1, width - 2))]
    return rows
