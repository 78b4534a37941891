"""Faults that strike in the middle of something longer, and files that are not what they were."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import psutil
from tests.faults.hub import MODEL_FILE, REPOSITORY
from tests.faults.machine import Machine, Talker, looked_at_until
from tests.faults.strokes import Stroke, a_moment
from tests.faults.talker import Say

from gemma_chat.errors import HostError
from gemma_chat.host.lock_file import LockFile
from gemma_chat.host.protocol import BackUp, LoadModel, Request, StartDownload
from gemma_chat.store.copies import back_up

SWITCH_SECONDS: Final = 1.0
"""About as long as the model takes to load."""
DOWNLOAD_SECONDS: Final = 3.0
"""About as long as the process that downloads takes to begin."""


async def _quietly(machine: Machine, request: Request) -> None:
    try:
        await machine.link.request(request)
    except HostError as error:
        machine.say(f"{request}: {error}")


# ---------------------------------------------------------------- the host


async def kill_host_at_switch(machine: Machine) -> None:
    """The host dies while it loads another model, or has just done so."""
    machine.say("the model is loaded anew")
    asked = asyncio.create_task(_quietly(machine, LoadModel(0, str(machine.model))))
    await a_moment(machine, SWITCH_SECONDS)
    if machine.random.random() < 0.5:
        machine.signal_host(signal.SIGKILL)
    await asked


async def kill_host_at_backup(machine: Machine) -> None:
    """The host dies while it copies the database; what is there of the copy is a whole one.

    What is left of another is gone with the next copy into the same folder.
    """
    copy = machine.home / f"copy-{machine.random.getrandbits(32)}.db"
    asked = asyncio.create_task(_quietly(machine, BackUp(0, str(copy))))
    await a_moment(machine, 0.05)
    host = machine.signal_host(signal.SIGKILL)
    await asked
    # Until its starter has taken note of its death it counts as one that may write.
    await looked_at_until(lambda: not psutil.pid_exists(host))
    next_copy = copy.with_name(f"next-{copy.name}")
    await asyncio.to_thread(back_up, machine.paths.database, next_copy)
    assert not [file for file in machine.home.iterdir() if file.name.startswith(f".{copy.name}")]
    for whole in (copy, next_copy):
        if whole.exists():
            with closing(sqlite3.connect(whole)) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            whole.unlink()


async def kill_host_at_download(machine: Machine) -> None:
    """The host dies while a model comes from the hub; the next one goes on until it is whole."""
    hub = machine.hub
    if hub is None:
        machine.say("there is no hub")
        return
    wanted = hub.repositories[REPOSITORY][MODEL_FILE]
    hub.hold_after = machine.random.randrange(len(wanted))
    asked = asyncio.create_task(_quietly(machine, StartDownload(0, REPOSITORY)))
    await a_moment(machine, DOWNLOAD_SECONDS)
    host = machine.signal_host(signal.SIGKILL)
    await asked
    hub.release()
    await looked_at_until(lambda: machine.link.host_pid not in (0, host))
    # Where the host died before it had noted what was asked of it, nobody was told that it had.
    await _quietly(machine, StartDownload(0, REPOSITORY))
    folder = machine.paths.models_dir / REPOSITORY.replace("/", "--")
    came = folder / MODEL_FILE
    await looked_at_until(came.exists)
    assert came.read_bytes() == wanted
    came.unlink()


async def kill_host_while_two_type(machine: Machine) -> None:
    """Several terminals send into one tab, and the host dies in the middle of it."""
    if not machine.talkers:
        machine.talkers.append(await Talker.start(machine))
    tab = await machine.tab()
    if tab is None:
        return
    machine.touched.add(tab)
    for talker in machine.talkers:
        for _ in range(3):
            talker.say(Say(tab, machine.text()))
    sending = [asyncio.create_task(machine.send(tab)) for _ in range(3)]
    await a_moment(machine, 0.05)
    machine.signal_host(signal.SIGKILL)
    await asyncio.gather(*sending)


async def freeze_starters(machine: Machine) -> None:
    """The host dies, and the terminals that could start the next one stand still."""
    if not machine.talkers:
        machine.talkers.append(await Talker.start(machine))
    machine.signal_host(signal.SIGKILL)
    await a_moment(machine, 0.3)
    for talker in machine.talkers:
        talker.signal(signal.SIGSTOP)
    machine.say("SIGSTOP to all other terminals")
    await a_moment(machine, 1.5)


async def stop_host_while_it_hangs(machine: Machine) -> None:
    """Somebody ends a host that stands still, with whatever it was doing."""
    await a_moment(machine, 0.5)
    host = machine.signal_host(signal.SIGSTOP)
    await a_moment(machine, 0.3)
    if host:
        for number in (signal.SIGTERM, signal.SIGCONT):
            machine.say(f"{number.name} to host {host}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(host, number)
    await looked_at_until(lambda: machine.link.state.phase == "failed", seconds=2)
    machine.link.retry()


# ---------------------------------------------------------------- files


async def damage_states(machine: Machine) -> None:
    """Saved states of the model are cut short or hold other bytes, whoever uses them."""
    await a_moment(machine, 0.3)
    if machine.random.random() < 0.5:
        machine.signal_host(signal.SIGKILL)
    for file in sorted(machine.paths.states_dir.rglob("*")):
        if file.is_file() and machine.random.random() < 0.7:
            _damage(machine, file)


def _damage(machine: Machine, file: Path) -> None:
    with contextlib.suppress(OSError), file.open("r+b") as state:
        size = file.stat().st_size
        place = machine.random.randrange(size) if size else 0
        if machine.random.random() < 0.5:
            state.truncate(place)
            machine.say(f"{file.name} is cut after {place} of {size} bytes")
        else:
            state.seek(place)
            state.write(machine.random.randbytes(min(64, size - place)))
            machine.say(f"{file.name} has other bytes at {place} of {size}")


async def forge_lock_file(machine: Machine) -> None:
    """A dead host's lock file names a process that is another program's by now."""
    machine.signal_host(signal.SIGKILL)
    lock = await _lock_between_hosts(machine)
    if lock is None:
        machine.say("the next host was quicker")
        return
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        lock.write(b"%d\n%s" % (bystander.pid, os.fsencode(machine.home / "other.sock")))
        if not machine.paths.socket.exists():
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(machine.paths.socket))
        # Let go of, and left behind.
        os.close(lock.descriptor)
        machine.say(f"the lock file names process {bystander.pid}")
        await machine.another_host(bystander.pid)
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


async def _lock_between_hosts(machine: Machine) -> LockFile | None:
    for _ in range(200):
        lock = LockFile.take(machine.paths.lock_file)
        if lock is not None:
            return lock
        await asyncio.sleep(0.005)
    return None


STROKES_IN_MID_WORK: Final[dict[str, Stroke]] = {
    one.__name__: one
    for one in (
        kill_host_at_switch,
        kill_host_at_backup,
        kill_host_at_download,
        kill_host_while_two_type,
        freeze_starters,
        stop_host_while_it_hangs,
        damage_states,
        forge_lock_file,
    )
}
