"""Many tabs within a small budget: resident memory, and whether each goes on where it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import psutil

from gemma_chat.engine.bench.conversation import Conversation, opened
from gemma_chat.engine.bench.figures import Figure, Round, Target, Unmeasurable, figure
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.prose import passage
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import Engine
from gemma_chat.quantities import MB, byte_size

_STATES_MB = 256
_SPARE = 1.3
"""States grow by the follow-up, and an older file is removed after the newer one is whole."""


def tabs(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Resident memory after all tabs have had two turns, beyond that before the first one.

    The engine has 256 MB for states and a folder. Every tab has a conversation of its own; when all
    have had their first turn, each gets a message. Growth is the largest that was seen after any
    turn. A tab counts when its second turn evaluated the new message's tokens and nothing else.
    """
    if not plan.tabs:
        raise Unmeasurable("it takes minutes; leave out --quick for it")
    folder = Path(mkdtemp(dir=rig.scratch))
    needed = _states_on_disk(rig, plan)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Unmeasurable(
            f"{plan.tabs} states need {byte_size(needed)} of disk and {folder.parent} has "
            f"{byte_size(free)}; try fewer with --tabs"
        )
    options = replace(
        rig.options,
        states_mb=_STATES_MB,
        states_dir=folder,
        states_disk_mb=max(rig.options.states_disk_mb, needed // MB + 1),
    )
    with rig.engine(options) as engine:
        _touch_memory(engine, plan)
        before = most = _resident()
        opened_tabs: list[Conversation] = []
        for number in range(plan.tabs):
            opened_tabs.append(opened(engine, plan.tab_history, 70_000 + number))
            most = max(most, _resident())
            tick()
        right = 0
        for number, tab in enumerate(opened_tabs):
            cost = tab.say(passage(engine.count_tokens, plan.message, 80_000 + number))
            right += cost.evaluated == cost.prompt - cost.held
            most = max(most, _resident())
            tick()
    title = f"{plan.tabs} tabs of {plan.tab_history} tokens, 256 MB for states"
    yield figure(
        "tabs",
        f"{title}: resident growth",
        unit="bytes",
        rounds=[Round(most - before)],
        target=Target("measured", "<=", 400 * MB),
        note=f"their states in files: about {byte_size(needed / _SPARE)}",
    )
    yield figure(
        "tabs-follow-up",
        f"{title}: follow-ups that evaluate only new tokens",
        unit="tabs",
        rounds=[Round.of(right, plan.tabs)],
        target=Target("ratio", "=", 1.0),
        baseline_title="all tabs",
    )


def _states_on_disk(rig: Rig, plan: Plan) -> int:
    """The bytes that all states will take in files."""
    with rig.engine() as engine:
        opened(engine, plan.tab_history, number=9)
        return round(engine.figures().kv_saved_bytes * plan.tabs * _SPARE)


def _touch_memory(engine: Engine, plan: Plan) -> None:
    """Touch all memory that the first conversation of any engine touches."""
    opened(engine, plan.tab_history + 2 * plan.message, number=9).close()


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
