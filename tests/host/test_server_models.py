"""A host whose model a chat server holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.rig import Rig, running
from tests.ports import free_port
from tests.remote.scripted import ScriptedServer

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import ServerSettings, Settings, SummarizerSettings
from gemma_chat.errors import SettingsError
from gemma_chat.host import model_slot
from gemma_chat.host.model_source import ServerModel, api_key, chosen_source, loader

QUIET = SummarizerSettings(enabled=False)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.close()


def use_servers(rig: Rig, settings: Settings) -> None:
    """Let the rig load as the host does, instead of scripted engines."""
    rig.service._slot._load_model = loader(lambda: settings, rig.folder)


async def test_a_tab_is_answered_by_the_server(tmp_path: Path, server: ScriptedServer) -> None:
    settings = Settings(summarizer=QUIET, server=ServerSettings(max_parallel=2))
    async with running(tmp_path, settings=settings, load=False) as rig:
        use_servers(rig, settings)
        rig.service.load(ServerModel(server.url))
        terminal = await rig.connect()
        model = (await terminal.model("ready")).model
        assert (model.server, model.name) == (server.url, "scripted-model")
        assert (model.weights_bytes, model.token_counts) == (0, "estimated")
        tab = await terminal.open()
        assert (await terminal.ask(tab, "Hello")).reason == "stop"
        assert await terminal.said(tab) == [
            ("user", "Hello", "complete"),
            ("assistant", "You said: Hello", "complete"),
        ]


async def test_each_load_goes_by_the_settings_of_its_moment(
    tmp_path: Path, server: ScriptedServer
) -> None:
    settings = [Settings(summarizer=QUIET, server=ServerSettings(context_size=1))]
    async with running(tmp_path, settings=settings[0], load=False) as rig:
        rig.service._slot._load_model = loader(lambda: settings[-1], rig.folder)
        for context_size in (2000, 3000):
            settings.append(
                Settings(summarizer=QUIET, server=ServerSettings(context_size=context_size))
            )
            model = await rig.service._slot._load_model(ServerModel(server.url), lambda _: None)
            assert model.description.context_size == context_size
            await model.close()


async def test_a_reply_that_the_server_breaks_off_is_kept_and_says_why(
    tmp_path: Path, server: ScriptedServer
) -> None:
    def cut(line: object, request: object) -> None:
        line.head()
        line.says("half a")

    settings = Settings(summarizer=QUIET)
    async with running(tmp_path, settings=settings, load=False) as rig:
        use_servers(rig, settings)
        rig.service.load(ServerModel(server.url))
        terminal = await rig.connect()
        await terminal.model("ready")
        tab = await terminal.open()
        server.chat = cut
        finished = await terminal.ask(tab, "Hello")
        assert finished.reason == "failed"
        assert server.url in finished.error
        assert (await terminal.said(tab))[1] == ("assistant", "half a", "failed")


async def test_a_server_that_is_not_there_yet_is_found_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_slot, "RECONNECT_SECONDS", 0.01)
    # While it is away nobody else is given its port.
    port = free_port()
    settings = Settings(summarizer=QUIET)
    async with running(tmp_path, settings=settings, load=False) as rig:
        use_servers(rig, settings)
        terminal = await rig.connect()
        rig.service.load(ServerModel(f"http://127.0.0.1:{port}"))
        failed = (await terminal.model("failed")).model
        assert failed.server == f"http://127.0.0.1:{port}"
        assert "refuses connections" in failed.error
        server = ScriptedServer(port=port)
        try:
            assert (await terminal.model("ready")).model.name == "scripted-model"
        finally:
            server.close()


def test_the_command_line_goes_before_the_settings(tmp_path: Path) -> None:
    paths = Paths.default()
    configured = Settings(server=ServerSettings(url="http://one:1", model="first"))
    assert chosen_source(paths, configured) == ServerModel("http://one:1", "first")
    named = chosen_source(paths, configured, server="http://two:2", server_model="second")
    assert named == ServerModel("http://two:2", "second")
    assert chosen_source(paths, configured, model="/a.gguf") == Path("/a.gguf")


def test_the_key_comes_from_the_environment_and_is_for_the_configured_server_alone() -> None:
    settings = ServerSettings(url="http://one:1", api_key_env="MY_KEY")
    environment = {"MY_KEY": "secret\n"}
    assert api_key("http://one:1/v1", settings, environment) == "secret"
    assert api_key("http://two:2", settings, environment) == ""
    assert api_key("http://one:1", ServerSettings(), environment) == ""
    unbound = ServerSettings(api_key_env="MY_KEY")
    assert api_key("http://two:2", unbound, environment) == "secret"
    with pytest.raises(SettingsError, match="MY_KEY, which is not set"):
        api_key("http://one:1", settings, {})
