"""The one-lane way: opening the next session closes the one before."""

from __future__ import annotations

import asyncio

import pytest

from gemma_chat.engine.interface import ToolSpec
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.options import SessionOptions


async def test_a_new_session_replaces_the_one_before(model: InferenceModel) -> None:
    first = await model.create_session(system_instruction="A")
    await first.get_response("x")
    second = await model.create_session()
    assert first.closed
    assert model.session is second
    assert model.sessions == (second,)
    assert await second.get_response("y") == "1: y"
    await second.close()
    assert model.session is None


async def test_calls_at_once_give_one_session(model: InferenceModel) -> None:
    old = await model.create_session()
    made = await asyncio.gather(*(model.create_session() for _ in range(5)))
    assert len(set(made)) == 1
    assert old.closed
    assert model.sessions == (made[0],)


async def test_a_call_with_wrong_settings_keeps_the_session(
    model: InferenceModel,
) -> None:
    session = await model.create_session()
    nameless = ToolSpec("", "Nothing.", '{"type": "object"}')
    refused: list[SessionOptions] = [
        {"top_k": -5},
        {"tools": [nameless]},
        {"enable_vision_modality": True},
    ]
    for wrong in refused:
        with pytest.raises(GemmaChatError):
            await model.create_session(**wrong)
    assert model.session is session
    assert not session.closed


async def test_a_chat_goes_on_from_a_stored_history(model: InferenceModel) -> None:
    before = await model.create_chat()
    await before.get_response("x")
    chat = await model.create_chat(history=before.history)
    assert before.closed
    assert model.session is chat.session
    assert await chat.get_response("y") == "2: y"
