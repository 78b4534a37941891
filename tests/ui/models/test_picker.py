"""The picker: which models there are, and what is done with them."""

from __future__ import annotations

import msgspec
import pytest
from tests.ui.models.offered import (
    BOARD,
    FOREIGN,
    GATED,
    MODELS,
    OWN,
    RUNNING,
    SMALL,
    ModelLink,
    settle,
    terminal,
)
from tests.ui.scripted import HOSTILE_TITLES, SIZES, notes, screen_text, tab
from textual.pilot import Pilot

from gemma_chat.config.settings import ServerSettings, Settings
from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.models.screen import ModelScreen


async def open_picker(pilot: Pilot[None]) -> None:
    await pilot.press(*"/model", "enter")
    await settle(pilot)


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        # What is typed asks nobody.
        if len(key) > 1 or key == keys[-1]:
            await settle(pilot)


async def click_on(pilot: Pilot[None], app: ChatApp, words: str, times: int = 1) -> None:
    lines = screen_text(app).splitlines()
    [y, *_] = [y for y, line in enumerate(lines) if words in line]
    await pilot.click(offset=(lines[y].index(words) + 1, y), times=times)
    await settle(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_the_command_opens_it_with_the_cursor_on_the_loaded_model(
    size: tuple[int, int],
) -> None:
    async with terminal(ModelLink(), size) as (app, pilot):
        await open_picker(pilot)
        assert isinstance(app.screen, ModelScreen)
        assert "● SmolLM2" in screen_text(app)
        assert "enter load" in screen_text(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, ModelScreen)


async def test_files_and_offers_are_told_with_size_and_fit_and_what_is_here_is_no_offer() -> None:
    async with terminal(ModelLink()) as (app, pilot):
        await open_picker(pilot)
        screen = screen_text(app)
        for words in ("On this machine", "✓ gemma-3-4b-it-Q4_K_M", "42 GB ✕", "To download"):
            assert words in screen
        assert "gemma-3-4b " not in screen
        assert "3.9B weights" in screen
        assert "131k tokens" in screen
        assert "fits." in screen


async def test_typing_finds_by_name_licence_and_ability() -> None:
    async with terminal(ModelLink()) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, *"apache tools")
        assert "gemma-4-e2b" in screen_text(app)
        assert "gemma-4-31b" not in screen_text(app)
        await press(pilot, *"zzz")
        assert "No model has these letters." in screen_text(app)
        await press(pilot, "enter", "ctrl+d", "ctrl+s", "down")
        assert isinstance(app.screen, ModelScreen)


async def test_enter_loads_a_file_and_closes_it() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, "up", "enter")
        assert [one.path for one in link.asked(p.LoadModel)] == [OWN.path]
        assert link.asked(p.LoadModel)[0].when == "now"
        assert not isinstance(app.screen, ModelScreen)
        assert [tab.title for tab in app.state.tabs] == ["Pirate"]


async def test_the_mouse_shows_with_one_click_and_loads_with_two() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await click_on(pilot, app, "✓ gemma-3-4b-it")
        assert "own folder" in screen_text(app)
        assert link.asked(p.LoadModel) == []
        await click_on(pilot, app, "✓ gemma-3-4b-it", times=2)
        assert [one.path for one in link.asked(p.LoadModel)] == [OWN.path]


async def test_the_loaded_one_is_not_loaded_again() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, "enter")
        assert link.asked(p.LoadModel) == []
        assert "loaded already" in notes(app)[-1]


@pytest.mark.parametrize(("key", "when"), [("n", "now"), ("w", "idle"), ("k", None)])
async def test_while_a_reply_is_under_way_it_is_asked_when(key: str, when: str | None) -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        link.event(p.LockChanged(p.LockView(p.LockEntry(1, 1, "Pirate", phase="generating"))))
        await open_picker(pilot)
        await press(pilot, "up", "enter")
        assert "1 Pirate is being answered" in screen_text(app)
        await press(pilot, key)
        assert [one.when for one in link.asked(p.LoadModel)] == ([when] if when else [])
        assert isinstance(app.screen, ModelScreen) is (when is None)


