"""Tools of tabs: a terminal is asked, answers, and every terminal sees the same question."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.host.rig import QUIET, Rig, Terminal, running
from tests.sessions.scripted import Said, ScriptedEngine

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.tools import ToolSettings
from gemma_chat.engine.interface import ChatMessage, ReplyPart, ToolCall
from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    AnswerTool,
    ChangeSettings,
    CloseSession,
    Notice,
    OpenSession,
    ReopenSession,
    ShowContext,
    StopTurn,
    ToolAnswer,
    ToolQuestion,
    ToolUse,
)
from gemma_chat.host.tab_tools import TabTools
from gemma_chat.sessions.tool_calls import REFUSED, STOPPED
from gemma_chat.store.store import Store

ECHO = Path(__file__).parents[1] / "tools" / "echo_server.py"


def calling(name: str, **arguments: object) -> ReplyPart:
    return ReplyPart("tool_call", call=ToolCall("", name, json.dumps(arguments)))


def model(*calls: ReplyPart) -> ScriptedEngine:
    """Makes these calls first, then tells the results it was given."""

    def reply(messages: Sequence[ChatMessage], sampling: SamplingSettings) -> Said:
        if messages[-1].role != "tool":
            return calls
        question = max(at for at, one in enumerate(messages) if one.role == "user")
        return " | ".join(one.text for one in messages[question:] if one.role == "tool")

    return ScriptedEngine(reply)


ADD = calling("calculator", expression="1 + 1")


async def open_with(terminal: Terminal, *sources: str, folder: str = "") -> int:
    tools = ToolSettings(sources=sources, folder=folder)
    request = OpenSession(0, "Tools", SessionSettings(tools=tools))
    return (await terminal.client.request(request)).session


async def asked(terminal: Terminal, session: int, count: int = 1) -> tuple[ToolQuestion, ...]:
    await terminal.until(lambda: len(terminal.tabs[session].asking) == count)
    return terminal.tabs[session].asking


async def answer(terminal: Terminal, session: int, answer: ToolAnswer) -> None:
    (question, *_) = terminal.tabs[session].asking
    await terminal.client.request(AnswerTool(0, session, question.question, answer))


async def last_reply(terminal: Terminal, session: int) -> str:
    return (await terminal.transcript(session))[-1].text


async def test_a_call_waits_for_an_answer_and_its_result_reaches_the_model(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator")
        turn = await terminal.send(tab, "1 + 1?")
        (question,) = await asked(terminal, tab)
        assert (question.name, json.loads(question.arguments)) == (
            "calculator",
            {"expression": "1 + 1"},
        )
        assert terminal.tabs[tab].calling == ("calculator",)
        await answer(terminal, tab, "once")
        await terminal.finished(tab, turn)
        (_, reply) = await terminal.transcript(tab)
        assert (reply.text, reply.state) == ("2", "complete")
        (use,) = reply.asides
        assert isinstance(use, ToolUse)
        assert (use.name, use.outcome, use.result) == ("calculator", "answered", "2")
        assert (terminal.tabs[tab].asking, terminal.tabs[tab].calling) == ((), ())
        await terminal.send(tab, "and again?")
        await asked(terminal, tab)


async def test_another_tab_generates_while_one_asks(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator")
        await terminal.send(tab, "1 + 1?")
        await asked(terminal, tab)
        other = await open_with(terminal, "calculator")
        await terminal.send(other, "and here?")
        await asked(terminal, other)
        await answer(terminal, other, "once")
        await terminal.finished(other, 1)
        assert len(terminal.tabs[tab].asking) == 1


async def test_every_terminal_sees_the_question_and_the_first_answer_counts(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        one, other = await rig.connect(), await rig.connect()
        tab = await open_with(one, "calculator")
        turn = await one.send(tab, "1 + 1?")
        (question,) = await asked(other, tab)
        late = await rig.connect()
        assert late.tabs[tab].asking == (question,)
        await answer(late, tab, "once")
        await one.client.request(AnswerTool(0, tab, question.question, "never"))
        await one.finished(tab, turn)
        assert await last_reply(one, tab) == "2"
        assert one.tabs[tab].settings.tools.denied == ()


async def test_a_question_waits_while_nobody_is_attached(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator")
        turn = await terminal.send(tab, "1 + 1?")
        await asked(terminal, tab)
        await terminal.close()
        await rig.clients(0)
        assert rig.service.busy
        again = await rig.connect()
        await answer(again, tab, "once")
        await again.finished(tab, turn)


async def test_always_holds_for_this_tool_in_this_tab(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD, ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator", "clock")
        turn = await terminal.send(tab, "twice?")
        await asked(terminal, tab, 2)
        await answer(terminal, tab, "always")
        await terminal.finished(tab, turn)
        assert await last_reply(terminal, tab) == "2 | 2"
        assert terminal.tabs[tab].settings.tools.allowed == ("calculator",)
        await terminal.ask(tab, "again?")
        other = await open_with(terminal, "calculator")
        await terminal.send(other, "here?")
        await asked(terminal, other, 2)


async def test_never_refuses_from_then_on_until_the_settings_say_otherwise(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator")
        turn = await terminal.send(tab, "1 + 1?")
        await asked(terminal, tab)
        await answer(terminal, tab, "never")
        await terminal.finished(tab, turn)
        assert await last_reply(terminal, tab) == REFUSED
        await terminal.ask(tab, "again?")
        assert await last_reply(terminal, tab) == REFUSED
        settings = terminal.tabs[tab].settings
        asking = msgspec.structs.replace(settings, tools=ToolSettings(sources=("calculator",)))
        await terminal.client.request(ChangeSettings(0, tab, asking))
        await terminal.send(tab, "now?")
        await asked(terminal, tab)


async def test_stopping_and_closing_take_the_question_back(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator")
        turn = await terminal.send(tab, "1 + 1?")
        await asked(terminal, tab)
        await terminal.client.request(StopTurn(0, tab))
        assert (await terminal.finished(tab, turn)).reason == "stopped"
        await asked(terminal, tab, 0)
        assert rig.engine.prompts[-1][-1].text == "1 + 1?"
        await terminal.send(tab, "and now?")
        assert STOPPED in [one.text for one in await prompt_of(rig, 2)]
        await asked(terminal, tab)
        await terminal.client.request(CloseSession(0, tab))
        await terminal.until(lambda: tab not in terminal.tabs)
        # Which waits until it is closed altogether.
        await terminal.client.request(ReopenSession(0, tab))
        assert not rig.service.busy


async def prompt_of(rig: Rig, turn: int) -> Sequence[ChatMessage]:
    """The messages of the turn with this number, once it has begun."""
    terminal = rig.terminals[0]
    await terminal.until(lambda: len(rig.engine.prompts) >= turn)
    return rig.engine.prompts[turn - 1]


async def test_an_answer_to_no_question_does_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, model(ADD)) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "calculator")
        await terminal.client.request(AnswerTool(0, tab, 77, "always"))
        assert terminal.tabs[tab].settings.tools.allowed == ()
        with pytest.raises(HostError, match="There is no open tab 9"):
            await terminal.client.request(AnswerTool(0, 9, 1, "once"))


@pytest.mark.parametrize(
    ("tools", "complaint"),
    [
        (ToolSettings(sources=("shell",)), "There are no tools 'shell'"),
        (ToolSettings(sources=("files",)), "needs a folder"),
        (ToolSettings(folder="notes"), "must be a whole path"),
        (ToolSettings(folder="/a\0"), "not the path of a folder"),
        (ToolSettings(allowed=("x" * 81,)), "1 to 80 characters"),
        (ToolSettings(sources=("clock",) * 300), "at most 256"),
    ],
)
async def test_settings_that_are_not_allowed_are_refused(
    tmp_path: Path, tools: ToolSettings, complaint: str
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        with pytest.raises(HostError, match=complaint):
            await terminal.client.request(OpenSession(0, "", SessionSettings(tools=tools)))


async def test_files_and_history_work_for_a_tab(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "plan.txt").write_text("the plan")
    engine = model(
        calling("read_file", path="plan.txt"),
        calling("list_files"),
        calling("search_history", words="BIRD whe"),
    )
    tools = ToolSettings(
        sources=("files", "history"),
        folder=str(shared),
        allowed=("read_file", "list_files", "search_history"),
    )
    async with running(tmp_path, engine) as rig:
        terminal = await rig.connect()
        request = OpenSession(0, "Birds", SessionSettings(tools=tools))
        tab = (await terminal.client.request(request)).session
        await terminal.ask(tab, "Where is the bird?")
        reply = await last_reply(terminal, tab)
        assert reply.startswith("the plan | plan.txt (8 bytes) | [Birds, ")
        assert reply.endswith("Where is the bird?")


async def test_a_server_is_started_for_the_tab_that_uses_it_and_named_when_it_fails(
    tmp_path: Path,
) -> None:
    servers = (
        McpServerSettings(name="echo", command=sys.executable, args=(str(ECHO),)),
        McpServerSettings(name="gone", command="/no/such/command"),
    )
    settings = msgspec.structs.replace(QUIET, mcp_servers=servers)
    engine = model(calling("echo__echo", text="hello"))
    async with running(tmp_path, engine, settings=settings) as rig:
        terminal = await rig.connect()
        tab = await open_with(terminal, "mcp:echo", "mcp:gone")
        turn = await terminal.send(tab, "say hello")
        (question,) = await asked(terminal, tab)
        assert question.name == "echo__echo"
        await answer(terminal, tab, "once")
        await terminal.finished(tab, turn)
        assert await last_reply(terminal, tab) == "hello"
        # It is made ready for a question here too.
        await terminal.client.request(ShowContext(0, tab))
        refusals = [
            event
            for event in terminal.events
            if isinstance(event, Notice) and "The tool server gone cannot be used" in event.text
        ]
        assert [notice.session for notice in refusals] == [tab]


async def test_who_turns_a_server_off_and_on_again_is_told_again_that_it_cannot_be_used(
    tmp_path: Path,
) -> None:
    told: list[tuple[int, str]] = []
    store = Store.open(tmp_path / "conversations.db")
    tools = TabTools(store, list, lambda session, sentence: told.append((session, sentence)))
    on, off = ToolSettings(sources=("mcp:gone",)), ToolSettings()
    for settings in (on, on, off, on):
        assert await tools.of(1, settings) == ()
    await tools.of(2, on)
    assert [session for session, _ in told] == [1, 1, 2]
    assert all("There is no tool server gone" in sentence for _, sentence in told)
    await tools.close()
    store.close()
