"""How the plain line mode speaks of tabs, turns and models. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gemma_chat.host import protocol as p
from gemma_chat.quantities import byte_size, counted
from gemma_chat.ui.signs import sign_of
from gemma_chat.ui.state import TabState, TerminalState
from gemma_chat.ui.text import ERROR_CELLS, LINE_CELLS, NOTICE_CELLS, SENTENCE_CELLS, one_line

_STEP: Final = 20
"""Percent between two sentences about how far something is."""
_FITS: Final[dict[p.MemoryFit, str]] = {
    "fits": "",
    "tight": ", close other programs first",
    "too_large": ", too large for this machine",
}


def explained(name: str, explanation: str) -> str:
    """A thing of a list, with what it is."""
    return f"{one_line(name, NOTICE_CELLS)}: {one_line(explanation, SENTENCE_CELLS)}"


def tab_name(state: TerminalState, session: int) -> str:
    """A tab within a sentence: `tab 2 “Essay”`."""
    tab = state.tab(session)
    return "a tab" if tab is None else f"tab {state.number(session)} {title_of(tab)}"


def title_of(tab: TabState) -> str:
    """A title within a sentence."""
    return f"“{one_line(tab.title, NOTICE_CELLS)}”"


def tab_line(state: TerminalState, tab: TabState) -> str:
    """A tab in the list of all: number, title, and all that its signs say, in words."""
    parts = [
        f"{state.number(tab.session)}. {title_of(tab)}",
        counted(tab.view.message_count, "message"),
    ]
    if tab.view.group:
        parts.append(f"group {one_line(tab.view.group, NOTICE_CELLS)}")
    if tab.view.mark:
        parts.append(f"marked {tab.view.mark}")
    if tab.view.pinned:
        parts.append("pinned")
    if meaning := sign_of(state, tab).meaning:
        parts.append(meaning)
    if tab.session == state.active:
        parts.append("you are here")
    return ", ".join(parts) + "."


def named_tab(state: TerminalState, name: str) -> TabState | str:
    """The tab that is meant by a number or a part of its title, or a sentence."""
    name = name.strip()
    if name.isdecimal():
        number = int(name[:9])
        if 1 <= number <= len(state.tabs):
            return state.tabs[number - 1]
        return f"There is no tab {number}. /tabs lists them."
    wanted = name.casefold()
    titles = [(tab, tab.title.casefold()) for tab in state.tabs]
    found = [tab for tab, title in titles if title == wanted]
    found = found or [tab for tab, title in titles if wanted in title]
    if len(found) == 1:
        return found[0]
    shown = one_line(name, NOTICE_CELLS)
    if not found:
        return f"No tab is called “{shown}”. /tabs lists them."
    numbers = ", ".join(str(state.number(tab.session)) for tab in found)
    return f"“{shown}” may be tab {numbers}. Say which by its number."


# ---------------------------------------------------------------- the lock


def progress_of(state: TerminalState, session: int) -> str:
    """What becomes of the tab's turn before its first word, and only now and then; or empty."""
    entry = state.own_turn(session)
    if entry is None:
        return ""
    if entry.phase == "queued":
        return _waiting(state, entry)
    if entry.phase == "prefill" and entry.prompt_total:
        share = 100 * entry.prompt_done // entry.prompt_total // _STEP * _STEP
        return f"Reading the prompt: {share} %." if 0 < share < 100 else ""
    return ""


def _waiting(state: TerminalState, entry: p.LockEntry) -> str:
    if state.model.phase == "loading":
        return "Waiting: the model is being loaded."
    before = [one for one in state.lock.holders if not one.background]
    for one in state.lock.waiting:
        if one.session == entry.session and one.turn == entry.turn:
            break
        if not one.background:
            before.append(one)
    if not before:
        return ""
    holder = state.lock.holder
    holds = ""
    if holder is not None and not holder.background:
        name = "this tab" if holder.session == entry.session else tab_name(state, holder.session)
        holds = f" ({name} holds the lock)"
    return f"Waiting: {counted(len(before), 'turn')} before this one{holds}."


def percent(share: float) -> str:
    """How far something is, in steps; empty at its beginning and its end."""
    step = int(100 * share) // _STEP * _STEP
    return f", {step} %" if 0 < step < 100 else ""


def lock_lines(state: TerminalState) -> Iterator[str]:
    """Who generates and who waits, in order."""
    from gemma_chat.ui.status_line import entry_name

    for holder in state.lock.holders:
        about = f" on {tab_name(state, holder.about)}" if holder.about else ""
        speed = f", {holder.tokens_per_second:.0f} tokens/s" if holder.tokens_per_second else ""
        doing = "reads its prompt" if holder.phase == "prefill" else "generates"
        yield f"{entry_name(state, holder)}{about} {doing}{speed}, for {holder.elapsed:.0f} s."
    for place, entry in enumerate(state.lock.waiting, 1):
        yield f"{entry_name(state, entry)} waits, number {place}."
    if not state.lock.holders:
        yield "Nobody generates; the lock is free."
    if state.summarizer.paused:
        yield "The summarizer is paused."


