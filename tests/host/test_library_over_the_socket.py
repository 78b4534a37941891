"""Conversations that no tab needs to show: listed, searched, imported, deleted, in passing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tests.host.rig import Rig, Terminal, running

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import HostError
from gemma_chat.exchange.transcript import Line, Tab, Transcript
from gemma_chat.host.open_tabs import Place
from gemma_chat.host.portable import import_request, transcript_from
from gemma_chat.host.protocol import (
    BackUp,
    CloseSession,
    DeleteConversations,
    EditMessage,
    FetchConversation,
    FetchMessages,
    GroupTabs,
    ImportConversation,
    ImportedMessage,
    ListConversations,
    MarkTab,
    Notice,
    OpenSession,
    PinMessage,
    Regenerate,
    RenameSession,
    ReopenSession,
    Request,
    SearchMessages,
    SelectBranch,
    SendMessage,
    SessionClosed,
    TabLook,
    Thought,
    ToolUse,
)
from gemma_chat.store.records import Attachment, NewAttachment
from gemma_chat.store.records import Thought as StoredThought
from gemma_chat.store.records import ToolUse as StoredUse
from gemma_chat.store.store import Store


async def titles(terminal: Terminal, **narrowed: str) -> list[str]:
    found = await terminal.client.request(ListConversations(0, **narrowed))
    return [one.title for one in found.conversations]


async def test_open_and_closed_conversations_are_listed(terminal: Terminal) -> None:
    sea = await terminal.open("Sea")
    await terminal.open("Sky")
    await terminal.client.request(CloseSession(0, sea))
    assert set(await titles(terminal)) == {"Sea", "Sky"}
    assert await titles(terminal, which="closed") == ["Sea"]
    assert await titles(terminal, containing="SK") == ["Sky"]


async def test_a_list_that_goes_on_says_so(terminal: Terminal) -> None:
    for title in ("a", "b", "c"):
        await terminal.open(title)
    first = await terminal.client.request(ListConversations(0, limit=2))
    rest = await terminal.client.request(ListConversations(0, offset=2, limit=2))
    assert (len(first.conversations), first.more) == (2, True)
    assert (len(rest.conversations), rest.more) == (1, False)


async def test_conversations_are_listed_by_words_that_were_said_in_them(
    terminal: Terminal,
) -> None:
    sea = await terminal.open("Water")
    await terminal.ask(sea, "How deep is the sea?")
    await terminal.open("Seaside")
    await terminal.open("Sky")
    assert await titles(terminal, words="sea") == ["Seaside", "Water"]
    assert await titles(terminal, words="deep") == ["Water"]
    with pytest.raises(HostError, match=r"10,001 characters; at most 10,000"):
        await titles(terminal, words="x" * 10_001)


async def test_what_was_said_is_found_also_in_a_closed_conversation(terminal: Terminal) -> None:
    sea = await terminal.open("Sea")
    await terminal.ask(sea, "Tell me of the whale")
    await terminal.client.request(CloseSession(0, sea))
    found = await terminal.client.request(SearchMessages(0, "whale", role="user"))
    [hit] = found.hits
    assert (hit.session, hit.title, found.more) == (sea, "Sea", False)
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["whale"]


@pytest.mark.parametrize(
    "request_",
    [
        SearchMessages(0, "x", limit=0),
        SearchMessages(0, "x", limit=100_000),
        SearchMessages(0, "x" * 20_000),
        ListConversations(0, offset=-1),
        FetchConversation(0, 99),
        DeleteConversations(0, (99,)),
        RenameSession(0, 99, "x"),
        ImportConversation(0, "x", ()),
        ImportConversation(
            0,
            "x",
            (ImportedMessage("user", "x"),),
            SessionSettings(sampling=SamplingSettings(temperature=99.0)),
        ),
        ImportConversation(0, "x", (ImportedMessage("assistant", "x", model="m" * 201),)),
        ImportConversation(0, "x", (ImportedMessage("user", "x"),), tab=TabLook("g" * 41)),
        BackUp(0, "relative.db"),
        BackUp(0, "/nowhere/at/all.db"),
    ],
    ids=lambda request: type(request).__name__,
)
async def test_what_cannot_be_done_is_a_sentence(terminal: Terminal, request_: Request) -> None:
    with pytest.raises(HostError) as refused:
        await terminal.client.request(request_)
    assert str(refused.value).endswith(".")


async def test_a_closed_conversation_can_be_renamed_and_opened_again(terminal: Terminal) -> None:
    sea = await terminal.open("Sea")
    await terminal.client.request(CloseSession(0, sea))
    await terminal.client.request(RenameSession(0, sea, "Ocean"))
    assert await titles(terminal) == ["Ocean"]
    await terminal.client.request(ReopenSession(0, sea))
    assert terminal.tabs[sea].title == "Ocean"


async def test_deleting_closes_the_tabs_in_every_terminal(rig: Rig, terminal: Terminal) -> None:
    other = await rig.connect()
    sea, sky = await terminal.open("Sea"), await terminal.open("Sky")
    await terminal.ask(sea, "Anything")
    await terminal.client.request(DeleteConversations(0, (sea,)))
    await other.seen(SessionClosed, lambda event: event.session == sea)
    assert set(other.tabs) == {sky}
    assert await titles(terminal) == ["Sky"]


async def test_a_conversation_that_generates_can_be_deleted(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    sea = await terminal.open("Sea")
    await terminal.send(sea, "Tell me everything")
    await terminal.order((sea, 1))
    rig.engine.gate.open()
    await terminal.client.request(DeleteConversations(0, (sea,)))
    await terminal.order((0, 0))
    assert await titles(terminal) == []


async def test_an_imported_conversation_goes_on_where_it_ended(terminal: Terminal) -> None:
    imported = await terminal.client.request(
        ImportConversation(
            0,
            "From elsewhere",
            (ImportedMessage("user", "Hello", 5.0), ImportedMessage("assistant", "Hi", 6.0)),
            SessionSettings(system_instruction="Be brief."),
        )
    )
    fetched = await terminal.client.request(FetchConversation(0, imported.session))
    assert (fetched.view.open, fetched.settings.system_instruction) == (False, "Be brief.")
    await terminal.client.request(ReopenSession(0, imported.session))
    await terminal.ask(imported.session, "And now?")
    roles = [role for role, _, _ in await terminal.said(imported.session)]
    assert roles == ["user", "assistant", "user", "assistant"]


async def exported(terminal: Terminal, session: int) -> Transcript:
    """All of a conversation as a file holds it."""
    fetched = await terminal.client.request(FetchConversation(0, session))
    found = await terminal.client.request(FetchMessages(0, session, branches="all"))
    return transcript_from(fetched, found.messages)


async def test_what_was_exported_comes_back_with_its_tab_its_pins_and_its_models(
    terminal: Terminal,
) -> None:
    sea = await terminal.open("Sea")
    await terminal.ask(sea, "Why?")
    question, reply = await terminal.transcript(sea)
    await terminal.client.request(PinMessage(0, sea, question.message, True))
    await terminal.client.request(GroupTabs(0, (sea,), "work"))
    await terminal.client.request(MarkTab(0, sea, "star"))
    written = await exported(terminal, sea)
    assert written.tab == Tab("work", "star")
    assert [line.pinned for line in written.lines] == [True, False]
    assert written.lines[1].model == reply.model != ""
    again = await terminal.client.request(import_request(written))
    assert await exported(terminal, again.session) == written


async def test_what_was_exported_comes_back_with_all_its_branches(terminal: Terminal) -> None:
    sea = await terminal.open("Sea")
    await terminal.ask(sea, "Why?")
    question, reply = await terminal.transcript(sea)
    again = await terminal.client.request(Regenerate(0, sea, reply.message))
    await terminal.finished(sea, again.turn)
    await terminal.ask(sea, "And then?")
    other = await terminal.client.request(EditMessage(0, sea, question.message, "Where?"))
    await terminal.finished(sea, other.turn)
    edited = (await terminal.transcript(sea))[0]
    await terminal.client.request(SelectBranch(0, sea, edited.message, 1))
    written = await exported(terminal, sea)
    texts = [one.text for one in await terminal.transcript(sea)]
    assert [line.text for line in written.shown] == texts
    assert (len(written.shown), len(written.lines)) == (4, 7)

    copy = (await terminal.client.request(import_request(written))).session
    assert await exported(terminal, copy) == written
    await terminal.client.request(ReopenSession(0, copy))
    first = (await terminal.transcript(copy))[0]
    await terminal.client.request(SelectBranch(0, copy, first.message, 2))
    assert (await terminal.transcript(copy))[0].text == "Where?"


async def test_thoughts_and_tool_calls_come_back_and_the_names_of_attachments_are_written(
    rig: Rig, terminal: Terminal
) -> None:
    asides = (
        StoredThought(at=0, text="Hm", seconds=1.5),
        StoredUse(at=0, call="c", name="sky", outcome="answered", result="blue"),
    )
    facts = Attachment("sea.png", "ab" * 32, "image", "png", 3, 2, 1)
    session = rig.store.create(SessionSettings(), title="Sea").session
    rig.store.add_message(
        session,
        turn=1,
        role="user",
        text="Look",
        state="complete",
        attachments=(NewAttachment(facts=facts, data=b"png"),),
    )
    reply = rig.store.add_message(session, turn=1, role="assistant", state="streaming")
    rig.store.finish_message(reply.message, state="complete", text="Yes.", asides=asides)
    written = await exported(terminal, session)
    assert [(one.name, one.size) for one in written.lines[0].attachments] == [("sea.png", 3)]
    copy = (await terminal.client.request(import_request(written))).session
    assert [one.asides for one in rig.store.messages(copy)] == [(), asides]
    assert [one.attachments for one in rig.store.messages(copy)] == [(), ()]


async def test_a_reply_that_streams_is_left_out_and_the_one_before_it_is_chosen(
    rig: Rig, terminal: Terminal
) -> None:
    sea = await terminal.open("Sea")
    await terminal.ask(sea, "Why?")
    _, reply = await terminal.transcript(sea)
    rig.engine.gate.hold()
    again = await terminal.client.request(Regenerate(0, sea, reply.message))
    await terminal.order((sea, again.turn))
    written = await exported(terminal, sea)
    rig.engine.gate.open()
    await terminal.finished(sea, again.turn)
    assert [(line.text, line.chosen) for line in written.lines] == [
        ("Why?", True),
        (reply.text, True),
    ]


@pytest.mark.parametrize(
    "message",
    [
        ImportedMessage("user", "x", parent=1),
        ImportedMessage("user", "x", parent=9),
        ImportedMessage("user", "x", parent=-1),
        ImportedMessage("user", "x", chosen=False),
        ImportedMessage("user", "x", asides=(Thought(at=0),)),
        ImportedMessage("assistant", "x", asides=(Thought(at=-1),)),
        ImportedMessage("assistant", "x", asides=(Thought(at=10**9),)),
        ImportedMessage("assistant", "x", asides=(Thought(at=0, step=10**9),)),
        ImportedMessage("assistant", "x", asides=(Thought(at=0, seconds=math.inf),)),
        ImportedMessage("assistant", "x", asides=(Thought(at=0, text="x" * 4_000_001),)),
        ImportedMessage("assistant", "x", asides=(ToolUse(at=0, result="x" * 4_000_001),)),
        ImportedMessage("assistant", "x", asides=(ToolUse(at=0, arguments="[1]"),)),
        ImportedMessage("assistant", "x", asides=(ToolUse(at=0, arguments="{"),)),
        ImportedMessage("assistant", "x", asides=(ToolUse(at=0, arguments="[" * 99_999),)),
    ],
)
async def test_of_an_import_that_is_no_conversation_nothing_is_stored(
    rig: Rig, terminal: Terminal, message: ImportedMessage
) -> None:
    with pytest.raises(HostError) as refused:
        await terminal.client.request(ImportConversation(0, "x", (message,)))
    assert str(refused.value).endswith(".")
    assert rig.store.library.page() == ()


async def test_what_is_too_long_in_a_file_is_cut_on_its_way_in(terminal: Terminal) -> None:
    line = Line("assistant", "x", model="m" * 150 + "\n" + "m" * 300)
    request = import_request(Transcript("t" * 300, (line,), tab=Tab("g" * 50)))
    session = (await terminal.client.request(request)).session
    fetched = await terminal.client.request(FetchConversation(0, session))
    assert (len(fetched.view.title), len(fetched.tab.group)) == (200, 40)
    assert len((await terminal.transcript(session))[0].model) == 200


async def open_without_tab(rig: Rig, terminal: Terminal, title: str, place: Place) -> int:
    opened = await terminal.client.request(OpenSession(0, title, place=place))
    for one in rig.terminals:
        one.aside.add(opened.session)
    return opened.session


async def ask_without_tab(rig: Rig, terminal: Terminal, session: int, text: str) -> None:
    """Ask, and wait until the reply is in the store."""
    await terminal.client.request(SendMessage(0, session, text))
    await terminal.until(lambda: not rig.service.busy)


async def test_a_session_in_passing_is_no_tab_and_gone_when_it_is_closed(
    rig: Rig, terminal: Terminal
) -> None:
    other = await rig.connect()
    passing = await open_without_tab(rig, terminal, "ask", "passing")
    await ask_without_tab(rig, terminal, passing, "Quick one")
    assert (terminal.tabs, other.tabs) == ({}, {})
    assert [one.role for one in rig.store.messages(passing)] == ["user", "assistant"]
    await terminal.client.request(CloseSession(0, passing))
    assert await titles(terminal) == []


async def test_a_session_in_passing_goes_with_its_client(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    passing = await open_without_tab(rig, terminal, "ask", "passing")
    await terminal.client.request(SendMessage(0, passing, "Tell me everything"))
    await terminal.order((passing, 1))
    await terminal.close()
    rig.engine.gate.open()
    await rig.clients(0)
    assert rig.store.library.page() == ()


async def test_a_session_aside_is_kept_closed(rig: Rig, terminal: Terminal) -> None:
    aside = await open_without_tab(rig, terminal, "kept", "aside")
    await ask_without_tab(rig, terminal, aside, "Keep this")
    await terminal.client.request(CloseSession(0, aside))
    assert (await titles(terminal, which="closed"), terminal.tabs) == (["kept"], {})
    messages = await terminal.client.request(FetchMessages(0, aside))
    assert messages.messages[0].text == "Keep this"


async def test_a_backup_is_made_while_a_reply_streams(
    rig: Rig, terminal: Terminal, tmp_path: Path
) -> None:
    sea = await terminal.open("Sea")
    await terminal.send(sea, "Go on")
    await terminal.client.request(BackUp(0, str(tmp_path / "copy.db")))
    copy = Store.open(tmp_path / "copy.db")
    assert [one.title for one in copy.conversations()] == ["Sea"]
    copy.close()


async def test_the_first_terminal_is_told_of_a_recovered_database(tmp_path: Path) -> None:
    async with running(tmp_path, news=("It was damaged.",)) as rig:
        first, second = await rig.connect(), await rig.connect()
        notice = await first.seen(Notice)
        assert notice.text == "It was damaged."
        assert not any(isinstance(event, Notice) for event in second.events)
