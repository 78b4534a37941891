"""What forks and idle conversations take."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from gemma_chat.engine.bench.conversation import Conversation, opened
from gemma_chat.engine.bench.figures import Figure, Round, Target, figure
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.prose import passage
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import Engine
from gemma_chat.quantities import MB, byte_size


def fork(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Seconds for all forks together, and the bytes they are traced to take, states included.

    The bytes are of other forks than the seconds: tracing makes Python slower.
    """
    with rig.engine() as engine:
        parent = opened(engine, plan.fork_history, number=6)
        tick()
        seconds, sizes = [], []
        for _ in range(plan.rounds):
            started = perf_counter()
            children = _forked(parent, plan.forks)
            seconds.append(Round(perf_counter() - started))
            _close(children)
            with _traced(engine) as growth:
                children = _forked(parent, plan.forks)
            sizes.append(Round(growth.states + growth.others))
            _close(children)
            tick()
    title = f"{plan.forks} forks of a conversation of {plan.fork_history} tokens"
    yield figure("fork", title, unit="s", rounds=seconds, target=Target("measured", "<", 1.0))
    yield figure(
        "fork-bytes",
        f"{title}: memory together",
        unit="bytes",
        rounds=sizes,
        target=Target("measured", "<", 60 * MB),
    )


def idle(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Bytes that each of some conversations takes while it waits, without its saved KV state.

    Each is a fork of one conversation that has taken a turn of its own, so each has its own state.
    """
    with rig.engine() as engine:
        parent = opened(engine, plan.history, number=8)
        tick()
        tabs = []
        with _traced(engine) as growth:
            for number in range(plan.idle_tabs):
                child = parent.fork()
                child.say(passage(engine.count_tokens, plan.message, 60_000 + number))
                tabs.append(child)
                tick()
        _close(tabs)
    yield figure(
        "idle",
        f"an idle conversation of {plan.history} tokens, KV state aside",
        unit="bytes",
        rounds=[Round(growth.others / plan.idle_tabs)],
        target=Target("measured", "<=", 100_000),
        note=f"its saved KV state takes {byte_size(growth.states / plan.idle_tabs)}",
    )


def _forked(parent: Conversation, count: int) -> list[Conversation]:
    return [parent.fork() for _ in range(count)]


def _close(conversations: list[Conversation]) -> None:
    for conversation in conversations:
        conversation.close()


@dataclass(slots=True)
class _Growth:
    """Bytes that a block has left allocated."""

    states: int = 0
    """Of saved states, whose mappings are not traced."""
    others: int = 0
    """Of all else, NumPy's among it."""


@contextmanager
def _traced(engine: Engine) -> Iterator[_Growth]:
    """Gives what the block has left allocated, known when it has ended."""
    growth = _Growth()
    before = engine.figures().kv_saved_bytes
    gc.collect()
    tracemalloc.start()
    try:
        yield growth
        gc.collect()
        growth.states = engine.figures().kv_saved_bytes - before
        growth.others = sum(trace.size for trace in tracemalloc.take_snapshot().traces)
    finally:
        tracemalloc.stop()
