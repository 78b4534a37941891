"""A real server, the one of llama-cpp-python, with SmolLM2: started once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.ports import free_port

import gemma_chat
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import ContextOverflowError, ServerError
from gemma_chat.sessions.model import InferenceModel

KEY = "sk-loopback"
CONTEXT = 512
START_SECONDS = 120.0
"""Only a server that does not start takes as long."""


@pytest.fixture(scope="module")
def url(smollm2_path: Path) -> Iterator[str]:
    """The address of the server."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "llama_cpp.server", "--model", smollm2_path),
            *("--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(CONTEXT)),
            *("--n_threads", "1", "--n_threads_batch", "1", "--api_key", KEY, "--verbose", "False"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
    )
    try:
        _wait_until_it_serves(process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _wait_until_it_serves(process: subprocess.Popen[bytes]) -> None:
    """Wait for the line that says so; what it writes is read for as long as it runs."""
    serves = threading.Event()
    said: list[bytes] = []

    def follow() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if b"Uvicorn running" in line:
                serves.set()

    threading.Thread(target=follow, daemon=True).start()
    assert serves.wait(START_SECONDS), b"".join(said[-20:])


@pytest.fixture
async def model(url: str) -> AsyncIterator[InferenceModel]:
    async with await gemma_chat.connect_server(url, api_key=KEY, context_size=CONTEXT) as model:
        yield model


async def test_it_says_what_the_model_says_and_remembers_the_conversation(
    model: InferenceModel,
) -> None:
    assert model.description.name == "SmolLM2-135M-Instruct.Q4_1"
    names = ("Alice", "Bob")
    sessions = {
        name: await model.open_session(temperature=0.0, max_output_tokens=12) for name in names
    }
    choice = SamplingSettings(temperature=0.0, grammar='root ::= "Alice" | "Bob"')
    for name, session in sessions.items():
        told = f"Hello, my name is {name}."
        assert len([piece async for piece in session.get_response_async(told)]) > 1
        session.settings = SessionSettings(sampling=choice)
    for name, session in sessions.items():
        assert await session.get_response("What is my name?") == name
        assert session.metrics.generated_tokens > 0


async def test_the_same_seed_gives_the_same_text_and_the_limit_holds(
    model: InferenceModel,
) -> None:
    texts = []
    for _ in range(2):
        session = await model.open_session(
            temperature=1.0, top_k=40, random_seed=7, max_output_tokens=4
        )
        texts.append(await session.get_response("Name an animal."))
        assert session.metrics.finish_reason == "length"
    assert texts[0] == texts[1]


async def test_tokens_are_counted_by_the_server(model: InferenceModel) -> None:
    assert model.description.token_counts == "exact"
    session = await model.open_session()
    assert session.size_in_tokens("hello world") == 2


async def test_stopping_ends_the_reply_and_the_next_turn_is_right(model: InferenceModel) -> None:
    session = await model.open_session(temperature=0.0)
    turn = session.start_turn("Count from 1 to 1000.")
    async for _ in turn:
        break
    turn.stop()
    result = await turn.finished()
    assert result.reason == "stopped"
    assert result.text
    other = await model.open_session(temperature=0.0, max_output_tokens=2)
    assert await other.get_response("Say hello.")


async def test_a_grammar_is_followed(model: InferenceModel) -> None:
    session = await model.open_session(grammar='root ::= "yes" | "no"', max_output_tokens=4)
    assert await session.get_response("Is the sea wet?") in ("yes", "no")


async def test_a_message_that_does_not_fit_is_an_overflow(url: str) -> None:
    # The server is believed to have more room than it has, so that it is the one to refuse.
    async with await gemma_chat.connect_server(url, api_key=KEY, context_size=8192) as model:
        session = await model.open_session(max_output_tokens=4)
        with pytest.raises((ContextOverflowError, ServerError), match=r"http://127\.0\.0\.1"):
            await session.get_response("word " * 2000)


async def test_a_wrong_key_is_refused(url: str) -> None:
    with pytest.raises(ServerError, match="refuses the API key"):
        await gemma_chat.connect_server(url, api_key="wrong")
    with pytest.raises(ServerError, match="wants an API key"):
        await gemma_chat.connect_server(url)
