"""Files in a message: text is taken, everything else is refused with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemma_chat.ui.drafts import Draft, draft_of
from gemma_chat.ui.input.files import (
    MAX_FILE_BYTES,
    MOST_NAMES,
    FileRefusedError,
    as_block,
    file_text,
    name_of_block,
    paths_like,
)


def test_text_is_read_with_its_line_ends_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_bytes(b"\xef\xbb\xbfone\ntwo \xe6\xbc\xa2\n")
    assert file_text(file) == "one\ntwo 漢\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\0b", "not a text file"),
        (b"ok\n\xff\xfe", "line 2"),
        (b"x" * (MAX_FILE_BYTES + 1), "larger than 1 MB"),
    ],
)
def test_what_is_not_text_or_too_large_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "odd"
    file.write_bytes(content)
    with pytest.raises(FileRefusedError, match=words):
        file_text(file)


def test_folders_pipes_devices_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "device or a pipe"),
        (Path("/dev/zero"), "device or a pipe"),
        (tmp_path / "none", "There is no file"),
        (tmp_path / ("n" * 300), "cannot be read"),
        (Path("~nobody-of-this-name/x"), "cannot be read"),
        (Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(FileRefusedError, match=words):
            file_text(path)


def test_a_block_names_its_file_and_cannot_be_closed_from_within() -> None:
    block = as_block(Path("src/x.py"), "a = 1\n````\nforged")
    assert block.startswith("File `x.py`:\n\n`````python\na = 1")
    assert block.endswith("forged\n`````")
    assert name_of_block(block) == "x.py"
    assert name_of_block("no file") == ""


def test_a_hostile_name_stays_on_its_line() -> None:
    block = as_block(Path("a`\n\x1b[2Jb.md"), "x")
    assert block.splitlines()[0] == "File `a????[2Jb.md`:".replace("????", "???")


def test_a_file_in_a_draft_comes_back_folded() -> None:
    block = as_block(Path("x.py"), "a = 1\n\nb = 2\n")
    for draft in (Draft("explain", (block,)), Draft("", (block,))):
        assert draft_of(draft.full) == draft
    assert draft_of(Draft("", (block, block)).full).full == Draft("", (block, block)).full


def test_names_are_completed_folders_with_a_slash_hidden_ones_on_demand(tmp_path: Path) -> None:
    (tmp_path / "alpha.txt").touch()
    (tmp_path / "Also").mkdir()
    (tmp_path / ".almost").touch()
    (tmp_path / "al\x1b[2J").touch()
    base = f"{tmp_path}/"
    assert paths_like(f"{base}al") == [f"{base}alpha.txt", f"{base}Also/"]
    assert paths_like(f"{base}.") == [f"{base}.almost"]
    assert paths_like(f"{base}none/x") == []


def test_a_folder_of_many_files_gives_only_some(tmp_path: Path) -> None:
    for number in range(MOST_NAMES + 20):
        (tmp_path / f"f{number}").touch()
    assert len(paths_like(f"{tmp_path}/f")) == MOST_NAMES


@pytest.mark.parametrize("typed", ["~nobody-of-this-name/", "a\0/b", "x" * 5_000 + "/"])
def test_a_path_that_cannot_be_completes_to_nothing(typed: str) -> None:
    assert paths_like(typed) == []
