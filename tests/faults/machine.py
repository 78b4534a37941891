"""The machine that is put under stress: a home, its host, terminals, a disk, and the promises."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec
import psutil
from tests.faults.disk import Disk, processes_of
from tests.faults.ledger import Promises
from tests.faults.rewritten import Rewritten
from tests.faults.talker import Line, Phase, Said, Say, Shown
from tests.models.stub_hub import StubHub

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import HostError
from gemma_chat.host.client import HostClient
from gemma_chat.host.launch import HostLaunch, connect_or_start
from gemma_chat.host.link import HostLink
from gemma_chat.host.protocol import (
    Event,
    FetchMessages,
    GetStatus,
    MessageChanged,
    MessageRemoved,
    MessageUpdated,
    MessageView,
    Notice,
    OpenSession,
    Request,
    SendMessage,
    SessionView,
    Snapshot,
    Status,
    TurnFinished,
    TurnText,
)
from gemma_chat.host.status import stop_host
from gemma_chat.host.tenancy import is_claimed, read_tenant

PATIENCE: Final = 90.0
"""Seconds after which a machine that has not come back by itself never will."""
_LOOK_AGAIN: Final = 0.05

SETTINGS: Final = """\
[summarizer]
enabled = false
[model]
context_size = 512
[host]
keep_alive = 60
"""
TALKER: Final = Path(__file__).with_name("talker.py")


async def looked_at_until(holds: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Wait until `holds`, or that long: for what tells nobody that it changed."""
    deadline = time.monotonic() + seconds
    while True:
        if holds() or time.monotonic() > deadline:
            return
        await asyncio.sleep(_LOOK_AGAIN)


class Talker:
    """A client in a process of its own, see `talker`."""

    def __init__(self, process: asyncio.subprocess.Process, machine: Machine) -> None:
        self.process = process
        self._machine = machine
        self.connected = asyncio.Event()
        """Set when it has met the host for the first time."""
        self._unanswered: list[Say] = []
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, machine: Machine) -> Talker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(TALKER),
            str(machine.model),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        talker = cls(process, machine)
        async with asyncio.timeout(PATIENCE):
            await talker.connected.wait()
        return talker

    def say(self, say: Say) -> None:
        """Let it send; the answer is noted when it comes."""
        assert self.process.stdin is not None
        self._unanswered.append(say)
        self._machine.promises[say.session].unsure.add(say.text)
        self.process.stdin.write(msgspec.json.encode(say) + b"\n")

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def answered(self) -> None:
        """Wait until it has an answer to all that it was told to say."""
        await looked_at_until(lambda: not self._unanswered or self._reading.done())

    async def close(self) -> None:
        """End it if it has not ended; what it still had to print is read."""
        self.signal(signal.SIGKILL)
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            match msgspec.json.decode(line, type=Line):
                case Said() as said:
                    self._unanswered = [one for one in self._unanswered if one.text != said.text]
                    if not said.error:
                        self._machine.promises[said.session].acknowledge(
                            f"terminal {self.process.pid}", said.text
                        )
                case Shown(session, view):
                    self._machine.promises[session].show(view)
                case Phase(phase="connected"):
                    self.connected.set()


