"""After the host was killed the model comes back that it had, whoever chose it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.host.host_process import KEEP_ALIVE, kill_host_of
from tests.host.watcher import Watcher
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings
from gemma_chat.errors import ModelLoadError
from gemma_chat.host.last_model import LastModel
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.main import HostOptions, first_model
from gemma_chat.host.model_source import ModelSource, ServerModel
from gemma_chat.host.protocol import LoadModel, ModelChanged, Snapshot
from gemma_chat.host.status import stop_host
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.store import Store

SERVER = ServerModel("http://localhost:1", "gemma")


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.in_memory()
    yield store
    store.close()


async def loaded(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
    return InferenceModel(ScriptedEngine())


async def load(store: Store, source: ModelSource) -> None:
    await (await LastModel(store).noted(loaded)(source, lambda share: None)).close()


@pytest.mark.parametrize("source", [Path("/models/a.gguf"), Path(os.fsdecode(b"/\xff")), SERVER])
async def test_the_next_host_finds_what_was_loaded_last(store: Store, source: ModelSource) -> None:
    await load(store, Path("/models/first.gguf"))
    await load(store, source)
    assert LastModel(store).source == source


async def test_after_an_orderly_end_there_is_nothing_to_go_on_with(store: Store) -> None:
    await load(store, Path("/models/a.gguf"))
    LastModel(store).forget()
    assert LastModel(store).source is None


async def test_a_model_whose_loading_ends_the_host_does_not_come_back(store: Store) -> None:
    await load(store, Path("/models/good.gguf"))
    is_seen: list[ModelSource | None] = []

    async def dying(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
        is_seen.append(LastModel(store).source)
        raise ModelLoadError("It is no model.")

    with contextlib.suppress(ModelLoadError):
        await LastModel(store).noted(dying)(Path("/models/bad.gguf"), lambda share: None)
    assert is_seen == [None]


CHOSEN = "/models/chosen.gguf"


@pytest.mark.parametrize(
    ("options", "comes"),
    [
        (HostOptions(), "last"),
        (HostOptions(again=True), "last"),
        (HostOptions(model=CHOSEN), "named"),
        (HostOptions(model=CHOSEN, again=True), "last"),
        (HostOptions(load=False), "none"),
        (HostOptions(load=False, again=True), "last"),
    ],
)
def test_what_a_person_names_now_counts_before_what_was_there_and_after_a_crash_behind_it(
    own_home: Path, tmp_path: Path, options: HostOptions, comes: str
) -> None:
    last = tmp_path / "last.gguf"
    last.touch()
    expected = {"last": last, "named": Path(CHOSEN), "none": None}[comes]
    assert first_model(options, last, Paths.default(), Settings()) == expected


def test_a_model_that_was_removed_meanwhile_is_not_waited_for(own_home: Path) -> None:
    gone = Path("/nowhere/last.gguf")
    options = HostOptions(model=CHOSEN, again=True)
    assert first_model(options, gone, Paths.default(), Settings()) == Path(CHOSEN)


async def test_after_a_kill_the_model_that_a_person_chose_comes_back(
    own_home: Path, short_smollm2_path: Path
) -> None:
    paths = Paths.default()
    watcher = Watcher(HostLaunch(paths, ("--no-model", *KEEP_ALIVE)))
    try:
        await watcher.link.start()
        assert (await watcher.snapshot()).model.phase == "none"
        await watcher.link.request(LoadModel(0, str(short_smollm2_path)))
        await watcher.until(lambda: is_ready(watcher))
        watcher.kill_host()
        await watcher.snapshot()
        await watcher.until(lambda: is_ready(watcher))
        await watcher.link.close()
        assert await stop_host(paths)
        watcher = Watcher(HostLaunch(paths, ("--no-model", *KEEP_ALIVE)))
        await watcher.link.start()
        assert (await watcher.snapshot()).model.phase == "none"
    finally:
        await watcher.link.close()
        kill_host_of(paths)


def is_ready(watcher: Watcher) -> bool:
    """Whether the host of the newest connection has a model."""
    told = [
        event.model
        for event in watcher.since_connected
        if isinstance(event, ModelChanged | Snapshot)
    ]
    return bool(told) and told[-1].phase == "ready"
