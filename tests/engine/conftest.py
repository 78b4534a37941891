"""Real engines, loaded once for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    EngineOptions,
    Generated,
    SequenceHandle,
    TurnRun,
)
from gemma_chat.engine.llama import LlamaEngine

OPTIONS = EngineOptions(context_size=2048, states_mb=256, threads=1)
"""One thread: the tests run two at a time, and two threads each would wait for each other."""
Speak = Callable[..., tuple[str, TurnRun]]


@pytest.fixture(autouse=True)
def nothing_saved(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sessions of one test leave nothing that those of the next could share."""
    yield
    for name in ("engine", "smollm2", "whole_smollm2", "gemma3"):
        if name in request.fixturenames:
            forget_all(request.getfixturevalue(name))


@pytest.fixture(scope="session")
def engine(short_model_path: Path) -> Iterator[LlamaEngine]:
    """The first layers of each of the two real models in turn."""
    engine = LlamaEngine.load(short_model_path, OPTIONS)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def smollm2(short_smollm2_path: Path) -> Iterator[LlamaEngine]:
    """The first layers of the model that holds a conversation."""
    engine = LlamaEngine.load(short_smollm2_path, OPTIONS)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def whole_smollm2(smollm2_path: Path) -> Iterator[LlamaEngine]:
    """The model that holds a conversation, for tests of what a model makes of its prompt."""
    engine = LlamaEngine.load(smollm2_path, OPTIONS)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def gemma3(short_gemma3_path: Path) -> Iterator[LlamaEngine]:
    """The first layers of the model with a sliding window."""
    engine = LlamaEngine.load(short_gemma3_path, OPTIONS)
    yield engine
    engine.close()


def forget_all(engine: LlamaEngine) -> None:
    """Drop every state, saved or resident: the next turn evaluates all of its prompt."""
    for resident in filter(None, engine._memory._resident):
        engine._memory.forget(resident)
    for saved in list(engine._shelf._states.values()):
        engine._shelf._drop(saved)


def run_to_end(run: TurnRun) -> str:
    """Step a turn until it ends by itself; returns its text."""
    text = ""
    while True:
        step = run.step()
        if isinstance(step, Generated):
            text += step.text
        elif isinstance(step, Ended):
            return text + step.text + run.finish()


def speak(
    engine: LlamaEngine,
    sequence: SequenceHandle,
    messages: Sequence[ChatMessage],
    **sampling: object,
) -> tuple[str, TurnRun]:
    """One whole turn; greedy and at most 24 tokens unless said otherwise."""
    settings = SamplingSettings(**({"max_output_tokens": 24} | sampling))  # type: ignore[arg-type]
    run = engine.begin(sequence, engine.prompt(messages), settings, "foreground")
    return run_to_end(run), run


def talk(*texts: str) -> list[ChatMessage]:
    """Messages that begin with the person and alternate."""
    roles = ("user", "assistant")
    return [ChatMessage(roles[at % 2], text) for at, text in enumerate(texts)]  # type: ignore[arg-type]
