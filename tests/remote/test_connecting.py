"""The library's way to a server, with and without `await`."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from tests.remote.scripted import ScriptedServer

import gemma_chat
from gemma_chat.errors import AdapterError, ServerError, SessionLimitError, SettingsError


async def test_a_model_on_a_server_is_used_like_any_other(server: ScriptedServer) -> None:
    model = await gemma_chat.connect_server(server.url, max_concurrent_sessions=1)
    async with model:
        session = await model.open_session()
        assert await session.get_response("Hello") == "You said: Hello"
        assert model.description.server == server.url
        with pytest.raises(SessionLimitError):
            await model.open_session()


def test_without_await(server: ScriptedServer) -> None:
    with gemma_chat.sync.connect_server(server.url, model="scripted-model") as model:
        with model.open_session() as session:
            assert "".join(session.get_response_async("Hello")) == "You said: Hello"
        assert model.figures().weights_bytes == 0
    with pytest.raises(ServerError, match="no model 'other'"):
        gemma_chat.sync.connect_server(server.url, model="other")


async def test_what_is_not_allowed_is_refused(server: ScriptedServer) -> None:
    with pytest.raises(SettingsError, match="max_concurrent_sessions"):
        await gemma_chat.connect_server(server.url, max_concurrent_sessions=0)
    with pytest.raises(SettingsError, match="max_parallel = 0 is not allowed: 1 to 64"):
        await gemma_chat.connect_server(server.url, max_parallel=0)
    with pytest.raises(SettingsError, match="is not the address"):
        await gemma_chat.connect_server("localhost")
    assert server.requests == []


async def test_an_adapter_is_refused_by_name(server: ScriptedServer) -> None:
    async with await gemma_chat.connect_server(server.url) as model:
        with pytest.raises(AdapterError, match=r"pirate\.gguf.*server"):
            await model.open_session(lora_path="pirate.gguf")


async def test_connecting_can_be_given_up(server: ScriptedServer) -> None:
    server.answers["/v1/models"] = lambda line, request: line.gone() and None
    connecting = asyncio.create_task(gemma_chat.connect_server(server.url))
    await asyncio.to_thread(server.wait_until, lambda: bool(server.requests))
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    server.close()


def test_nothing_of_llama_cpp_is_loaded(server: ScriptedServer) -> None:
    script = (
        "import sys, gemma_chat.sync\n"
        f"with gemma_chat.sync.connect_server({server.url!r}) as model:\n"
        "    print(model.open_session().get_response('Hello'))\n"
        "print({'llama_cpp', 'numpy', 'jinja2', 'textual'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["You said: Hello", "set()"]
