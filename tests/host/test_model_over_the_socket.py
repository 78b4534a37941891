"""The model as terminals see it: loading, missing, failing, replaced."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
from tests.host.rig import DEADLINE, running
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.presets import TERMINAL_SAMPLING, recommended_sampling
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import HostError, ModelLoadError
from gemma_chat.host.protocol import (
    ChangeSettings,
    LoadModel,
    ModelChanged,
    Notice,
    OpenSession,
    Snapshot,
    StopTurn,
)
from gemma_chat.sessions.engine_thread import EngineThread


async def test_loading_is_told_as_it_goes(tmp_path: Path) -> None:
    async with running(tmp_path, load=False) as rig:
        rig.loading.clear()
        rig.service.load(Path("/models/0.gguf"))
        terminal = await rig.connect()
        await terminal.until(
            lambda: any(
                model.progress == 0.25 and model.phase == "loading"
                for model in (
                    event.model
                    for event in terminal.events
                    if isinstance(event, (ModelChanged, Snapshot))
                )
            )
        )
        rig.loading.set()
        model = (await terminal.model("ready")).model
        assert (model.name, model.path, model.context_size) == ("scripted", "/models/0.gguf", 4096)
        assert model.weights_bytes == 4000


async def test_a_new_tab_begins_as_the_makers_of_the_model_recommend(tmp_path: Path) -> None:
    """Also one that was opened before it was known which model it will have."""
    recommended = recommended_sampling("chatml")
    async with running(tmp_path, load=False) as rig:
        rig.loading.clear()
        rig.service.load(Path("/models/0.gguf"))
        terminal = await rig.connect()
        early = await terminal.open()
        own = SessionSettings(sampling=SamplingSettings(temperature=0.1))
        mine = (await terminal.client.request(OpenSession(0, "", own))).session
        assert terminal.tabs[early].settings.sampling == TERMINAL_SAMPLING
        rig.loading.set()
        assert (await terminal.model("ready")).model.recommended == recommended
        late = await terminal.open()
        await terminal.until(lambda: terminal.tabs[early].settings.sampling == recommended)
        assert terminal.tabs[late].settings.sampling == recommended
        assert terminal.tabs[mine].settings == own


async def test_questions_asked_while_the_model_loads_are_answered_in_order(tmp_path: Path) -> None:
    async with running(tmp_path, load=False) as rig:
        rig.loading.clear()
        rig.service.load(Path("/models/0.gguf"))
        terminal = await rig.connect()
        first, second = await terminal.open(), await terminal.open()
        await terminal.send(first, "a")
        await terminal.send(second, "b")
        await terminal.send(first, "c")
        await terminal.order((0, 0), (first, 1), (second, 1), (first, 2))
        rig.engine.gate.hold()
        rig.loading.set()
        await terminal.order((first, 1), (second, 1), (first, 2))
        rig.engine.gate.open()
        await terminal.finished(first, 2)
        assert [prompt[-1].text for prompt in rig.engine.prompts] == ["a", "b", "c"]


async def test_a_question_that_waits_for_the_model_can_be_withdrawn(tmp_path: Path) -> None:
    async with running(tmp_path, load=False) as rig:
        rig.loading.clear()
        rig.service.load(Path("/models/0.gguf"))
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.send(tab, "a")
        await terminal.send(tab, "b")
        await terminal.client.request(StopTurn(0, tab, 1))
        assert (await terminal.finished(tab, 1)).reason == "stopped"
        rig.loading.set()
        await terminal.finished(tab, 2)
        assert await terminal.said(tab) == [
            ("user", "a", "stopped"),
            ("user", "b", "complete"),
            ("assistant", "1: b", "complete"),
        ]


async def test_without_a_model_questions_fail_with_a_remedy_and_stay(tmp_path: Path) -> None:
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        end = await terminal.ask(tab, "hello")
        assert end.reason == "failed"
        assert "--model FILE.gguf" in end.error
        assert await terminal.said(tab) == [("user", "hello", "failed")]


async def test_a_model_that_cannot_be_loaded_leaves_tabs_usable_until_another_is_loaded(
    tmp_path: Path,
) -> None:
    engines = ModelLoadError("0.gguf is cut short."), ScriptedEngine()
    async with running(tmp_path, *engines) as rig:
        terminal = await rig.connect()
        await terminal.until(lambda: True)
        tab = await terminal.open()
        assert (await terminal.ask(tab, "hello")).error == "0.gguf is cut short."
        await terminal.client.request(LoadModel(0, "/models/1.gguf"))
        await terminal.model("ready")
        assert (await terminal.ask(tab, "again")).reason == "stop"
        assert await terminal.said(tab) == [
            ("user", "hello", "failed"),
            ("user", "again", "complete"),
            ("assistant", "1: again", "complete"),
        ]


async def test_an_unforeseen_error_of_loading_is_a_sentence(tmp_path: Path) -> None:
    async with running(tmp_path, RuntimeError("boom"), load=False) as rig:
        terminal = await rig.connect()
        await terminal.client.request(LoadModel(0, "/models/0.gguf"))
        assert "cannot be loaded: boom" in (await terminal.model("failed")).model.error


async def test_another_model_goes_on_with_the_history_and_interrupts_what_runs(
    tmp_path: Path,
) -> None:
    first, second = ScriptedEngine(), ScriptedEngine()
    async with running(tmp_path, first, second) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "one")
        first.gate.hold()
        await terminal.send(tab, "two words")
        await first.gate.let_pass(3)
        await terminal.client.request(LoadModel(0, "/models/1.gguf"))
        assert (await terminal.finished(tab, 2)).reason == "closed"
        await terminal.ask(tab, "three")
        assert first.closed == 1
        assert [message.text for message in second.prompts[0]] == [
            "one",
            "1: one",
            "two words",
            "2: two",
            "three",
        ]
        assert [state for _, _, state in await terminal.said(tab)] == [
            "complete",
            "complete",
            "complete",
            "interrupted",
            "complete",
            "complete",
        ]


async def test_what_waits_in_the_queue_is_answered_by_the_model_that_comes(tmp_path: Path) -> None:
    first, second = ScriptedEngine(), ScriptedEngine()
    async with running(tmp_path, first, second) as rig:
        terminal = await rig.connect()
        tab, other = await terminal.open(), await terminal.open()
        first.gate.hold()
        await terminal.send(tab, "one")
        await terminal.send(other, "two")
        await terminal.send(other, "three")
        await first.gate.let_pass(2)
        await terminal.order((tab, 1), (other, 1), (other, 2))
        await terminal.client.request(LoadModel(0, "/models/1.gguf"))
        assert (await terminal.finished(tab, 1)).reason == "closed"
        assert (await terminal.finished(other, 2)).reason == "stop"
        assert await terminal.said(other) == [
            ("user", "two", "complete"),
            ("assistant", "1: two", "complete"),
            ("user", "three", "complete"),
            ("assistant", "2: three", "complete"),
        ]


async def test_a_model_that_waits_comes_when_the_reply_under_way_has_ended(tmp_path: Path) -> None:
    first, second = ScriptedEngine(), ScriptedEngine()
    async with running(tmp_path, first, second) as rig:
        terminal = await rig.connect()
        tab, other = await terminal.open(), await terminal.open()
        first.gate.hold()
        await terminal.send(tab, "one")
        await first.gate.let_pass(2)
        await terminal.client.request(LoadModel(0, "/models/1.gguf", when="idle"))
        await terminal.seen(ModelChanged, lambda one: one.model.next == "1")
        await terminal.send(other, "two")
        first.gate.open()
        assert (await terminal.finished(tab, 1)).reason == "stop"
        assert (await terminal.finished(other, 1)).reason == "stop"
        assert len(first.prompts) == 1
        assert [prompt[-1].text for prompt in second.prompts] == ["two"]
        assert (await terminal.model("ready")).model.next == ""


async def test_a_question_that_waits_for_the_old_model_is_answered_before_that_goes(
    tmp_path: Path,
) -> None:
    """It may have begun, and nobody was told of it when the reply before it ended."""
    first, second = ScriptedEngine(), ScriptedEngine()
    async with running(tmp_path, first, second) as rig:
        terminal = await rig.connect()
        tab, other = await terminal.open(), await terminal.open()
        first.gate.hold()
        await terminal.send(tab, "one")
        await first.gate.let_pass(2)
        await terminal.send(other, "two")
        await terminal.order((tab, 1), (other, 1))
        await terminal.client.request(LoadModel(0, "/models/1.gguf", when="idle"))
        await first.gate.let_pass(2)
        await terminal.finished(tab, 1)
        first.gate.open()
        assert (await terminal.finished(other, 1)).reason == "stop"
        assert (await terminal.said(other))[-1] == ("assistant", "1: two", "complete")
        await terminal.seen(
            ModelChanged,
            lambda one: (one.model.phase, one.model.path) == ("ready", "/models/1.gguf"),
        )


async def test_a_model_that_waits_does_not_come_between_two_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is in the queue, and may begin at any moment."""
    first, second, goes_on = ScriptedEngine(), ScriptedEngine(), threading.Event()
    goes_on.set()
    look = EngineThread._finish_leaving

    def look_late(thread: EngineThread) -> None:
        goes_on.wait(DEADLINE)
        look(thread)

    monkeypatch.setattr(EngineThread, "_finish_leaving", look_late)
    async with running(tmp_path, first, second) as rig:
        terminal = await rig.connect()
        tab, other = await terminal.open(), await terminal.open()
        first.gate.hold()
        await terminal.send(tab, "one")
        await first.gate.let_pass(2)
        await terminal.send(other, "two")
        await terminal.client.request(LoadModel(0, "/models/1.gguf", when="idle"))
        goes_on.clear()
        first.gate.open()
        await terminal.finished(tab, 1)
        goes_on.set()
        assert (await terminal.finished(other, 1)).reason == "stop"
        assert [prompt[-1].text for prompt in first.prompts] == ["one", "two"]
        await terminal.ask(tab, "three")
        assert [prompt[-1].text for prompt in second.prompts] == ["three"]


