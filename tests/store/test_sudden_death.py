"""What is left when the process that writes is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemma_chat.store.store import Store

WRITER = Path(__file__).with_name("writer.py")


@pytest.mark.parametrize("streamed", [1, 65, 133])
def test_kill_9_while_streaming_loses_no_finished_message_and_no_streamed_text(
    database: Path, streamed: int
) -> None:
    finished, dots = _write_until_killed(database, streamed)

    store = Store.open(database)
    store.mark_interrupted()
    (conversation,) = store.conversations()
    messages = store.messages(conversation.session)
    store.close()

    assert conversation.title == "Written to the end"
    assert [message.message for message in messages[: len(finished)]] == finished
    for message in messages[: len(finished)]:
        if message.role == "user":
            assert message.text == f"question {message.turn}"
        else:
            assert message.text == _pieces(message.turn, 20)
    pieces = sum(len(message.text.split()) for message in messages if message.role == "assistant")
    assert pieces >= dots
    assert not [message for message in messages if message.state in ("streaming", "queued")]


def _pieces(turn: int, count: int) -> str:
    return "".join(f"{turn}.{piece} " for piece in range(count))


def _write_until_killed(database: Path, streamed: int) -> tuple[list[int], int]:
    """Kill the writer after it has reported `streamed` pieces; what it said it had written."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, WRITER, database], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        finished, dots = [], 0
        for line in process.stdout:
            if line == ".\n":
                dots += 1
            else:
                finished.append(int(line))
            if dots == streamed:
                process.kill()
                break
    return finished, dots
