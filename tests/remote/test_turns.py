"""Sessions on a server: the same calls, events and figures as on a model of one's own."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.remote.conftest import connected
from tests.remote.scripted import DEADLINE, Line, Request, ScriptedServer, delta, reply

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    Generated,
    Interrupted,
    Media,
    Prefill,
    ReplyPart,
    Step,
)
from gemma_chat.remote.turn import RemoteTurn
from gemma_chat.sessions.events import LockEvent
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.replacement import Digest


async def test_a_conversation_is_sent_whole_with_every_question(
    server: ScriptedServer, model: InferenceModel
) -> None:
    session = await model.open_session(system_instruction="Answer as a pirate.", temperature=0.5)
    assert await session.get_response("Hello") == "You said: Hello"
    assert await session.get_response("Again") == "You said: Again"
    first, second = server.chats
    assert first.json["temperature"] == 0.5
    assert first.json["model"] == "scripted-model"
    assert second.json["messages"] == [
        {"role": "system", "content": "Answer as a pirate."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "You said: Hello"},
        {"role": "user", "content": "Again"},
    ]


async def test_pieces_come_as_the_server_sends_them(
    server: ScriptedServer, model: InferenceModel
) -> None:
    go_on = threading.Event()

    def script(line: Line, request: Request) -> None:
        line.head()
        line.says("Ahoy")
        go_on.wait()
        line.says(", sailor")
        line.ends()

    server.chat = script
    session = await model.open_session()
    stream = session.get_response_async("Hello")
    assert await anext(stream) == "Ahoy"
    holder = model.lock.holder
    assert holder is not None
    assert (holder.phase, holder.generated) == ("generating", 1)
    go_on.set()
    assert [piece async for piece in stream] == [", sailor"]


async def test_the_figures_are_those_the_server_counts(
    server: ScriptedServer, model: InferenceModel
) -> None:
    def script(line: Line, request: Request) -> None:
        line.head()
        line.says("a", "b")
        line.event(delta(finish="length"))
        usage = {
            "prompt_tokens": 40,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 30},
        }
        line.event({"choices": [], "usage": usage})
        line.event("[DONE]")

    server.chat = script
    session = await model.open_session()
    assert await session.get_response("Hello") == "ab"
    metrics = session.metrics
    assert (metrics.reused_tokens, metrics.evaluated_tokens) == (30, 10)
    assert (metrics.generated_tokens, metrics.finish_reason) == (7, "length")
    assert session.context_used == 47


async def test_without_usage_the_pieces_are_counted_and_the_prompt_is_estimated(
    server: ScriptedServer, model: InferenceModel
) -> None:
    server.chat = reply("one", " two")
    session = await model.open_session()
    await session.get_response("Hello")
    assert session.metrics.generated_tokens == 2
    assert session.metrics.evaluated_tokens == 0
    assert 2 < session.context_used < 40


async def test_progress_in_the_prompt_is_shown_where_the_server_tells_it(
    server: ScriptedServer, model: InferenceModel
) -> None:
    def script(line: Line, request: Request) -> None:
        line.head()
        for processed in (128, 256):
            progress = {"total": 300, "cache": 0, "processed": processed}
            line.event({"choices": [], "prompt_progress": progress})
        line.says("a")
        line.ends()

    server.chat = script
    events: list[LockEvent] = []
    model.lock.subscribe(events.append)
    session = await model.open_session()
    await session.get_response("Hello")
    read = [(e.entry.prompt_done, e.entry.prompt_total) for e in events]
    assert (128, 300) in read
    assert (256, 300) in read


async def test_stopping_closes_the_connection_and_keeps_what_came(
    server: ScriptedServer, model: InferenceModel
) -> None:
    gone = threading.Event()

    def script(line: Line, request: Request) -> None:
        line.head()
        line.says("as far as ", "it came")
        if line.gone():
            gone.set()

    server.chat = script
    session = await model.open_session()
    turn = session.start_turn("Hello")
    async for _ in turn:
        if turn.text == "as far as it came":
            break
    turn.stop()
    result = await turn.finished()
    assert (result.reason, result.text, result.error) == ("stopped", "as far as it came", None)
    assert await asyncio.to_thread(gone.wait, DEADLINE)
    assert [message.text for message in session.history] == ["Hello", "as far as it came"]


async def test_a_turn_is_stopped_while_the_server_says_nothing(
    server: ScriptedServer, model: InferenceModel
) -> None:
    server.chat = lambda line, request: line.gone() and None
    session = await model.open_session()
    turn = session.start_turn("Hello")
    await asyncio.to_thread(server.wait_until, lambda: server.open == 1)
    turn.stop()
    assert (await turn.finished()).reason == "stopped"
    assert session.history == ()
    await asyncio.to_thread(server.wait_until, lambda: server.open == 0)
    server.chat = reply("back")
    assert await session.get_response("Hello") == "back"


async def test_closing_the_model_closes_the_connection(server: ScriptedServer) -> None:
    server.chat = lambda line, request: line.gone() and None
    async with InferenceModel(connected(server)) as model:
        turn = (await model.open_session()).start_turn("Hello")
        await asyncio.to_thread(server.wait_until, lambda: server.open == 1)
    assert (await turn.finished()).reason == "closed"
    await asyncio.to_thread(server.wait_until, lambda: server.open == 0)


async def test_the_oldest_questions_are_left_out_when_the_window_is_full(
    server: ScriptedServer,
) -> None:
    server.chat = reply("word " * 100)
    async with InferenceModel(connected(server, context_size=1000)) as model:
        session = await model.open_session()
        for number in range(8):
            await session.get_response(f"{number} " + "word " * 100)
        assert session.left_out > 0
    sent = server.chats[-1].json["messages"]
    assert sent[-1]["content"].startswith("7 ")
    assert not sent[0]["content"].startswith("0 ")


async def test_a_summary_takes_the_place_of_the_oldest_questions_without_any_evaluation(
    server: ScriptedServer,
) -> None:
    server.chat = reply("word " * 50)
    async with InferenceModel(connected(server, context_size=1000)) as model:
        chat = await model.open_chat()
        for number in range(4):
            await chat.get_response(f"{number} " + "word " * 100)
        chat.digest = Digest("They exchanged words.", 4)
        asked = len(server.chats)
        made = asyncio.Event()
        chat.subscribe(lambda _: made.set())
        assert await chat.make_room()
        await made.wait()
        assert len(server.chats) == asked
        assert all(part.text == "" and part.tokens for part in chat.context().parts)
        await chat.get_response("And now?")
    sent = server.chats[-1].json["messages"]
    assert "They exchanged words." in sent[0]["content"]
    assert sent[-1]["content"] == "And now?"


def test_an_image_goes_out_with_the_first_step(server: ScriptedServer) -> None:
    server.chat = reply("a cat")
    engine = connected(server)
    picture = Media("image", b"\x89PNG rest", "digest")
    prompt = engine.prompt([ChatMessage("user", "What?", media=(picture,))])
    assert prompt.token_count > engine.prompt([ChatMessage("user", "What?")]).token_count
    run = engine.begin(engine.open_sequence(), prompt, SamplingSettings(), "foreground")
    assert server.chats == []
    assert said(run) == "a cat"
    [message] = server.chats[0].json["messages"]
    assert [part["type"] for part in message["content"]] == ["image_url", "text"]


def steps_of(run: RemoteTurn) -> list[Step]:
    """All steps of a turn but those in which nothing came."""
    steps: list[Step] = []
    while not steps or not isinstance(steps[-1], Ended):
        step = run.step()
        if not isinstance(step, Interrupted):
            steps.append(step)
    return steps


def said(run: RemoteTurn) -> str:
    return "".join(one.text for one in steps_of(run) if isinstance(one, Generated | Ended))


def begun(server: ScriptedServer, *, background: bool = False) -> RemoteTurn:
    engine = connected(server)
    prompt = engine.prompt([ChatMessage("user", "Hello")])
    lane = "background" if background else "foreground"
    return engine.begin(engine.open_sequence(), prompt, SamplingSettings(), lane)


def test_thinking_and_calls_are_parts_of_their_own(server: ScriptedServer) -> None:
    def script(line: Line, request: Request) -> None:
        line.head()
        line.event(delta(reasoning_content="Let me "))
        line.event(delta(reasoning_content="see."))
        line.says("One moment.")
        call = {"index": 0, "id": "c1", "function": {"name": "clock", "arguments": ""}}
        line.event(delta(tool_calls=[call]))
        for piece in ('{"zone": ', '"UTC"}'):
            line.event(delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}]))
        line.ends("tool_calls")

    server.chat = script
    prefill, *generated, ended = steps_of(begun(server))
    assert isinstance(prefill, Prefill)
    assert [one.parts for one in generated if isinstance(one, Generated) and one.parts] == [
        (ReplyPart("thinking", "Let me "),),
        (ReplyPart("thinking", "see."),),
    ]
    assert "".join(one.text for one in generated if isinstance(one, Generated)) == "One moment."
    assert isinstance(ended, Ended)
    [part] = ended.parts
    assert part.call is not None
    assert (part.call.id, part.call.name) == ("c1", "clock")
    assert part.call.arguments == '{"zone": "UTC"}'


def test_a_background_turn_that_gives_way_begins_anew_and_says_everything_once(
    server: ScriptedServer,
) -> None:
    gone = threading.Event()

    def first(line: Line, request: Request) -> None:
        line.head()
        line.says("half of ", "a summary")
        if line.gone():
            gone.set()

    server.chat = first
    run = begun(server, background=True)
    while run.counts.generated < 2:
        assert not isinstance(run.step(), Ended)
    run.give_way()
    assert gone.wait(DEADLINE)
    server.chat = reply("a whole ", "summary")
    assert said(run) == "a whole summary"
    assert run.counts.generated == 2
    assert run.finish() == ""


def test_an_interrupted_step_returns_at_once(server: ScriptedServer) -> None:
    server.chat = lambda line, request: line.gone() and None
    run = begun(server)
    run.interrupt()
    assert isinstance(run.step(), Interrupted)
    assert run.finish() == ""
    assert run.finish() == ""


def test_a_stopped_background_turn_gives_what_it_held_back(server: ScriptedServer) -> None:
    def script(line: Line, request: Request) -> None:
        line.head()
        line.says("half")
        line.gone()

    server.chat = script
    run = begun(server, background=True)
    while not run.counts.generated:
        run.step()
    assert run.finish() == "half"


def test_a_server_is_asked_for_no_warm_up(server: ScriptedServer) -> None:
    engine = connected(server)
    prompt = engine.prompt([ChatMessage("user", "Hello")])
    run = engine.warm_up(engine.open_sequence(), prompt, prompt, "background")
    assert run.step() == Ended("stop", "")
    run.give_way()
    run.interrupt()
    assert run.finish() == ""
    assert server.chats == []


@pytest.mark.parametrize(
    ("reason", "end"), [("stop", "stop"), ("length", "length"), ("eos", "stop")]
)
def test_the_reason_of_the_end_is_the_servers(
    server: ScriptedServer, reason: str, end: str
) -> None:
    server.chat = reply("a", reason=reason)
    ended = steps_of(begun(server))[-1]
    assert isinstance(ended, Ended)
    assert ended.reason == end