# ---------------------------------------------------------------- the end of a turn


def end_of(event: p.TurnFinished, *, has_text: bool) -> str:
    """How a turn has ended."""
    tokens = counted(event.metrics.generated_tokens, "token")
    rate = event.metrics.decode_tokens_per_second
    speed = f", {rate:.0f} tokens/s" if rate else ""
    error = one_line(event.error, ERROR_CELLS)
    match event.reason:
        case "stop" | "tool_call":
            return f"Done: {tokens}{speed}."
        case "length":
            return (
                f"Cut after {tokens}{speed}: the limit, or the window, was reached. "
                "/continue goes on."
            )
        case "stopped":
            return f"Stopped: {tokens} kept. /continue goes on." if has_text else "Stopped."
        case "closed":
            return error or "The host left; the reply is kept as far as it came."
        case "failed":
            return f"Failed: {error or 'the log of the host says why'}"


def end_elsewhere(state: TerminalState, event: p.TurnFinished) -> str:
    """That a turn of a tab that is not shown has ended; empty when nobody needs to know."""
    number = state.number(event.session)
    tab = state.tab(event.session)
    if tab is None or event.reason in ("stopped", "closed"):
        return ""
    name = f"Tab {number} {title_of(tab)}"
    if event.reason == "failed":
        error = one_line(event.error, SENTENCE_CELLS)
        return f"{name}: the reply failed. {error} /tab {number} goes there."
    tokens = counted(event.metrics.generated_tokens, "token")
    return f"{name}: the reply is there, {tokens}. /tab {number} goes there."


def question_of(question: p.ToolQuestion) -> str:
    """Whether the model may call a tool."""
    called = one_line(question.name, LINE_CELLS)
    given = one_line(question.arguments, ERROR_CELLS)
    return f"The model wants to call {called} with {given}. Type once, always or never."


# ---------------------------------------------------------------- the model


def model_words(model: p.ModelView) -> str:
    """How it stands with the model; the remedy for one that is missing is told elsewhere."""
    name = one_line(model.name or model.server or model.path, NOTICE_CELLS)
    match model.phase:
        case "ready" if model.server:
            return f"Model: {name} on {one_line(model.server, NOTICE_CELLS)}, ready."
        case "ready":
            safe = (
                f" Safe mode: {one_line(model.safe_mode, SENTENCE_CELLS)}."
                if model.safe_mode
                else ""
            )
            return f"Model: {name}, ready.{safe}"
        case "loading" if model.server:
            return f"Connecting to {one_line(model.server, NOTICE_CELLS)}."
        case "loading":
            return f"Loading the model {name}." if name else "Loading the model."
        case "failed":
            what = "The server cannot be used" if model.server else "The model was not loaded"
            return f"{what}: {one_line(model.error, ERROR_CELLS) or 'the host did not say why.'}"
        case _:
            return "There is no model yet."


def file_line(file: p.ModelFileView, loaded: str, chosen: str) -> str:
    """A model file in a list."""
    standing = ", loaded" if file.path == loaded else ""
    standing += ", the program starts with it" if file.path == chosen else ""
    return (
        f"{one_line(file.name, NOTICE_CELLS)}, {byte_size(file.bytes)}{_FITS[file.fit]}{standing}"
    )


def offer_line(offer: p.OfferView) -> str:
    """A model that can be downloaded, in a list."""
    about = one_line(offer.explanation, SENTENCE_CELLS)
    return (
        f"{one_line(offer.name, NOTICE_CELLS)}, to download, {byte_size(offer.download_bytes)}"
        f"{_FITS[offer.fit]}. {about}"
    ).rstrip()


def download_line(view: p.DownloadView) -> str:
    """A download and how far it is."""
    name = one_line(view.name, NOTICE_CELLS)
    if view.state == "failed":
        terms = f" Accept its terms at {one_line(view.page, SENTENCE_CELLS)}." if view.page else ""
        return f"{name}: the download failed. {one_line(view.error, SENTENCE_CELLS)}{terms}"
    share = view.done_bytes / view.total_bytes if view.total_bytes else 0.0
    paused = ", paused" if view.state == "paused" else ""
    return f"{name}: downloading{percent(share)}{paused}."


def cannot_send(state: TerminalState) -> str:
    """Why nothing can be asked now; empty when it can."""
    if state.link.phase != "connected":
        return "The host is not connected."
    match state.model.phase:
        case "none":
            return "No model is loaded; /model lists those that are here and those to download."
        case "failed" if state.model.server:
            return "The server cannot be used; it is asked again every few seconds."
        case "failed":
            return "The model could not be loaded; /model chooses another one."
        case _:
            return ""
