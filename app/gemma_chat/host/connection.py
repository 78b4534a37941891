"""One client of the host: greeting, requests in order, and an outbox that never blocks the host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from gemma_chat.errors import GemmaChatError, ProtocolError
from gemma_chat.host.framing import MessageDecoder, encode_frame, read_payload
from gemma_chat.host.lock_board import Order, order_of
from gemma_chat.host.outbox import Outbox, Outgoing
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    AsideChanged,
    Event,
    Failed,
    FromClient,
    Hello,
    LockChanged,
    Refused,
    Reply,
    Request,
    TurnText,
    Welcome,
)

HELLO_SECONDS: Final = 10.0
LEAVING: Final = "The host is leaving."
TEXT_INTERVAL: Final = 1 / 30 if (os.cpu_count() or 1) > 2 else 1 / 7
"""Text of replies is collected this long, so that a terminal draws at most so often.

A terminal that draws takes a core from the threads that compute, and all of them wait for the one
that is held up: on two cores 30 frames a second cost a fifth of the tokens. Keys are echoed at
once in any case.
"""
READERS_AT_FULL_PACE: Final = 4 * (os.cpu_count() or 1)
"""Of more terminals than this each draws more seldom, so that all together cost no more."""
_GOLDEN_RATIO: Final = 0.618034
"""Its multiples are spread evenly between whole numbers, however many there are."""
_WRITE_BUFFER_BYTES: Final = 256 * 1024

_decoder: Final = MessageDecoder[FromClient](FromClient)
_log = logging.getLogger(__name__)


def text_interval(readers: int) -> float:
    """How long text is collected for each of so many clients, in seconds."""
    return TEXT_INTERVAL * max(1.0, readers / READERS_AT_FULL_PACE)


def seconds_to_wait(now: float, interval: float, place: float) -> float:
    """How long until it is a client's turn: once in `interval`, at its place (0 to 1) therein.

    Were all served at once, all would draw at once, and each of them would wait for the others
    before it shows the next key.
    """
    return interval - (now - place * interval) % interval if interval > 0 else 0.0


class _Numbered(msgspec.Struct):
    """As much of a request as is needed to say that the rest is wrong."""

    id: int


_number_decoder: Final = msgspec.msgpack.Decoder(_Numbered)


class Answers(Protocol):
    """What stands behind the connections."""

    async def answer(self, request: Request, asker: int) -> Reply:
        """Carry `request` of the client with pid `asker` out. Never raises `GemmaChatError`."""

    def snapshot(self) -> Iterable[Event]:
        """The events that tell a client the whole state."""

    async def left(self, client: int) -> None:
        """The last connection of the client with this pid has ended. Never raises."""


class Connection:
    """The host's end of one connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: Answers,
        program: str,
        *,
        number: int,
        readers: Callable[[], int],
        is_leaving: Callable[[], bool],
    ) -> None:
        """`number` is another for each connection; `readers` tells how many clients there are.

        While the host `is_leaving` nobody is accepted.
        """
        self._is_leaving = is_leaving
        self._place = number * _GOLDEN_RATIO % 1
        self._readers = readers
        self._reader = reader
        self._writer = writer
        self._answers = answers
        self._program = program
        self._outbox = Outbox(answers.snapshot)
        self._filled = asyncio.Event()
        self._pressing = asyncio.Event()
        """Something waits that cannot be collected."""
        self._order: Order | None = None
        self._emptied = asyncio.Event()
        self._finishing = False
        self._pid = 0
        writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    @property
    def accepted(self) -> bool:
        """Whether the greeting is done."""
        return self._pid != 0

    @property
    def peer(self) -> int:
        """The client's pid as it gave it, or 0 before the greeting."""
        return self._pid

    def event(self, event: Event) -> None:
        """Send `event` when the client can take it; never waits."""
        if self.accepted:
            self._outbox.event(event)
            self._filled.set()
            if not self._can_be_collected(event):
                self._pressing.set()

    def finish(self) -> None:
        """End the connection as soon as what waits has been sent."""
        self._finishing = True
        self._filled.set()
        self._pressing.set()

    async def refuse(self, reason: str, *, leaving: bool = False) -> None:
        """Tell the client, once it has greeted, why it is not served."""
        # Closing while its greeting is unread would reset the connection and lose the reason.
        if await self._hello() is not None:
            await self._refuse(reason, leaving=leaving)

    async def _refuse(self, reason: str, *, leaving: bool) -> None:
        refused = Refused(version=PROTOCOL_VERSION, reason=reason, leaving=leaving)
        self._writer.write(encode_frame(refused))
        await self._writer.drain()

    async def serve(self, on_accepted: Callable[[], None]) -> None:
        """Greet, then answer requests until either side ends the connection.

        Raises `ProtocolError` when the client sends what is not a message, and `OSError` when the
        connection breaks.
        """
        if not await self._greet():
            return
        on_accepted()
        sending = asyncio.create_task(self._send(), name=f"send-to-{self._pid}")
        receiving = asyncio.create_task(self._receive(), name=f"serve-{self._pid}")
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            receiving.cancel()
            outcomes = await asyncio.gather(sending, receiving, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _hello(self) -> Hello | None:
        """The client's greeting, or `None` when it has gone without one."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                payload = await read_payload(self._reader)
        except TimeoutError:
            raise ProtocolError(f"No greeting within {HELLO_SECONDS:.0f} seconds.") from None
        if payload is None:
            return None
        hello = _decoder.decode(payload)
        if not isinstance(hello, Hello):
            raise ProtocolError(f"The first message was {type(hello).__name__}, not a greeting.")
        return hello

    async def _greet(self) -> bool:
        hello = await self._hello()
        if hello is None:
            return False
        if hello.version != PROTOCOL_VERSION:
            await self._refuse(
                f"The host speaks protocol {PROTOCOL_VERSION}, {hello.program[:80]} speaks "
                f"{hello.version}. End the host with `gemma-chat host stop` and start again.",
                leaving=False,
            )
            return False
        if self._is_leaving():
            await self._refuse(LEAVING, leaving=True)
            return False
        try:
            state = tuple(self._answers.snapshot())
        except GemmaChatError as error:
            await self._refuse(str(error), leaving=False)
            return False
        self._pid = hello.pid if hello.pid > 0 else 1
        welcome = Welcome(version=PROTOCOL_VERSION, program=self._program, pid=os.getpid())
        for message in (welcome, *state):
            self._writer.write(encode_frame(message))
        return True

    async def _receive(self) -> None:
        while (payload := await read_payload(self._reader)) is not None:
            self._outbox.reply(await self._answer(payload))
            self._filled.set()
            self._pressing.set()
            # The next request waits until this reply is out: a client that only asks and never
            # reads fills no memory here.
            self._emptied.clear()
            await self._emptied.wait()

    async def _answer(self, payload: bytes) -> Reply:
        try:
            message = _decoder.decode(payload)
        except ProtocolError as error:
            return Failed(_number_of(payload, error), str(error))
        if isinstance(message, Hello):
            raise ProtocolError("The client greeted twice.")
        try:
            return await self._answers.answer(message, self._pid)
        except Exception:
            _log.exception("%s failed", type(message).__name__)
            return Failed(
                message.id,
                f"The host could not carry out {type(message).__name__}; `gemma-chat host log` "
                "says why.",
            )

    async def _send(self) -> None:
        while True:
            await self._filled.wait()
            await self._collect()
            self._filled.clear()
            self._pressing.clear()
            await self._write(self._outbox.take())
            self._emptied.set()
            if self._finishing and not self._outbox:
                return

    async def _write(self, messages: Iterable[Outgoing]) -> None:
        """Send what belongs together in one go: the client draws once for all of it."""
        frames: list[bytes] = []
        size = 0
        for message in messages:
            frames.append(_frame(message))
            size += len(frames[-1])
            if size >= _WRITE_BUFFER_BYTES:
                await self._flush(frames)
                size = 0
        await self._flush(frames)

    async def _flush(self, frames: list[bytes]) -> None:
        self._writer.write(b"".join(frames))
        frames.clear()
        await self._writer.drain()

    async def _collect(self) -> None:
        """Give what waits a moment to become more, unless something cannot wait."""
        now = asyncio.get_running_loop().time()
        wait = seconds_to_wait(now, text_interval(self._readers()), self._place)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._pressing.wait()

    def _can_be_collected(self, event: Event) -> bool:
        """Whether more of the same will follow: of a reply, or of the figures of the lock."""
        if isinstance(event, LockChanged):
            before, self._order = self._order, order_of(event.lock)
            return self._order == before
        return isinstance(event, TurnText | AsideChanged)


def _frame(message: Outgoing) -> bytes:
    try:
        return encode_frame(message)
    except ProtocolError as error:
        number = getattr(message, "id", None)
        if number is None:
            raise
        return encode_frame(Failed(number, str(error)))


def _number_of(payload: bytes, error: ProtocolError) -> int:
    """The number of a request that is wrong otherwise; raises `error` when there is none."""
    try:
        return _number_decoder.decode(payload).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise error from None
