"""Replies put down while they stream, by a thread with a connection of its own."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store.records import Thought
from gemma_chat.store.store import Store

SECONDS = 60.0
"""Only a save that never ends takes as long."""


@pytest.fixture
def reply(store: Store) -> int:
    session = store.create(SessionSettings()).session
    store.add_message(session, turn=1, role="user", text="Why?", state="complete")
    return store.add_message(session, turn=1, role="assistant", state="streaming").message


def test_the_last_save_counts(store: Store, reply: int) -> None:
    texts = [" ".join(map(str, range(n))) for n in range(50)]
    saved = [store.save_reply(reply, 1, text, ()) for text in texts]
    saved.append(store.save_reply(reply, 1, texts[-1], [Thought(at=0, text="Hm")]))
    for each in saved:
        each.result(SECONDS)
    found = store.message(reply)
    assert (found.text, found.state) == (texts[-1], "streaming")
    assert found.asides == (Thought(at=0, text="Hm"),)


def test_a_store_in_memory_saves_at_once() -> None:
    store = Store.in_memory()
    session = store.create(SessionSettings()).session
    reply = store.add_message(session, turn=1, role="assistant", state="streaming").message
    assert store.save_reply(reply, 1, "Because.", [Thought(at=0, text="Hm")]).done()
    assert store.message(reply).text == "Because."
    store.close()


def test_a_save_that_comes_late_takes_nothing_back(store: Store, reply: int) -> None:
    store.finish_message(reply, state="stopped", text="Because of it.")
    store.save_reply(reply, 1, "Because", ()).result(SECONDS)
    assert store.message(reply).text == "Because of it."
    store.branches.reopen(reply, turn=2)
    store.save_reply(reply, 1, "Because", ()).result(SECONDS)
    assert store.message(reply).text == "Because of it."
    store.save_reply(reply, 2, "Because of it. And", ()).result(SECONDS)
    assert store.message(reply).text == "Because of it. And"


def test_a_reply_that_is_gone_stays_gone(store: Store, reply: int) -> None:
    store.remove_message(reply)
    store.save_reply(reply, 1, "x", ()).result(SECONDS)
    with pytest.raises(StoreError, match=f"no message {reply}"):
        store.message(reply)


def test_while_the_disk_is_slow_others_can_write(
    store: Store, reply: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, goes_on = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        waits.set()
        assert goes_on.wait(SECONDS)

    monkeypatch.setattr(os, "fsync", slow)
    saved = store.save_reply(reply, 1, "Because.", ())
    assert waits.wait(SECONDS)
    other = store.create(SessionSettings(), title="meanwhile")
    assert store.message(reply).text == "Because."
    assert not saved.done()
    goes_on.set()
    saved.result(SECONDS)
    assert store.conversation(other.session).title == "meanwhile"


def test_a_disk_that_refuses_is_a_sentence(
    store: Store, reply: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match=r"conversations\.db.*Input/output error"):
            store.save_reply(reply, 1, "x", ()).result(SECONDS)
    store.save_reply(reply, 1, "y", ()).result(SECONDS)


def test_closing_finishes_what_was_ordered_and_leaves_no_log_behind(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    store = Store.open(path)
    session = store.create(SessionSettings()).session
    reply = store.add_message(session, turn=1, role="assistant", state="streaming").message
    saved = store.save_reply(reply, 1, "to the last word", ())
    store.close()
    store.close()
    assert saved.done()
    assert [file.name for file in tmp_path.glob("conversations*")] == ["conversations.db"]
    again = Store.open(path)
    assert again.message(reply).text == "to the last word"
    again.close()
