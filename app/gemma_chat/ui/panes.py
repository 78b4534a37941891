"""The place of the transcript: one pane, or two side by side, each with a conversation.

Where two do not fit beside each other they stand one above the other, and where there is no room
for that either only the active one is shown, whose head says so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from gemma_chat.ui.pair import differences
from gemma_chat.ui.signs import Sign, sign_of
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import one_line

if TYPE_CHECKING:
    from gemma_chat.ui.transcript import Transcript

BESIDE = 80
"""From so many columns on two panes stand beside each other."""
STACKED = 12
"""From so many rows on they stand one above the other in a narrower window."""

_TITLE_CELLS = 24
_LEAST_RIGHT = 8
_TOO_SMALL = "1 of 2: too small"


class Heading(msgspec.Struct, frozen=True):
    """What the head of a pane says, from the left: who, how it is, in what it differs."""

    session: int = 0
    active: bool = False
    gets_it: bool = False
    """What is sent now goes there."""
    number: int = 0
    title: str = ""
    sign: Sign = Sign()
    differs: str = ""


def headings_of(state: TerminalState) -> tuple[Heading, Heading] | None:
    """The heads of the pair that is shown; `None` without one."""
    pair = state.shown_pair
    if pair is None:
        return None
    return _heading(state, pair.left, pair.right), _heading(state, pair.right, pair.left)


def _heading(state: TerminalState, session: int, other: int) -> Heading:
    tab, beside = state.tab(session), state.tab(other)
    if tab is None or beside is None:
        return Heading()
    return Heading(
        session=session,
        active=session == state.active,
        gets_it=session in state.recipients,
        number=state.number(session),
        title=one_line(tab.title, _TITLE_CELLS),
        sign=sign_of(state, tab),
        differs=" · ".join(differences(tab.view.settings, beside.view.settings)),
    )


def parts_of(heading: Heading, note: str, width: int) -> list[tuple[str, str]]:
    """What stands in a head of so many cells, each with what it is.

    What is at the right, the `note` or the differences, goes before the meaning of the sign.
    """
    title = one_line(heading.title, max(_LEAST_RIGHT, width // 3))
    parts = [
        ("▎" if heading.active else " ", "edge"),
        ("→ " if heading.gets_it else "  ", "arrow"),
        (f"{heading.number} {title}", "active" if heading.active else ""),
    ]
    right = note or heading.differs
    sign = heading.sign
    used = sum(cell_len(text) for text, _ in parts)
    if sign.text:
        whole = f"  {sign.text} {sign.meaning}"
        fits = used + cell_len(whole) + cell_len(right) + 3 <= width
        parts.append((whole if fits else f"  {sign.text}", sign.kind))
        used += cell_len(parts[-1][0])
    room = width - used - 3
    if right and room >= _LEAST_RIGHT:
        text = one_line(right, room)
        parts.append((f"{'':{room - cell_len(text) + 2}}{text} ", ""))
    return parts


class PaneHead(Widget):
    """One line above a pane of a pair."""

    DEFAULT_CSS = """
    PaneHead { height: 1; background: $panel; color: $ink-quiet; display: none; }
    PaneHead > .pane-head--active { color: $foreground; text-style: bold; }
    PaneHead > .pane-head--edge { color: $accent; }
    PaneHead > .pane-head--arrow { color: $accent; text-style: bold; }
    PaneHead > .pane-head--holding { color: $ink-good; }
    PaneHead > .pane-head--waiting { color: $ink-wait; }
    PaneHead > .pane-head--asking { color: $ink-wait; }
    PaneHead > .pane-head--calling { color: $ink-wait; }
    PaneHead > .pane-head--failed { color: $ink-bad; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "pane-head--active",
        "pane-head--edge",
        "pane-head--arrow",
        "pane-head--holding",
        "pane-head--waiting",
        "pane-head--asking",
        "pane-head--calling",
        "pane-head--failed",
    }

    @dataclass
    class Pressed(Message):
        """A person clicked the head of this session's pane."""

        session: int

    def __init__(self) -> None:
        super().__init__()
        self._heading = Heading()
        self._note = ""

    def show(self, heading: Heading, note: str = "") -> None:
        """Draw this; `note` comes first at the right."""
        if heading != self._heading or note != self._note:
            self._heading, self._note = heading, note
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        parts = parts_of(self._heading, self._note, width)
        segments = [Segment(text, base + self._style(part)) for text, part in parts]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, part: str) -> Style:
        name = f"pane-head--{part}"
        known = name in self.COMPONENT_CLASSES
        return self.get_component_rich_style(name, partial=True) if known else Style()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Pressed(self._heading.session))


