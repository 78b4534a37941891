"""Tokens are counted by the server, or estimated and said to be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.remote.conftest import connected
from tests.remote.scripted import DEADLINE, ScriptedServer, refuse

from gemma_chat.engine.interface import ChatMessage
from gemma_chat.remote import tokens, wire
from gemma_chat.remote.engine import RemoteEngine
from gemma_chat.remote.tokens import TokenEstimate

TEXT = "The sea is the sum of all the rivers that ran into it. " * 10


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """By which a server is waited for; it is looked at ten times a second."""
    clock = Clock()
    monkeypatch.setattr(tokens, "COUNT_SECONDS", 0.1)
    monkeypatch.setattr(wire, "monotonic", clock)
    return clock


@pytest.fixture
def counting(server: ScriptedServer, clock: Clock) -> RemoteEngine:
    """On a server that counts as `llama_cpp.server` does."""
    server.answers["/v1/models"] = refuse(200, {"data": [{"id": "m", "owned_by": "me"}]})
    server.answers["/extras/tokenize/count"] = refuse(200, {"count": 120})
    return connected(server)


def test_a_text_is_counted_once(server: ScriptedServer, counting: RemoteEngine) -> None:
    assert [counting.count_tokens(TEXT) for _ in range(3)] == [120] * 3
    assert counting.count_tokens("") == 0
    assert len([one for one in server.requests if one.path == "/extras/tokenize/count"]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        refuse(500, {"error": "x"}),
        refuse(200, {"count": -1}),
        refuse(200, {"count": "many"}),
        refuse(200, []),
        lambda line, request: line.gone() and None,
        lambda line, request: line.send(b"nonsense"),
    ],
)
def test_a_count_that_does_not_come_is_estimated_and_not_asked_for_at_once_again(
    server: ScriptedServer, counting: RemoteEngine, clock: Clock, answer: object
) -> None:
    server.answers["/extras/tokenize/count"] = answer
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(counting.count_tokens, TEXT)
        server.wait_until(lambda: server.requests[-1].path == "/extras/tokenize/count")
        clock.now += 1.0
        assert 100 < counted.result(DEADLINE) < 300
    asked = len(server.requests)
    assert counting.count_tokens("another text") == 4
    assert len(server.requests) == asked


def test_an_estimate_is_learned_from_what_the_server_counts() -> None:
    messages = [ChatMessage("user", TEXT)]
    estimate = TokenEstimate()
    first = estimate.of_messages(messages)
    for _ in range(30):
        estimate.learn(messages, 130)
    assert first > 180
    assert 130 <= estimate.of_messages(messages) < 145


def test_nonsense_is_not_learned() -> None:
    messages = [ChatMessage("user", TEXT)]
    estimate = TokenEstimate()
    for count in (0, -5, 1):
        estimate.learn(messages, count)
    estimate.learn([ChatMessage("user", "short")], 1_000_000)
    assert estimate.of_messages(messages) == TokenEstimate().of_messages(messages)
    estimate.learn(messages, 10**9)
    assert estimate.of_text(TEXT) < 2 * len(TEXT)


def test_thinking_calls_and_media_count() -> None:
    estimate = TokenEstimate()
    plain = estimate.of_messages([ChatMessage("assistant", "a")])
    assert estimate.of_messages([ChatMessage("assistant", "a", thinking="b" * 300)]) >= plain + 90
    assert estimate.of_text("漢字" * 100) == 200