async def test_a_model_that_waits_comes_at_once_when_nothing_runs(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(), ScriptedEngine()) as rig:
        terminal = await rig.connect()
        await terminal.client.request(LoadModel(0, "/models/1.gguf", when="idle"))
        await terminal.seen(
            ModelChanged,
            lambda one: (one.model.phase, one.model.path) == ("ready", "/models/1.gguf"),
        )


async def test_a_model_that_cannot_be_loaded_gives_way_to_the_one_that_was_there(
    tmp_path: Path,
) -> None:
    engines = ScriptedEngine(), ModelLoadError("1.gguf does not fit into memory.")
    async with running(tmp_path, *engines) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "one")
        await terminal.client.request(LoadModel(0, "/models/1.gguf"))
        notice = await terminal.seen(Notice, lambda one: one.level == "error")
        assert (
            notice.text == "1.gguf does not fit into memory. scripted is loaded again in its place."
        )
        await terminal.ask(tab, "two")
        model = (await terminal.model("ready")).model
        assert (model.phase, model.path) == ("ready", "/models/0.gguf")
        again = rig.engines[0]
        assert isinstance(again, ScriptedEngine)
        assert [message.text for message in again.prompts[0]] == ["one", "1: one", "two"]


async def test_when_neither_can_be_loaded_the_reason_is_that_of_the_one_that_was_wanted(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, ScriptedEngine(), ModelLoadError("1.gguf is damaged.")) as rig:
        terminal = await rig.connect()
        await terminal.model("ready")
        rig.engines[0] = ModelLoadError("0.gguf is gone.")
        await terminal.client.request(LoadModel(0, "/models/1.gguf"))
        assert (await terminal.model("failed")).model.error == "1.gguf is damaged."


