"""The socket: who gets in, what hostile clients can do, and readers that do not read."""

from __future__ import annotations

import asyncio
import socket
import stat
import struct
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from tests.host.rig import DEADLINE, Rig

from gemma_chat.errors import HostError
from gemma_chat.host import client as client_module
from gemma_chat.host import connection, outbox, server
from gemma_chat.host.client import HostAbsentError, HostClient, HostRefusedError
from gemma_chat.host.framing import MessageDecoder, encode_frame, read_payload
from gemma_chat.host.peer import Peer
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    Done,
    Failed,
    FromHost,
    GetStatus,
    Hello,
    Leaving,
    MessageChanged,
    Notice,
    OpenSession,
    Refused,
    SaveDraft,
    Snapshot,
    Status,
    Welcome,
)

decoder: MessageDecoder[FromHost] = MessageDecoder(FromHost)


class RawClient:
    """Speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, rig: Rig) -> RawClient:
        return cls(*await asyncio.open_unix_connection(str(rig.socket), limit=1 << 20))

    @classmethod
    async def greeted(cls, rig: Rig) -> RawClient:
        client = await cls.connect(rig)
        client.writer.write(encode_frame(Hello(PROTOCOL_VERSION, "raw", 4711)))
        assert isinstance(await client.read(), Welcome)
        assert isinstance(await client.read(), Snapshot)
        return client

    async def read(self) -> FromHost | None:
        async with asyncio.timeout(DEADLINE):
            payload = await read_payload(self.reader)
        return None if payload is None else decoder.decode(payload)

    async def read_until_end(self) -> list[FromHost]:
        messages = []
        while (message := await self.read()) is not None:
            messages.append(message)
        self.writer.close()
        return messages


def framed(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


async def still_serves(rig: Rig) -> bool:
    terminal = await rig.connect()
    return isinstance(await terminal.client.request(GetStatus(0)), Status)


async def test_the_socket_is_for_this_user_only(rig: Rig) -> None:
    assert stat.S_IMODE(rig.socket.stat().st_mode) == 0o600


async def test_another_user_is_turned_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "peer_of", lambda _: Peer(1, 4_000_000_000))
    with pytest.raises(HostRefusedError, match="another user"):
        await HostClient.connect(rig.socket)


async def test_more_clients_than_allowed_are_turned_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CLIENTS", 2)
    for _ in range(2):
        await rig.connect()
    with pytest.raises(HostRefusedError, match="close one"):
        await HostClient.connect(rig.socket)


@pytest.mark.parametrize(("version", "older"), [(0, "raw speaks 0"), (99, "raw speaks 99")])
async def test_another_version_is_refused_with_the_hosts_own(
    rig: Rig, version: int, older: str
) -> None:
    client = await RawClient.connect(rig)
    client.writer.write(encode_frame(Hello(version, "raw", 1)))
    [refused] = await client.read_until_end()
    assert isinstance(refused, Refused)
    assert refused.version == PROTOCOL_VERSION
    assert older in refused.reason


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        framed(b"\xc1"),
        framed(b"\x91" * 50_000),
        framed(msgspec.msgpack.encode({"type": "hello"})),
        encode_frame(GetStatus(1)),
        encode_frame(Hello(PROTOCOL_VERSION, "raw", 1))[:9],
        b"",
    ],
    ids=["http", "nothing", "4GB", "type", "deep", "fields", "request", "cut", "silent"],
)
async def test_who_does_not_greet_is_cut_off_and_nobody_else_notices(
    rig: Rig, greeting: bytes
) -> None:
    client = await RawClient.connect(rig)
    client.writer.write(greeting)
    client.writer.write_eof()
    assert await client.read_until_end() == []
    assert await still_serves(rig)


def test_many_terminals_together_draw_no_more_often_than_a_few() -> None:
    few = connection.READERS_AT_FULL_PACE
    assert connection.text_interval(1) == connection.text_interval(few) == connection.TEXT_INTERVAL
    frames = [count / connection.text_interval(count) for count in (few, 2 * few, 5 * few)]
    assert frames == pytest.approx([frames[0]] * 3)


def test_terminals_take_turns_in_being_told_of_text() -> None:
    waits = [connection.seconds_to_wait(100.0, 0.3, place) for place in (0.0, 0.25, 0.5, 0.75)]
    gaps = [later - earlier for earlier, later in pairwise(sorted(waits))]
    assert gaps == pytest.approx([0.075] * 3)
    assert all(0 < wait <= 0.3 for wait in waits)
    for place, wait in zip((0.0, 0.25, 0.5, 0.75), waits, strict=True):
        again = connection.seconds_to_wait(100.0 + wait + 0.001, 0.3, place)
        assert again == pytest.approx(0.299)


async def test_who_connects_and_says_nothing_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HELLO_SECONDS", 0.01)
    client = await RawClient.connect(rig)
    assert await client.read_until_end() == []


@pytest.mark.parametrize(
    "damage",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        framed(b"\xc1"),
        framed(msgspec.msgpack.encode({"type": "save_draft"})),
        framed(msgspec.msgpack.encode([1])),
        encode_frame(Hello(PROTOCOL_VERSION, "again", 1)),
    ],
    ids=["empty", "4GB", "type", "no-number", "array", "hello"],
)
async def test_a_damaged_frame_ends_that_connection_only(rig: Rig, damage: bytes) -> None:
    other = await rig.connect()
    client = await RawClient.greeted(rig)
    client.writer.write(damage)
    await client.read_until_end()
    assert isinstance(await other.client.request(GetStatus(0)), Status)


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "no_such_request", "id": 5},
        {"type": "save_draft", "id": 5},
        {"type": "save_draft", "id": 5, "session": "one", "text": ""},
        {"type": "open_session", "id": 5, "settings": {"sampling": {"temperature": "hot"}}},
        {"type": "open_session", "id": 5, "settings": {"colour": "blue"}},
        {"type": "welcome", "id": 5},
    ],
    ids=["unknown", "missing", "kind", "setting", "surplus", "host's own"],
)
async def test_a_wrong_request_is_answered_and_the_connection_stays(
    rig: Rig, request_: dict[str, object]
) -> None:
    client = await RawClient.greeted(rig)
    client.writer.write(framed(msgspec.msgpack.encode(request_)))
    while not isinstance(failed := await client.read(), Failed):
        assert failed is not None
    assert failed.id == 5
    assert "could not be read" in failed.error
    client.writer.write(encode_frame(GetStatus(6)))
    while not isinstance(status := await client.read(), Status):
        assert status is not None
    client.writer.close()


async def test_an_unforeseen_error_is_answered_and_logged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    terminal = await rig.connect()
    monkeypatch.setattr(rig.store, "create", fail)
    with pytest.raises(HostError, match="`gemma-chat host log` says why"):
        await terminal.client.request(OpenSession(0))
    assert isinstance(await terminal.client.request(GetStatus(0)), Status)


async def test_a_client_that_breaks_off_in_mid_frame_is_forgotten(rig: Rig) -> None:
    client = await RawClient.greeted(rig)
    await rig.clients(1)
    client.writer.write(encode_frame(SaveDraft(1, 1, "x" * 1000))[:500])
    client.writer.close()
    await client.writer.wait_closed()
    await rig.clients(0)


async def test_a_reader_that_does_not_read_holds_nobody_up_and_gets_a_snapshot(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING_CHARACTERS", 100_000)
    sleeper = socket.socket(socket.AF_UNIX)
    sleeper.setblocking(False)
    sleeper.connect(str(rig.socket))
    sleeper.send(encode_frame(Hello(PROTOCOL_VERSION, "sleeper", 7)))
    terminal = await rig.connect()
    tab = await terminal.open()
    for turn in range(1, 41):
        await terminal.ask(tab, f"{turn}" + "x" * 20_000)
    await terminal.order((0, 0))
    [awake] = [one for one in rig.server._connections if one.peer == 7]
    assert len(awake._outbox._waiting) <= outbox.MAX_WAITING_EVENTS

    reader, writer = await asyncio.open_unix_connection(sock=sleeper)
    client = RawClient(reader, writer)
    snapshots = 0
    while snapshots < 2:
        message = await client.read()
        assert message is not None
        snapshots += isinstance(message, Snapshot)
        assert not (isinstance(message, MessageChanged) and message.turn == 40)
    assert isinstance(message, Snapshot)
    assert message.sessions[0].turn == 40
    writer.close()


async def test_a_client_that_only_asks_and_never_reads_is_not_served_further(rig: Rig) -> None:
    sleeper = socket.socket(socket.AF_UNIX)
    sleeper.setblocking(False)
    sleeper.connect(str(rig.socket))
    sleeper.send(encode_frame(Hello(PROTOCOL_VERSION, "sleeper", 7)))
    sent = 0
    for number in range(100_000):
        try:
            sent += sleeper.send(encode_frame(GetStatus(number)))
        except BlockingIOError:
            break
        await asyncio.sleep(0)
    assert await still_serves(rig)
    sleeper.close()


async def test_leaving_is_told_to_everybody_and_ends_every_connection(rig: Rig) -> None:
    terminals = [await rig.connect() for _ in range(3)]
    await rig.server.close("it was told to stop.")
    for terminal in terminals:
        assert (await terminal.seen(Leaving)).reason == "it was told to stop."
        assert "ended the connection" in str(await terminal.client.ended())
    assert not rig.socket.exists()
    with pytest.raises(HostAbsentError):
        await HostClient.connect(rig.socket)


async def test_who_greets_when_the_host_is_leaving_is_sent_to_its_successor(rig: Rig) -> None:
    client = await RawClient.connect(rig)
    # Accepted in the order in which they come.
    await rig.connect()
    rig.server.stop_accepting()
    client.writer.write(encode_frame(Hello(PROTOCOL_VERSION, "late", 7)))
    [refused] = await client.read_until_end()
    assert isinstance(refused, Refused)
    assert refused.leaving


async def test_who_greets_while_the_database_cannot_be_read_is_told_why(rig: Rig) -> None:
    rig.store.close()
    with pytest.raises(HostRefusedError, match=r"conversations\.db"):
        await rig.connect()


async def test_a_listener_that_fails_does_not_end_the_connection(rig: Rig) -> None:
    def fail(event: object) -> None:
        raise RuntimeError("boom")

    client = await HostClient.connect(rig.socket, listener=fail)
    assert isinstance(await client.request(GetStatus(0)), Status)
    await client.close()


async def test_events_can_be_iterated(rig: Rig) -> None:
    client = await HostClient.connect(rig.socket)
    rig.server.publish(Notice("warning", "look"))
    seen = []
    async for event in client.events():
        seen.append(event)
        if isinstance(event, Notice):
            await client.close()
    assert isinstance(seen[0], Snapshot)
    assert seen[-1] == Notice("warning", "look")


async def test_requests_on_a_closed_connection_fail_with_a_sentence(rig: Rig) -> None:
    terminal = await rig.connect()
    await terminal.close()
    await terminal.close()
    with pytest.raises(HostError, match="closed"):
        await terminal.client.request(GetStatus(0))


async def test_many_requests_at_once_each_get_their_own_reply(rig: Rig) -> None:
    terminal = await rig.connect()
    opened = await asyncio.gather(*(terminal.open(f"tab {n}") for n in range(20)))
    assert [terminal.tabs[tab].title for tab in opened] == [f"tab {n}" for n in range(20)]


async def test_a_given_up_request_does_not_disturb_the_next(rig: Rig) -> None:
    terminal = await rig.connect()
    asking = asyncio.create_task(terminal.client.request(GetStatus(0)))
    await asyncio.sleep(0)
    asking.cancel()
    assert isinstance(await terminal.client.request(SaveDraft(0, await terminal.open(), "")), Done)


class Impostor:
    """Something on the socket that is not a host of this version."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_payload(reader)
        writer.write(self._answer)
        writer.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (encode_frame(Refused(PROTOCOL_VERSION + 1, "no")), "This gemma-chat is older"),
        (encode_frame(Refused(PROTOCOL_VERSION - 1, "no")), "The running host is older"),
        (encode_frame(Refused(PROTOCOL_VERSION, "Too many.")), "Too many."),
        (encode_frame(Done(1)), "greeted with Done"),
        (framed(b"\xc1"), "could not be read"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "was announced"),
        (b"\0\0\0\x09abc", "of a frame"),
        (b"", "left before it answered"),
    ],
)
async def test_an_answer_to_the_greeting_that_is_no_welcome_is_a_sentence(
    tmp_path: Path, answer: bytes, sentence: str
) -> None:
    path = tmp_path / "x.sock"
    async with await asyncio.start_unix_server(Impostor(answer), str(path)):
        with pytest.raises(HostError, match=sentence):
            await HostClient.connect(path)


async def test_a_host_that_answers_nothing_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "HANDSHAKE_SECONDS", 0.01)
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(HostError, match="did not answer"):
            await HostClient.connect(path)


@pytest.mark.parametrize("name", ["absent", "file", "folder", "x" * 200])
async def test_a_path_that_is_no_socket_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostError):
        await HostClient.connect(tmp_path / name)


async def test_requests_in_flight_fail_when_the_host_dies(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_payload(reader)
        writer.write(encode_frame(Welcome(PROTOCOL_VERSION, "x", 1)))
        await read_payload(reader)
        writer.transport.abort()

    async with await asyncio.start_unix_server(die, str(path)):
        client = await HostClient.connect(path)
        with pytest.raises(HostError, match=r"ended the connection|broke"):
            await client.request(GetStatus(0))
        await client.close()
