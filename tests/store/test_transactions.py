"""What is written together is there as a whole, or not at all."""

from __future__ import annotations

import os

import pytest
from tests.store.conftest import SETTINGS

from gemma_chat.errors import StoreError
from gemma_chat.store.store import Store


@pytest.fixture
def session(store: Store) -> int:
    return store.create(SETTINGS).session


def test_together_means_all_of_it(store: Store, session: int) -> None:
    with store.together():
        store.add_message(session, turn=1, role="user", text="one", state="queued")
        with store.together():
            store.add_message(session, turn=1, role="assistant", state="queued")
    assert [message.role for message in store.messages(session)] == ["user", "assistant"]


def test_what_was_written_soon_is_on_disk_when_that_was_waited_for(
    store: Store, session: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    with store.together("soon"):
        store.rename(session, "Sea", by="person")
    store.sync()
    assert synced == [store.path.with_name(f"{store.path.name}-wal").stat().st_ino]
    Store.in_memory().sync()
    assert len(synced) == 1


def test_what_fails_in_the_middle_takes_the_rest_with_it(store: Store, session: int) -> None:
    with pytest.raises(StoreError, match="no conversation 99"):
        _ask_in_two_places(store, session, 99)
    assert store.messages(session) == ()
    store.add_message(session, turn=1, role="user", text="two", state="queued")
    assert [message.text for message in store.messages(session)] == ["two"]


def _ask_in_two_places(store: Store, *sessions: int) -> None:
    with store.together():
        for session in sessions:
            store.add_message(session, turn=1, role="user", text="one", state="queued")
