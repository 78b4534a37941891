"""Tabs are warmed up when their system instruction is set or a long draft stands in them."""

from __future__ import annotations

from pathlib import Path

from tests.host.rig import QUIET, Rig, Terminal, running

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.settings import EngineSettings, Settings
from gemma_chat.host.protocol import ChangeSettings, LockChanged, SaveDraft

LONG = "a word and another one " * 100


def background(rig: Rig) -> int:
    """How many background runs the engine has begun."""
    return rig.engine.lanes.count("background")


def is_free(terminal: Terminal) -> bool:
    """Whether the newest picture of the lock shows nobody."""
    newest = next(one for one in reversed(terminal.events) if isinstance(one, LockChanged))
    return newest.lock.holder is None


async def test_a_new_tab_s_system_instruction_is_warmed_up(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        rig.engine.gate.hold()
        tab = await terminal.open(system=LONG)
        shown = await terminal.seen(LockChanged, lambda event: event.lock.holder is not None)
        assert shown.lock.holder is not None
        assert (shown.lock.holder.name, shown.lock.holder.background) == ("warm-up", True)
        rig.engine.gate.open()
        await terminal.until(lambda: is_free(terminal))
        done = await terminal.ask(tab, "hello")
        assert done.metrics.reused_tokens > 200


async def test_a_changed_instruction_and_a_long_draft_are_warmed_up(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        settings = SessionSettings(system_instruction=LONG)
        await terminal.client.request(ChangeSettings(0, tab, settings))
        await terminal.until(lambda: background(rig) == 1)
        await terminal.client.request(SaveDraft(0, tab, "short"))
        await terminal.client.request(SaveDraft(0, tab, LONG))
        await terminal.until(lambda: background(rig) == 2)


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    off = Settings(summarizer=QUIET.summarizer, engine=EngineSettings(anticipate=False))
    async with running(tmp_path, settings=off) as rig:
        terminal = await rig.connect()
        tab = await terminal.open(system=LONG)
        await terminal.client.request(SaveDraft(0, tab, LONG))
        await terminal.ask(tab, "hello")
        assert background(rig) == 0
