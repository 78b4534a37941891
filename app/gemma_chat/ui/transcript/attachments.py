"""The files of a message as rows above its text."""

from __future__ import annotations

from gemma_chat.host.protocol import MessageView
from gemma_chat.ui.attaching.attached import words_of
from gemma_chat.ui.attaching.chips import SIGNS
from gemma_chat.ui.markdown import Line, Run
from gemma_chat.ui.text import one_line
from gemma_chat.ui.transcript.previews import COLUMNS, Previews

_LEAST_NAME = 12


def attachment_lines(view: MessageView, width: int, previews: Previews) -> list[Line]:
    """One row for each file, its name, format, extent and size, and below it a small picture."""
    lines: list[Line] = []
    for file in view.attachments:
        words = f"  {words_of(file)}"
        name = one_line(file.name, max(_LEAST_NAME, width - len(words) - 2))
        runs = (Run(f"{SIGNS[file.kind]} {name}", frozenset({"marker"})), Run(words))
        lines.append(Line(runs))
        if file.kind == "image" and width >= COLUMNS:
            lines += previews.lines(file.digest)
    return lines