class Machine:
    """One home with all that runs in it."""

    def __init__(
        self, home: Path, model: Path, disk: Disk, seed: int, hub: StubHub | None = None
    ) -> None:
        """The variable GEMMA_CHAT_HOME must name `home`; `hub` is what its hosts know as one."""
        self.home = home
        self.hub = hub
        self.model = model
        self.disk = disk
        self.random = random.Random(seed)
        self.paths = Paths.default()
        self.launch = HostLaunch.of_profile(model=model)
        self.promises: defaultdict[int, Promises] = defaultdict(Promises)
        self.tabs: list[int] = []
        self.rewritten: dict[int, Rewritten] = {}
        """Tabs in which one person changes what was said, beside the others; see `rewriting`."""
        self.unsure: set[int] = set()
        """Tabs that may be open or closed: the request had no answer."""
        self.touched: set[int] = set()
        """The conversations that were asked something since they were looked at last."""
        self.talkers: list[Talker] = []
        self.notices: list[str] = []
        self.log: list[str] = []
        self.most_lost = 0
        """Characters of one reply that were shown and are not stored."""
        self._texts = 0
        self._changed = asyncio.Event()
        self.link = HostLink(self.launch)
        self.link.listen(self._hear, lambda phase, sentence: self._note(f"{phase} {sentence}"))

    async def start(self) -> None:
        """Start the first terminal, and with it the host."""
        self.paths.make_folders()
        self.paths.settings_file.write_text(SETTINGS)
        await self.link.start()

    async def close(self) -> list[str]:
        """End everything the way a person does; what is left behind."""
        for talker in self.talkers:
            await talker.close()
        await self.link.close()
        self.disk.make_room()
        await stop_host(self.paths)
        left = await self._processes_left()
        for process in left:
            process.kill()
        behind = [f"process {process.pid}: {process.cmdline()}" for process in left]
        behind += [
            f"{file} is left"
            for file in self.home.rglob("*")
            if file.is_socket() or file.suffix == ".lock"
        ]
        self.disk.close()
        return behind

    async def _processes_left(self) -> list[psutil.Process]:
        await looked_at_until(lambda: not processes_of(self.home))
        return processes_of(self.home)

    def say(self, line: str) -> None:
        """Add a line to the log of what was done."""
        self.log.append(f"{time.strftime('%H:%M:%S')} {line}")

    async def takes(self, request: Request) -> bool:
        """Whether the host does this; the log tells what it answered."""
        try:
            await self.link.request(request)
        except HostError as error:
            self.say(f"{request}: {error}")
            return False
        self.say(f"{request}")
        return True

    # ------------------------------------------------------------ the host

    @property
    def host(self) -> int:
        """The pid of the host that runs, or 0."""
        tenant = read_tenant(self.paths.lock_file)
        return tenant.pid if tenant is not None and is_claimed(self.paths.lock_file) else 0

    def signal_host(self, number: signal.Signals) -> int:
        """Send a signal to the host; its pid, or 0 when none runs."""
        host = self.host
        if host:
            self.say(f"{number.name} to host {host}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(host, number)
        return host

    async def another_host(self, than: int) -> None:
        """Wait a while for a host that is not the one with pid `than`."""
        await looked_at_until(lambda: self.host not in (0, than), seconds=5)

    # ------------------------------------------------------------ deeds of a person

    def text(self) -> str:
        """A question that nobody has asked before."""
        self._texts += 1
        return f"{self._texts}: {self.random.choice(QUESTIONS)}"

    async def open(self) -> int | None:
        """Open a tab; its number when it was opened."""
        try:
            opened = await self.link.request(self._new_tab())
        except HostError as error:
            self.say(f"no tab: {error}")
            return None
        self.tabs.append(opened.session)
        return opened.session

    def _new_tab(self) -> OpenSession:
        sampling = SamplingSettings(temperature=0.0, max_output_tokens=self.random.randint(4, 16))
        return OpenSession(0, settings=SessionSettings(sampling=sampling))

    async def tab(self) -> int | None:
        """Some tab that is not long yet, opened when there is none."""
        short = [tab for tab in self.tabs if len(self.promises[tab].questions) < 8]
        if not short or (len(short) < 3 and self.random.random() < 0.3):
            return await self.open()
        return self.random.choice(short)

    async def send(self, session: int) -> int | None:
        """Send a new question; the number of its turn when it was acknowledged."""
        text, promises = self.text(), self.promises[session]
        self.touched.add(session)
        promises.unsure.add(text)
        try:
            queued = await self.link.request(SendMessage(0, session, text))
        except HostError as error:
            self.say(f"{text!r} into {session}: {error}")
            return None
        promises.acknowledge("the first terminal", text)
        self.say(f"{text!r} into {session} is turn {queued.turn}")
        return queued.turn

    # ------------------------------------------------------------ what is seen

    def _hear(self, event: Event) -> None:
        match event:
            case MessageChanged() | MessageUpdated():
                self.promises[event.session].show(event.view)
            case TurnText():
                promises = self.promises[event.session]
                promises.hear(event.message, event.offset, event.text)
            case MessageRemoved():
                self.promises[event.session].heard.pop(event.message, None)
            case TurnFinished():
                self.say(f"turn {event.turn} of {event.session}: {event.reason} {event.error}")
            case Notice():
                self.notices.append(event.text)
                self.say(f"notice: {event.text}")
        self._changed.set()

    def _note(self, line: str) -> None:
        self.say(f"link: {line}")
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, looked at after every event."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    # ------------------------------------------------------------ being whole

    async def whole(self) -> list[str]:
        """Wait until everything works again by itself, then compare it with the promises."""
        fresh = await connect_or_start(self.launch)
        try:
            events = fresh.events()
            snapshot = await anext(events)
            assert isinstance(snapshot, Snapshot)
            await self._idle(fresh)
            faults = self._missing_tabs(snapshot.sessions)
            faults += await self._ask_once_more(fresh, events)
            for session in sorted(self.touched):
                faults += await self._judge(fresh, session)
            self.touched.clear()
            titles = {view.session: view.title for view in snapshot.sessions}
            for session, rewritten in self.rewritten.items():
                faults += await self._judge_rewritten(fresh, session, rewritten, titles)
        finally:
            await fresh.close()
        # The terminal that was there all the time is back, too.
        await self.until(lambda: self.link.state.phase == "connected")
        return faults

    async def judge_all(self) -> list[str]:
        """Compare every conversation there has been, open or closed."""
        self.touched = self.promises.keys() - self.rewritten.keys()
        return await self.whole()

    async def _idle(self, client: HostClient) -> Status:
        told = ""
        async with asyncio.timeout(PATIENCE):
            while True:
                status = await client.request(GetStatus(0))
                if (
                    status.model.phase == "ready"
                    and not status.lock.holders
                    and not status.lock.waiting
                ):
                    return status
                turns = [(one.session, one.turn) for one in status.lock.holders]
                stands = f"{status.model.phase} {status.model.error} {turns}"
                if stands != told:
                    self.say(f"not idle: {stands}")
                    told = stands
                await asyncio.sleep(_LOOK_AGAIN)

    def _missing_tabs(self, shown: tuple[SessionView, ...]) -> list[str]:
        there = {view.session: view for view in shown}
        faults = [f"tab {tab} is gone" for tab in self.tabs if tab not in there]
        for tab in self.tabs:
            promises = self.promises[tab]
            draft = there[tab].draft if tab in there else promises.draft
            if draft not in {promises.draft, *promises.other_drafts}:
                faults.append(f"the draft of tab {tab} is {draft!r}, not {promises.draft!r}")
            promises.draft = draft
            promises.other_drafts.clear()
        self.tabs += [tab for tab in sorted(self.unsure) if tab in there]
        self.unsure.clear()
        return faults

    async def _ask_once_more(self, client: HostClient, events: AsyncIterator[Event]) -> list[str]:
        """A fresh terminal asks and is answered: nothing needs a hand."""
        if not self.tabs:
            self.tabs.append((await client.request(self._new_tab())).session)
        session = self.random.choice(self.tabs)
        text = self.text()
        self.touched.add(session)
        queued = await client.request(SendMessage(0, session, text))
        self.promises[session].unsure.add(text)
        self.promises[session].acknowledge(f"fresh terminal {text}", text)
        self.say(f"{text!r} into {session} is turn {queued.turn} of a fresh terminal")
        asked = (session, queued.turn)
        async for event in events:
            if isinstance(event, TurnFinished) and (event.session, event.turn) == asked:
                break
        last = (await client.request(FetchMessages(0, session, limit=1))).messages[-1]
        if last.role != "assistant" or last.state not in ("complete", "length"):
            return [f"{text!r} was answered with {last}"]
        return []

    async def _judge(self, client: HostClient, session: int) -> list[str]:
        messages: tuple[MessageView, ...] = (
            await client.request(FetchMessages(0, session))
        ).messages
        promises = self.promises[session]
        self.most_lost = max(self.most_lost, promises.most_lost(messages))
        return [f"conversation {session}: {fault}" for fault in promises.faults(messages)]

    async def _judge_rewritten(
        self, client: HostClient, session: int, rewritten: Rewritten, titles: dict[int, str]
    ) -> list[str]:
        if session not in titles:
            return [f"tab {session} is gone"]
        messages = (await client.request(FetchMessages(0, session))).messages
        faults = rewritten.faults(messages, titles[session])
        return [f"rewritten conversation {session}: {fault}" for fault in faults]


QUESTIONS: Final = (
    "Name a colour.",
    "What is the sea?",
    "Say hello.",
    "Count to three.",
    "Is ice cold?",
    "Who sails ships?",
)
