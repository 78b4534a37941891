"""The model in memory is known to the next host only when this one could not say goodbye."""

from __future__ import annotations

from pathlib import Path

from gemma_chat.store.last_model import KnownModel
from gemma_chat.store.store import Store


def test_what_was_noted_last_is_found_by_the_next_host(database: Path) -> None:
    store = Store.open(database)
    assert store.last_model.find() is None
    for known in (
        KnownModel(b"/models/\xff.gguf"),
        KnownModel(server="http://x", server_model="y"),
    ):
        store.last_model.note(known)
        store.close()
        store = Store.open(database)
        assert store.last_model.find() == known
    store.last_model.forget()
    assert store.last_model.find() is None
    store.close()
