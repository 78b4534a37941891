"""Rounds: people work, something strikes, and then everything is there and works by itself."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.deeds import DEEDS, Deed
from tests.faults.disk import Disk, LimitedFiles, SmallFileSystem
from tests.faults.machine import PATIENCE, Machine
from tests.faults.strokes import Stroke
from tests.models.stub_hub import StubHub

LOG_LINES = 80
"""So much of the log is told with a failure."""


class RoundFailed(AssertionError):
    """A round that broke a promise or did not come back; the text tells what was done."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happened in one round. `seconds`: from the end of the strokes until all was well."""

    strokes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """What happened in a run."""

    rounds: tuple[Round, ...]
    questions: int
    replies: int
    most_lost: int
    """Characters of one reply that were shown as it streamed and went with its host."""
    notices: frozenset[str]


def disk_of(home: Path) -> Disk:
    """A small file system where one can be mounted, else a limit on the host's files."""
    try:
        return SmallFileSystem(home)
    except OSError:
        return LimitedFiles()


async def run(
    home: Path,
    model: Path,
    disk: Disk,
    plan: Sequence[tuple[Stroke, ...]],
    seed: int,
    *,
    on_round: Callable[[int, Round], None] = lambda number, one: None,
    hub: StubHub | None = None,
) -> Run:
    """One round for each entry of `plan`; raises `RoundFailed`."""
    machine = Machine(home, model, disk, seed, hub)
    rounds: list[Round] = []
    try:
        await machine.start()
        for number, strokes in enumerate(plan, 1):
            rounds.append(await _round(machine, strokes, number))
            on_round(number, rounds[-1])
        faults = await machine.judge_all()
        if faults:
            raise _failure(machine, faults)
    finally:
        behind = await machine.close()
    if behind:
        raise _failure(machine, behind)
    promises = machine.promises.values()
    return Run(
        tuple(rounds),
        questions=sum(len(one.sent) for one in promises),
        replies=sum(len(one.replies) for one in promises),
        most_lost=machine.most_lost,
        notices=frozenset(machine.notices),
    )


async def _round(machine: Machine, strokes: tuple[Stroke, ...], number: int) -> Round:
    names = tuple(stroke.__name__ for stroke in strokes)
    machine.say(f"--- round {number}: {', '.join(names)}")
    deeds = machine.random.choices(DEEDS, k=machine.random.randint(1, 3))
    try:
        working = [asyncio.create_task(_one_after_the_other(machine, deeds))]
        for stroke in strokes:
            await stroke(machine)
        await _heal(machine)
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*working)
            for talker in machine.talkers:
                await talker.answered()
            faults = await machine.whole()
    except Exception as error:
        raise _failure(machine, [f"{type(error).__name__}: {error}"]) from error
    if faults:
        raise _failure(machine, faults)
    return Round(names, time.monotonic() - began)


async def _one_after_the_other(machine: Machine, deeds: Sequence[Deed]) -> None:
    for deed in deeds:
        await deed(machine)


async def _heal(machine: Machine) -> None:
    """The world is as it should be again; what is left is the program's own affair."""
    machine.disk.make_room()
    for talker in machine.talkers:
        talker.signal(signal.SIGCONT)
    while len(machine.talkers) > 2:
        await machine.talkers.pop(0).close()


def _failure(machine: Machine, faults: Sequence[str]) -> RoundFailed:
    done = machine.log[-LOG_LINES:]
    logged = machine.paths.log_file.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return RoundFailed("\n".join((*faults, "What was done:", *done, "The host says:", *logged)))
