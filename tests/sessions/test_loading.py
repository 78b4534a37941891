"""Loading: progress, giving up, and what is refused before anything is loaded."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from time import monotonic
from types import ModuleType

import pytest
from tests.sessions.conftest import assert_used_well
from tests.sessions.gate import DEADLINE
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.engine.interface import EngineOptions, LoadControl
from gemma_chat.errors import LoadCancelledError, ModelLoadError, SettingsError
from gemma_chat.sessions.loading import load_model


class ScriptedLoading:
    """Stands in for `LlamaEngine`: loading goes on until the test ends it, or gives it up."""

    def __init__(self) -> None:
        self.engine = ScriptedEngine()
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.heeds_cancel = True
        self.path: Path | None = None
        self.options: EngineOptions | None = None
        self.control: LoadControl | None = None

    def load(self, path: Path, options: EngineOptions, control: LoadControl) -> ScriptedEngine:
        self.path, self.options, self.control = path, options, control
        control.progress = 0.5
        self.started.set()
        end = monotonic() + DEADLINE
        # As llama.cpp does: it asks now and then whether it shall go on.
        while not (self.go_on.wait(0.01) or control.cancelled):
            assert monotonic() < end
        self.ended.set()
        if control.cancelled and self.heeds_cancel:
            raise LoadCancelledError("Loading was given up.")
        return self.engine


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> ScriptedLoading:
    """Put the scripted loading in the place of llama.cpp's."""
    scripted = ScriptedLoading()
    module = ModuleType("gemma_chat.engine.llama")
    module.LlamaEngine = scripted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gemma_chat.engine.llama", module)
    return scripted


async def test_progress_is_reported_and_options_arrive(loading: ScriptedLoading) -> None:
    shares: list[float] = []

    def progress(share: float) -> None:
        shares.append(share)
        if share == 0.5:
            loading.go_on.set()

    model = await load_model("some.gguf", context_size=512, threads=2, progress=progress)
    assert shares[-2:] == [0.5, 1.0]
    assert shares == sorted(shares)
    assert loading.path == Path("some.gguf")
    assert loading.options == EngineOptions(context_size=512, threads=2)
    await model.close()
    assert_used_well(loading.engine)


async def give_up_once_started(loading: ScriptedLoading) -> None:
    task = asyncio.create_task(load_model("some.gguf"))
    await asyncio.to_thread(loading.started.wait, DEADLINE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_given_up_loading_is_cancelled(loading: ScriptedLoading) -> None:
    await give_up_once_started(loading)
    assert loading.ended.is_set()
    assert loading.engine.closed == 0


async def test_a_model_that_was_loaded_in_spite_of_being_given_up_is_closed(
    loading: ScriptedLoading, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()
    monkeypatch.setattr(loading.engine, "close", closed.set)
    loading.heeds_cancel = False
    await give_up_once_started(loading)
    await asyncio.wait_for(closed.wait(), DEADLINE)


async def test_a_progress_that_fails_gives_the_loading_up(loading: ScriptedLoading) -> None:
    def progress(share: float) -> None:
        if share:
            loading.go_on.set()
            raise OSError("the screen is gone")

    with pytest.raises(OSError, match="screen"):
        await load_model("some.gguf", progress=progress)
    assert loading.control is not None
    assert loading.control.cancelled


async def test_what_cannot_be_used_is_refused_before_loading(loading: ScriptedLoading) -> None:
    with pytest.raises(SettingsError, match="max_concurrent_sessions"):
        await load_model("some.gguf", max_concurrent_sessions=0)
    assert not loading.started.is_set()


async def test_bindings_that_cannot_be_imported_are_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gemma_chat.engine.llama", None)
    with pytest.raises(ModelLoadError, match="llama-cpp-python cannot be used"):
        await load_model("some.gguf")


async def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"missing\.gguf"):
        await load_model(tmp_path / "missing.gguf")
