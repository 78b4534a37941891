"""What the death of an earlier process left unfinished, brought into a last state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from gemma_chat.store import rows
from gemma_chat.store.branches import Branches
from gemma_chat.store.records import Message

INTERRUPTED_QUESTION: Final = (
    "The program ended before this was answered. Send it again to get a reply."
)
INTERRUPTED_REPLY: Final = "The program ended in the middle of this reply."


def settle_unfinished(connection: sqlite3.Connection, branches: Branches) -> tuple[int, ...]:
    """Settle all unfinished messages, within a transaction; see `Store.mark_interrupted`.

    Returns those that were interrupted; a question with an earlier reply is complete again by now.
    """
    unfinished = connection.execute(
        f"{rows.SELECT_MESSAGE} WHERE state IN ('queued', 'streaming') ORDER BY id"
    ).fetchall()
    settled = (
        message
        for old in map(rows.message, unfinished)
        for message in _settle(connection, branches, old)
    )
    return tuple(dict.fromkeys(settled))


def _settle(connection: sqlite3.Connection, branches: Branches, old: Message) -> Iterator[int]:
    if old.role == "assistant" and (old.text or old.asides):
        yield from _interrupt(connection, "id = ?", old.message, INTERRUPTED_REPLY)
        return
    if old.role == "assistant":
        branches.take_out(old.message)
    question = old.parent if old.role == "assistant" else old.message
    yield from _interrupt(connection, "id = ? AND role = 'user'", question, INTERRUPTED_QUESTION)
    connection.execute(
        "UPDATE messages SET state = 'complete', error = '' WHERE id = ?1 AND EXISTS "
        "(SELECT 1 FROM messages AS reply WHERE reply.conversation = ?2 "
        "AND reply.parent = ?1 AND reply.chosen = 1 AND reply.role = 'assistant' "
        "AND reply.text != '')",
        (question, old.session),
    )


def _interrupt(
    connection: sqlite3.Connection, where: str, message: int, error: str
) -> tuple[int, ...]:
    found = connection.execute(
        f"UPDATE messages SET state = 'interrupted', error = ? WHERE {where} RETURNING id",
        (error, message),
    )
    return tuple(message for (message,) in found.fetchall())
