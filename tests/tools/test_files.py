"""Files below one folder: nothing outside it can be read, whatever stands in it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from gemma_chat.errors import ToolError
from gemma_chat.tools.on_board import files
from gemma_chat.tools.on_board.files import file_tools
from gemma_chat.tools.tool import MAX_RESULT_CHARACTERS

SECRET = "the secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shared folder, with a secret beside it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    shared = tmp_path / "shared"
    (shared / "notes").mkdir(parents=True)
    (shared / "plan.md").write_text("one\ntwo\nthree\n")
    (shared / "notes" / "a.txt").write_text("deep")
    return shared


async def read(folder: Path, path: str, first_line: int = 1) -> str:
    return await file_tools(folder)[0].run(json.dumps({"path": path, "first_line": first_line}))


async def listing(folder: Path, path: str = "") -> str:
    return await file_tools(folder)[1].run(json.dumps({"path": path}))


async def test_files_and_folders_below_the_folder_are_read(folder: Path) -> None:
    assert await read(folder, "plan.md") == "one\ntwo\nthree\n"
    assert await read(folder, "./notes//a.txt") == "deep"
    assert await read(folder, "plan.md", 3) == "three\n"
    assert await listing(folder) == "notes/\nplan.md (14 bytes)"
    assert await listing(folder, "notes/") == "a.txt (4 bytes)"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "notes/../../secret.txt",
        "..",
        "notes/..",
        "/etc/passwd",
        "~/x",
        "link.txt",
        "linked/secret.txt",
        "absolute.txt",
        "notes/chain",
        "loop",
        "missing.txt",
        "plan.md/x",
        "nul\0.txt",
        "x/" * 3000,
        "",
        ".",
        "notes",
    ],
)
async def test_no_path_leads_out_of_the_folder(folder: Path, path: str) -> None:
    (folder / "link.txt").symlink_to("../secret.txt")
    (folder / "linked").symlink_to("../outside")
    (folder / "absolute.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "notes" / "chain").symlink_to("../link.txt")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(ToolError) as raised:
        await read(folder, path)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("path", ["..", "linked", "notes/../..", "/", "plan.md"])
async def test_no_other_folder_is_listed(folder: Path, path: str) -> None:
    (folder / "linked").symlink_to("../outside")
    with pytest.raises(ToolError) as raised:
        await listing(folder, path)
    assert "secret.txt" not in str(raised.value)


async def test_a_link_that_replaces_a_folder_between_two_steps_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def swap(path: str | Path, flags: int, **more: int) -> int:
        if path == "notes":
            (folder / "notes").rename(folder / "elsewhere")
            (folder / "notes").symlink_to("../outside")
        return really_open(path, flags, **more)

    monkeypatch.setattr(files.os, "open", swap)
    with pytest.raises(ToolError, match="cannot be opened below the shared folder"):
        await read(folder, "notes/secret.txt")


async def test_a_link_is_named_as_such(folder: Path) -> None:
    (folder / "link.txt").symlink_to("../secret.txt")
    assert "link.txt (a link, not followed)" in await listing(folder)
    with pytest.raises(ToolError, match="it is a link, and links are not followed"):
        await read(folder, "link.txt")


async def test_what_is_no_text_file_is_refused(folder: Path) -> None:
    (folder / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "nul.txt").write_bytes(b"text\0text")
    (folder / "latin.txt").write_bytes("für".encode("latin-1"))
    for name in ("image.png", "nul.txt", "latin.txt"):
        with pytest.raises(ToolError, match="is not a text file"):
            await read(folder, name)


async def test_pipes_and_sockets_are_refused_without_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # The path of a socket may have 100 characters.
    os.mkfifo(folder / "pipe")
    with pytest.raises(ToolError, match="a device or a pipe"):
        await read(folder, "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(ToolError, match="cannot be opened"):
            await read(folder, "socket")


async def test_a_large_file_is_read_in_parts(folder: Path) -> None:
    lines = [f"line {number}\n" for number in range(1, 5001)]
    (folder / "long.txt").write_text("".join(lines))
    first = await read(folder, "long.txt")
    assert len(first) <= MAX_RESULT_CHARACTERS
    body, note = first.rsplit("[", 1)
    following = int(note.split("first_line=")[1].rstrip("]"))
    assert body == "".join(lines[: following - 1])
    assert (await read(folder, "long.txt", following)).startswith(f"line {following}\n")
    with pytest.raises(ToolError, match="has 5,000 lines; there is no line 5001"):
        await read(folder, "long.txt", 5001)


async def test_one_long_line_and_a_huge_file_are_bounded(folder: Path) -> None:
    (folder / "line.txt").write_text("x" * 100_000)
    text = await read(folder, "line.txt")
    assert len(text) <= MAX_RESULT_CHARACTERS
    assert text.endswith("[line 1 of 1 is cut off here]")
    (folder / "huge.txt").touch()
    os.truncate(folder / "huge.txt", 10**12)
    with pytest.raises(ToolError, match="has 1,000 GB; at most 4 MB"):
        await read(folder, "huge.txt")
    (folder / "empty.txt").touch()
    assert await read(folder, "empty.txt") == "[the file is empty]"


async def test_a_listing_is_bounded_and_shows_control_characters(folder: Path) -> None:
    (folder / "notes" / "evil\x1b[2J\n").touch()
    (folder / "notes" / os.fsdecode(b"\xff")).touch()
    shown = await listing(folder, "notes")
    assert "\x1b" not in shown
    assert r"evil\x1b[2J\n (0 bytes)" in shown
    assert r"\udcff (0 bytes)" in shown
    many = folder / "many"
    many.mkdir()
    assert await listing(folder, "many") == "[the folder is empty]"
    for number in range(files.MAX_ENTRIES + 5):
        (many / str(number)).touch()
    assert len((await listing(folder, "many")).splitlines()) == files.MAX_ENTRIES + 1


@pytest.mark.parametrize("missing", ["gone", "plan.md", "nul\0"])
async def test_a_shared_folder_that_is_none_is_a_sentence(folder: Path, missing: str) -> None:
    with pytest.raises(ToolError, match="Choose another one in the settings"):
        await listing(folder / missing)
