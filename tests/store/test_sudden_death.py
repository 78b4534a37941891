"""What is left when the process that writes is killed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gemma_chat.store import migrations
from gemma_chat.store.inspection import inspect
from gemma_chat.store.recovery import open_or_recover
from gemma_chat.store.store import Store

WRITER = Path(__file__).with_name("writer.py")
MIGRATOR = Path(__file__).with_name("migrator.py")


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


EVERY_SO_MANY_STATEMENTS = 7
"""With 1 it takes as many seconds as that."""


def test_kill_9_in_the_middle_of_a_migration_loses_nothing_and_leaves_no_part(
    tmp_path: Path,
) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as database:
        for statement in migrations.MIGRATIONS[0]:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO conversations (title, settings, created, updated) VALUES ('A', '{}', 1, 1)"
        )
        database.executemany(
            "INSERT INTO messages (conversation, turn, role, text, state, created) "
            "VALUES (1, ?, 'user', ?, 'complete', 1)",
            [(turn, f"question {turn}") for turn in range(1, 4)],
        )
        database.commit()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, MIGRATOR, tmp_path, str(EVERY_SO_MANY_STATEMENTS)],
        check=True,
        env=environment,
    )

    deaths = [place for place in tmp_path.iterdir() if place.is_dir()]
    assert len(deaths) * EVERY_SO_MANY_STATEMENTS > sum(map(len, migrations.MIGRATIONS[1:]))
    for place in deaths:
        store, recovery = open_or_recover(place / "conversations.db")
        texts = [message.text for message in store.messages(1)]
        store.close()
        assert (recovery, texts) == (None, ["question 1", "question 2", "question 3"])
        assert not [file for file in place.iterdir() if file.name.startswith(".")]
        for copy in place.glob("conversations-version-1*.db"):
            assert inspect(copy).messages == 3
