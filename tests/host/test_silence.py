"""A host that owes an answer: whether it is at work, or answers nobody any more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import pytest

from gemma_chat.cli.reaching import reached
from gemma_chat.config.paths import Paths
from gemma_chat.host import client as client_module
from gemma_chat.host import silence as silence_module
from gemma_chat.host.client import HostClient
from gemma_chat.host.framing import encode_frame, read_payload
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.link import HostLink
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    Done,
    Event,
    ModelChanged,
    ModelView,
    SetSummarizer,
    Welcome,
)

DEADLINE = 60.0


class StandingHost:
    """Greets and answers while it goes on; a client that connects meanwhile waits with it."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.greets = asyncio.Event()
        self.greets.set()
        self.greeted = 0
        self.news: Event | None = None
        """What it tells a client once it has greeted it."""
        self._clients: set[asyncio.Task[None]] = set()

    def stand_still(self) -> None:
        self.greets.clear()

    def go_on(self) -> None:
        self.greets.set()
        self.answers.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        try:
            await read_payload(reader)
            await self.greets.wait()
            writer.write(encode_frame(Welcome(PROTOCOL_VERSION, "standing", os.getpid())))
            if self.news is not None:
                writer.write(encode_frame(self.news))
            self.greeted += 1
            number = 0
            while await read_payload(reader) is not None:
                number += 1
                await self.answers.wait()
                writer.write(encode_frame(Done(number)))
        except OSError:
            # The client did not wait for it.
            return
        finally:
            writer.close()

    async def end(self) -> None:
        for task in tuple(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)


@pytest.fixture
async def host(own_home: object, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandingHost]:
    monkeypatch.setattr(silence_module, "SILENT_SECONDS", 0.01)
    monkeypatch.setattr(client_module, "GREETING_SECONDS", 0.01)
    paths = Paths.default()
    paths.make_folders()
    host = StandingHost()
    async with await asyncio.start_unix_server(host.serve, str(paths.socket)):
        yield host
        await host.end()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`, looked at again and again."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


REQUEST = SetSummarizer(0, True)


async def test_a_host_that_answers_nobody_is_told_of_and_the_request_waits_for_it(
    host: StandingHost,
) -> None:
    client = await HostClient.connect(Paths.default().socket)
    changes: list[bool] = []
    client.silence.listen(changes.append)
    host.stand_still()
    asked = asyncio.create_task(client.request(REQUEST))
    await until(lambda: client.silence.is_silent)
    host.go_on()
    assert isinstance(await asked, Done)
    assert changes == [True, False]
    await client.close()


async def test_a_host_that_is_long_at_work_greets_others_and_nobody_is_told(
    host: StandingHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "GREETING_SECONDS", DEADLINE)
    client = await HostClient.connect(Paths.default().socket)
    changes: list[bool] = []
    client.silence.listen(changes.append)
    asked = asyncio.create_task(client.request(REQUEST))
    await until(lambda: host.greeted > 2)
    host.go_on()
    assert isinstance(await asked, Done)
    assert changes == []
    await client.close()


async def test_a_shell_command_says_on_stderr_what_to_do_and_can_be_given_up(
    host: StandingHost, capsys: pytest.CaptureFixture[str]
) -> None:
    async with reached(Paths.default()) as requester:
        host.stand_still()
        asked = asyncio.create_task(requester.request(REQUEST))
        said: list[str] = []

        def is_said() -> bool:
            said.append(capsys.readouterr().err)
            return "Ctrl+C" in "".join(said)

        await until(is_said)
        assert f"The host (pid {os.getpid()}) does not answer" in "".join(said)
        assert f"kill -CONT {os.getpid()}" in "".join(said)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_a_terminal_is_told_and_hears_when_the_host_goes_on(host: StandingHost) -> None:
    phases: list[tuple[str, str]] = []
    link = HostLink(HostLaunch(Paths.default()))
    link.listen(lambda event: None, lambda phase, sentence: phases.append((phase, sentence)))
    await link.start()
    await until(lambda: link.state.phase == "connected")
    host.stand_still()
    asked = asyncio.create_task(link.request(REQUEST))
    await until(lambda: link.state.phase == "silent")
    assert "gemma-chat host stop" in link.state.sentence
    host.go_on()
    await asked
    assert [phase for phase, _ in phases] == ["connecting", "connected", "silent", "connected"]
    await link.close()


async def test_a_terminal_that_asks_nothing_is_told_while_it_should_hear_of_a_model(
    host: StandingHost,
) -> None:
    host.news = ModelChanged(ModelView(phase="loading"))
    heard: list[Event] = []
    link = HostLink(HostLaunch(Paths.default()))
    link.listen(heard.append, lambda phase, sentence: None)
    await link.start()
    await until(lambda: host.news in heard)
    host.stand_still()
    await until(lambda: link.state.phase == "silent")
    await link.close()
