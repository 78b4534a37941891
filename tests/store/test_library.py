"""All conversations together: listed, copied in, deleted, backed up."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.store.conftest import SETTINGS, Clock

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store.copies import back_up, remove_left_parts
from gemma_chat.store.records import NewMessage, NewTab, Thought
from gemma_chat.store.store import Store


@pytest.fixture
def three(store: Store, clock: Clock) -> Store:
    """Conversations 1, 2 and 3, used in this order; 2 is closed."""
    for title in ("Über den Wald", "Sea", "Sky"):
        clock.now += 1
        session = store.create(SessionSettings(), title=title).session
        store.add_message(session, turn=1, role="user", text=f"On {title}", state="complete")
    store.close_tab(2)
    return store


def test_the_most_recently_used_stand_first(three: Store) -> None:
    listed = three.library.page()
    assert [(one.session, one.open) for one in listed] == [(3, True), (2, False), (1, True)]
    assert (listed[0].title, listed[0].message_count, listed[0].preview) == ("Sky", 1, "On Sky")


def test_a_list_comes_in_pages_and_kinds(three: Store) -> None:
    assert [one.session for one in three.library.page(offset=1, limit=1)] == [2]
    assert [one.session for one in three.library.page("closed")] == [2]
    assert [one.session for one in three.library.page("open")] == [3, 1]


@pytest.mark.parametrize(("containing", "expected"), [("über", [1]), ("S", [3, 2]), ("%", [])])
def test_a_list_can_be_narrowed_by_title(
    three: Store, containing: str, expected: list[int]
) -> None:
    assert [one.session for one in three.library.page(containing=containing)] == expected


def test_a_conversation_from_elsewhere_is_put_in_closed(store: Store, clock: Clock) -> None:
    session = store.library.add(
        "Import",
        SETTINGS,
        [
            NewMessage(role="assistant", text="Hello"),
            NewMessage(role="user", text="Question", created=5.0),
            NewMessage(role="assistant", text="Answer", state="stopped"),
            NewMessage(role="user", text="Next"),
        ],
        created=4.0,
    )
    conversation = store.conversation(session)
    assert (conversation.title, conversation.position, conversation.turn) == ("Import", None, 3)
    assert (conversation.settings, conversation.created) == (SETTINGS, 4.0)
    messages = store.messages(session)
    assert [(one.role, one.turn) for one in messages] == [
        ("assistant", 1),
        ("user", 2),
        ("assistant", 2),
        ("user", 3),
    ]
    assert (messages[1].created, messages[2].created) == (5.0, clock.now)


def test_what_comes_from_elsewhere_keeps_its_models_its_pins_and_its_place(store: Store) -> None:
    other = store.create(SETTINGS, group="work").session
    said = [
        NewMessage(role="user", text="Question", pinned=True),
        NewMessage(role="assistant", text="Answer", model="gemma"),
    ]
    session = store.library.add("Import", SETTINGS, said, tab=NewTab("work", "star", True))
    assert [(one.model, one.pinned) for one in store.messages(session)] == [
        ("", True),
        ("gemma", False),
    ]
    store.open_at(session)
    conversation = store.conversation(session)
    assert (conversation.mark, conversation.pinned) == ("star", True)
    assert store.tabs.order() == (session, other)


def test_a_tree_from_elsewhere_shows_its_chosen_branch_and_keeps_the_others(store: Store) -> None:
    thought = Thought(at=0, text="Hm", seconds=1.0)
    session = store.library.add(
        "Import",
        SETTINGS,
        [
            NewMessage(role="user", text="Q"),
            NewMessage(role="assistant", text="A1", chosen=False),
            NewMessage(role="user", text="Q after A1"),
            NewMessage(role="assistant", text="A2", parent=1, asides=(thought,)),
            NewMessage(role="user", text="Another Q", parent=0, chosen=False),
            NewMessage(role="user", text="Q after A2", parent=4),
        ],
    )
    shown = store.messages(session)
    assert [one.text for one in shown] == ["Q", "A2", "Q after A2"]
    assert [(one.branch, one.branches) for one in shown] == [(1, 2), (2, 2), (1, 1)]
    assert shown[1].asides == (thought,)
    every = store.messages(session, branches="all")
    assert [(one.text, one.turn) for one in every] == [
        ("Q", 1),
        ("A1", 1),
        ("Q after A1", 2),
        ("A2", 3),
        ("Another Q", 4),
        ("Q after A2", 5),
    ]
    assert store.conversation(session).turn == 5
    assert [one.chosen for one in every] == [True, False, True, True, False, True]
    store.branches.show(every[1].message)
    assert [one.text for one in store.messages(session)] == ["Q", "A1", "Q after A1"]


def test_several_are_deleted_at_once_with_all_their_messages(three: Store) -> None:
    three.library.delete([1, 2, 1])
    assert [(one.session, one.position) for one in three.conversations()] == [(3, 0)]
    assert three.messages(1) == ()


def test_when_one_does_not_exist_none_is_deleted(three: Store) -> None:
    with pytest.raises(StoreError, match="no conversation 9; nothing was deleted"):
        three.library.delete([1, 9])
    assert len(three.conversations()) == 3


def test_a_backup_is_whole_private_and_needs_nothing_beside_it(
    three: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target = folder / "copy.db"
    back_up(three.path, target)
    assert [file.name for file in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = Store.open(target)
    assert copy.conversations() == three.conversations()
    copy.close()


def test_a_backup_never_overwrites(three: Store, tmp_path: Path) -> None:
    target = tmp_path / "taken.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match="already; it was left as it is"):
        back_up(three.path, target)
    assert target.read_text() == "mine"


def test_a_backup_into_a_missing_folder_is_a_sentence(three: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"The folder .* for the copy does not exist"):
        back_up(three.path, tmp_path / "missing" / "copy.db")


def test_what_was_left_of_a_backup_that_was_cut_off_goes_with_the_next_one(
    three: Store, tmp_path: Path
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = [f".old.db.{ended.pid}-abcd1234.gemma-chat-part{end}" for end in ("", "-journal")]
    kept = [f".old.db.{os.getpid()}-abcd1234.gemma-chat-part", ".old.db.part", "old.db"]
    folder = tmp_path / "copies"
    folder.mkdir()
    for name in (*left, *kept):
        (folder / name).touch()
    back_up(three.path, folder / "copy.db")
    assert {file.name for file in folder.iterdir()} == {*kept, "copy.db"}


def test_what_cannot_be_removed_keeps_nothing_else_that_was_left(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = tmp_path / "library"
    left = [folder / f".old.db.{ended.pid}-{number}.gemma-chat-part" for number in range(9)]
    # A folder cannot be unlinked; it stands for any file of which that is true.
    for stubborn in left[:-1]:
        stubborn.mkdir(parents=True)
    left[-1].touch()
    remove_left_parts(folder)
    assert set(folder.iterdir()) == set(left[:-1])


def test_what_was_asked_in_passing_is_forgotten_and_nothing_else(three: Store) -> None:
    said = [NewMessage(role="user", text="What time is it?")]
    passing = three.library.add("ask", SessionSettings(), said, passing=True)
    kept = three.library.add("kept", SessionSettings(), said)
    assert three.library.forget_passing() == 1
    assert {one.session for one in three.library.page()} == {1, 2, 3, kept}
    with pytest.raises(StoreError):
        three.conversation(passing)
    assert three.library.forget_passing() == 0


def test_a_backup_taken_while_another_process_writes_is_of_one_moment(
    three: Store, tmp_path: Path, database: Path
) -> None:
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE conversations SET title = 'changed'")
    back_up(three.path, tmp_path / "copy.db")
    other.execute("ROLLBACK")
    other.close()
    copy = Store.open(tmp_path / "copy.db")
    assert {one.title for one in copy.conversations()} == {"Über den Wald", "Sea", "Sky"}
    copy.close()


def test_conversations_are_listed_by_what_was_said_in_them_or_by_their_title(store: Store) -> None:
    said = [NewMessage(role="user", text="How deep is the Sea?")]
    first = store.library.add("Water", SessionSettings(), said)
    store.library.add("Birds", SessionSettings(), [NewMessage(role="user", text="Sing!")])
    third = store.library.add("Seaside", SessionSettings(), [NewMessage(role="user", text="Sun")])

    def listed(words: str, **narrowed: Any) -> set[int]:
        return {one.session for one in store.library.page(words=words, **narrowed)}

    assert listed("SEA") == {first, third}
    assert listed("sea de") == listed(" deep") == {first}
    assert len(listed("sea", limit=1)) == len(listed("sea", limit=1, offset=1)) == 1
    assert listed("sea", which="open") == listed("whale") == listed("?!") == set()
    assert len(listed("  ")) == 3
