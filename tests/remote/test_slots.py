"""As many turns at once as the server has slots."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from tests.remote.conftest import connected
from tests.remote.scripted import DEADLINE, Line, Request, ScriptedServer, echo

from gemma_chat.errors import ServerError
from gemma_chat.sessions.model import InferenceModel


class HeldStreams:
    """A script that says a word and then holds every stream open until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, line: Line, request: Request) -> None:
        line.head()
        line.says(request.json["messages"][-1]["content"])
        self.let_go.wait(DEADLINE)
        line.ends()


@pytest.fixture
async def wide(server: ScriptedServer) -> AsyncIterator[InferenceModel]:
    """A model on a server with three slots."""
    async with InferenceModel(connected(server, max_parallel=3)) as model:
        yield model


async def open_chats(server: ScriptedServer, count: int) -> None:
    await asyncio.to_thread(server.wait_until, lambda: server.open == count)


async def test_the_lock_has_as_many_holders_as_the_server_has_slots(
    server: ScriptedServer, wide: InferenceModel
) -> None:
    server.chat = held = HeldStreams()
    sessions = [await wide.open_session() for _ in range(5)]
    turns = [session.start_turn(f"q{n}") for n, session in enumerate(sessions)]
    await open_chats(server, 3)
    assert {entry.session for entry in wide.lock.holders} == {s.id for s in sessions[:3]}
    assert [entry.session for entry in wide.lock.waiting] == [s.id for s in sessions[3:]]
    held.let_go.set()
    results = await asyncio.gather(*(turn.finished() for turn in turns))
    assert [result.text for result in results] == [f"q{n}" for n in range(5)]
    assert server.most_open == 3


async def test_by_default_a_server_is_asked_one_thing_at_a_time(
    server: ScriptedServer, model: InferenceModel
) -> None:
    sessions = [await model.open_session() for _ in range(4)]
    await asyncio.gather(*(session.get_response("a") for session in sessions))
    assert server.most_open == 1


async def test_one_of_several_streams_is_stopped_alone(
    server: ScriptedServer, wide: InferenceModel
) -> None:
    server.chat = held = HeldStreams()
    sessions = [await wide.open_session() for _ in range(3)]
    turns = [session.start_turn("q") for session in sessions]
    await open_chats(server, 3)
    turns[1].stop()
    assert (await turns[1].finished()).reason == "stopped"
    assert [entry.session for entry in wide.lock.holders] == [sessions[0].id, sessions[2].id]
    held.let_go.set()
    assert (await turns[0].finished()).text == "q"
    assert (await turns[2].finished()).text == "q"


async def test_a_summary_gives_its_slot_to_a_person_and_is_asked_anew(
    server: ScriptedServer, model: InferenceModel
) -> None:
    server.chat = held = HeldStreams()
    person, summarizer = await model.open_session(), await model.open_session(background=True)
    behind = summarizer.start_turn("summary")
    await open_chats(server, 1)
    server.chat = echo
    assert await person.get_response("question") == "You said: question"
    held.let_go.set()
    result = await behind.finished()
    assert (result.text, result.reason) == ("You said: summary", "stop")
    assert [request.json["messages"][-1]["content"] for request in server.chats] == [
        "summary",
        "question",
        "summary",
    ]


async def test_a_stream_that_fails_does_not_disturb_the_others(
    server: ScriptedServer, wide: InferenceModel
) -> None:
    server.chat = held = HeldStreams()
    sessions = [await wide.open_session() for _ in range(3)]
    turns = [session.start_turn("q") for session in sessions[:2]]
    await open_chats(server, 2)
    server.chat = lambda line, request: line.answer(500, {"error": {"message": "no memory"}})
    with pytest.raises(ServerError, match="no memory"):
        await sessions[2].get_response("q")
    held.let_go.set()
    results = await asyncio.gather(*(turn.finished() for turn in turns))
    assert [result.reason for result in results] == ["stop", "stop"]
