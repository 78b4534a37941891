"""One connection to a running host: the handshake, requests with their replies, and events.

Nothing heavy is imported here: the shell command and the first paint of the terminal depend on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from gemma_chat.errors import GemmaChatError, HostError, ProtocolError
from gemma_chat.host.framing import (
    STREAM_BUFFER_BYTES,
    MessageDecoder,
    encode_frame,
    read_payload,
    shut,
)
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    Context,
    Conversation,
    Conversations,
    Done,
    Event,
    Failed,
    Found,
    FromHost,
    Hello,
    Imported,
    Messages,
    ModelFacts,
    Models,
    Opened,
    Preview,
    Queued,
    Refused,
    Reply,
    Request,
    Status,
    Welcome,
)
from gemma_chat.host.requests import Requester
from gemma_chat.host.silence import Silence

PROGRAM: Final = "gemma-chat"
HANDSHAKE_SECONDS: Final = 10.0
GREETING_SECONDS: Final = 4.0
"""A host that has said nothing for a while and greets nobody within this does not answer."""

_decoder: Final = MessageDecoder[FromHost](FromHost)
_log = logging.getLogger(__name__)


class HostAbsentError(HostError):
    """Nobody listens on the socket: no host runs."""


class HostRefusedError(HostError):
    """The host answered `Refused`; `refused` is its answer."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(_refusal(refused))
        self.refused = refused


class HostClient(Requester):
    """A connection that the host has accepted. Made by `HostClient.connect`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        welcome: Welcome,
        listener: Callable[[Event], None] | None,
        greets: Callable[[], Awaitable[bool]],
    ) -> None:
        self.welcome = welcome
        """What the host said of itself: version, program and pid."""
        self.silence = Silence(greets)
        """Tells when the host owes an answer and answers nobody any more; requests wait on."""
        self._reader = reader
        self._writer = writer
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listener = listener or self._events.put_nowait
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._ended: HostError | None = None
        self._receiving = asyncio.create_task(self._receive(), name="host-client")

    @classmethod
    async def connect(
        cls,
        socket_path: Path,
        *,
        program: str = PROGRAM,
        listener: Callable[[Event], None] | None = None,
    ) -> HostClient:
        """Connect to the host that listens on `socket_path`.

        With a `listener`, every event is given to it as it arrives, in order with the replies;
        without one, read `events()`.

        Raises `HostAbsentError` when no host listens there, `HostRefusedError` when it does not
        want this client (another version; a store it cannot open), else `HostError`.
        """
        reader, writer = await _open(socket_path)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                welcome = await _shake_hands(reader, writer, program)
        except TimeoutError:
            await shut(writer)
            raise HostError(
                f"The host at {socket_path} did not answer within {HANDSHAKE_SECONDS:.0f} seconds. "
                "Stop it with `gemma-chat host stop` and try again."
            ) from None
        except BaseException:
            await shut(writer)
            raise
        return cls(reader, writer, welcome, listener, partial(_greets, socket_path))

    async def events(self) -> AsyncIterator[Event]:
        """All events from the first `Snapshot` on, until the connection ends. One reader only."""
        while (event := await self._events.get()) is not None:
            yield event

    async def ended(self) -> HostError:
        """Wait until the connection has ended, and return why."""
        await asyncio.wait([self._receiving])
        return self._ended or HostError("The connection to the host is closed.")

    async def close(self) -> None:
        """End the connection; requests without an answer fail. Twice is fine."""
        self.silence.close()
        self._receiving.cancel()
        await asyncio.wait([self._receiving])
        await shut(self._writer)

    async def _exchange(self, request: Request) -> Reply:
        if self._ended is not None:
            raise self._ended
        number = next(self._ids)
        frame = encode_frame(msgspec.structs.replace(request, id=number))
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            with self.silence.awaiting():
                self._writer.write(frame)
                await self._write_through()
                return await answer
        finally:
            del self._waiting[number]

    async def _write_through(self) -> None:
        # A broken connection is told by the receiving side, with the better sentence.
        with contextlib.suppress(OSError):
            await self._writer.drain()

    async def _receive(self) -> None:
        ended: HostError = HostError("The connection to the host is closed.")
        try:
            while (payload := await read_payload(self._reader)) is not None:
                self.silence.heard()
                self._deliver(_decoder.decode(payload))
            ended = HostError("The host has ended the connection.")
        except ProtocolError as error:
            ended = error
        except OSError as error:
            ended = HostError(f"The connection to the host broke: {error.strerror or error}.")
        finally:
            self._end(ended)

    def _end(self, reason: HostError) -> None:
        self._ended = reason
        self.silence.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(reason)
        self._events.put_nowait(None)
        self._writer.close()

    def _deliver(self, message: FromHost) -> None:
        match message:
            case (
                Done()
                | Failed()
                | Opened()
                | Queued()
                | Messages()
                | Status()
                | Conversations()
                | Conversation()
                | Found()
                | Imported()
                | Preview()
                | Context()
                | Models()
                | ModelFacts()
            ):
                answer = self._waiting.get(message.id)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case Welcome() | Refused():
                raise ProtocolError("The host sent a second greeting.")
            case _:
                try:
                    self._listener(message)
                except Exception:
                    _log.exception("the listener failed on %s", type(message).__name__)


async def _greets(socket_path: Path) -> bool:
    """Whether the host answers another client; one that has gone is no silent one."""
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            other = await HostClient.connect(socket_path)
    except TimeoutError:
        return False
    except (GemmaChatError, OSError):
        return True
    await other.close()
    return True


def unanswered(pid: int, command: str = PROGRAM) -> str:
    """What to tell a person when the host with this pid does not answer."""
    return (
        f"The host (pid {pid}) does not answer: it was stopped, or hangs. `kill -CONT {pid}` lets "
        f"a stopped one go on, `{command} host stop` ends it."
    )


async def _open(socket_path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(str(socket_path), limit=STREAM_BUFFER_BYTES)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise HostAbsentError(f"No host is running (nobody answers at {socket_path}).") from error
    except OSError as error:
        raise HostError(
            f"The host's socket {socket_path} cannot be used: {error.strerror or error}."
        ) from error


async def _shake_hands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, program: str
) -> Welcome:
    hello = Hello(version=PROTOCOL_VERSION, program=program, pid=os.getpid())
    try:
        writer.write(encode_frame(hello))
        await writer.drain()
        payload = await read_payload(reader)
    except OSError as error:
        raise HostAbsentError(f"The host left during the greeting: {error}.") from error
    if payload is None:
        raise HostAbsentError("The host left before it answered the greeting.")
    match _decoder.decode(payload):
        case Welcome() as welcome:
            return welcome
        case Refused() as refused:
            raise HostRefusedError(refused)
        case other:
            raise ProtocolError(f"The host greeted with {type(other).__name__}.")


def _refusal(refused: Refused) -> str:
    if refused.version > PROTOCOL_VERSION:
        return (
            f"This gemma-chat is older (protocol {PROTOCOL_VERSION}) than the running host "
            f"(protocol {refused.version}). Update gemma-chat, or end the host with "
            "`gemma-chat host stop` and start again."
        )
    if refused.version < PROTOCOL_VERSION:
        return (
            f"The running host is older (protocol {refused.version}) than this gemma-chat "
            f"(protocol {PROTOCOL_VERSION}). End it with `gemma-chat host stop` and start again; "
            "tabs and histories stay."
        )
    return refused.reason
