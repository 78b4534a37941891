"""The link of a terminal to its host: what it does when the host ends, and how it comes back."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from tests.host.watcher import DEADLINE, Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.errors import HostError
from gemma_chat.host import link as link_module
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.link import HostLink
from gemma_chat.host.protocol import (
    GetStatus,
    OpenSession,
    SaveDraft,
)
from gemma_chat.host.status import host_status, stop_host
from gemma_chat.terms import LinkPhase


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_after_a_kill_the_link_comes_back_with_everything(
    watcher: Watcher, by: signal.Signals
) -> None:
    """Case 19 of the session API: the host ends by a signal, and its tabs come back."""
    opened = await watcher.link.request(OpenSession(0, "Sea"))
    await watcher.link.request(SaveDraft(0, opened.session, "half a thought"))
    killed = watcher.kill_host(by)
    snapshot = await watcher.snapshot()
    [tab] = snapshot.sessions
    assert (tab.title, tab.draft) == ("Sea", "half a thought")
    assert watcher.link.host_pid not in (0, killed)
    assert [phase for phase, _ in watcher.phases] == [
        "connecting",
        "connected",
        "lost",
        "connecting",
        "connected",
    ]
    assert "ended unexpectedly" in watcher.phases[2][1]


async def test_requests_while_the_host_is_lost_fail_with_a_sentence(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (1000.0,))
    watcher.kill_host()
    await watcher.phase("lost")
    with pytest.raises(HostError, match="being started again"):
        await watcher.link.request(OpenSession(0))


async def test_a_request_in_flight_when_the_host_dies_fails(watcher: Watcher) -> None:
    os.kill(watcher.link.host_pid, signal.SIGSTOP)
    asking = asyncio.create_task(watcher.link.request(OpenSession(0)))
    await asyncio.sleep(0)
    watcher.kill_host()
    with pytest.raises(HostError):
        await asking


async def test_a_host_that_dies_again_and_again_is_started_again_and_its_last_words_are_named(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (0.0, 0.0, 0.01))
    for _ in range(4):
        watcher.kill_host()
        await watcher.snapshot()
    lost = [sentence for phase, sentence in watcher.phases if phase == "lost"]
    assert "being started again" in lost[1]
    assert "3 times within 60 seconds and is started again in 0.01 seconds" in lost[2]
    assert "host-output.log" in lost[3]
    assert watcher.link.state.phase == "connected"


async def test_who_does_not_want_to_wait_for_the_restart_asks_for_it(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (1000.0,))
    watcher.kill_host()
    await watcher.phase("lost")
    watcher.link.retry()
    await watcher.phase("connected")


async def test_a_host_that_was_told_to_stop_is_not_started_again_by_itself(
    watcher: Watcher, paths: Paths
) -> None:
    assert await stop_host(paths)
    await watcher.phase("failed")
    assert "told to stop" in watcher.link.state.sentence
    assert await host_status(paths) is None
    watcher.link.retry()
    await watcher.phase("connected")


async def test_a_closed_link_leaves_the_host_running(paths: Paths, launch: HostLaunch) -> None:
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.snapshot()
    await watcher.link.close()
    await watcher.link.close()
    assert await host_status(paths) is not None


async def test_an_unforeseen_failure_of_the_link_is_told_and_it_tries_again(
    launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(link_module, "connect_or_start", lambda *_, **__: 1 / 0)
        watcher = Watcher(launch)
        await watcher.link.start()
        await watcher.phase("failed")
    assert "not foreseen" in watcher.link.state.sentence
    watcher.link.retry()
    await watcher.phase("connected")
    await watcher.link.close()


async def test_a_listener_that_fails_does_not_end_the_link(launch: HostLaunch) -> None:
    connected = asyncio.Event()

    def fail(phase: LinkPhase, sentence: str) -> None:
        if phase == "connected":
            connected.set()
        raise RuntimeError("boom")

    link = HostLink(launch)
    link.listen(lambda event: None, fail)
    await link.start()
    async with asyncio.timeout(DEADLINE):
        await connected.wait()
    assert (await link.request(GetStatus(0))).clients == 0
    await link.close()
