"""The library with and without `await` offers the same names, with the same parameters."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.sessions.scripted import ScriptedEngine

import gemma_chat
from gemma_chat.sessions.chat_turn import ChatTurn
from gemma_chat.sessions.connecting import ServerConnectOptions
from gemma_chat.sessions.loading import LoadOptions
from gemma_chat.sessions.turn import Turn
from gemma_chat.sync.chat import Chat as SyncChat
from gemma_chat.sync.loop import LoopThread
from gemma_chat.sync.session import Session as SyncSession
from gemma_chat.sync.turn import wrapped

ROOMS = {
    "InferenceModel": {"engine", "engine_thread", "forget", "must_be_open", "open_fork"},
    "Session": {
        "ask",
        "cut_result",
        "model_closed",
        "must_be_open",
        "take_question",
        "when_closed",
    },
    "Chat": set[str](),
    "Turn": {"add", "close", "end", "job"},
    "ChatTurn": {"add", "close", "end", "rephrase", "step", "when_ended"},
}
"""What the parts of the library need of each other, and programs do not."""

WITHOUT_AWAIT = {
    "AsyncGenerator[Piece, None]": "Generator[Piece, None, None]",
    "Awaitable[None]": "None",
}


def pair(name: str) -> tuple[type, type]:
    return getattr(gemma_chat, name), getattr(gemma_chat.sync, name)


def nothing() -> str:
    """Do nothing."""
    return ""


def parameters(function: Callable[..., Any]) -> tuple[list[inspect.Parameter], str]:
    signature = inspect.signature(function)
    answer = str(signature.return_annotation)
    return list(signature.parameters.values()), WITHOUT_AWAIT.get(answer, answer)


def own(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize("name", ROOMS)
def test_every_call_exists_with_and_without_await_and_takes_the_same(name: str) -> None:
    with_await, without = pair(name)
    for called in sorted(own(with_await) - ROOMS[name]):
        there, here = (inspect.getattr_static(one, called) for one in (with_await, without))
        if isinstance(there, property):
            assert isinstance(here, property), called
            assert (here.fset is None) == (there.fset is None), called
            assert here.fget is not None
            assert there.fget is not None
            assert parameters(here.fget) == parameters(there.fget), called
        else:
            assert parameters(here) == parameters(there), called


@pytest.fixture
async def objects() -> AsyncIterator[list[tuple[object, object]]]:
    """One of each class, with `await` and without."""
    async with gemma_chat.InferenceModel(ScriptedEngine()) as model:
        loop = LoopThread()
        chat = await model.open_chat()
        tooled = await model.open_chat(tools=[nothing])
        turns = [chat.session.start_turn("Hi"), tooled.start_turn("Hi")]
        assert isinstance(turns[0], Turn)
        assert isinstance(turns[1], ChatTurn)
        yield [
            (chat.session, SyncSession(chat.session, loop)),
            (chat, SyncChat(chat, loop)),
            *((turn, wrapped(turn, loop)) for turn in turns),
        ]
        loop.end()


async def test_no_name_is_there_on_one_side_only(objects: list[tuple[object, object]]) -> None:
    for there, here in objects:
        name = type(there).__name__
        assert type(here).__name__ == name
        names = {one for one in dir(there) if not one.startswith("_")}
        assert {one for one in dir(here) if not one.startswith("_")} == names - ROOMS[name]
    there, here = pair("InferenceModel")
    assert own(here) == own(there) - ROOMS["InferenceModel"]


@pytest.mark.parametrize(
    ("function", "keywords"),
    [("load_model", LoadOptions), ("connect_server", ServerConnectOptions)],
)
def test_loading_and_connecting_take_the_same_keywords(function: str, keywords: type) -> None:
    there = inspect.signature(getattr(gemma_chat, function)).parameters
    here = inspect.signature(getattr(gemma_chat.sync, function)).parameters
    assert {name for name, one in there.items() if one.kind is one.KEYWORD_ONLY} == set(
        keywords.__annotations__
    )
    assert list(here) == [next(iter(there)), "options"]
    assert here["options"].annotation.endswith(f"{keywords.__name__}]")
