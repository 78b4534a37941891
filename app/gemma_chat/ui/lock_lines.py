"""What the panel of the generation lock shows, as words: who generates, who waits, what is behind.

Each entry has two lines: its name with what can be clicked, and how it stands. Pure, and fitted to
any width.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from textual.content import Content
from textual.style import Style

from gemma_chat.host.protocol import LockEntry, ModelView, SummarizerView
from gemma_chat.quantities import byte_size
from gemma_chat.ui.signs import HOLDING, circled
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.status_line import entry_name, gauge
from gemma_chat.ui.text import one_line, padded

Wish = Literal["go", "sooner", "later", "cancel"]
"""What a person may want of an entry."""

WISH = "wish"
"""Under this name the cells of a spot carry what a click on them means."""

_SPOTS: dict[Wish, str] = {"sooner": " ↑ ", "later": " ↓ ", "cancel": " ✕ "}
_LEAST_NAME_CELLS = 6
_GAUGE_CELLS = 10


class Line(msgspec.Struct, frozen=True):
    """A heading or a remark, or with `entry` one of the turns."""

    content: Content
    entry: LockEntry | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        """By what the entry is known while it moves."""
        entry = self.entry
        return (0, 0, 0) if entry is None else (entry.ticket, entry.session, entry.turn)


def lines_of(state: TerminalState, cells: int) -> tuple[Line, ...]:
    """All lines of the panel: the holders, the queue, background work, and memory."""
    holders = state.lock.holders
    people = [entry for entry in state.lock.waiting if not entry.background]
    behind = [entry for entry in state.lock.waiting if entry.background]
    lines = [_heading("Generates now")]
    lines += [_holder(state, entry, cells) for entry in holders]
    if not holders:
        lines.append(_remark("Nobody: the lock is free.", cells))
    lines.append(_heading("Waits", space=True))
    lines += [_waiting(state, place, entry, cells) for place, entry in enumerate(people, 1)]
    if not people:
        lines.append(_remark("Nobody.", cells))
    remarks = _summarizer(state, state.summarizer)
    if behind or remarks:
        lines.append(_heading("Behind all that people wait for", space=True))
        lines += [_background(state, entry, cells) for entry in behind]
        lines += [_remark(words, cells) for words in remarks]
    return (*lines, *_memory(state.model, cells))


def _wishes(entry: LockEntry) -> tuple[Wish, ...]:
    if entry.phase == "queued" and entry.ticket:
        return ("sooner", "later", "cancel")
    return ("cancel",) if entry.ticket or entry.session else ()


def _heading(words: str, *, space: bool = False) -> Line:
    return Line(Content.styled(f"\n{words}" if space else words, "bold $ink-title"))


def _remark(words: str, cells: int) -> Line:
    return Line(Content.styled(f"  {one_line(words, cells - 2)}", "$ink-quiet"))


def _entry(sign: str, name: str, about: str, style: str, entry: LockEntry, cells: int) -> Line:
    spots = [_spot(wish) for wish in _wishes(entry)]
    left = max(_LEAST_NAME_CELLS, cells - sum(map(len, spots)))
    return Line(
        Content.assemble(
            (padded(f"{sign} {name}", left), style),
            *spots,
            "\n",
            (f"  {one_line(about, cells - 2)}", "$ink-quiet"),
        ),
        entry,
    )


def _spot(wish: Wish) -> Content:
    return Content.styled(_SPOTS[wish], "$ink-mark").stylize(Style.from_meta({WISH: wish}))


def _holder(state: TerminalState, entry: LockEntry, cells: int) -> Line:
    if entry.phase == "prefill" and entry.prompt_total:
        bar = gauge(entry.prompt_done, entry.prompt_total, _GAUGE_CELLS)
        doing = f"reading {entry.prompt_done}/{entry.prompt_total} {bar}"
    elif entry.tokens_per_second:
        doing = f"{entry.tokens_per_second:.0f} tok/s · {entry.generated} tokens"
    else:
        doing = "begins"
    about = f"{doing} · {entry.elapsed:.0f} s"
    return _entry(HOLDING, _name(state, entry), about, "bold $ink-good", entry, cells)


def _waiting(state: TerminalState, place: int, entry: LockEntry, cells: int) -> Line:
    about = f"waits {entry.elapsed:.0f} s"
    if not entry.ticket:
        about += " for the model"
    elif entry.moved:
        about += f" · {_moved(entry.moved)}"
    return _entry(circled(place), _name(state, entry), about, "$ink-wait", entry, cells)


def _moved(places: int) -> str:
    return f"moved up {places}" if places > 0 else f"moved back {-places}"


def _background(state: TerminalState, entry: LockEntry, cells: int) -> Line:
    about = "gave way, goes on later" if entry.generated or entry.prompt_done else "waits"
    return _entry("·", _name(state, entry), about, "$foreground", entry, cells)


def _name(state: TerminalState, entry: LockEntry) -> str:
    name = entry_name(state, entry)
    tab = state.tab(entry.about) if entry.background else None
    return name if tab is None else f"{name} on {state.number(tab.session)} {tab.title}"


def _summarizer(state: TerminalState, summarizer: SummarizerView) -> list[str]:
    remarks = []
    if summarizer.paused:
        remarks.append("The summarizer is paused.")
    numbers = [str(n) for n in map(state.number, summarizer.pending) if n]
    if numbers:
        remarks.append(f"Summaries to come: {', '.join(numbers)}")
    return remarks


def _memory(model: ModelView, cells: int) -> tuple[Line, ...]:
    if model.phase != "ready" or model.server:
        return ()
    figures = (
        ("weights", model.weights_bytes),
        ("KV cache, resident", model.kv_resident_bytes),
        ("KV cache, saved in RAM", model.kv_saved_bytes),
        ("KV cache, saved on disk", model.kv_disk_bytes),
        ("the host in all", model.process_bytes),
    )
    return (
        _heading("Memory", space=True),
        *(_figure(name, byte_size(bytes_), cells) for name, bytes_ in figures),
    )


def _figure(name: str, figure: str, cells: int) -> Line:
    return Line(
        Content.assemble(
            (f"  {padded(name, max(1, cells - len(figure) - 4))}  ", "$ink-quiet"), figure
        )
    )