async def test_a_tool_that_runs_for_a_reply_is_waited_for_too() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        view = msgspec.structs.replace(tab(1, "Pirate"), calling=("clock",))
        link.event(p.SessionChanged(view))
        await open_picker(pilot)
        await press(pilot, "up", "enter")
        assert "1 Pirate is being answered" in screen_text(app)


async def test_the_summarizer_is_no_reply_to_wait_for() -> None:
    link = ModelLink()
    async with terminal(link) as (_, pilot):
        entry = p.LockEntry(1, 1, "summarizer", background=True, phase="generating")
        link.event(p.LockChanged(p.LockView(entry)))
        await open_picker(pilot)
        await press(pilot, "up", "enter")
        assert len(link.asked(p.LoadModel)) == 1


async def test_what_cannot_be_loaded_leaves_it_open_with_the_reason() -> None:
    link = ModelLink()
    link.refusals[p.LoadModel] = "The file is cut short."
    link.faults[OWN.path] = "It is cut short: 3 of 9 bytes are there."
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, "up")
        assert "3 of 9 bytes" in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, ModelScreen)
        assert notes(app) == ["The file is cut short."]


async def test_an_offer_is_downloaded_and_the_download_is_seen_at_once() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, *"e2b", "enter")
        assert [one.name for one in link.asked(p.StartDownload)] == [SMALL.name]
        await press(pilot, *["backspace"] * 3)
        link.event(p.DownloadsChanged((RUNNING,)))
        await settle(pilot)
        screen = screen_text(app)
        assert "Downloads" in screen
        assert " 50%" in screen
        assert "10 MB/s" in screen
        link.event(
            p.DownloadsChanged((msgspec.structs.replace(RUNNING, done_bytes=2_800_000_000),))
        )
        await settle(pilot)
        assert "100%" in screen_text(app)


async def test_a_download_goes_with_the_token_this_terminal_was_started_with() -> None:
    link = ModelLink()
    environment = {"TERM": "xterm-256color", "HF_TOKEN": " hf_mine\n"}
    async with terminal(link, environment=environment) as (_app, pilot):
        link.event(p.DownloadsChanged((msgspec.structs.replace(RUNNING, state="failed"),)))
        await open_picker(pilot)
        await press(pilot, "pageup", "enter")
        await press(pilot, *"e2b", "enter")
        asked = [*link.asked(p.ChangeDownload), *link.asked(p.StartDownload)]
        assert [one.token.secret for one in asked] == ["hf_mine", "hf_mine"]


async def test_a_download_is_paused_goes_on_and_is_given_up_when_confirmed() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        link.event(p.DownloadsChanged((RUNNING,)))
        await open_picker(pilot)
        await press(pilot, "pageup")
        assert "140 s left" in screen_text(app) or "2 min left" in screen_text(app)
        assert "enter pause" in screen_text(app)
        assert "It goes on when this terminal is closed." in screen_text(app)
        await press(pilot, "enter")
        link.event(p.DownloadsChanged((msgspec.structs.replace(RUNNING, state="paused"),)))
        await settle(pilot)
        assert "enter go on" in screen_text(app)
        assert "It goes on when" not in screen_text(app)
        await press(pilot, "enter", "ctrl+d", "k")
        assert [one.wish for one in link.asked(p.ChangeDownload)] == ["pause", "resume"]
        await press(pilot, "ctrl+d", "g")
        assert [one.wish for one in link.asked(p.ChangeDownload)][-1] == "drop"


async def test_a_gated_model_is_told_step_by_step() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        link.event(p.DownloadsChanged((GATED,)))
        await open_picker(pilot)
        await press(pilot, "pageup")
        screen = screen_text(app)
        assert all(
            words in screen
            for words in (
                "gated",
                "https://huggingface.co/google/gemma",
                "hf auth login",
                "enter try again",
            )
        )


async def test_a_finished_download_is_looked_for_among_the_files() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        link.event(p.DownloadsChanged((RUNNING,)))
        await open_picker(pilot)
        new = p.ModelFileView("/home/ada/models/new.gguf", "brand-new", 5)
        link.models = msgspec.structs.replace(MODELS, files=(*MODELS.files, new))
        link.event(p.DownloadsChanged(()))
        await settle(pilot)
        assert "brand-new" in screen_text(app)
        assert "Downloads" not in screen_text(app)


