"""A scripted server, and a model on it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.remote.scripted import DEADLINE, ScriptedServer

from gemma_chat.remote import discovery, tokens
from gemma_chat.remote.address import ServerAddress
from gemma_chat.remote.engine import RemoteEngine
from gemma_chat.remote.options import ServerOptions
from gemma_chat.sessions.model import InferenceModel


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of the tests may be as slow as the machine is."""
    monkeypatch.setattr(tokens, "COUNT_SECONDS", DEADLINE)
    monkeypatch.setattr(discovery, "_ANSWER_SECONDS", DEADLINE)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """It echoes, unless a test says otherwise."""
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture
async def model(server: ScriptedServer) -> AsyncIterator[InferenceModel]:
    """A model on `server`, which is given one turn at a time."""
    async with InferenceModel(connected(server)) as model:
        yield model


@pytest.fixture
def tls() -> ssl.SSLContext:
    """That of a server whose certificate nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("self-signed.pem"))
    return context


def connected(server: ScriptedServer, **options: float | str) -> RemoteEngine:
    """An engine on `server`."""
    return RemoteEngine.connect(server.url, ServerOptions(**options))


def address() -> ServerAddress:
    """A server that nobody asks."""
    return ServerAddress.parse("http://models.example:8080")
