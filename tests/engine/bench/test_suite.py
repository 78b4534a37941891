"""The measurements themselves, in sizes so small that their figures mean nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_chat.engine.bench import suite
from gemma_chat.engine.bench.figures import Figure, LeftOut, Unmeasurable
from gemma_chat.engine.bench.names import NAMES, Name
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.errors import ModelLoadError

TINY = Plan(
    rounds=1,
    depths=(40,),
    decoded=2,
    decode_seconds=0.2,
    prefill=40,
    history=40,
    replays=1,
    message=8,
    turns_history=40,
    summarized=60,
    forks=3,
    fork_history=40,
    idle_tabs=1,
    tabs=2,
    tab_history=40,
)

FIGURES: dict[Name, list[str]] = {
    "decode": ["decode-40", "decode-drawn-40"],
    "busy": ["busy"],
    "prefill": ["prefill"],
    "switch": ["switch", "switch-replay", "switch-alone"],
    "turns": ["regenerate", "edit", "fork-message"],
    "restart": ["restart"],
    "fork": ["fork", "fork-bytes"],
    "idle": ["idle"],
    "tabs": ["tabs", "tabs-follow-up"],
}

COUNTED = ("regenerate", "edit", "fork-message", "tabs-follow-up")


@pytest.fixture(scope="module")
def rig(short_smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    # Two threads that wait for each other crawl when other tests want the cores.
    options = EngineOptions(context_size=1024, states_mb=64, threads=1)
    rig = Rig(short_smollm2_path, options, tmp_path_factory.mktemp("rig"))
    yield rig
    rig.close()


class Watched:
    """What a run says while it measures."""

    def __init__(self) -> None:
        self.begun: list[Name] = []
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1


def taken(rig: Rig, watched: Watched, *names: Name) -> list[Figure | LeftOut]:
    return list(suite.measure(rig, TINY, names, watched.begun.append, watched.tick))


def test_every_name_has_a_measurement() -> None:
    assert tuple(suite.MEASUREMENTS) == NAMES


@pytest.mark.parametrize("name", FIGURES)
def test_a_measurement_gives_its_figures_and_ticks_as_often_as_it_said(
    rig: Rig, name: Name
) -> None:
    watched = Watched()
    found = taken(rig, watched, name)
    assert [one.name for one in found] == FIGURES[name]
    assert watched.ticks == suite.ticks(name, TINY)
    for one in found:
        assert isinstance(one, Figure)
        assert one.rounds
        # What is counted, unlike what is timed, is the same on every machine.
        assert one.reached or one.name not in COUNTED


def test_an_idle_conversation_takes_something_and_far_less_than_its_state(rig: Rig) -> None:
    [idle] = taken(rig, Watched(), "idle")
    assert isinstance(idle, Figure)
    assert 500 < idle.measured < 100_000
    assert re.fullmatch(r"its saved KV state takes [\d.,]+ [kM]B", idle.note)


def test_measurements_come_in_their_order_whatever_the_order_asked(rig: Rig) -> None:
    watched = Watched()
    taken(rig, watched, "fork", "turns")
    assert watched.begun == ["turns", "fork"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unmeasurable("it is Tuesday"), "it is Tuesday"), (ModelLoadError("no memory"), "no memory")],
)
def test_a_measurement_that_cannot_be_taken_is_left_out_and_the_next_one_is_taken(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
        raise error
        yield

    monkeypatch.setitem(suite.MEASUREMENTS, "turns", fail)
    first, *others = taken(rig, Watched(), "turns", "fork")
    assert isinstance(first, LeftOut)
    assert reason in first.reason
    assert [one.name for one in others] == FIGURES["fork"]


def test_many_tabs_are_left_out_when_the_disk_is_too_small(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr("gemma_chat.engine.bench.tabs.shutil.disk_usage", lambda _: Full)
    [left] = taken(rig, Watched(), "tabs")
    assert isinstance(left, LeftOut)
    assert "--tabs" in left.reason
