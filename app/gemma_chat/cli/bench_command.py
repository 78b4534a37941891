"""`gemma-chat bench`: measure a model on this machine, each figure beside its baseline."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_chat.cli.profile import paths_of
from gemma_chat.engine.bench.names import NAMES, Name

if TYPE_CHECKING:
    from gemma_chat.config.paths import Paths
    from gemma_chat.engine.bench.figures import Report
    from gemma_chat.engine.bench.plan import Plan

_INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell has it."""


@click.command()
@click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="A GGUF file instead of the one that is loaded otherwise.",
)
@click.option("--quick", is_flag=True, help="Fewer rounds and smaller sizes: about a minute.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every round.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(NAMES),
    metavar="NAME",
    help=f"Measure this and nothing else; may be repeated. One of: {', '.join(NAMES)}.",
)
@click.option("--rounds", type=click.IntRange(1, 1000), help="Rounds a figure, instead of 5.")
@click.option("--tabs", type=click.IntRange(1, 10_000), help="Tabs to open, instead of 200.")
@click.pass_context
def bench(
    context: click.Context,
    model: Path | None,
    quick: bool,
    as_json: bool,
    only: tuple[Name, ...],
    rounds: int | None,
    tabs: int | None,
) -> None:
    """Measure speed and memory, each figure beside a baseline taken in the same run.

    The exit code is 0 when it was measured, whatever the figures are. Ctrl+C ends it with those
    that are known, and exit code 130. Without --quick it takes several minutes.
    """
    import msgspec

    from gemma_chat.cli.bench_text import report_text

    paths = paths_of(context)
    given = model or context.find_root().params.get("model")
    report = _run(paths, given, _plan(quick=quick, rounds=rounds, tabs=tabs), only)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        click.echo(report_text(report, width, sys.stdout.encoding or "ascii"), nl=False)
    if report.interrupted:
        sys.exit(_INTERRUPTED)


def _plan(*, quick: bool, rounds: int | None, tabs: int | None) -> Plan:
    from dataclasses import replace

    from gemma_chat.engine.bench.plan import FULL, QUICK

    plan = QUICK if quick else FULL
    if rounds is not None:
        plan = replace(plan, rounds=rounds, replays=min(plan.replays, rounds))
    return plan if tabs is None else replace(plan, tabs=tabs)


def _run(paths: Paths, model: Path | None, plan: Plan, only: tuple[Name, ...]) -> Report:
    """Measure; raises `GemmaChatError` when there is no model to measure."""
    import logging
    from tempfile import TemporaryDirectory

    from gemma_chat.cli.bench_progress import Progress
    from gemma_chat.cli.bench_run import bench_report, chosen_model
    from gemma_chat.config.settings import load_settings
    from gemma_chat.engine.configured import engine_options

    # What llama.cpp logs would stand in the middle of the progress bar.
    logging.getLogger("gemma_chat").addHandler(logging.NullHandler())
    settings = load_settings(paths)
    path = chosen_model(paths, settings, model)
    paths.make_folders()
    paths.cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        TemporaryDirectory(prefix="bench-", dir=paths.cache_dir) as scratch,
        Progress() as progress,
    ):
        options = engine_options(settings.model, settings.memory)
        return bench_report(path, options, Path(scratch), plan, only, progress)
