"""What was sent comes back: by walking, by searching, and after a restart."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gemma_chat.ui.input.sent import (
    MAX_CHARACTERS,
    MAX_FILE_BYTES,
    Recall,
    SentMessages,
)


def test_messages_come_back_after_a_restart_newest_first_and_each_once(tmp_path: Path) -> None:
    file = tmp_path / "sent.jsonl"
    first = SentMessages(file)
    for text in ("one", "two\nlines", "漢字 \x1b[2J", "one"):
        first.add(text)
    assert first.newest_first == ("one", "漢字 \x1b[2J", "two\nlines")
    assert SentMessages(file).newest_first == first.newest_first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_more_than_the_limit_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "sent.jsonl"
    sent = SentMessages(file, limit=3)
    for number in range(10):
        sent.add(str(number))
    assert sent.newest_first == ("9", "8", "7")
    assert SentMessages(file, limit=2).newest_first == ("9", "8")


def test_a_limit_of_zero_writes_and_remembers_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sent.jsonl"
    SentMessages(file).add("kept earlier")
    sent = SentMessages(file, limit=0)
    sent.add("secret")
    assert sent.newest_first == ()
    assert "secret" not in file.read_text()


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MAX_CHARACTERS + 1)])
def test_nothing_and_what_is_too_long_is_not_remembered(text: str) -> None:
    sent = SentMessages()
    sent.add(text)
    assert sent.newest_first == ()


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "sent.jsonl"
    good = json.dumps("good")
    broken = [b'"cut', b"\xff\xfe", b"[1]", b"7", b"[" * 5_000, b'""', good.encode(), b""]
    file.write_bytes(b"\n".join(broken))
    assert SentMessages(file).newest_first == ("good",)


def test_a_folder_in_the_place_of_the_file_stops_nothing(tmp_path: Path) -> None:
    sent = SentMessages(tmp_path)
    sent.add("one")
    assert sent.newest_first == ("one",)


def test_a_file_that_grew_too_long_is_shortened(tmp_path: Path) -> None:
    file = tmp_path / "sent.jsonl"
    file.write_text((json.dumps("x" * 10_000) + "\n") * (MAX_FILE_BYTES // 10_000 + 2))
    sent = SentMessages(file)
    sent.add("last")
    assert file.stat().st_size < 20_000
    assert SentMessages(file).newest_first == ("last", "x" * 10_000)


def test_recall_walks_back_through_what_begins_alike_and_forth_to_what_was_typed() -> None:
    walk = Recall(("sea two", "egg", "sea one"), "sea")
    assert [walk.older(), walk.older(), walk.older()] == ["sea two", "sea one", None]
    assert [walk.newer(), walk.newer(), walk.newer()] == ["sea two", "sea", None]
