"""Servers that are wrong in every way: a sentence with a remedy, and the next turn works again."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from tests.ports import free_port
from tests.remote.conftest import connected
from tests.remote.scripted import (
    DEADLINE,
    Line,
    Request,
    Script,
    ScriptedServer,
    delta,
    refuse,
    reply,
)

from gemma_chat.errors import ContextOverflowError, ServerError
from gemma_chat.remote import turn as turn_module
from gemma_chat.remote import wire
from gemma_chat.remote.address import ServerAddress
from gemma_chat.remote.engine import RemoteEngine
from gemma_chat.remote.events import MAX_EVENT_BYTES
from gemma_chat.remote.options import ServerOptions
from gemma_chat.remote.wire import Exchange, Patience, Question, TooSlowError
from gemma_chat.sessions.model import InferenceModel

KEY = "sk-very-secret"
DRIP = threading.Event()
"""Never set: waiting for it is a pause."""


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """By which it is judged how long a server says nothing."""
    clock = Clock()
    monkeypatch.setattr(wire, "monotonic", clock)
    return clock


@pytest.fixture
async def model(server: ScriptedServer) -> AsyncIterator[InferenceModel]:
    """A model on a server that is given a key."""
    async with InferenceModel(connected(server, api_key=KEY)) as model:
        yield model


@pytest.fixture
async def impatient(server: ScriptedServer, clock: Clock) -> AsyncIterator[InferenceModel]:
    """The same with little patience, by a clock that the test moves."""
    async with InferenceModel(connected(server, api_key=KEY, silence_seconds=0.5)) as model:
        yield model


def raw(data: bytes) -> Script:
    """Anything, HTTP or not."""
    return lambda line, request: line.send(data)


def streamed(*data: bytes) -> Script:
    """A stream of events that ends after these bytes."""

    def script(line: Line, request: Request) -> None:
        line.head()
        for piece in data:
            line.send(piece)

    return script


def page(line: Line, request: Request) -> None:
    line.head(200, "text/html")
    line.send(b"<html>Welcome</html>")


def chunked(line: Line, request: Request) -> None:
    """Cut in the middle of a chunk."""
    line.head(Transfer_Encoding="chunked")
    line.send(b"40\r\ndata: ")


def redirect(line: Line, request: Request) -> None:
    line.head(307, "text/plain", Location="http://evil.example/v1", Content_Length=0)


def too_many(line: Line, request: Request) -> None:
    line.head(429, "application/json", Retry_After="20", Content_Length=2)
    line.send(b"{}")


def silent(line: Line, request: Request) -> None:
    line.gone()


def slow_header(line: Line, request: Request) -> None:
    """A head that never ends, although bytes of it come all the time."""
    line.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while line.is_open:
        line.send(b"x")
        DRIP.wait(0.02)


def endless_line(line: Line, request: Request) -> None:
    line.head()
    line.send(b"data: " + b"x" * (MAX_EVENT_BYTES + 1))
    line.gone()


ANSWERS: list[tuple[str, Script, str]] = [
    ("401", refuse(401, {"error": {"message": "no"}}), "refuses the API key .*api_key_env.*no"),
    ("403", refuse(403, {"detail": "not you"}), "refuses the API key .* not you"),
    ("404", refuse(404, {"detail": "Not Found"}), "status 404.*server.url.*server.model"),
    ("429", too_many, "status 429.*max_parallel.* 20 seconds"),
    ("500", refuse(500, {"error": {"message": "out of memory"}}), "status 500.* out of memory"),
    ("503", refuse(503, {"error": {"message": "Loading model"}}), "not ready.* Loading model"),
    ("418", refuse(418, "teapot"), r"refuses the request \(status 418\).*teapot"),
    ("a redirect", redirect, "sends us to http://evil.example/v1"),
    ("a web page", page, "a web page instead of a chat.*path in server.url"),
    ("json", refuse(200, {"choices": []}), "application/json where a stream of events"),
    ("a json error", refuse(200, {"error": "no model"}), "answered with an error: no model"),
    ("no http", raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "not answer as a web server does.*https://"),
    ("nothing", raw(b""), "closed the connection without an answer"),
    ("half a head", raw(b"HTTP/1.1 200 OK\r\nContent-"), "ended its answer|stream of events"),
    ("a huge header", raw(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 99999), "web server"),
    ("a cut chunk", chunked, "in the middle of its answer"),
    ("an empty stream", streamed(), "ended its answer before the reply was finished"),
    ("no event", streamed(b": hello\n\n"), "ended its answer before"),
    ("a line without end", endless_line, "bytes without an end"),
    ("no chat", streamed(b"data: hello\n\n"), "sent 'hello' .*no part of a chat"),
    ("other json", streamed(b'data: {"a": 1}\n\n'), "neither choices nor usage"),
    ("deep json", streamed(b"data: " + b"[" * 100000 + b"\n\n"), "no part of a chat"),
    ("an error event", streamed(b'data: {"error": {"message": "gpu lost"}}\n\n'), "gpu lost"),
]


@pytest.mark.parametrize(
    ("script", "sentence"), [(s, w) for _, s, w in ANSWERS], ids=[name for name, *_ in ANSWERS]
)
async def test_a_wrong_answer_is_a_sentence_and_the_next_turn_works(
    server: ScriptedServer, model: InferenceModel, script: Script, sentence: str
) -> None:
    session = await model.open_session()
    server.chat = script
    with pytest.raises(ServerError, match=sentence) as refused:
        await session.get_response("Hello")
    assert server.url in str(refused.value)
    assert KEY not in str(refused.value)
    assert session.history == ()
    server.chat = reply("here again")
    assert await session.get_response("Hello") == "here again"


@pytest.mark.parametrize("script", [silent, slow_header])
async def test_a_server_that_says_nothing_is_given_up_and_the_next_turn_works(
    server: ScriptedServer, impatient: InferenceModel, clock: Clock, script: Script
) -> None:
    session = await impatient.open_session()
    server.chat = script
    turn = session.start_turn("Hello")
    await asyncio.to_thread(server.wait_until, lambda: server.open == 1)
    clock.now += 0.6
    with pytest.raises(ServerError, match=r"said nothing for 0\.5 seconds.*silence_seconds"):
        (await turn.finished()).text_or_raise()
    assert session.history == ()
    server.chat = reply("here again")
    assert await session.get_response("Hello") == "here again"


PARTIAL: list[tuple[str, Script]] = [
    ("between events", streamed(b'data: {"choices":[{"delta":{"content":"Ahoy"}}]}\n\n')),
    (
        "in a character",
        streamed(
            b'data: {"choices":[{"delta":{"content":"Ahoy"}}]}\n\n',
            'data: {"choices":[{"delta":{"content":"é'.encode()[:-1],
        ),
    ),
    (
        "by an error",
        streamed(
            b'data: {"choices":[{"delta":{"content":"Ahoy"}}]}\n\n',
            b'data: {"error":{"message":"gone"}}\n\n',
        ),
    ),
    (
        "by what is no event",
        streamed(b'data: {"choices":[{"delta":{"content":"Ahoy"}}]}\n\ndata: {]\n\n'),
    ),
]


@pytest.mark.parametrize("script", [s for _, s in PARTIAL], ids=[name for name, _ in PARTIAL])
async def test_a_reply_that_is_cut_off_is_kept_as_far_as_it_came(
    server: ScriptedServer, model: InferenceModel, script: Script
) -> None:
    session = await model.open_session()
    server.chat = script
    turn = session.start_turn("Hello")
    result = await turn.finished()
    assert (result.reason, result.text, result.kept) == ("failed", "Ahoy", True)
    assert isinstance(result.error, ServerError)
    assert [message.text for message in session.history] == ["Hello", "Ahoy"]
    server.chat = reply("more")
    assert await session.get_response("Go on") == "more"


async def test_silence_in_the_middle_of_a_reply_ends_it_and_keeps_what_came(
    server: ScriptedServer, impatient: InferenceModel, clock: Clock
) -> None:
    def script(line: Line, request: Request) -> None:
        line.head()
        line.says("Ahoy")
        line.gone()

    server.chat = script
    session = await impatient.open_session()
    turn = session.start_turn("Hello")
    async for _ in turn:
        clock.now += 0.6
    result = await turn.finished()
    assert (result.reason, result.text) == ("failed", "Ahoy")
    assert "said nothing for 0.5 seconds" in str(result.error)


STOP = delta(finish="stop")
NULLS = {"usage": None, "choices": []}
ENDS: dict[str, tuple[list[dict[str, object] | str], Literal["closes", "stays"]]] = {
    "done without a reason": (["[DONE]"], "closes"),
    "a reason without done": ([STOP], "closes"),
    "a reason and no end": ([STOP], "stays"),
    "done and no end": (["[DONE]"], "stays"),
    "a null usage": ([NULLS, STOP, "[DONE]"], "closes"),
}


@pytest.mark.parametrize(("events", "then"), ENDS.values(), ids=ENDS)
async def test_a_reply_that_ends_unusually_is_whole(
    server: ScriptedServer,
    model: InferenceModel,
    monkeypatch: pytest.MonkeyPatch,
    events: list[dict[str, object] | str],
    then: Literal["closes", "stays"],
) -> None:
    monkeypatch.setattr(turn_module, "USAGE_SECONDS", 0.1)

    def script(line: Line, request: Request) -> None:
        line.head()
        line.says("Ahoy")
        for event in events:
            line.event(event)
        if then == "stays":
            line.gone()

    server.chat = script
    session = await model.open_session()
    assert await session.get_response("Hello") == "Ahoy"
    assert session.metrics.finish_reason == "stop"


async def test_a_server_that_ignores_the_reply_limit_is_stopped_there(
    server: ScriptedServer, model: InferenceModel
) -> None:
    gone = threading.Event()

    def script(line: Line, request: Request) -> None:
        line.head()
        while line.is_open:
            line.says("word ")
        gone.set()

    server.chat = script
    session = await model.open_session(max_output_tokens=5)
    text = await session.get_response("Hello")
    assert text == "word " * 6
    assert session.metrics.finish_reason == "length"
    assert await asyncio.to_thread(gone.wait, DEADLINE)


async def test_pings_are_no_part_of_the_reply(
    server: ScriptedServer, model: InferenceModel
) -> None:
    def script(line: Line, request: Request) -> None:
        line.head()
        line.send(b": ping\n\n" * 8)
        line.says("at last")
        line.ends()

    server.chat = script
    session = await model.open_session()
    assert await session.get_response("Hello") == "at last"


def test_pings_keep_a_long_wait_alive(server: ScriptedServer, clock: Clock) -> None:
    ping, pings = b": ping\n\n", threading.Semaphore(0)

    def script(line: Line, request: Request) -> None:
        line.head()
        while line.is_open:
            pings.acquire()
            line.send(ping)

    server.chat = script
    question = Question(ServerAddress.parse(server.url), "POST", "/v1/chat/completions", body=b"{}")
    exchange = Exchange(question, Patience(DEADLINE, 0.5))
    while exchange.head is None:
        exchange.receive()
    for _ in range(8):
        clock.now += 0.4
        pings.release()
        assert exchange.receive() == ping
    clock.now += 0.6
    with pytest.raises(TooSlowError):
        exchange.receive()
    exchange.close()
    pings.release()


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"type": "exceed_context_size_error", "message": "too many tokens"}},
        {"error": {"code": "context_length_exceeded", "message": "too long"}},
        {"error": {"message": "Requested tokens (2000) exceed context window of 1024"}},
        {"object": "error", "message": "This model's maximum context length is 1024 tokens."},
    ],
)
async def test_a_conversation_that_is_too_long_for_the_server_is_an_overflow(
    server: ScriptedServer, model: InferenceModel, error: object
) -> None:
    server.chat = refuse(400, error)
    session = await model.open_session()
    with pytest.raises(ContextOverflowError, match=r"longer than its context"):
        await session.get_response("Hello")


async def test_the_key_is_sent_to_the_server_and_said_nowhere(
    server: ScriptedServer, model: InferenceModel, caplog: pytest.LogCaptureFixture
) -> None:
    session = await model.open_session()
    server.chat = refuse(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    with pytest.raises(ServerError, match=r"Incorrect API key provided: …") as refused:
        await session.get_response("Hello")
    assert server.chats[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(refused.value) + caplog.text + repr(ServerOptions(api_key=KEY))


async def test_a_key_does_not_follow_a_redirect(
    server: ScriptedServer, model: InferenceModel
) -> None:
    other = ScriptedServer()
    try:
        server.chat = lambda line, request: line.head(
            302, "text/plain", Location=f"{other.url}/v1/chat/completions"
        )
        session = await model.open_session()
        with pytest.raises(ServerError, match=r"set server.url to that address"):
            await session.get_response("Hello")
        assert other.requests == []
    finally:
        other.close()


async def test_control_characters_of_a_server_are_made_visible(
    server: ScriptedServer, model: InferenceModel
) -> None:
    server.chat = refuse(500, {"error": {"message": "\x1b[2J" + "x" * 10_000}})
    session = await model.open_session()
    with pytest.raises(ServerError) as refused:
        await session.get_response("Hello")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


async def test_a_server_that_goes_away_and_comes_back_answers_again() -> None:
    # While it is away nobody else is given its port.
    server = ScriptedServer(port=free_port())
    async with InferenceModel(connected(server)) as model:
        session, other = await model.open_session(), await model.open_session()
        server.chat = silent
        turn = session.start_turn("Hello")
        await asyncio.to_thread(server.wait_until, lambda: server.open == 1)
        server.close()
        with pytest.raises(ServerError, match=r"closed the connection"):
            (await turn.finished()).text_or_raise()
        with pytest.raises(ServerError, match=r"refuses connections.*Start it"):
            await other.get_response("Hello")
        again = ScriptedServer(port=server.port)
        try:
            assert await session.get_response("Hello") == "You said: Hello"
        finally:
            again.close()


def test_tls_where_there_is_none_and_none_where_there_is_tls(
    server: ScriptedServer, tls: ssl.SSLContext
) -> None:
    with pytest.raises(ServerError, match=r"does not speak TLS at this port.*http://"):
        RemoteEngine.connect(server.url.replace("http", "https"), ServerOptions())
    secure = ScriptedServer(tls=tls)
    try:
        with pytest.raises(ServerError, match=r"certificate that is not trusted.*SSL_CERT_FILE"):
            RemoteEngine.connect(secure.url, ServerOptions())
        with pytest.raises(ServerError, match=r"closed the connection|web server"):
            RemoteEngine.connect(secure.url.replace("https", "http"), ServerOptions())
    finally:
        secure.close()


def test_a_name_without_an_address_and_a_port_without_a_server() -> None:
    with pytest.raises(ServerError, match=r"http://no-such-host.invalid:8080 is not found"):
        RemoteEngine.connect("http://no-such-host.invalid:8080", ServerOptions())
    with socket.socket() as taken:
        # Nobody else gets the port, and nobody listens there.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"{port} refuses connections"):
            RemoteEngine.connect(f"http://127.0.0.1:{port}", ServerOptions())


def test_a_server_that_accepts_and_says_nothing_is_given_up(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"did not accept a connection within 0.2 seconds"):
            RemoteEngine.connect(url, ServerOptions(connect_seconds=0.2))
