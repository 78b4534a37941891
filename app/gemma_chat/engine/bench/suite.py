"""All measurements in order, and running those that are wanted."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil

from gemma_chat.engine.bench.counting import turns
from gemma_chat.engine.bench.decoding import busy, decode, lookup, prefill
from gemma_chat.engine.bench.figures import Figure, LeftOut, Machine, Subject, Unmeasurable
from gemma_chat.engine.bench.memory import fork, idle
from gemma_chat.engine.bench.names import NAMES, Name
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.switching import restart, switch
from gemma_chat.engine.bench.tabs import tabs
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.errors import GemmaChatError

Measurement = Callable[[Rig, Plan, Tick], Iterator[Figure]]

MEASUREMENTS: Final[Mapping[Name, Measurement]] = {
    "decode": decode,
    "busy": busy,
    "prefill": prefill,
    "switch": switch,
    "turns": turns,
    "restart": restart,
    "lookup": lookup,
    "fork": fork,
    "idle": idle,
    "tabs": tabs,
}


def ticks(name: Name, plan: Plan) -> int:
    """How often a measurement says that it got on, unless it cannot be taken."""
    return {
        "decode": 2 * plan.rounds * len(plan.depths),
        "busy": plan.rounds,
        "prefill": plan.rounds,
        "switch": plan.rounds,
        "turns": 3,
        "restart": plan.rounds,
        "lookup": plan.rounds,
        "fork": plan.rounds + 1,
        "idle": plan.idle_tabs + 1,
        "tabs": 2 * plan.tabs,
    }[name]


def measure(
    rig: Rig,
    plan: Plan,
    only: Collection[Name],
    on_begin: Callable[[Name], None],
    on_tick: Tick,
) -> Iterator[Figure | LeftOut]:
    """Take the measurements in `only`, or all when it is empty; gives figures as they are known."""
    for name in NAMES:
        if only and name not in only:
            continue
        on_begin(name)
        try:
            yield from MEASUREMENTS[name](rig, plan, on_tick)
        except Unmeasurable as reason:
            yield LeftOut(name, str(reason))
        except GemmaChatError as error:
            yield LeftOut(name, f"it failed: {error}")


def describe_subject(rig: Rig) -> Subject:
    """The model and how engines run it."""
    with rig.engine() as engine:
        known = engine.description
        return Subject(
            name=known.name,
            path=known.path,
            architecture=known.architecture,
            parameters=known.parameters,
            weights_bytes=known.weights_bytes,
            context_size=known.context_size,
            sliding_window=known.sliding_window,
            threads=rig.threads,
            safe_mode=known.safe_mode,
        )


def describe_machine() -> Machine:
    """This machine, and how busy it is now."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        load=os.getloadavg()[0],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
