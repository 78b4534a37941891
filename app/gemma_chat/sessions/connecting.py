"""Using a model that a chat server holds, instead of loading one."""

from __future__ import annotations

import asyncio
from typing import TypedDict

from gemma_chat.sessions.model import InferenceModel, check_limit


class ServerConnectOptions(TypedDict, total=False):
    """The keywords of `connect_server`, for those who pass them on."""

    model: str
    api_key: str
    max_parallel: int
    context_size: int
    connect_seconds: float
    silence_seconds: float
    max_concurrent_sessions: int | None


async def connect_server(
    url: str,
    *,
    model: str = "",
    api_key: str = "",
    max_parallel: int = 1,
    context_size: int = 0,
    connect_seconds: float = 10.0,
    silence_seconds: float = 300.0,
    max_concurrent_sessions: int | None = None,
) -> InferenceModel:
    """Use the model of a chat server with OpenAI's interface: llama-server, vLLM, Ollama.

    The sessions are those of `load_model`: the same calls, history, queue and events. The server
    renders and evaluates the conversation; nothing is saved, shared or warmed up here.

        model = await gemma_chat.connect_server("http://localhost:8080", max_parallel=4)
        async with model:
            session = await model.open_session(system_instruction="Answer as a pirate.")
            print(await session.get_response("What is the sea?"))

    A server that fails costs one turn, which ends with `ServerError` and keeps what came of the
    reply; the next turn asks it anew.

    Args:
        url: Its address, with or without `/v1`: `http://localhost:11434`.
        model: The name by which it knows the model; empty takes the first it offers.
        api_key: Sent to this server as a bearer token, and nowhere else.
        max_parallel: How many turns it computes at once, 1 to 64; the lock has as many holders.
        context_size: One session's whole window in tokens; 0 is what the server says, or 4096
            when it does not.
        connect_seconds: How long it may take to accept a connection.
        silence_seconds: How long it may say nothing, while it reads the prompt too. A reply may
            take any time.
        max_concurrent_sessions: How many sessions may be open at once; `None` is no limit.

    Raises:
        ServerError: The server cannot be reached or used, refuses the key, or has no such model.
        SettingsError: An argument is not allowed.
    """
    check_limit(max_concurrent_sessions)
    from gemma_chat.remote.engine import RemoteEngine
    from gemma_chat.remote.options import ServerOptions

    options = ServerOptions(
        model=model,
        max_parallel=max_parallel,
        context_size=context_size,
        api_key=api_key,
        connect_seconds=connect_seconds,
        silence_seconds=silence_seconds,
    )
    engine = await asyncio.to_thread(RemoteEngine.connect, url, options)
    return InferenceModel(engine, max_concurrent_sessions=max_concurrent_sessions)
