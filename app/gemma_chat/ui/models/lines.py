"""What stands in the list of models: which lines, in which order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rich.cells import cell_len
from textual.content import Content

from gemma_chat.host.protocol import (
    DownloadView,
    MemoryFit,
    ModelFileView,
    Models,
    OfferView,
)
from gemma_chat.quantities import byte_size
from gemma_chat.ui.status_line import gauge
from gemma_chat.ui.text import one_line, padded

LOADED = "●"
CHOSEN = "✓"
_SIGN_CELLS = 2
_LEAST_NAME_CELLS = 10
_GAUGE_CELLS = 8
_FIT_SIGNS: dict[MemoryFit, str] = {"fits": "", "tight": "!", "too_large": "✕"}


class Heading(msgspec.Struct, frozen=True):
    """What the lines below it are."""

    title: str


class FileLine(msgspec.Struct, frozen=True):
    """A model file on this machine."""

    view: ModelFileView


class OfferLine(msgspec.Struct, frozen=True):
    """A model of the catalogue."""

    view: OfferView


class DownloadLine(msgspec.Struct, frozen=True):
    """A download that is not finished."""

    view: DownloadView


class TypedLine(msgspec.Struct, frozen=True):
    """What was typed, as the name of a repository on the hub or the path of a file."""

    text: str
    is_path: bool


Line = Heading | FileLine | OfferLine | DownloadLine | TypedLine


def lines_of(
    models: Models | None, downloads: tuple[DownloadView, ...], typed: str
) -> tuple[Line, ...]:
    """The lines that fit what was typed, under their headings."""
    sections: list[tuple[str, list[Line]]] = [("Downloads", [DownloadLine(d) for d in downloads])]
    if models is not None:
        coming = {download.name for download in downloads}
        sections.append(("On this machine", [FileLine(file) for file in models.files]))
        offers: list[Line] = [
            OfferLine(offer)
            for offer in models.offers
            if offer.name not in coming and not _is_here(offer, models)
        ]
        sections.append(("To download", offers))
    found: list[Line] = []
    for title, lines in sections:
        fitting = [line for line in lines if _fits(line, typed)]
        if fitting:
            found += [Heading(title), *fitting]
    is_coming = any(download.name == typed for download in downloads)
    return (*found, *(() if is_coming else _of_typed(typed)))


def first_of(lines: tuple[Line, ...], models: Models | None, loaded: str) -> int:
    """Where the cursor begins: on the model in memory, a file, or what suits this machine best.

    A file that is too large for this machine comes last: enter would load it.
    """
    best = recommended(models)
    wishes: tuple[Callable[[Line], bool], ...] = (
        lambda line: isinstance(line, TypedLine),
        lambda line: isinstance(line, FileLine) and line.view.path == loaded,
        lambda line: isinstance(line, FileLine) and line.view.fit != "too_large",
        lambda line: isinstance(line, OfferLine) and line.view == best,
        lambda line: not isinstance(line, Heading),
    )
    for wish in wishes:
        for place, line in enumerate(lines):
            if wish(line):
                return place
    return 0


def recommended(models: Models | None) -> OfferView | None:
    """The largest model of the catalogue that leaves half of the memory to everything else."""
    if models is None:
        return None
    half = models.memory_bytes // 2
    fitting = [one for one in models.offers if one.fit == "fits" and one.needed_bytes <= half]
    return max(fitting, key=lambda one: one.needed_bytes, default=None)


def _is_here(offer: OfferView, models: Models) -> bool:
    folder = Path(models.folder) / offer.repository.replace("/", "--")
    return any(folder in Path(file.path).parents for file in models.files)


def _of_typed(typed: str) -> Iterator[Line]:
    if typed.startswith(("/", "~")):
        yield Heading("A file")
        yield TypedLine(typed, is_path=True)
    elif "/" in typed and not typed.endswith("/"):
        yield Heading("On the Hugging Face hub")
        yield TypedLine(typed, is_path=False)


def _fits(line: Line, typed: str) -> bool:
    match line:
        case FileLine():
            text = f"{line.view.name} {line.view.source}"
        case OfferLine():
            offer = line.view
            words = (*offer.modalities, *offer.abilities, offer.licence, offer.explanation)
            text = f"{offer.name} {offer.repository} {' '.join(words)}"
        case DownloadLine():
            text = line.view.name
        case _:
            return True
    return all(word in text.lower() for word in typed.lower().split())


# ---------------------------------------------------------------- one line, drawn


def drawn(line: Line, cells: int, *, loaded: str = "", chosen: str = "") -> Content:
    """One line of the list; `loaded` and `chosen` are paths of files."""
    match line:
        case Heading():
            return Content.styled(one_line(line.title, cells), "$ink-title")
        case FileLine():
            view = line.view
            sign = LOADED if view.path == loaded else CHOSEN if view.path == chosen else " "
            return _with_size(sign, view.name, view.bytes, view.fit, cells)
        case OfferLine():
            offer = line.view
            return _with_size(" ", offer.name, offer.download_bytes, offer.fit, cells)
        case DownloadLine():
            return _download(line.view, cells)
        case TypedLine():
            return Content.assemble("  ", one_line(line.text, cells - _SIGN_CELLS))


def _with_size(sign: str, name: str, size_bytes: int, fit: MemoryFit, cells: int) -> Content:
    quiet = "$ink-quiet" if fit == "too_large" else ""
    right = f"{byte_size(size_bytes):>7} {_FIT_SIGNS[fit]:<1}"
    room = cells - _SIGN_CELLS - cell_len(right) - 1
    if room < _LEAST_NAME_CELLS:
        right, room = "", cells - _SIGN_CELLS - 1
    return Content.assemble(
        Content.styled(f"{sign} ", "$ink-good" if sign == LOADED else "$ink-mark"),
        Content.styled(padded(name, room), quiet),
        Content.styled(f" {right}", "$ink-quiet"),
    )


def progress_of(view: DownloadView) -> str:
    """How far a download has come: `1.4 GB of 2.8 GB · 10 MB/s · 2 min left`."""
    return f"{byte_size(view.done_bytes)} of {byte_size(view.total_bytes)}{_rest(view)}"


def _rest(view: DownloadView) -> str:
    """Speed and time left."""
    if view.state != "running" or view.bytes_per_second <= 0:
        return ""
    speed = f" · {byte_size(int(view.bytes_per_second))}/s"
    seconds = int((view.total_bytes - view.done_bytes) / view.bytes_per_second)
    if seconds < 0:
        return speed
    if seconds < 60:
        return f"{speed} · {seconds} s left"
    minutes = seconds // 60
    return f"{speed} · {minutes} min left" if minutes < 120 else f"{speed} · {minutes // 60} h left"


_STATES = {"starting": "…", "checking": "checking", "paused": "paused", "failed": "failed"}


def _download(view: DownloadView, cells: int) -> Content:
    share = view.done_bytes / view.total_bytes if view.total_bytes else 0.0
    state = _STATES.get(view.state, f"{byte_size(int(view.bytes_per_second))}/s")
    if view.state == "failed" and view.page:
        state = "gated"
    bar = gauge(share, 1, _GAUGE_CELLS)
    right = f"{bar} {share:4.0%} {state:>9}" if view.total_bytes else f"{state:>9}"
    if view.total_bytes and cells - _SIGN_CELLS - cell_len(right) - 1 < _LEAST_NAME_CELLS:
        right = f"{share:4.0%} {state:>9}"
    room = max(1, cells - _SIGN_CELLS - cell_len(right) - 1)
    style = "$ink-bad" if view.state == "failed" else "$ink-wait"
    sign = "!" if view.state == "failed" else "↓"
    return Content.assemble(
        Content.styled(f"{sign} ", style),
        padded(view.name, room),
        Content.styled(f" {right}", style if view.state == "failed" else "$ink-quiet"),
    )
