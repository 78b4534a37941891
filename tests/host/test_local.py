"""The host's service without a host, as the shell command uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.paths import Paths
from gemma_chat.errors import HostError
from gemma_chat.host.local import local_host
from gemma_chat.host.model_source import ModelSource
from gemma_chat.host.protocol import (
    Event,
    ListConversations,
    OpenSession,
    SendMessage,
    StopHost,
    TurnFinished,
)
from gemma_chat.host.tenancy import AlreadyRunningError, Tenancy
from gemma_chat.sessions.model import InferenceModel


async def load(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
    return InferenceModel(ScriptedEngine())


async def test_it_answers_and_tells_as_a_host_does(tmp_path: Path) -> None:
    events: list[Event] = []
    async with local_host(
        Paths.default(), listener=events.append, model=Path("/models/0.gguf"), load_model=load
    ) as host:
        session = (await host.request(OpenSession(0, "Sea"))).session
        await host.request(SendMessage(0, session, "What is the sea?"))
    [finished] = [event for event in events if isinstance(event, TurnFinished)]
    assert finished.session == session


async def test_what_it_stores_is_there_for_the_next_one() -> None:
    for expected in (1, 2):
        async with local_host(Paths.default(), listener=lambda event: None) as host:
            await host.request(OpenSession(0, "Sea"))
            found = await host.request(ListConversations(0))
            assert len(found.conversations) == expected


async def test_while_a_host_runs_there_is_no_second_one() -> None:
    paths = Paths.default()
    paths.make_folders()
    tenancy = Tenancy.claim(paths.lock_file, paths.socket)
    with pytest.raises(AlreadyRunningError):
        async with local_host(paths, listener=lambda event: None):
            raise AssertionError("it has begun")
    tenancy.release()


async def test_without_a_store_it_needs_no_folder_and_holds_up_nobody() -> None:
    async with local_host(Paths.default(), listener=lambda event: None, stored=False) as host:
        await host.request(OpenSession(0, "Sea", place="passing"))
        assert not Paths.default().database.exists()
        assert not Paths.default().lock_file.exists()


async def test_it_cannot_be_stopped_from_within() -> None:
    async with local_host(Paths.default(), listener=lambda event: None, stored=False) as host:
        with pytest.raises(HostError, match="no host to stop"):
            await host.request(StopHost(0))