async def test_loading_another_model_gives_up_the_one_that_loads(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(), ScriptedEngine(), load=False) as rig:
        rig.loading.clear()
        terminal = await rig.connect()
        for number in (0, 1):
            await terminal.client.request(LoadModel(0, f"/models/{number}.gguf"))
        rig.loading.set()
        assert (await terminal.model("ready")).model.path == "/models/1.gguf"


@pytest.mark.parametrize("path", ["", "model.gguf", "~nobody-at-all/x.gguf", "/a\0b"])
async def test_a_path_that_is_not_whole_is_refused(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        with pytest.raises(HostError, match="path"):
            await terminal.client.request(LoadModel(0, path))


async def test_memory_figures_follow_the_turns(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "one two three")
        event = await terminal.seen(ModelChanged, lambda one: one.model.kv_resident_bytes > 0)
        assert event.model.process_bytes > 0


async def test_a_tab_that_thinks_asks_a_model_that_cannot_and_thinks_again_with_the_next(
    tmp_path: Path,
) -> None:
    engines = ScriptedEngine(), ScriptedEngine(thinks=False), ScriptedEngine()
    thinking = SessionSettings(enable_thinking=True)
    async with running(tmp_path, *engines) as rig:
        terminal = await rig.connect()
        tab, plain = await terminal.open(), await terminal.open()
        await terminal.client.request(ChangeSettings(0, tab, thinking))
        await terminal.ask(tab, "one")
        await terminal.client.request(LoadModel(0, "/models/1.gguf"))
        await terminal.ask(tab, "two")
        assert not (await terminal.model("ready")).model.thinks
        pirate = msgspec.structs.replace(thinking, system_instruction="Pirate")
        await terminal.client.request(ChangeSettings(0, tab, pirate))
        with pytest.raises(HostError, match=r"scripted cannot be told to think.*Gemma 4"):
            await terminal.client.request(ChangeSettings(0, plain, thinking))
        await terminal.ask(tab, "three")
        await terminal.client.request(LoadModel(0, "/models/2.gguf"))
        await terminal.ask(tab, "four")
        assert terminal.tabs[tab].settings == pirate
    asked = [[form.thinking for form in engine.forms] for engine in engines]
    assert asked == [[True], [False, False], [True]]
