"""The gate of the scripted engine before the steps of a real one."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Literal

import pytest
from tests.sessions.gate import Gate

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    Engine,
    Prompt,
    SequenceHandle,
    Step,
    TokenCounts,
    TurnRun,
)

Lane = Literal["foreground", "background"]


class GatedRun:
    """A turn whose steps wait for the test's leave."""

    def __init__(self, run: TurnRun, gate: Gate) -> None:
        self._run = run
        self._gate = gate
        self._interrupted = threading.Event()

    @property
    def counts(self) -> TokenCounts:
        return self._run.counts

    @property
    def prompt_tokens(self) -> int:
        return self._run.prompt_tokens

    def step(self) -> Step:
        self._gate.enter(self._interrupted)
        self._interrupted.clear()
        return self._run.step()

    def give_way(self) -> None:
        self._run.give_way()

    def interrupt(self) -> None:
        self._run.interrupt()
        self._interrupted.set()
        self._gate.wake()

    def finish(self) -> str:
        return self._run.finish()


def gated(
    engine: Engine,
    patch: pytest.MonkeyPatch,
    lanes: Collection[Lane] = ("foreground", "background"),
) -> Gate:
    """From now on every step of these lanes goes through this gate."""
    gate, begin = Gate(), engine.begin

    def begin_gated(
        sequence: SequenceHandle, prompt: Prompt, sampling: SamplingSettings, lane: Lane
    ) -> TurnRun:
        run = begin(sequence, prompt, sampling, lane)
        return GatedRun(run, gate) if lane in lanes else run

    patch.setattr(engine, "begin", begin_gated)
    return gate
