"""The whole way on a real model: terminal, socket, host process, sessions, llama.cpp."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.host.host_process import KEEP_ALIVE
from tests.host.watcher import Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.protocol import (
    FetchMessages,
    LockChanged,
    ModelChanged,
    OpenSession,
    SendMessage,
    Snapshot,
    TurnFinished,
)

LONG = SessionSettings(
    system_instruction="Tell long stories.",
    sampling=SamplingSettings(temperature=0.0, max_output_tokens=400),
)
SHORT = SessionSettings(
    system_instruction="Answer in one sentence.",
    sampling=SamplingSettings(temperature=0.0, max_output_tokens=12),
)


@pytest.fixture
async def watcher(paths: Paths, smollm2_path: Path) -> AsyncIterator[Watcher]:
    paths.make_folders()
    paths.settings_file.write_text("[summarizer]\nenabled = false\n[model]\ncontext_size = 1024\n")
    watcher = Watcher(HostLaunch(paths, ("--model", str(smollm2_path), *KEEP_ALIVE)))
    await watcher.link.start()
    await _ready(watcher)
    yield watcher
    await watcher.link.close()


async def _ready(watcher: Watcher) -> None:
    """Wait until the model of the connected host is loaded."""
    await watcher.until(
        lambda: any(
            isinstance(event, ModelChanged | Snapshot) and event.model.phase == "ready"
            for event in watcher.since_connected
        )
    )


async def test_three_tabs_take_turns_and_a_killed_host_brings_everything_back(
    watcher: Watcher,
) -> None:
    """Case 19 of the session API, on a real model: the next question is answered as ever."""
    link = watcher.link
    tabs = [(await link.request(OpenSession(0, f"tab {n}", SHORT))).session for n in range(3)]
    # All at once: the host has the others in its queue before it has answered the first.
    await asyncio.gather(*(link.request(SendMessage(0, tab, "What is the sea?")) for tab in tabs))
    await watcher.until(lambda: _ended(watcher) == tabs)
    orders = [
        ((lock.holder.session if lock.holder else 0), *(one.session for one in lock.waiting))
        for lock in (e.lock for e in watcher.events if isinstance(e, LockChanged))
    ]
    assert tuple(tabs) in orders
    assert tuple(tabs[1:]) in orders
    assert tuple(tabs[2:]) in orders
    for tab in tabs:
        question, reply = (await link.request(FetchMessages(0, tab))).messages
        assert question.state == "complete"
        assert reply.text
        assert reply.metrics is not None
        assert reply.metrics.generated_tokens > 0

    story = (await link.request(OpenSession(0, "story", LONG))).session
    await link.request(SendMessage(0, story, "Tell a story about the sea."))
    await link.request(SendMessage(0, story, "And another one."))
    await watcher.until(lambda: len(watcher.heard(story, 1)) > 40)
    heard = watcher.heard(story, 1)
    os.kill(link.host_pid, signal.SIGKILL)
    snapshot = await watcher.snapshot()
    assert [tab.title for tab in snapshot.sessions] == ["tab 0", "tab 1", "tab 2", "story"]
    question, reply, waiting = (await link.request(FetchMessages(0, story))).messages
    assert (question.state, reply.state, waiting.state) == (
        "complete",
        "interrupted",
        "interrupted",
    )
    assert reply.text
    assert heard.startswith(reply.text) or reply.text.startswith(heard)

    await _ready(watcher)
    again = await link.request(SendMessage(0, tabs[0], "And the sky?"))
    assert again.turn == 2
    await watcher.until(lambda: _ended(watcher) == [*tabs, tabs[0]])
    last = (await link.request(FetchMessages(0, tabs[0]))).messages[-1]
    assert (last.role, bool(last.text)) == ("assistant", True)


def _ended(watcher: Watcher) -> list[int]:
    return [event.session for event in watcher.events if isinstance(event, TurnFinished)]
