"""Opening, changing, closing and bringing back tabs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.host.rig import QUIET, Rig, Terminal, running

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.settings import Settings
from gemma_chat.errors import HostError
from gemma_chat.host import snapshots, transcripts
from gemma_chat.host.protocol import (
    ChangeSettings,
    CloseSession,
    FetchMessages,
    GetStatus,
    Goodbye,
    MarkRead,
    RenameSession,
    ReopenSession,
    Request,
    SaveDraft,
    SaveScroll,
    ScrollPosition,
    SendMessage,
    SessionChanged,
    StopHost,
    StopTurn,
    Summarize,
)


async def test_a_new_tab_has_the_settings_of_the_settings_file(tmp_path: Path) -> None:
    defaults = SessionSettings(system_instruction="Be brief.")
    settings = Settings(summarizer=QUIET.summarizer, defaults=defaults)
    async with running(tmp_path, settings=settings) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        assert terminal.tabs[tab].settings == defaults


async def test_a_new_tab_is_behind_the_others_and_has_a_name(terminal: Terminal) -> None:
    first, second = await terminal.open(), await terminal.open("  My \n tab ")
    assert terminal.tabs[first].title == "Untitled"
    assert terminal.tabs[first].title_by == "nobody"
    assert terminal.tabs[second].title == "My tab"
    assert terminal.tabs[second].title_by == "person"
    assert [view.position for view in terminal.tabs.values()] == [0, 1]


async def test_a_change_names_the_terminal_that_asked(terminal: Terminal) -> None:
    tab = await terminal.open()
    event = await terminal.seen(SessionChanged, lambda event: event.view.session == tab)
    assert event.origin > 0


async def test_draft_scroll_title_and_settings_survive_the_host(tmp_path: Path) -> None:
    scroll = ScrollPosition(follow=False, message=7, row=3)
    settings = SessionSettings(sampling=SamplingSettings(temperature=0.1))
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        for request in (
            SaveDraft(0, tab, "half a thou\nght"),
            SaveScroll(0, tab, scroll),
            RenameSession(0, tab, "Sea"),
            ChangeSettings(0, tab, settings),
        ):
            await terminal.client.request(request)
        before = terminal.tabs
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        assert terminal.tabs == before
        view = terminal.tabs[tab]
        assert (view.draft, view.title, view.scroll) == ("half a thou\nght", "Sea", scroll)
        assert view.settings == settings


async def test_settings_hold_from_the_next_turn_on(rig: Rig, terminal: Terminal) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    settings = SessionSettings(system_instruction="Pirate")
    await terminal.client.request(ChangeSettings(0, tab, settings))
    await terminal.ask(tab, "two")
    assert rig.engine.prompts[-1][0].text == "Pirate"


async def test_an_adapter_or_schema_that_cannot_be_used_is_refused_and_not_kept(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    kept = SessionSettings(lora_path="/adapters/pirate.gguf", lora_scale=0.5)
    await terminal.client.request(ChangeSettings(0, tab, kept))
    for settings, words in (
        (SessionSettings(lora_path="/adapters/wrong.gguf"), "wrong.gguf does not fit"),
        (SessionSettings(sampling=SamplingSettings(json_schema='{"not": {}}')), "uses not"),
    ):
        with pytest.raises(HostError, match=words):
            await terminal.client.request(ChangeSettings(0, tab, settings))
    await terminal.ask(tab, "still there?")
    assert terminal.tabs[tab].settings == kept


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingSettings(temperature=-1),
        SamplingSettings(temperature=float("nan")),
        SamplingSettings(top_k=10**9),
        SamplingSettings(stop=("",)),
    ],
)
async def test_wrong_settings_are_refused_with_what_is_allowed(
    terminal: Terminal, sampling: SamplingSettings
) -> None:
    tab = await terminal.open()
    before = terminal.tabs[tab]
    with pytest.raises(HostError, match=r"allowed|must have"):
        await terminal.client.request(ChangeSettings(0, tab, SessionSettings(sampling=sampling)))
    assert terminal.tabs[tab] == before


async def test_an_empty_title_lets_the_summarizer_choose_again(terminal: Terminal) -> None:
    tab = await terminal.open("Mine")
    await terminal.client.request(RenameSession(0, tab, "  "))
    assert (terminal.tabs[tab].title, terminal.tabs[tab].title_by) == ("Untitled", "nobody")


async def test_a_title_that_is_too_long_is_refused(terminal: Terminal) -> None:
    tab = await terminal.open("Mine")
    with pytest.raises(HostError, match="at most 200"):
        await terminal.client.request(RenameSession(0, tab, "x" * 201))
    assert terminal.tabs[tab].title == "Mine"


async def test_a_closed_tab_comes_back_whole(terminal: Terminal) -> None:
    tab, other = await terminal.open("Sea"), await terminal.open("Other")
    await terminal.ask(tab, "one")
    await terminal.client.request(SaveDraft(0, tab, "next"))
    before = terminal.tabs[tab]
    await terminal.client.request(CloseSession(0, tab))
    assert list(terminal.tabs) == [other]
    assert terminal.tabs[other].position == 0
    await terminal.client.request(ReopenSession(0, tab))
    assert terminal.tabs[tab] == msgspec.structs.replace(before, position=1)
    assert len(await terminal.transcript(tab)) == 2


async def test_reopening_an_open_tab_changes_nothing(terminal: Terminal) -> None:
    tab = await terminal.open("Sea")
    before = dict(terminal.tabs)
    await terminal.client.request(ReopenSession(0, tab))
    assert terminal.tabs == before


@pytest.mark.parametrize(
    "request_",
    [
        CloseSession(0, 9),
        ReopenSession(0, 9),
        RenameSession(0, 9, "x"),
        ChangeSettings(0, 9, SessionSettings()),
        SendMessage(0, 9, "x"),
        StopTurn(0, 9),
        SaveDraft(0, 9, "x"),
        SaveScroll(0, 9, ScrollPosition()),
        MarkRead(0, 9),
        FetchMessages(0, 9),
        Summarize(0, 9),
        SendMessage(0, -1, "x"),
        SendMessage(0, 2**63, "x"),
        ReopenSession(0, 2**63),
        FetchMessages(0, 2**63 - 1),
    ],
    ids=lambda request: f"{type(request).__name__}-{request.session}",
)
async def test_a_request_about_a_tab_that_does_not_exist_is_refused_with_a_sentence(
    terminal: Terminal, request_: Request
) -> None:
    with pytest.raises(HostError, match=r"no open tab|no conversation|too large"):
        await terminal.client.request(request_)
    assert await terminal.open() == 1


async def test_a_long_transcript_is_fetched_in_stretches(rig: Rig, terminal: Terminal) -> None:
    tab = await terminal.open()
    for turn in range(10):
        rig.store.add_message(tab, turn=turn, role="user", text=f"{turn}", state="complete")
    texts: list[str] = []
    before, more = 0, True
    while more:
        got = await terminal.client.request(FetchMessages(0, tab, before, 4))
        texts = [one.text for one in got.messages] + texts
        before, more = got.messages[0].message, got.more
    assert texts == [f"{turn}" for turn in range(10)]


@pytest.mark.parametrize("limit", [0, -1, 1_000_000])
async def test_a_stretch_has_a_sensible_length(terminal: Terminal, limit: int) -> None:
    tab = await terminal.open()
    with pytest.raises(HostError, match="can be fetched at once"):
        await terminal.client.request(FetchMessages(0, tab, 0, limit))


async def test_long_messages_make_a_stretch_shorter(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_ROOM", 50_000)
    tab = await terminal.open()
    for turn in range(4):
        rig.store.add_message(tab, turn=turn, role="user", text="x" * 5000, state="complete")
    got = await terminal.client.request(FetchMessages(0, tab))
    assert [one.turn for one in got.messages] == [2, 3]
    assert got.more
    rig.store.add_message(tab, turn=4, role="user", text="x" * 500_000, state="complete")
    got = await terminal.client.request(FetchMessages(0, tab))
    assert [one.turn for one in got.messages] == [4]


async def test_tabs_too_large_for_one_frame_come_one_by_one(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tabs = [await terminal.open() for _ in range(3)]
    for tab in tabs:
        await terminal.client.request(SaveDraft(0, tab, "x" * 1000))
    monkeypatch.setattr(snapshots, "_ROOM", 6000)
    other = await rig.connect()
    await other.until(lambda: len(other.tabs) == 3)
    assert other.tabs == terminal.tabs


async def test_the_status_tells_who_is_there(rig: Rig, terminal: Terminal) -> None:
    await terminal.open()
    await terminal.model("ready")
    status = await terminal.client.request(GetStatus(0))
    assert (status.clients, status.sessions, status.model.name) == (0, 1, "scripted")
    assert status.model.process_bytes > 1_000_000
    assert status.lock.holder is None


async def test_after_a_detach_the_host_is_needed_until_the_last_terminal_quits(
    rig: Rig, terminal: Terminal
) -> None:
    assert not rig.service.needed
    await terminal.client.request(Goodbye(0, "stays"))
    assert rig.service.needed
    assert (await terminal.client.request(GetStatus(0))).stays
    other = await rig.connect()
    await terminal.client.request(Goodbye(0))
    assert rig.service.needed
    await terminal.close()
    await rig.clients(1)
    await other.client.request(Goodbye(0))
    assert not rig.service.needed


async def test_stop_is_answered_before_the_host_leaves(rig: Rig, terminal: Terminal) -> None:
    await terminal.client.request(StopHost(0))
    assert rig.stopped


async def test_a_host_that_is_leaving_takes_no_more_requests(rig: Rig, terminal: Terminal) -> None:
    await rig.service.close()
    with pytest.raises(HostError, match="leaving"):
        await terminal.open()
