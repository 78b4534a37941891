"""A model on the scripted engine, and the check that the engine was used as it must be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from tests.sessions.scripted import Said, ScriptedEngine
from tests.sessions.tools import Open, Script, add, fail

from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.tool_policy import ToolPolicy


def assert_used_well(engine: ScriptedEngine) -> None:
    """One computation a slot, of one slot all on one thread, every turn finished, closed once."""
    engine.gate.open()
    assert engine.violations == []
    assert engine.most_concurrent <= engine.slots
    assert engine.runs_open == 0
    assert engine.closed == 1


async def until(model: InferenceModel, condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, looking again at every transition of the lock."""
    changed = asyncio.Event()
    unsubscribe = model.lock.subscribe(lambda _: changed.set())
    try:
        while not condition():
            changed.clear()
            await changed.wait()
    finally:
        unsubscribe()


@pytest.fixture
def engine() -> ScriptedEngine:
    """Words for tokens, echoes for replies."""
    return ScriptedEngine()


@pytest.fixture
async def model(engine: ScriptedEngine) -> AsyncIterator[InferenceModel]:
    """A model on `engine`; at the end, however the test ended, the engine was used well."""
    model = InferenceModel(engine)
    yield model
    engine.gate.open()
    await model.close()
    assert_used_well(engine)


@pytest.fixture
async def talk() -> AsyncIterator[Open]:
    """Opens a chat that says what a test gives; in the end the engine was used well."""
    opened: list[tuple[ScriptedEngine, InferenceModel]] = []

    async def open_chat(
        *said: Said, tools: Sequence[Any] = (add, fail), **policy: Any
    ) -> tuple[Chat, Script, ScriptedEngine, InferenceModel]:
        script = Script(*said)
        engine = ScriptedEngine(script)
        model = InferenceModel(engine)
        opened.append((engine, model))
        chat = await model.open_chat(tools=tools, tool_policy=ToolPolicy(**policy))
        return chat, script, engine, model

    yield open_chat
    for engine, model in opened:
        engine.gate.open()
        await model.close()
        assert_used_well(engine)
