"""What of the state of host, model and tabs is told by itself: only what has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gemma_chat.host import protocol as p
from gemma_chat.ui.host_calls import Severity
from gemma_chat.ui.own_events import AnyEvent, LinkChanged
from gemma_chat.ui.plain.words import download_line, model_words, percent, tab_name
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import NOTICE_CELLS, one_line, shown

News = tuple[str, Severity]

_MOST_SAID: Final = 600
_RETRY: Final = "What you type next tries again; `gemma-chat host status` says more."


def news_of(before: TerminalState, after: TerminalState, event: AnyEvent) -> Iterator[News]:
    """The sentences about `event`, which made `after` of `before`."""
    match event:
        case LinkChanged() if before.link.phase != after.link.phase:
            yield from _of_link(before, after)
        case p.Notice():
            yield shown(event.text, _MOST_SAID), "error" if event.level == "error" else "warning"
        case p.ModelChanged():
            yield from _of_model(before.model, after.model)
        case p.Snapshot():
            yield from _of_model(before.model, after.model)
        case p.DownloadsChanged():
            yield from _of_downloads(before, after)
        case p.SessionChanged():
            yield from _of_title(before, after, event.view)
        case p.SessionClosed() if before.active == event.session != after.active:
            if after.active:
                yield f"You are in {tab_name(after, after.active)} now.", "information"
            else:
                yield "No tab is open: what you type opens one.", "information"
        case _:
            return


def _of_link(before: TerminalState, after: TerminalState) -> Iterator[News]:
    sentence = one_line(after.link.sentence, _MOST_SAID)
    match after.link.phase:
        case "lost":
            yield sentence or "The host is lost; it is being started again.", "warning"
        case "failed":
            yield f"{sentence} {_RETRY}", "error"
        case "connected" if before.link.phase == "lost" or before.link.sentence:
            yield "The host is there again.", "information"
        case _:
            return


def _of_model(before: p.ModelView, after: p.ModelView) -> Iterator[News]:
    if (before.phase, before.name, before.path, before.error) != (
        after.phase,
        after.name,
        after.path,
        after.error,
    ):
        failed = after.phase == "failed"
        yield model_words(after), "error" if failed else "information"
    elif after.phase == "loading" and percent(after.progress) not in ("", percent(before.progress)):
        yield f"Loading{percent(after.progress)}.", "information"


def _of_downloads(before: TerminalState, after: TerminalState) -> Iterator[News]:
    known = {view.download: view for view in before.downloads}
    for view in after.downloads:
        old = known.pop(view.download, None)
        if old is None or download_line(old) != download_line(view):
            yield download_line(view), "error" if view.state == "failed" else "information"
    for gone in known.values():
        yield f"The download of {one_line(gone.name, NOTICE_CELLS)} has ended.", "information"


def _of_title(before: TerminalState, after: TerminalState, view: p.SessionView) -> Iterator[News]:
    old, new = before.tab(view.session), after.tab(view.session)
    if old is not None and new is not None and old.title != new.title:
        number = after.number(view.session)
        yield f"Tab {number} is called “{one_line(new.title, NOTICE_CELLS)}” now.", "information"
