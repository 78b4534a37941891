"""What ends the host again and again is not run again; the rest lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.host.host_process import KEEP_ALIVE
from tests.host.rig import running
from tests.host.watcher import Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import EngineCrashedError, HostError, StoreError
from gemma_chat.host import launch as launch_module
from gemma_chat.host import link as link_module
from gemma_chat.host.crashes import Crashes, RestingModelError
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.protocol import (
    FetchMessages,
    LoadModel,
    MessageView,
    OpenSession,
    Regenerate,
    Request,
    SendMessage,
    Snapshot,
    TurnFinished,
)
from gemma_chat.host.status import stop_host
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.records import Message
from gemma_chat.store.store import Store

POISONED = Path(__file__).with_name("poisoned.py")


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store.open(tmp_path / "conversations.db", clock=clock)
    yield store
    store.close()


def ask(store: Store, text: str = "poison") -> Message:
    session = store.create(SessionSettings()).session
    return store.add_message(session, turn=1, role="user", text=text, state="queued")


def die_of(store: Store, clock: Clock, question: Message, model: str = "Gemma") -> None:
    """A host that begins this turn, and the death of it."""
    key = (question.session, question.turn)
    crashes = Crashes(store, clock)
    crashes.begin_turn(key, question, model)
    crashes.run_turn(key)


def test_after_three_deaths_within_a_minute_the_turn_is_refused(store: Store, clock: Clock) -> None:
    question, other = ask(store), ask(store, "What is the sea?")
    for _ in range(3):
        die_of(store, clock, question)
        clock.now += 20
    crashes = Crashes(store, clock)
    with pytest.raises(EngineCrashedError, match="3 times within a minute and is not run again"):
        crashes.begin_turn((1, 4), question, "Gemma")
    crashes.begin_turn((1, 5), question, "another model")
    crashes.begin_turn((2, 1), other, "Gemma")


def test_deaths_far_apart_refuse_nothing(store: Store, clock: Clock) -> None:
    question = ask(store)
    for _ in range(4):
        die_of(store, clock, question)
        clock.now += 31
    Crashes(store, clock).begin_turn((1, 5), question, "Gemma")


def test_the_same_words_in_another_conversation_are_another_turn(
    store: Store, clock: Clock
) -> None:
    question, elsewhere = ask(store), ask(store)
    for _ in range(3):
        die_of(store, clock, question)
    Crashes(store, clock).begin_turn((2, 1), elsewhere, "Gemma")


def test_turns_that_are_survived_leave_nothing(store: Store, clock: Clock) -> None:
    question = ask(store)
    crashes = Crashes(store, clock)
    for turn in range(5):
        crashes.begin_turn((1, turn), question, "the model before")
        crashes.begin_turn((1, turn), question, "Gemma")
        crashes.run_turn((1, turn))
        crashes.end_turn((1, turn), crashed=False)
        crashes.end_turn((1, turn), crashed=False)
    assert store.attempts.settle() == ()


async def test_a_model_that_ends_the_host_by_loading_rests(store: Store, clock: Clock) -> None:
    path = Path("/models/large.gguf")
    for _ in range(3):
        Crashes(store, clock)
        store.attempts.begin(f"load {path}")
        clock.now += 10
    crashes = Crashes(store, clock)
    loaded: list[Path] = []

    async def load(source: object, progress: object) -> InferenceModel:
        loaded.append(path)
        raise KeyError("enough of it")

    with pytest.raises(RestingModelError, match=r"Loading large.gguf ended the host 3 times"):
        await crashes.watched(load)(path, lambda share: None)
    assert loaded == []
    clock.now += 61
    with pytest.raises(KeyError):
        await crashes.watched(load)(path, lambda share: None)
    assert loaded == [path]
    assert store.attempts.settle() == ()


async def test_a_clock_that_was_set_back_lets_no_model_rest_for_longer(
    store: Store, clock: Clock
) -> None:
    path = Path("/models/large.gguf")
    for _ in range(3):
        Crashes(store, clock)
        store.attempts.begin(f"load {path}")
    crashes = Crashes(store, clock)
    clock.now -= 86_400

    async def load(source: object, progress: object) -> InferenceModel:
        raise KeyError("loaded")

    with pytest.raises(KeyError, match="loaded"):
        await crashes.watched(load)(path, lambda share: None)


async def test_a_model_is_loaded_although_the_disk_is_full(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = Crashes(store, clock)

    def fail(subject: str) -> int:
        raise StoreError("The disk is full.")

    async def load(source: object, progress: object) -> InferenceModel:
        raise KeyError("loaded")

    monkeypatch.setattr(store.attempts, "begin", fail)
    with pytest.raises(KeyError, match="loaded"):
        await crashes.watched(load)(Path("/models/large.gguf"), lambda share: None)


async def test_an_engine_that_fails_in_the_same_turn_three_times_is_not_asked_again(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        for _ in range(3):
            # After a failure the next turn loads the model anew.
            assert (await terminal.ask(tab, "bread")).reason == "stop"
            rig.engine.fail_next_step(EngineCrashedError("llama.cpp failed."))
            assert (await terminal.ask(tab, "poison")).error == "llama.cpp failed."
        refused = await terminal.ask(tab, "poison")
        assert "3 times within a minute" in refused.error
        assert (await terminal.ask(tab, "bread")).reason == "stop"


# ---------------------------------------------------------------- an engine that really dies


@pytest.fixture
async def watcher(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watcher]:
    def spawn(launch: HostLaunch) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(POISONED), *launch.arguments]
        python_path = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": python_path})
        threading.Thread(target=process.wait, daemon=True).start()
        return process

    monkeypatch.setattr(launch_module, "_spawn", spawn)
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (0.0,))
    paths = Paths.default()
    paths.make_folders()
    paths.settings_file.write_text("[summarizer]\nenabled = false\n")
    watcher = Watcher(HostLaunch(paths, ("--model", "/models/food.gguf", *KEEP_ALIVE)))
    await watcher.link.start()
    await watcher.snapshot()
    yield watcher
    await watcher.link.close()
    await stop_host(paths)


async def answered(watcher: Watcher, session: int, turn: int) -> TurnFinished:
    def matches() -> list[TurnFinished]:
        return [
            event
            for event in watcher.events
            if isinstance(event, TurnFinished) and (event.session, event.turn) == (session, turn)
        ]

    await watcher.until(lambda: bool(matches()))
    return matches()[0]


async def messages(watcher: Watcher, session: int) -> tuple[MessageView, ...]:
    return (await watcher.link.request(FetchMessages(0, session))).messages


async def die_of_request(watcher: Watcher, request: Request) -> Snapshot:
    """The host dies of what was asked, at times before it has answered; another one comes."""
    coming = asyncio.create_task(watcher.snapshot())
    with contextlib.suppress(HostError):
        await watcher.link.request(request)
    return await coming


async def test_a_turn_that_killed_the_host_three_times_is_refused_and_the_rest_lives(
    watcher: Watcher,
) -> None:
    link = watcher.link
    victim, other = [(await link.request(OpenSession(0))).session for _ in range(2)]
    await answered(watcher, other, (await link.request(SendMessage(0, other, "bread"))).turn)
    await die_of_request(watcher, SendMessage(0, victim, "poison"))
    for _ in range(2):
        [question] = await messages(watcher, victim)
        assert question.state == "interrupted"
        await die_of_request(watcher, Regenerate(0, victim, question.message))
    [question] = await messages(watcher, victim)
    refused = await link.request(Regenerate(0, victim, question.message))
    assert "ended the engine 3 times" in (await answered(watcher, victim, refused.turn)).error
    [question] = await messages(watcher, victim)
    assert (question.state, "Ask in other words" in question.error) == ("failed", True)
    for tab, text in ((other, "butter"), (victim, "milk")):
        asked = await link.request(SendMessage(0, tab, text))
        assert (await answered(watcher, tab, asked.turn)).reason == "stop"


async def test_a_model_that_kills_the_host_rests_and_everything_else_works(
    watcher: Watcher, tmp_path: Path, short_smollm2_path: Path
) -> None:
    link = watcher.link
    poison, food = (tmp_path / f"{name}.gguf" for name in ("poison", "food"))
    for path in (poison, food):
        path.symlink_to(short_smollm2_path)
    session = (await link.request(OpenSession(0, "kept"))).session
    for _ in range(3):
        back = await die_of_request(watcher, LoadModel(0, str(poison)))
        assert [tab.title for tab in back.sessions] == ["kept"]
    await link.request(LoadModel(0, str(poison)))
    await watcher.until(lambda: "3 times within a minute" in str(watcher.since_connected))
    await link.request(LoadModel(0, str(food)))
    asked = await link.request(SendMessage(0, session, "bread"))
    assert (await answered(watcher, session, asked.turn)).reason == "stop"
