"""The faults: what strikes the machine, at a random moment, while people work with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from tests.faults.machine import Machine, Talker, looked_at_until
from tests.faults.talker import Say
from tests.ui.pty_terminal import PtyTerminal

from gemma_chat.errors import HostError
from gemma_chat.host.framing import encode_frame, read_payload
from gemma_chat.host.protocol import PROTOCOL_VERSION, GetStatus, Hello, SendMessage
from gemma_chat.host.status import stop_host

Stroke = Callable[[Machine], Awaitable[None]]

KILLS: Final = (signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGILL)


async def a_moment(machine: Machine, most: float = 0.8) -> None:
    """Let some time go by."""
    await asyncio.sleep(machine.random.uniform(0.0, most))


# ---------------------------------------------------------------- the host


async def kill_host(machine: Machine) -> None:
    """The host dies, by a signal from outside or as native code does."""
    await a_moment(machine)
    machine.signal_host(machine.random.choice(KILLS))


async def kill_host_again(machine: Machine) -> None:
    """The host dies, and its successor does while it starts or loads."""
    await kill_host(machine)
    await machine.another_host(machine.host)
    await a_moment(machine, 0.5)
    machine.signal_host(signal.SIGKILL)


async def pause_host(machine: Machine) -> None:
    """The host stands still for a while; sometimes it dies while it does."""
    await a_moment(machine)
    host = machine.signal_host(signal.SIGSTOP)
    await a_moment(machine, 1.5)
    if machine.random.random() < 0.3:
        machine.signal_host(signal.SIGKILL)
    elif host:
        with contextlib.suppress(ProcessLookupError):
            os.kill(host, signal.SIGCONT)


async def restart_host(machine: Machine) -> None:
    """Somebody ends the host in the middle of everything, and starts it again."""
    await a_moment(machine)
    machine.say("gemma-chat host stop")
    stopped = machine.host
    with contextlib.suppress(HostError):
        await stop_host(machine.paths)
    await looked_at_until(
        lambda: machine.link.state.phase == "failed" or machine.host not in (0, stopped),
        seconds=20,
    )
    machine.link.retry()


# ---------------------------------------------------------------- terminals


async def kill_terminal(machine: Machine) -> None:
    """A terminal dies while it is at work; another one comes in its place."""
    talker = await _some_talker(machine)
    await _let_it_talk(machine, talker)
    await a_moment(machine, 0.4)
    machine.say(f"SIGKILL to terminal {talker.process.pid}")
    await talker.close()
    machine.talkers.remove(talker)


async def freeze_terminal(machine: Machine) -> None:
    """A terminal reads nothing for a while; sometimes for ever."""
    talker = await _some_talker(machine)
    await _let_it_talk(machine, talker)
    talker.signal(signal.SIGSTOP)
    machine.say(f"SIGSTOP to terminal {talker.process.pid}")
    await a_moment(machine, 1.5)
    if machine.random.random() < 0.3:
        await talker.close()
        machine.talkers.remove(talker)
    else:
        talker.signal(signal.SIGCONT)


async def kill_program(machine: Machine) -> None:
    """A whole `gemma-chat` on a terminal of its own dies, or its line drops."""
    environment = {"GEMMA_CHAT_HOME": str(machine.home)}
    code = (
        "import sys; from gemma_chat.cli.main import main; "
        f"sys.argv = ['gemma-chat', '--model', {str(machine.model)!r}]; main()"
    )
    program = PtyTerminal(code, environment, (100, 30))
    try:
        await asyncio.to_thread(program.until, "ctrl+j new line")
        await a_moment(machine)
        victims = [program.pid, *program.children()]
        number = machine.random.choice((signal.SIGKILL, signal.SIGHUP))
        victim = machine.random.choice(victims)
        machine.say(f"{number.name} to {victim} of gemma-chat {program.pid}")
        program.signal(number, victim)
        await asyncio.to_thread(program.wait)
    finally:
        program.close()


async def _some_talker(machine: Machine) -> Talker:
    if not machine.talkers:
        machine.talkers.append(await Talker.start(machine))
    return machine.random.choice(machine.talkers)


async def _let_it_talk(machine: Machine, talker: Talker) -> None:
    tab = await machine.tab()
    if tab is not None:
        machine.touched.add(tab)
        talker.say(Say(tab, machine.text()))


# ---------------------------------------------------------------- the disk


async def fill_disk(machine: Machine) -> None:
    """The disk is full for a while."""
    await a_moment(machine, 0.3)
    machine.say("the disk is full")
    machine.disk.fill(machine.host)
    await a_moment(machine, 1.5)
    machine.disk.make_room()
    machine.say("there is room on the disk")


async def kill_host_on_full_disk(machine: Machine) -> None:
    """The host dies while the disk is full, and has to start there."""
    await a_moment(machine, 0.3)
    machine.say("the disk is full")
    machine.disk.fill(machine.host)
    await a_moment(machine, 0.5)
    machine.signal_host(signal.SIGKILL)
    await a_moment(machine, 2.0)
    machine.disk.make_room()
    machine.say("there is room on the disk")


# ---------------------------------------------------------------- the socket


async def cut_socket(machine: Machine) -> None:
    """A connection breaks, often within a frame."""
    tab = await machine.tab()
    if tab is None:
        return
    text = machine.text()
    machine.touched.add(tab)
    machine.promises[tab].unsure.add(text)
    frame = encode_frame(SendMessage(1, tab, text))
    cut = machine.random.randint(1, len(frame))
    machine.say(f"{text!r} into {tab} is cut after {cut} of {len(frame)} bytes")
    await _whisper(machine, frame[:cut], greet=True)


async def send_rubbish(machine: Machine) -> None:
    """Bytes that are no message."""
    rubbish = machine.random.choice(
        (
            machine.random.randbytes(machine.random.randint(1, 4096)),
            struct.pack(">I", 0),
            struct.pack(">I", 0xFFFFFFFF) + b"x",
            struct.pack(">I", 5) + b"\xc1\xc1\xc1\xc1\xc1",
            encode_frame(GetStatus(2**63)),
            encode_frame(Hello(PROTOCOL_VERSION, "twice", 0)),
            struct.pack(">I", 40) + msgspec.msgpack.encode({"type": "send_message", "id": "x"}),
        )
    )
    machine.say(f"rubbish: {rubbish[:40]!r}")
    await _whisper(machine, rubbish, greet=machine.random.random() < 0.7)


async def _whisper(machine: Machine, last_words: bytes, *, greet: bool) -> None:
    """Connect, write, and go without reading an answer."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(machine.paths.socket))
    except OSError as error:
        machine.say(f"no connection: {error}")
        return
    with contextlib.suppress(OSError):
        if greet:
            writer.write(encode_frame(Hello(PROTOCOL_VERSION, "cut", os.getpid())))
            await read_payload(reader)
        writer.write(last_words)
        await writer.drain()
        await a_moment(machine, 0.1)
    writer.transport.abort()


STROKES: Final[dict[str, Stroke]] = {
    one.__name__: one
    for one in (
        kill_host,
        kill_host_again,
        pause_host,
        restart_host,
        kill_terminal,
        freeze_terminal,
        fill_disk,
        kill_host_on_full_disk,
        cut_socket,
        send_rubbish,
    )
}
"""What strikes in every run. In a long one `kill_program` joins in, and `strokes_in_mid_work`."""
