"""What is said of one model beside the list: what it is, what it needs, what comes next. Pure."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content

from gemma_chat.host.protocol import (
    DownloadView,
    MemoryFit,
    ModelFacts,
    ModelPlace,
    Models,
    ModelView,
    OfferView,
)
from gemma_chat.quantities import byte_size
from gemma_chat.ui.models.lines import (
    DownloadLine,
    FileLine,
    Line,
    OfferLine,
    TypedLine,
    progress_of,
    recommended,
)
from gemma_chat.ui.status_line import gauge
from gemma_chat.ui.text import (
    HEADING_CELLS,
    LINE_CELLS,
    NOTICE_CELLS,
    PATH_CELLS,
    SENTENCE_CELLS,
    count,
    one_line,
    shown,
)

_MOST_SHOWN = 1_000
_GAUGE_CELLS = 24

_PLACES: dict[ModelPlace, str] = {
    "own": "In the program's own folder.",
    "board": "On board, with the demo package.",
    "hub": "In the cache of the Hugging Face hub; it is read there and never changed.",
    "lmstudio": "In the folder of LM Studio; it is read there and never changed.",
    "elsewhere": "Where you named it; it is read there and never changed.",
    "ollama": "In the folder of Ollama; it is read there and never changed.",
}
_MEDIA = {"text": "text", "image": "images", "audio": "audio"}

_Row = tuple[str, str]
"""Text and style; one paragraph."""

TITLE = "bold $ink-title"
QUIET = "$ink-quiet"
GOOD = "$ink-good"
WARN = "$ink-wait"
BAD = "$ink-bad"


def page_of(
    line: Line | None, models: Models | None, model: ModelView, facts: ModelFacts | None
) -> Content:
    """The page beside the list for the line with the cursor."""
    return _page(_rows_of(line, models, model, facts))


def verdict_of(
    line: Line | None, models: Models | None, model: ModelView, facts: ModelFacts | None
) -> Content:
    """What of the page matters most, where there is no room for more: the last word of warning or
    praise, else the first one below the title."""
    rows = _rows_of(line, models, model, facts)
    told = [row for row in rows if row[1] in (GOOD, WARN, BAD)] or rows[1:2]
    return _page(told[-1:])


def _rows_of(
    line: Line | None, models: Models | None, model: ModelView, facts: ModelFacts | None
) -> list[_Row]:
    match line:
        case FileLine():
            return _of_file(line, models, model, facts)
        case OfferLine():
            return _of_offer(line.view, models)
        case DownloadLine():
            return _of_download(line.view)
        case TypedLine():
            return _of_typed(line)
        case _:
            return []


def _of_file(
    line: FileLine, models: Models | None, model: ModelView, facts: ModelFacts | None
) -> list[_Row]:
    view = line.view
    rows = [(one_line(view.name, PATH_CELLS), TITLE), *_standing(view.path, models, model)]
    if facts is not None and facts.fault:
        rows += [("", ""), (shown(facts.fault, _MOST_SHOWN), BAD)]
    elif facts is not None:
        rows += [("", ""), *_of_facts(view.bytes, facts, models)]
    else:
        rows += [("", ""), (byte_size(view.bytes), "")]
    rows += [("", ""), (_PLACES[view.place], QUIET)]
    if view.source and view.source != view.name:
        rows.append((one_line(view.source, PATH_CELLS), QUIET))
    rows.append((one_line(view.path, PATH_CELLS), QUIET))
    return rows


def _standing(path: str, models: Models | None, model: ModelView) -> list[_Row]:
    rows: list[_Row] = []
    if path == model.path:
        words = {"ready": "Loaded now.", "loading": "Being loaded.", "failed": "Not loaded."}
        rows.append((words.get(model.phase, ""), GOOD if model.phase == "ready" else WARN))
    elif model.next and model.next == Path(path).stem:
        rows.append(("Comes when the reply under way has ended.", WARN))
    if models is not None and path == models.chosen:
        rows.append(("The program starts with it.", QUIET))
    return rows


def _of_facts(file_bytes: int, facts: ModelFacts, models: Models | None) -> list[_Row]:
    what = [
        byte_size(file_bytes),
        facts.quantisation,
        _weights(facts.parameters),
        facts.architecture,
    ]
    rows = [(" · ".join(one_line(part, HEADING_CELLS) for part in what if part), "")]
    media = ", ".join(_MEDIA[one] for one in ("text", *facts.modalities))
    window = f" · up to {count(facts.context_length)} tokens" if facts.context_length else ""
    rows.append((f"{media}{window}", ""))
    if not facts.has_template:
        rows.append(("Without a chat template: it may be no conversation partner.", WARN))
    rows.append(_memory(facts.fit, facts.needed_bytes, models))
    return rows


def _weights(parameters: int) -> str:
    if parameters >= 1_000_000_000:
        return f"{parameters / 1e9:.1f}B weights"
    return f"{parameters / 1e6:.0f}M weights" if parameters else ""


def _memory(fit: MemoryFit, needed: int, models: Models | None) -> _Row:
    there = f" of {byte_size(models.memory_bytes)}" if models is not None else ""
    need = f"Takes about {byte_size(needed)}{there} of memory"
    match fit:
        case "fits":
            return (f"{need}: it fits.", GOOD)
        case "tight":
            return (f"! {need}: close other programs first.", WARN)
        case "too_large":
            return (f"✕ {need}: too large for this machine.", BAD)


def _of_offer(offer: OfferView, models: Models | None) -> list[_Row]:
    media = ", ".join(_MEDIA[one] for one in offer.modalities)
    abilities = f" · {', '.join(offer.abilities)}" if offer.abilities else ""
    rows = [
        (one_line(offer.name, LINE_CELLS), TITLE),
        (one_line(offer.explanation, SENTENCE_CELLS), ""),
        ("", ""),
        (f"{media}{abilities}", ""),
        _memory(offer.fit, offer.needed_bytes, models),
        (f"Download of about {byte_size(offer.download_bytes)}.", ""),
    ]
    if offer == recommended(models):
        rows.insert(2, ("The one that suits this machine best.", GOOD))
    if models is not None and models.disk_bytes and models.disk_bytes < offer.download_bytes:
        rows.append((f"✕ The disk has {byte_size(models.disk_bytes)} free.", BAD))
    rows += [
        ("", ""),
        (f"Licence: {one_line(offer.licence, NOTICE_CELLS)}", QUIET),
        (f"huggingface.co/{one_line(offer.repository, PATH_CELLS)}", QUIET),
    ]
    return rows


def _of_typed(line: TypedLine) -> list[_Row]:
    if line.is_path:
        where = one_line(line.text, PATH_CELLS)
        return [(where, TITLE), ("A model file, loaded from where it is.", "")]
    return [
        (one_line(line.text, PATH_CELLS), TITLE),
        ("A repository on the hub. Its usual quantisation is taken: Q4_K_M, else Q8_0.", ""),
        ("", ""),
        ("Another file: OWNER/NAME:PATTERN, as in ggml-org/gemma-3-1b-it-GGUF:*Q8_0*.", QUIET),
    ]


def _of_download(view: DownloadView) -> list[_Row]:
    share = view.done_bytes / view.total_bytes if view.total_bytes else 0.0
    rows = [(one_line(view.name, PATH_CELLS), TITLE)]
    if view.total_bytes and (view.done_bytes or view.state != "failed"):
        rows.append((f"{gauge(share, 1, _GAUGE_CELLS)} {share:.0%}", WARN))
        rows.append((progress_of(view), ""))
    rows += [*_state(view), ("", "")]
    if view.file:
        rows.append((one_line(view.file, SENTENCE_CELLS), QUIET))
    if view.state not in ("paused", "failed"):
        rows.append(("It goes on when this terminal is closed.", QUIET))
    return rows


def _state(view: DownloadView) -> list[_Row]:
    match view.state:
        case "starting":
            return [("Asking the hub…", QUIET)]
        case "checking":
            return [("Comparing it with its checksum…", QUIET)]
        case "paused":
            return [("Paused. What has come is kept.", WARN)]
        case "failed" if view.page:
            return [("", ""), *_gated(view.page)]
        case "failed":
            return [("", ""), (shown(view.error, _MOST_SHOWN), BAD)]
        case _:
            return []


def _gated(page: str) -> list[_Row]:
    """The way to a model whose makers want their terms accepted."""
    return [
        ("Its makers want their terms accepted first:", WARN),
        ("1  Open this page and accept them", ""),
        (f"   {one_line(page, SENTENCE_CELLS)}", "$ink-mark"),
        ("2  Make a token that may read", ""),
        ("   https://huggingface.co/settings/tokens", "$ink-mark"),
        ("3  Give it to the hub's own program, in a shell", ""),
        ("   hf auth login", "$ink-mark"),
        ("4  Come back here and try again", ""),
    ]


def _page(rows: list[_Row]) -> Content:
    parts: list[Content] = []
    for text, style in rows:
        parts += [Content.styled(text, style) if style and text else Content(text), Content("\n")]
    return Content.assemble(*parts).rstrip()