async def test_a_repository_or_a_path_can_be_typed() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, *"some/tiny:*Q8*")
        assert "On the Hugging Face hub" in screen_text(app)
        await press(pilot, "enter")
        assert [one.name for one in link.asked(p.StartDownload)] == ["some/tiny:*Q8*"]
        await press(pilot, "ctrl+u", *"/x/y.gguf", "enter")
        assert [one.path for one in link.asked(p.LoadModel)] == ["/x/y.gguf"]


@pytest.mark.parametrize("typed", ["some/tiny", "e2b"])
async def test_the_cursor_follows_what_is_downloaded_so_that_its_page_tells_how_it_goes(
    typed: str,
) -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, *typed, "enter")
        [asked] = link.asked(p.StartDownload)
        refused = "The hub cannot be reached."
        failed = p.DownloadView(7, asked.name, "failed", error=refused)
        link.event(p.DownloadsChanged((failed,)))
        await settle(pilot)
        assert refused in " ".join(screen_text(app).split())
        assert "On the Hugging Face hub" not in screen_text(app)
        assert "enter try again" in screen_text(app)


async def test_the_model_of_the_next_start_is_kept_in_the_settings() -> None:
    kept: dict[str, str] = {}
    async with terminal(ModelLink(), kept=kept) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, "ctrl+s")
        assert kept == {"model.path": BOARD.path}
        assert "starts with SmolLM2" in notes(app)[-1]


async def test_a_server_of_the_settings_comes_before_a_file_and_that_is_told() -> None:
    async with terminal(ModelLink()) as (app, pilot):
        app.settings = Settings(server=ServerSettings(url="http://localhost:8080"))
        await open_picker(pilot)
        await press(pilot, "ctrl+s")
        assert "config set server.url" in notes(app)[-1]


async def test_settings_that_cannot_be_written_are_told() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):

        def refuse(key: str, value: str) -> None:
            raise SettingsError("The settings file is damaged.")

        object.__setattr__(app.options, "keep_setting", refuse)
        await open_picker(pilot)
        await press(pilot, "ctrl+s")
        assert notes(app) == ["The settings file is damaged."]


async def test_only_files_of_our_own_can_be_deleted_and_that_is_asked() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await open_picker(pilot)
        assert "ctrl+d delete" not in screen_text(app)
        await press(pilot, "ctrl+d", "up", "ctrl+d", "escape", "ctrl+d", "d")
        assert [one.path for one in link.asked(p.RemoveModel)] == [OWN.path]
        assert "is deleted" in notes(app)[-1]
        await press(pilot, "pagedown", "ctrl+d")
        assert isinstance(app.screen, ModelScreen)


@pytest.mark.parametrize("size", [(40, 10), (80, 24)])
async def test_names_from_elsewhere_stay_text(size: tuple[int, int]) -> None:
    names = [title.encode("utf-8", "replace").decode() for title in HOSTILE_TITLES]
    files = tuple(
        p.ModelFileView(f"/{number}{name}", name, 5, "hub", name)
        for number, name in enumerate(names)
    )
    downloads = tuple(
        p.DownloadView(number, name, "failed", name, error=name, page=name)
        for number, name in enumerate(names)
    )
    link = ModelLink(msgspec.structs.replace(MODELS, files=files))
    async with terminal(link, size) as (app, pilot):
        link.event(p.DownloadsChanged(downloads))
        await open_picker(pilot)
        for _ in range(len(files) + len(downloads)):
            await pilot.press("down")
            assert "\x1b" not in screen_text(app)


async def test_a_path_after_the_command_must_be_that_of_a_file() -> None:
    link = ModelLink()
    async with terminal(link) as (app, pilot):
        await press(pilot, *"/model /no/such.gguf", "enter")
        assert "There is no model file /no/such.gguf" in notes(app)[-1]
        assert link.asked(p.LoadModel) == []


async def test_a_foreign_file_says_whose_it_is() -> None:
    async with terminal(ModelLink()) as (app, pilot):
        await open_picker(pilot)
        await press(pilot, *"llama3", "down")
        assert "Ollama" in screen_text(app)
        assert FOREIGN.name in screen_text(app)
