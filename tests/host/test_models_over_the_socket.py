"""Model files and downloads, as terminals ask for them."""

from __future__ import annotations

import logging
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.host.rig import Terminal, running
from tests.host.test_downloads import Fetching
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings, change
from gemma_chat.errors import HostError
from gemma_chat.host.model_desk import ModelsOf
from gemma_chat.host.model_library import ModelLibrary
from gemma_chat.host.protocol import (
    ChangeDownload,
    DescribeModel,
    DownloadsChanged,
    DownloadView,
    HubToken,
    ListModels,
    LoadModel,
    ModelChanged,
    ModelView,
    Notice,
    RemoveModel,
    Snapshot,
    StartDownload,
)
from gemma_chat.models.fetch_process import Came, Found, Got, Refused


@pytest.fixture
def paths(own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Paths:
    for name in ("HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = Paths.default()
    found.make_folders()
    found.models_dir.mkdir()
    return found


@pytest.fixture
def fetching() -> Fetching:
    return Fetching()


@pytest.fixture
def library(paths: Paths, fetching: Fetching) -> ModelsOf:
    """Model files in the home of the test, and downloads that go as it says."""
    return partial(ModelLibrary, paths, Settings, fetch=fetching)


def _says(name: str, said: str, notice: Notice) -> bool:
    return name in notice.text and said in notice.text


def written_below(folder: Path) -> dict[str, bytes]:
    """All files in a folder, by their paths."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def shown(terminal: Terminal) -> tuple[DownloadView, ...]:
    """The downloads as this terminal knows them."""
    for event in reversed(terminal.events):
        if isinstance(event, DownloadsChanged | Snapshot):
            return event.downloads
    return ()


async def test_what_there_is_and_what_can_be_got_is_listed(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf
) -> None:
    mine = paths.models_dir / "mine.gguf"
    mine.write_bytes(b"x" * 10)
    # A name that is no text cannot be told, and harms no other.
    (paths.models_dir / os.fsdecode(b"z\xff.gguf")).write_bytes(b"z")
    (tmp_path / "home/.lmstudio/models/a/b").mkdir(parents=True)
    (tmp_path / "home/.lmstudio/models/a/b/other.gguf").write_bytes(b"y")
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        told = await terminal.client.request(ListModels(0))
        assert [(one.name, one.place, one.bytes) for one in told.files if one.place != "board"] == [
            ("mine", "own", 10),
            ("other", "lmstudio", 1),
        ]
        assert told.chosen == str(mine)
        assert told.folder == str(paths.models_dir)
        assert told.memory_bytes > 0
        assert told.disk_bytes > 0
        offer = next(one for one in told.offers if one.name == "gemma-4-e2b")
        assert (offer.licence, offer.modalities) == ("Apache-2.0", ("text", "image", "audio"))
        assert all(one.repository for one in told.offers)


async def test_a_file_is_described_with_what_it_needs_or_what_is_wrong_with_it(
    tmp_path: Path, paths: Paths, library: ModelsOf, smollm2_path: Path
) -> None:
    bad = paths.models_dir / "bad.gguf"
    bad.write_bytes(b"GGUF and nothing else")
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        facts = await terminal.client.request(DescribeModel(0, str(smollm2_path)))
        assert (facts.architecture, facts.quantisation, facts.has_template) == (
            "llama",
            "Q4_1",
            True,
        )
        assert facts.needed_bytes > 90_000_000
        assert facts.fault == ""
        assert "bad.gguf" in (await terminal.client.request(DescribeModel(0, str(bad)))).fault
        with pytest.raises(HostError, match="whole path"):
            await terminal.client.request(DescribeModel(0, "mine.gguf"))


async def test_only_files_of_our_own_that_are_not_loaded_are_deleted(
    tmp_path: Path, paths: Paths, library: ModelsOf, smollm2_path: Path
) -> None:
    folder = paths.models_dir / "some--tiny"
    folder.mkdir()
    mine, projector = folder / "mine.gguf", folder / "mmproj-mine.gguf"
    shutil.copy(smollm2_path, mine)
    projector.write_bytes(b"p")
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        for path in (smollm2_path, tmp_path / "nothing.gguf", projector):
            with pytest.raises(HostError, match="left alone"):
                await terminal.client.request(RemoveModel(0, str(path)))
        await terminal.client.request(RemoveModel(0, str(mine)))
        assert list(paths.models_dir.iterdir()) == []


async def test_the_loaded_file_is_not_deleted(
    tmp_path: Path, paths: Paths, library: ModelsOf, smollm2_path: Path
) -> None:
    mine = paths.models_dir / "0.gguf"
    mine.symlink_to(smollm2_path)
    async with running(tmp_path, models=library, load=False) as rig:
        terminal = await rig.connect()
        await terminal.client.request(LoadModel(0, str(mine)))
        await terminal.model("ready")
        with pytest.raises(HostError, match="Load another model first"):
            await terminal.client.request(RemoveModel(0, str(mine)))
        assert mine.exists()


async def test_a_file_that_is_no_model_is_refused_and_interrupts_nobody(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf
) -> None:
    bad = paths.models_dir / "bad.gguf"
    bad.write_bytes(b"no model")
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        rig.engine.gate.hold()
        await terminal.send(tab, "one")
        for path in (bad, paths.models_dir / "missing.gguf"):
            with pytest.raises(HostError, match=path.name):
                await terminal.client.request(LoadModel(0, str(path)))
        with pytest.raises(HostError):
            await terminal.client.request(LoadModel(0, server="ftp://nothing here"))
        rig.engine.gate.open()
        assert (await terminal.finished(tab, 1)).reason == "stop"


async def test_every_terminal_sees_the_same_download_and_it_outlives_them(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf
) -> None:
    async with running(tmp_path, models=library) as rig:
        first, second = await rig.connect(), await rig.connect()
        await first.client.request(StartDownload(0, "some/tiny"))
        await fetching.begun("some/tiny")
        fetching.running["some/tiny"](Found(1000))
        fetching.running["some/tiny"](Came(100, "tiny.gguf"))
        await first.until(lambda: [one.done_bytes for one in shown(first)] == [100])
        await second.until(lambda: [one.done_bytes for one in shown(second)] == [100])
        assert rig.service.busy
        for terminal in (first, second):
            await terminal.close()
        await rig.clients(0)
        assert "some/tiny" in fetching.running
        third = await rig.connect()
        assert [one.done_bytes for one in shown(third)] == [100]
        number = shown(third)[0].download
        await third.client.request(ChangeDownload(0, number, "pause"))
        await third.until(lambda: [one.state for one in shown(third)] == ["paused"])
        assert not rig.service.busy
        await third.client.request(ChangeDownload(0, number, "resume"))
        await fetching.begun("some/tiny", times=2)
        await third.client.request(ChangeDownload(0, number, "drop"))
        await third.until(lambda: shown(third) == ())


async def test_a_model_that_has_come_is_loaded_when_there_is_none(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf
) -> None:
    async with running(tmp_path, ScriptedEngine(), models=library, load=False) as rig:
        terminal = await rig.connect()
        for name, said in (("some/tiny", "is being loaded"), ("some/other", "/model loads it")):
            await terminal.client.request(StartDownload(0, name))
            await fetching.begun(name)
            fetching.end(name, Got("/models/0.gguf"))
            await terminal.seen(Notice, partial(_says, name, said))
            await terminal.model("ready")
        loads = [
            event.model
            for event in terminal.events
            if isinstance(event, ModelChanged) and event.model.phase == "loading"
        ]
        assert {model.path for model in loads} == {"/models/0.gguf"}


async def test_why_a_download_failed_is_told_with_its_page(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf
) -> None:
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        with pytest.raises(HostError, match="neither a model of the catalogue"):
            await terminal.client.request(StartDownload(0, "\x1b[2J"))
        with pytest.raises(HostError, match="over, or was given up"):
            await terminal.client.request(ChangeDownload(0, 77, "pause"))
        await terminal.client.request(StartDownload(0, "some/gated"))
        await fetching.begun("some/gated")
        fetching.end("some/gated", Refused("gated", "https://hub/page"))
        await terminal.until(lambda: [one.page for one in shown(terminal)] == ["https://hub/page"])


async def test_a_terminals_token_goes_to_the_hub_and_neither_to_the_log_nor_to_a_file(
    tmp_path: Path,
    paths: Paths,
    fetching: Fetching,
    library: ModelsOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    requests = (
        StartDownload(0, "some/gated", HubToken("hf_very_secret")),
        ChangeDownload(0, 1, "resume", HubToken("hf_very_secret")),
    )
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        for tries, request in enumerate(requests, start=1):
            assert "secret" not in repr(request)
            await terminal.client.request(request)
            await fetching.begun("some/gated", times=tries)
            fetching.fail("some/gated", RuntimeError("The connection broke."))
            await terminal.until(lambda: [one.state for one in shown(terminal)] == ["failed"])
        assert fetching.tokens == ["hf_very_secret"] * 2
        assert all("hf_very_secret" not in repr(event) for event in terminal.events)
    assert "connection broke" in caplog.text
    assert "hf_very_secret" not in caplog.text
    kept = written_below(tmp_path)
    assert any(name.endswith(".db") for name in kept)
    assert not [name for name, content in kept.items() if b"hf_very_secret" in content]


@pytest.mark.parametrize("secret", ["hf_x\r\nHost: evil", "hf x", "hf_ü", "x" * 501, "\x1b[2J"])
async def test_what_can_be_no_token_is_refused_and_not_repeated(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf, secret: str
) -> None:
    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        with pytest.raises(HostError, match="no token of the hub") as refused:
            await terminal.client.request(StartDownload(0, "some/gated", HubToken(secret)))
        assert secret not in str(refused.value)
        assert fetching.asked == []


async def test_the_file_of_the_settings_is_the_one_that_is_chosen(
    tmp_path: Path, paths: Paths, fetching: Fetching, library: ModelsOf
) -> None:
    settings = change(paths.settings_file, "model.path", "/models/other.gguf")
    models = partial(ModelLibrary, paths, lambda: settings, fetch=fetching)
    async with running(tmp_path, models=models) as rig:
        terminal = await rig.connect()
        assert (await terminal.client.request(ListModels(0))).chosen == "/models/other.gguf"


async def test_what_is_loaded_and_what_is_chosen_are_among_the_files_wherever_they_are(
    tmp_path: Path, paths: Paths, fetching: Fetching
) -> None:
    loaded, chosen = tmp_path / "loaded.gguf", tmp_path / "chosen.gguf"
    loaded.write_bytes(b"xy")
    chosen.write_bytes(b"z")
    settings = change(paths.settings_file, "model.path", str(chosen))

    def library(**told: Any) -> ModelLibrary:
        view = ModelView("ready", "loaded", str(loaded))
        return ModelLibrary(
            paths, lambda: settings, **{**told, "loaded": lambda: view}, fetch=fetching
        )

    async with running(tmp_path, models=library) as rig:
        terminal = await rig.connect()
        told = await terminal.client.request(ListModels(0))
        assert [(one.name, one.place, one.bytes) for one in told.files if one.place != "board"] == [
            ("loaded", "elsewhere", 2),
            ("chosen", "elsewhere", 1),
        ]
        with pytest.raises(HostError, match="it is left alone"):
            await terminal.client.request(RemoveModel(0, str(chosen)))


async def test_each_reply_keeps_which_model_answered(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine()) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "one")
        question, reply = await terminal.transcript(tab)
        assert (question.model, reply.model) == ("", "scripted")


async def test_a_host_without_model_files_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine()) as rig:
        terminal = await rig.connect()
        with pytest.raises(HostError, match="knows nothing of model files"):
            await terminal.client.request(ListModels(0))
