"""The model that would be loaded: its file, its first decode, its template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gemma_chat.cli.doctor.build import BUILD_AGAIN, WITHOUT_AMX
from gemma_chat.cli.doctor.finding import ChildFailed, Finding, fault, ok, report_of_child, warning
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.engine.safety import safe_mode
from gemma_chat.errors import ModelLoadError
from gemma_chat.models.discovery import choose_model
from gemma_chat.models.gguf_header import check_model_file
from gemma_chat.quantities import byte_size

_ANOTHER = "Name another with `gemma-chat models default`, or get it again."


def model_findings(paths: Paths, settings: Settings, given: Path | None) -> Iterator[Finding]:
    """Look at the model file, then try it in child processes."""
    path = choose_model(paths, settings.model.path if given is None else str(given))
    if path is None:
        yield warning("model", "there is none", "Get one: gemma-chat models get gemma-3-1b")
        return
    path = path.absolute()
    try:
        header = check_model_file(path)
    except ModelLoadError as error:
        yield fault("model file", str(error), _ANOTHER)
        return
    yield ok("model file", f"{path}, {byte_size(header.file_bytes)}, whole, {header.architecture}")
    try:
        mode = safe_mode(path, EngineOptions(gpu_layers=settings.model.gpu_layers))
    except ModelLoadError as error:
        yield fault("first decode", str(error), BUILD_AGAIN)
        return
    if mode.words:
        yield warning("first decode", f"survives only {mode.words}, slower", WITHOUT_AMX)
    else:
        yield ok("first decode", "survives")
    yield from _loaded(path)


def _loaded(path: Path) -> Iterator[Finding]:
    try:
        report = report_of_child("gemma_chat.engine.model_report", str(path))
    except ChildFailed as failure:
        yield fault("loading", f"{path.name}: {failure}", _ANOTHER)
        return
    yield ok(
        "loading",
        f"{report['name'] or path.stem}, architecture {report['architecture']}, family "
        f"{report['family']}, trained on {report['trained_context']} tokens",
    )
    if report["template"] == "file":
        yield ok("chat template", "its own, renders")
    else:
        yield warning(
            "chat template",
            f"the file has none that renders; the one of {report['family']} is used",
            "A model that was trained to chat has one; this may be a bare, pre-trained model.",
        )
