"""One message of a transcript: its text, and its rows once somebody looks at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rich.cells import cell_len

from gemma_chat.host.protocol import MessageState, MessageView
from gemma_chat.ui.markdown import Line, MarkdownStream, Run, Tag, render_markdown
from gemma_chat.ui.markdown.lines import BLANK, wrap_runs
from gemma_chat.ui.markdown.visible import visible_line
from gemma_chat.ui.text import one_line
from gemma_chat.ui.transcript.asides import AsideRows, aside_rows
from gemma_chat.ui.transcript.attachments import attachment_lines
from gemma_chat.ui.transcript.previews import Previews

MAX_MARKDOWN = 200_000
"""Characters; what is longer is shown as it stands, to keep the screen alive."""

CURSOR = Run("▌", frozenset({"status"}))

_HEAD_SIGNS: dict[MessageState, str] = {"queued": "◷ queued", "streaming": "… writing"}
_FOOT_SIGNS: dict[MessageState, tuple[str, Tag]] = {
    "stopped": ("■ stopped", "status"),
    "length": ("… cut: the reply limit or the context is used up", "warning"),
    "interrupted": ("⚡ interrupted", "warning"),
    "failed": ("! failed", "error"),
}
"""What stands below a reply that did not end by itself."""

PINNED = "✱ pinned"
_MODEL_CELLS = 40
MENU = "⋯ menu"
Spot = Literal["previous", "next", "menu", "summary"]
"""What a click on a sign does: show the branch before or after, open the menu or the summary."""


class Entry:
    """A message with its rows for one width.

    Rows are a head with the thoughts and calls before the last stretch of text, that stretch as
    the body, a foot for replies that did not end by themselves, a blank row, and the mark below
    the last message that the model does not see any more.
    Until `measure` is called `height` is an estimate and nothing has been parsed.
    """

    def __init__(
        self, view: MessageView, name: str, width: int, previews: Previews | None = None
    ) -> None:
        self.number = view.message
        self._view = view
        self._previews = previews or Previews()
        self.name = visible_line(name)
        self._pieces = [view.text]
        self._length = len(view.text)
        self._pending: list[str] = []
        self._head: list[Line] = []
        self._body: list[Line] = []
        self._foot: list[Line] = []
        self._mark: list[Line] = []
        self._mark_text = ""
        self._asides = AsideRows()
        self._unfolded: set[int] = set()
        """Places of the thoughts and calls that are shown whole."""
        self._stream: MarkdownStream | None = None
        self._is_painted = False
        self._width = width
        self.names_model = False
        """Another model has answered than before."""
        self.is_selected = False
        """The cursor stands on it."""
        self.version = 0
        """Grows whenever rows change."""
        self.height = self._estimate(width)

    # ------------------------------------------------------------ text

    @property
    def view(self) -> MessageView:
        """The message as the host told it, without text that came since."""
        return self._view

    @property
    def role(self) -> str:
        """Who wrote it."""
        return self._view.role

    @property
    def length(self) -> int:
        """Characters received."""
        return self._length

    @property
    def text(self) -> str:
        """The whole source."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def add(self, text: str) -> None:
        """Take streamed text; `flush` brings it to the rows."""
        self._pieces.append(text)
        self._length += len(text)
        if self._is_painted:
            self._pending.append(text)

    def flush(self) -> int:
        """Bring pending text to the rows. Returns the first row that changed."""
        if not self._is_painted or not self._pending:
            return self.height
        text = "".join(self._pending)
        self._pending.clear()
        if self._stream is None:
            return self._repaint()
        before = self._last_body_row
        first = len(self._head) + self._stream.feed(text)
        self._body = self._stream.lines
        self._count()
        return min(first, before)

    def update(self, view: MessageView) -> int:
        """The message changed as a whole. Returns the first row that changed."""
        known = self.text
        if view == self._view and view.text == known:
            return self.height
        asides_changed = view.asides != self._view.asides
        self._view = view
        self._pieces, self._length = [view.text], len(view.text)
        if not self._is_painted:
            self.height = self._estimate(self._width)
            return 0
        if self._stream is None or asides_changed or not view.text.startswith(known):
            self._pending.clear()
            return self._repaint()
        self._pending.append(view.text[len(known) :])
        first = self.flush()
        if view.state != "streaming":
            first = min(first, len(self._head) + self._stream.finish())
            self._body = self._stream.lines
            self._stream = None
        self._set_frame()
        self._count()
        return 0 if view.state != "streaming" else first

    # ------------------------------------------------------------ thoughts and calls

    @property
    def has_asides(self) -> bool:
        """There are thoughts or calls."""
        return bool(self._view.asides)

    @property
    def is_unfolded(self) -> bool:
        """One of them at least is shown whole."""
        return bool(self._unfolded)

    def aside_at(self, row: int) -> int | None:
        """The place of the thought or call at a row."""
        row -= 1
        places = self._asides.places
        return places[row] if 0 <= row < len(places) and places[row] >= 0 else None

    def toggle(self, place: int) -> int:
        """Unfold or fold one of them. Returns the first row that changed."""
        self._unfolded ^= {place}
        return self._repaint() if self._is_painted else 0

    def unfold_all(self, *, unfolded: bool) -> int:
        """Unfold or fold all of them. Returns the first row that changed."""
        self._unfolded = set(range(len(self._view.asides))) if unfolded else set()
        return self._repaint() if self._is_painted else 0

    # ------------------------------------------------------------ rows

    @property
    def is_painted(self) -> bool:
        """There are rows, and `height` is exact."""
        return self._is_painted

    def estimate(self, width: int) -> int:
        """Forget the rows and guess the height at another width."""
        self.release()
        self._width = width
        self.height = self._estimate(width)
        return self.height

    def measure(self, width: int) -> int:
        """Parse and wrap the message. Returns its height."""
        if not self._is_painted or self._width != width:
            self._width = width
            self._repaint()
        return self.height

    def renew(self) -> int:
        """A picture of it has come. Returns the first row that changed."""
        return self._repaint() if self._is_painted else self.height

    def mark(self, text: str) -> int:
        """Put a mark below the message, or take it away. Returns the first row that changed."""
        if text == self._mark_text:
            return self.height
        self._mark_text = text
        if not self._is_painted:
            self.height = self._estimate(self._width)
            return 0
        first = len(self._head) + len(self._body) + len(self._foot)
        self._set_mark()
        self._count()
        return first

    def is_mark(self, row: int) -> bool:
        """Whether the mark stands at a row."""
        return bool(self._mark) and self.height - 1 - len(self._mark) < row < self.height - 1

    def release(self) -> None:
        """Drop the rows, keep the height: the reader is far away."""
        self._is_painted = False
        self._stream = None
        self._pending.clear()
        self._head, self._body, self._foot, self._mark = [], [], [], []

    def line(self, row: int) -> Line:
        """One row; `measure` must have been called."""
        for part in (self._head, self._body, self._foot, self._mark):
            if row < len(part):
                return part[row]
            row -= len(part)
        return BLANK

    def painted_line(self, row: int) -> Line:
        """One row as it is shown: with the cursor at the end of text that is being written."""
        line = self.line(row)
        if row == 0 and self.is_selected:
            return replace(line, runs=(*line.runs, Run(f"  {MENU}", frozenset({"marker"}))))
        is_last = self._view.state == "streaming" and row == self._last_body_row
        if not is_last or cell_len(line.text) >= self._width:
            return line
        return replace(line, runs=(*line.runs, CURSOR))

    def spot_at(self, column: int) -> Spot | None:
        """What a click on this character of the head means."""
        text = self.painted_line(0).text
        signs: tuple[tuple[str, Spot], ...] = (("‹", "previous"), ("›", "next"), (MENU, "menu"))
        for sign, spot in signs:
            # Behind the name, which may hold anything.
            at = text.find(sign, len(self.name))
            if at >= 0 and at - 1 <= column <= at + len(sign):
                return spot
        return None

    def body_rows(self) -> range:
        """The rows of what was said, without head and foot."""
        return range(len(self._head), len(self._head) + len(self._body))

    def code_blocks(self) -> list[range]:
        """The rows of each block of code, without the line that names its language."""
        blocks: list[range] = []
        start: int | None = None
        for row in (*self.body_rows(), -1):
            line = self.line(row) if row >= 0 else BLANK
            is_code = "fence" in line.fill and line.lead < len(line.text)
            is_code = is_code or ("fence" in line.fill and start is not None)
            if is_code and start is None:
                start = row
            elif not is_code and start is not None:
                blocks.append(range(start, row if row >= 0 else self.body_rows().stop))
                start = None
        return blocks

    @property
    def _last_body_row(self) -> int:
        return len(self._head) + max(1, len(self._body)) - 1

    def _estimate(self, width: int) -> int:
        text = self.text
        beside = len(self._view.asides) + len(self._view.attachments)
        beside += 2 * bool(self._mark_text)
        return 2 + beside + text.count("\n") + len(text) // max(1, width) + 1

    def _repaint(self) -> int:
        width = self._width
        self._pending.clear()
        self._stream = None
        self._asides = aside_rows(self._view, self.text, width, self._unfolded)
        text = self.text[self._asides.base :]
        if self._view.role == "user" or self._length > MAX_MARKDOWN:
            self._body = [
                *attachment_lines(self._view, width, self._previews),
                *_as_typed(text, width),
            ]
        elif self._view.state in ("streaming", "queued"):
            self._stream = MarkdownStream(width)
            self._stream.feed(text)
            self._body = self._stream.lines
        else:
            self._body = render_markdown(text, width)
        self._set_frame()
        self._set_mark()
        self._is_painted = True
        self._count()
        return 0

    def _count(self) -> None:
        self.version += 1
        body = max(1, len(self._body)) if self._view.state == "streaming" else len(self._body)
        self.height = len(self._head) + body + len(self._foot) + len(self._mark) + 1

    def _set_mark(self) -> None:
        run = Run(self._mark_text, frozenset({"marker"}))
        wrapped = wrap_runs((run,), self._width) if self._mark_text else ()
        self._mark = [BLANK, *wrapped] if self._mark_text else []

    def _set_frame(self) -> None:
        view = self._view
        who = Run(self.name, frozenset({"person" if view.role == "user" else "model"}))
        sign = _HEAD_SIGNS.get(view.state, "")
        runs = [who]
        if self.names_model and view.model:
            model = one_line(view.model, _MODEL_CELLS)
            runs.append(Run(f"  {model}", frozenset({"status"})))
        if view.branches > 1:
            runs.append(Run(f"  ‹ {view.branch}/{view.branches} ›", frozenset({"marker"})))
        if view.pinned:
            runs.append(Run(f"  {PINNED}", frozenset({"warning"})))
        if sign:
            runs.append(Run(f"  {sign}", frozenset({"status"})))
        self._head = [Line(tuple(runs)), *self._asides.lines]
        self._foot = []
        if view.state in _FOOT_SIGNS:
            words, tag = _FOOT_SIGNS[view.state]
            error = visible_line(view.error).strip()
            run = Run(f"{words}: {error}" if error else words, frozenset({tag}))
            self._foot = list(wrap_runs((run,), self._width))


def _as_typed(text: str, width: int) -> list[Line]:
    """Text with its own line ends and spaces; nothing in it is markup."""
    tags: frozenset[Tag] = frozenset({"user"})
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    runs = [Run(visible_line(line), tags) for line in lines]
    return [row for run in runs for row in wrap_runs((run,), width)]
