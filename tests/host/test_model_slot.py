"""The one model of the host: whatever is asked for in whatever order, never two are in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from tests.sessions.gate import DEADLINE
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.model_source import ModelSource
from gemma_chat.sessions.model import InferenceModel

FIRST, SECOND, THIRD = (Path(f"/models/{name}.gguf") for name in ("first", "second", "third"))


class SlowEngine(ScriptedEngine):
    """One that takes its time to close, as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = threading.Event()
        self.may_close = threading.Event()

    def close(self) -> None:
        self.closing.set()
        assert self.may_close.wait(DEADLINE)
        super().close()


class Loads:
    """What was loaded. A load that is given up is not over before `may_give_up`."""

    def __init__(self, *engines: ScriptedEngine) -> None:
        self.engines = list(engines)
        self.begun: list[ModelSource] = []
        self.hold = False
        self.held = asyncio.Event()
        self.may_give_up = asyncio.Event()

    async def __call__(
        self, source: ModelSource, progress: Callable[[float], None]
    ) -> InferenceModel:
        self.begun.append(source)
        try:
            if self.hold:
                self.held.set()
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await self.may_give_up.wait()
            raise
        return InferenceModel(self.engines.pop(0) if self.engines else ScriptedEngine())


def slot_of(loads: Loads) -> ModelSlot:
    return ModelSlot(loads, lambda: None, warn=lambda _: None)


async def turns_of_the_loop() -> None:
    """Let everything happen that need not wait for anything."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_model_that_is_still_closing_is_waited_for_when_the_wish_changes() -> None:
    engine = SlowEngine()
    loads = Loads(engine)
    slot = slot_of(loads)
    slot.load(FIRST)
    await slot.ready()
    slot.load(SECOND)
    assert await asyncio.to_thread(engine.closing.wait, DEADLINE)
    slot.load(THIRD)
    await turns_of_the_loop()
    assert loads.begun == [FIRST]
    engine.may_close.set()
    await slot.ready()
    assert loads.begun == [FIRST, THIRD]
    await slot.close()


async def test_a_load_that_is_given_up_is_waited_for_when_the_wish_changes_twice() -> None:
    loads = Loads()
    loads.hold = True
    slot = slot_of(loads)
    slot.load(FIRST)
    await asyncio.wait_for(loads.held.wait(), DEADLINE)
    loads.hold = False
    slot.load(SECOND)
    await turns_of_the_loop()
    slot.load(THIRD)
    await turns_of_the_loop()
    assert loads.begun == [FIRST]
    loads.may_give_up.set()
    await slot.ready()
    assert loads.begun == [FIRST, THIRD]
    await slot.close()


async def test_the_end_waits_for_a_model_that_is_being_replaced() -> None:
    engine = SlowEngine()
    slot = slot_of(Loads(engine))
    slot.load(FIRST)
    await slot.ready()
    slot.load(SECOND)
    assert await asyncio.to_thread(engine.closing.wait, DEADLINE)
    closing = asyncio.create_task(slot.close())
    await turns_of_the_loop()
    assert not closing.done()
    engine.may_close.set()
    await closing
    assert engine.closed == 1
