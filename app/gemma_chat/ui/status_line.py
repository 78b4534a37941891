"""What the status bar says, as words: pure, and fitted to any width.

Every part has forms from long to short. While a row is too wide, the least important part that
can still be shortened takes its next form.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from rich.cells import cell_len

from gemma_chat.host.protocol import LockEntry, ModelView
from gemma_chat.quantities import byte_size
from gemma_chat.ui.context_words import briefly
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.signs import FREE, HOLDING, circled
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import NAME_CELLS, count, one_line

SEPARATOR = " │ "
WIDE = 110
"""From this width on everything fits into one row."""

_GAUGE_CELLS = 8
_NAME_CELLS = 20
_HOLDERS = 3
"""So many of the turns that run at once are named."""

_ON_A_MESSAGE = (
    ("message.menu", "menu"),
    ("message.copy", "copy"),
    ("message.edit", "edit"),
    ("message.regenerate", "again"),
    ("turn.stop", "back"),
)
"""What is offered while the cursor stands on a message."""

Kind = Literal["plain", "quiet", "holding", "waiting", "warning", "error"]

PALETTE = "program.palette"
"""What a click does where nothing else is meant: the way to everything by mouse."""
LOCK = "panel.lock"
CONTEXT = "context.show"
MODELS = "model.load"


class Part(msgspec.Struct, frozen=True):
    """One thing the bar says. The smaller `importance`, the sooner it is shortened."""

    forms: tuple[str, ...]
    kind: Kind = "plain"
    importance: int = 0
    action: str = PALETTE
    """The action of the table that a click on it carries out."""


class Shown(msgspec.Struct, frozen=True):
    """One stretch of a row."""

    text: str
    kind: Kind
    action: str = PALETTE


Row = tuple[Shown, ...]


def rows_of(
    state: TerminalState, width: int, rows: Literal[1, 2], keymap: Keymap = DEFAULT_KEYS
) -> tuple[Row, ...]:
    """The rows of the bar: the lock at the left, and context, model and memory after it."""
    lock = [*_lock_parts(state, keymap), *_safe_mode(state.model)]
    model = msgspec.structs.replace(_model(state), action=MODELS)
    figures = [_context(state), model, _memory(state.model)]
    if rows == 1:
        return (_fitted([*lock, *figures], width),)
    return (_fitted(lock, width), _fitted(figures, width))


def advice_of(state: TerminalState, keymap: Keymap = DEFAULT_KEYS) -> str:
    """What the keys mean now when it is not simply to write, or why sending waits; else empty."""
    if state.link.phase in ("lost", "failed"):
        return "no host: kept as a draft"
    if state.link.phase == "silent":
        return "the host does not answer: kept as a draft"
    if state.selected:
        return _keys_of_a_message(keymap)
    if state.active_tab is not None and state.active_tab.editing is not None:
        send, give_up = keymap.shown("message.send"), keymap.shown("turn.stop")
        return f"editing a message: {send} sends it again · {give_up} gives up"
    if (said := _to_whom(state)) and state.model.phase in ("ready", "loading"):
        return said
    match state.model.phase:
        case "failed" if state.model.server:
            return "no server: kept as a draft"
        case "none" | "failed":
            return "no model: kept as a draft"
        case "loading" if state.link.phase == "connected":
            return "the model is loading: what you send waits for it"
        case _:
            return ""


def action_at(row: Row, x: int) -> str:
    """What a click on cell `x` of a row does."""
    end = 0
    for shown in row:
        end += cell_len(shown.text)
        if x < end:
            return shown.action
    return PALETTE


def _keys_of_a_message(keymap: Keymap) -> str:
    offers = ((keymap.first_key(action), word) for action, word in _ON_A_MESSAGE)
    return " · ".join(f"{key} {word}" for key, word in offers if key)


def _to_whom(state: TerminalState) -> str:
    pair = state.shown_pair
    if pair is None:
        return ""
    if pair.to_both:
        return f"to both: {state.number(pair.left)} and {state.number(pair.right)}"
    return f"to {state.number(state.active)} only"


def _fitted(parts: list[Part], width: int) -> Row:
    parts = [part for part in parts if any(part.forms)]
    chosen = [0] * len(parts)

    def texts() -> list[str]:
        return [part.forms[form] for part, form in zip(parts, chosen, strict=True)]

    def used() -> int:
        shown = [text for text in texts() if text]
        return sum(map(cell_len, shown)) + len(SEPARATOR) * (len(shown) - 1)

    while used() > width:
        shortable = [i for i, part in enumerate(parts) if chosen[i] + 1 < len(part.forms)]
        if not shortable:
            break
        chosen[min(shortable, key=lambda i: parts[i].importance)] += 1
    row: list[Shown] = []
    for part, text in zip(parts, texts(), strict=True):
        if text:
            if row:
                row.append(Shown(SEPARATOR, "quiet"))
            row.append(Shown(text, part.kind, part.action))
    return tuple(row)


# ---------------------------------------------------------------- the parts


def _lock_parts(state: TerminalState, keymap: Keymap) -> list[Part]:
    if state.link.phase != "connected":
        return [_link(state, keymap)]
    holders = state.lock.holders
    if not holders:
        parts = [Part((f"{FREE} lock free", FREE), "quiet", 9, LOCK)]
        if state.summarizer.paused:
            parts.append(Part(("summarizer paused", ""), "quiet", 2, LOCK))
        return parts
    parts = [_holder(state, holder) for holder in holders[:_HOLDERS]]
    if len(holders) > _HOLDERS:
        others = len(holders) - _HOLDERS
        parts.append(Part((f"{HOLDING} {others} more", f"+{others}"), "holding", 8, LOCK))
    return [*parts, _waiting(state)]


def _link(state: TerminalState, keymap: Keymap) -> Part:
    match state.link.phase:
        case "silent":
            return Part(("✕ the host does not answer", "✕ host silent"), "error", 9)
        case "lost":
            return Part(("✕ host lost, starting again…", "✕ host lost"), "error", 9)
        case "failed":
            way = keymap.offered("host.retry")
            return Part((f"✕ no host · {way}", "✕ no host"), "error", 9)
        case _:
            return Part(("◌ looking for the host…", "◌ host…"), "quiet", 9)


def entry_name(state: TerminalState, entry: LockEntry) -> str:
    """Who this is, as the tab bar names it: `2 Tutor`; or `summarizer`, or `warm-up`."""
    if entry.background:
        return one_line(entry.name, _NAME_CELLS) or "summarizer"
    number = state.number(entry.session)
    tab = state.tab(entry.session)
    title = tab.title if tab else entry.name
    return f"{number} {one_line(title, _NAME_CELLS)}" if number else one_line(title, _NAME_CELLS)


def _short_name(state: TerminalState, entry: LockEntry) -> str:
    number = 0 if entry.background else state.number(entry.session)
    return str(number) if number else one_line(entry_name(state, entry), 10)


def _holder(state: TerminalState, entry: LockEntry) -> Part:
    name = entry_name(state, entry)
    if entry.background and (number := state.number(entry.about or state.summarizer.session)):
        name += f" on {number}"
    short = _short_name(state, entry)
    if entry.phase == "prefill" and entry.prompt_total:
        doing = f"reading {entry.prompt_done}/{entry.prompt_total}"
        briefly = f"{_percent(entry.prompt_done, entry.prompt_total)}"
    else:
        doing = f"{entry.tokens_per_second:.0f} tok/s" if entry.tokens_per_second else "begins"
        briefly = f"{entry.tokens_per_second:.0f}/s"
    forms = [
        f"{HOLDING} {name}  {doing}  {entry.elapsed:.0f} s",
        f"{HOLDING} {name}  {doing}",
        f"{HOLDING} {short} {doing}",
        f"{HOLDING} {short} {briefly}",
    ]
    if entry.elapsed < 1:
        del forms[0]
    return Part(tuple(forms), "holding", 8, LOCK)


def _waiting(state: TerminalState) -> Part:
    waiting = state.lock.waiting
    if not waiting:
        return Part(("",))
    numbered = list(enumerate(waiting, 1))
    names = [f"{circled(place)} {entry_name(state, entry)}" for place, entry in numbered]
    short = [f"{circled(place)} {_short_name(state, entry)}" for place, entry in numbered]
    forms = ["  ".join(names), "  ".join(short)]
    if len(short) > 3:
        forms.append(f"{'  '.join(short[:3])} +{len(short) - 3}")
    forms.append(f"{len(waiting)} waiting")
    forms.append(f"+{len(waiting)}")
    return Part(tuple(forms), "waiting", 7, LOCK)


def _context(state: TerminalState) -> Part:
    tab = state.active_tab
    window = state.model.context_size
    if tab is None or not window:
        return Part(("",))
    used = tab.view.context_used
    running = state.own_turn(tab.session)
    if running is not None and running.phase != "queued":
        used = max(running.prompt_done, running.prompt_total) + running.generated or used
    share = _percent(used, window)
    about = "~" if state.model.token_counts == "estimated" else ""
    figures = f"context {about}{count(used)}/{count(window)}"
    full = used >= window * 0.85
    replaced = briefly(tab.view.replaced)
    whole, brief = f"{figures} {gauge(used, window)} {share}", f"{figures} {share}"
    forms: tuple[str, ...] = (whole, brief, f"ctx {share}", share)
    if replaced:
        forms = (f"{whole} ┄ {replaced}", f"{brief} ┄ {replaced}", *forms)
    return Part(forms, "warning" if full else "plain", 6, CONTEXT)


def gauge(done: float, total: float, cells: int = _GAUGE_CELLS) -> str:
    """How much of something, as a line: heavy for what is done, light for the rest."""
    share = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
    filled = max(round(cells * share), 1 if share > 0 else 0)
    return "━" * filled + "─" * (cells - filled)


def _percent(done: float, total: float) -> str:
    return f"{100 * done / total:.0f}%" if total > 0 else "0%"


def _model(state: TerminalState) -> Part:
    model = state.model
    if model.phase == "loading" and state.link.phase != "connected":
        # Without a host nothing is loading, whatever was said last.
        return Part(("",))
    if model.server:
        return _server(model)
    name = one_line(model.name, NAME_CELLS) or "model"
    if model.next:
        name = f"{name}, then {one_line(model.next, NAME_CELLS)}"
    match model.phase:
        case "loading":
            share = _percent(model.progress, 1)
            return Part(
                (
                    f"loading {name} {gauge(model.progress, 1, 12)} {share}",
                    f"loading {one_line(name, 16)} {share}",
                    f"loading {share}",
                ),
                "waiting",
                4,
            )
        case "failed":
            return Part((f"{name}: not loaded", "model not loaded", "no model"), "error", 5)
        case "none":
            return Part(("no model", "no model"), "warning", 5)
        case _:
            return Part((name, one_line(name, 18), one_line(name, 10), ""), "quiet", 3)


def _server(model: ModelView) -> Part:
    address = one_line(model.server.partition("://")[2], NAME_CELLS)
    name = one_line(model.name, NAME_CELLS)
    match model.phase:
        case "loading":
            return Part((f"connecting to {address}…", "connecting…"), "waiting", 4)
        case "failed":
            return Part((f"{address}: no answer, trying again", "no server"), "error", 5)
        case _:
            short = one_line(model.name, 18)
            return Part((f"{name} on {address}", f"{short} on {address}", short, ""), "quiet", 3)


def _memory(model: ModelView) -> Part:
    if model.phase != "ready" or model.server:
        return Part(("",))
    total = model.weights_bytes + model.kv_resident_bytes + model.kv_saved_bytes
    detailed = (
        f"weights {byte_size(model.weights_bytes)}  kv {byte_size(model.kv_resident_bytes)}"
        f"  saved {byte_size(model.kv_saved_bytes)}"
    )
    return Part((detailed, byte_size(total), ""), "quiet", 1, LOCK)


def _safe_mode(model: ModelView) -> list[Part]:
    if not model.safe_mode:
        return []
    mode = one_line(model.safe_mode, NAME_CELLS)
    return [Part((f"safe mode: {mode}", "safe mode", ""), "warning", 2)]