class Pane(Vertical):
    """A head and a transcript below it."""

    DEFAULT_CSS = """
    Pane { width: 1fr; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = PaneHead()
        self.transcript: Transcript | None = None

    def compose(self) -> ComposeResult:
        yield self.head
        if self.transcript is not None:
            yield self.transcript

    def make_transcript(self, id_: str) -> Transcript:
        """Make what stands below the head; before the pane is mounted."""
        from gemma_chat.ui.transcript import Transcript

        self.transcript = Transcript(id=id_)
        return self.transcript


class Panes(Container):
    """The panes. None is there for the first paint, and the second one only for a pair."""

    DEFAULT_CSS = """
    Panes { layout: vertical; width: 1fr; height: 1fr; }
    Panes.-pair PaneHead { display: block; }
    Panes.-pair.-beside { layout: horizontal; }
    Panes.-pair.-beside #right-pane { border-left: solid $foreground 15%; }
    Panes #right-pane { display: none; }
    Panes.-pair #right-pane { display: block; }
    Panes.-pair.-single #right-pane.-aside { display: none; }
    Panes.-pair.-single Pane.-aside { display: none; }
    """

    def __init__(self) -> None:
        super().__init__(id="panes")
        self.left = Pane()
        self.right = Pane()
        self.right.id = "right-pane"
        self._headings: tuple[Heading, Heading] | None = None

    async def open_left(self) -> Transcript:
        """Make the pane that is always there: after the first paint, which does not need it."""
        transcript = self.left.make_transcript("transcript")
        await self.mount(self.left)
        return transcript

    def open_right(self) -> Transcript:
        """Make the other pane, when two tabs are shown for the first time."""
        transcript = self.right.make_transcript("second-transcript")
        self.mount(self.right)
        return transcript

    @property
    def transcripts(self) -> tuple[Transcript, ...]:
        """Those that were made so far."""
        made = (self.left.transcript, self.right.transcript)
        return tuple(one for one in made if one is not None)

    def follow(self, sessions: Collection[int]) -> None:
        """Go to the newest text of these conversations, where they are shown."""
        for transcript in self.transcripts:
            if transcript.key in sessions:
                transcript.to_end()

    @property
    def active(self) -> Transcript | None:
        """The transcript of the active tab."""
        if self._headings is not None and self._headings[1].active:
            return self.right.transcript
        return self.left.transcript

    def show(self, state: TerminalState) -> None:
        """Show one pane or two, and which of them is the active one."""
        headings = headings_of(state)
        if headings == self._headings:
            return
        if (headings is None) != (self._headings is None):
            self.call_after_refresh(self.fit)
        self._headings = headings
        self.set_class(headings is not None, "-pair")
        self._draw_heads()
        if headings is not None:
            for pane, heading in zip((self.left, self.right), headings, strict=True):
                pane.set_class(not heading.active, "-aside")
                if not heading.active and pane.transcript is not None and pane.transcript.selected:
                    pane.transcript.select_message(0)

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size)

    def fit(self) -> None:
        """See to it that all have the size that they are drawn with.

        Textual sends no resize event for a layout that it had to work out before its time, to
        tell where a widget is: after the input has scrolled, for instance.
        """
        if self._arrange(self.size):
            self.call_after_refresh(self.fit)
        for transcript in self.transcripts:
            transcript.on_resize()

    def _arrange(self, size: Size) -> bool:
        """Choose beside, stacked or single; whether that is another choice than before."""
        beside = size.width >= BESIDE
        single = not beside and size.height < STACKED
        before = self.has_class("-beside"), self.has_class("-single")
        self.set_class(beside, "-beside")
        self.set_class(single, "-single")
        self._draw_heads()
        return before != (beside, single)

    def _draw_heads(self) -> None:
        if self._headings is None:
            return
        for pane, heading in zip((self.left, self.right), self._headings, strict=True):
            pane.head.show(heading, _TOO_SMALL if self.has_class("-single") else "")
