"""Conversations go out to files and come in from them, as a person does it in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.ui.scripted import message, notes, screen_text
from tests.ui.stored_conversations import BIRDS, CODE, TAB, StoringLink, settle, terminal
from textual.pilot import Pilot
from textual.widgets import Input

from gemma_chat.exchange.own_json import write_json
from gemma_chat.exchange.reading import read_conversations
from gemma_chat.exchange.transcript import Line, Transcript
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.drafts import Draft

OPENAI = [
    {
        "title": "From elsewhere",
        "create_time": 1.0,
        "current_node": "b",
        "mapping": {
            "a": {
                "id": "a",
                "parent": None,
                "children": ["b"],
                "message": {"author": {"role": "user"}, "content": {"parts": ["Hello?"]}},
            },
            "b": {
                "id": "b",
                "parent": "a",
                "children": [],
                "message": {"author": {"role": "assistant"}, "content": {"parts": ["Hi."]}},
            },
        },
    }
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the terminal was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


async def say(pilot: Pilot[None], app: ChatApp, command: str) -> None:
    """Type a command into the input."""
    app.window.composer.load(Draft(command))
    app.window.composer.send()
    await told(pilot)


async def told(pilot: Pilot[None]) -> None:
    """Let files be read and written, which a thread does."""
    await settle(pilot)
    busy = [one for one in pilot.app.workers if one.group == "host" and not one.is_finished]
    if len(pilot.app.screen_stack) == 1:
        await pilot.app.workers.wait_for_complete(busy)
    await settle(pilot)


async def test_json_has_all_branches_and_what_is_read_the_shown_one(folder: Path) -> None:
    link = StoringLink()
    question, reply = link.stored[TAB]
    other = message(reply.message + 1, "Aye.", role="assistant")
    other = msgspec.structs.replace(other, parent=question.message, chosen=False)
    link.stored[TAB] = (question, reply, other)
    async with terminal(link) as (app, pilot):
        await say(pilot, app, "/export chat.json")
        assert link.asked(p.FetchMessages)[-1].branches == "all"
        await say(pilot, app, "/export chat.md")
        assert f"Written to {folder / 'chat.json'} (3 messages)." in notes(app)
        assert f"Written to {folder / 'chat.md'} (2 messages)." in notes(app)
    [read] = read_conversations(folder / "chat.json")
    assert [line.text for line in read.lines] == ["Ahoy!", "Arr, the sea is rough.", "Aye."]
    assert "Aye." not in (folder / "chat.md").read_text()


async def test_a_format_and_a_file_may_be_named_together(folder: Path) -> None:
    async with terminal(StoringLink()) as (app, pilot):
        await say(pilot, app, "/export json my talk")
        await say(pilot, app, "/export html page.htm")
        for name in ("my talk.json", "page.htm"):
            assert f"Written to {folder / name} (2 messages)." in notes(app)
    assert [one.title for one in read_conversations(folder / "my talk.json")] == ["Pirate"]
    assert (folder / "page.htm").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40)])
async def test_a_name_is_suggested_and_what_was_written_is_said(
    folder: Path, size: tuple[int, int]
) -> None:
    async with terminal(StoringLink(), size) as (app, pilot):
        await pilot.press("alt+e")
        await settle(pilot)
        assert "Export “Pirate”" in screen_text(app)
        assert app.screen.query_one(Input).value == str(folder / "1-Pirate.md")
        await pilot.press("enter")
        await told(pilot)
        assert "the sea is rough" in (folder / "1-Pirate.md").read_text()
        assert f"Written to {folder / '1-Pirate.md'} (2 messages)." in notes(app)


async def test_the_format_changes_with_the_arrows_with_a_click_and_with_the_name(
    folder: Path,
) -> None:
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        await pilot.press("alt+e", "down")
        await settle(pilot)
        assert app.screen.query_one(Input).value.endswith("1-Pirate.json")
        await pilot.press("up", "up")
        assert app.screen.query_one(Input).value.endswith("1-Pirate.svg")
        lines = screen_text(app).splitlines()
        y = next(y for y, line in enumerate(lines) if " HTML " in line)
        await pilot.click(offset=(lines[y].index("HTML"), y))
        await settle(pilot)
        assert app.screen.query_one(Input).value.endswith("1-Pirate.html")
        await pilot.press(*["backspace"] * 4, *"json", "enter")
        await told(pilot)
        [read] = read_conversations(folder / "1-Pirate.json")
        assert [line.text for line in read.lines] == ["Ahoy!", "Arr, the sea is rough."]


async def test_a_name_without_ending_takes_that_of_the_marked_format(folder: Path) -> None:
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        await pilot.press("alt+e", "ctrl+u", *"notes v1.2", "down", "enter")
        await told(pilot)
        [read] = read_conversations(folder / "notes v1.2.json")
        assert [line.text for line in read.lines] == ["Ahoy!", "Arr, the sea is rough."]
        assert any("notes v1.2.json" in note for note in notes(app))


async def test_a_file_that_exists_is_replaced_only_when_the_person_says_so(folder: Path) -> None:
    (folder / "1-Pirate.md").write_text("mine")
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        await pilot.press("alt+e", "enter")
        await told(pilot)
        assert "1-Pirate.md exists already" in screen_text(app)
        await pilot.press("enter")
        await told(pilot)
        assert (folder / "1-Pirate.md").read_text() == "mine"
        assert not any("Written" in note for note in notes(app))
        await pilot.press("alt+e", "enter")
        await told(pilot)
        await pilot.press("r")
        await told(pilot)
        assert "the sea is rough" in (folder / "1-Pirate.md").read_text()


async def test_a_command_exports_into_a_format_a_file_or_a_folder(folder: Path) -> None:
    (folder / "sub").mkdir()
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        for wish in ("html", "chat.JSON", "sub"):
            await say(pilot, app, f"/export {wish}")
        assert "<html" in (folder / "1-Pirate.html").read_text()
        assert json.loads((folder / "chat.JSON").read_text())
        assert (folder / "sub" / "1-Pirate.md").is_file()


async def test_a_long_chat_is_exported_whole(folder: Path) -> None:
    link = StoringLink()
    link.stored[TAB] = tuple(message(number, f"message {number}") for number in range(1, 1_202))
    async with terminal(link, (80, 24)) as (app, pilot):
        await say(pilot, app, "/export chat.json")
        [read] = read_conversations(folder / "chat.json")
        assert [line.text for line in read.lines] == [f"message {n}" for n in range(1, 1_202)]


async def test_a_path_that_cannot_be_written_is_told() -> None:
    wrong = {
        "chat.doc": "chat.doc does not say in which format",
        "missing/chat.md": "cannot be written (No such file or directory)",
        "~nobody-of-this-name/chat.md": "There is no user ~nobody-of-this-name here.",
        "x" * 300 + ".md": "cannot be written (File name too long)",
        "a\0b.md": "A path holds no zero character.",
    }
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        for path, sentence in wrong.items():
            await say(pilot, app, f"/export {path}")
            assert sentence in notes(app)[-1]


async def test_a_folder_that_is_gone_is_told_and_home_is_suggested_instead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = folder / "gone"
    gone.mkdir()
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        monkeypatch.chdir(gone)
        gone.rmdir()
        await say(pilot, app, "/export chat.md")
        assert "was started is gone" in notes(app)[-1]
        await pilot.press("alt+e")
        await settle(pilot)
        assert app.screen.query_one(Input).value == "~/1-Pirate.md"


async def test_a_chat_without_messages_is_not_exported() -> None:
    link = StoringLink()
    link.stored[TAB] = ()
    async with terminal(link, (80, 24)) as (app, pilot):
        await say(pilot, app, "/export html")
        assert any("there is nothing to export" in note for note in notes(app))
        assert not any("Written" in note for note in notes(app))


async def test_marked_chats_are_exported_into_a_folder(folder: Path) -> None:
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press("down", "down", "tab", "tab", "alt+e")
        await settle(pilot)
        assert "Export 2 conversations into a folder" in screen_text(app)
        await pilot.press(*"out", "down", "enter")
        await settle(pilot)
        await pilot.press("escape")
        await told(pilot)
        written = {path.name for path in (folder / "out").iterdir()}
        assert written == {f"{BIRDS}-Birds.json", f"{CODE}-Code.json"}
        assert f"2 conversations written to {folder / 'out'}." in notes(app)


async def test_of_several_files_those_that_exist_can_be_left_as_they_are(folder: Path) -> None:
    (folder / f"{BIRDS}-Birds.md").write_text("mine")
    async with terminal(StoringLink(), (80, 24)) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press("down", "down", "tab", "tab", "alt+e", "enter")
        await settle(pilot)
        assert f"{BIRDS}-Birds.md exists already" in screen_text(app)
        await pilot.press("l")
        await settle(pilot)
        await pilot.press("escape")
        await told(pilot)
        assert (folder / f"{BIRDS}-Birds.md").read_text() == "mine"
        assert "print(1)" in (folder / f"{CODE}-Code.md").read_text()
        assert f"1 conversation written to {folder}." in notes(app)


async def test_a_file_with_one_chat_is_imported_and_opened(folder: Path) -> None:
    (folder / "conversations.json").write_text(json.dumps(OPENAI))
    link = StoringLink()
    async with terminal(link, (80, 24)) as (app, pilot):
        await say(pilot, app, "/import conversations.json")
        [request] = link.asked(p.ImportConversation)
        assert (request.title, [one.text for one in request.messages]) == (
            "From elsewhere",
            ["Hello?", "Hi."],
        )
        assert "Imported from conversations.json." in notes(app)
        assert app.state.active == link.asked(p.ReopenSession)[0].session


async def test_a_file_with_several_chats_is_imported_by_the_dialog(folder: Path) -> None:
    chats = [Transcript(f"chat {n}", (Line("user", "hello"),)) for n in range(3)]
    (folder / "chats.json").write_text(write_json(chats))
    link = StoringLink()
    async with terminal(link, (80, 24)) as (app, pilot):
        await say(pilot, app, "/import")
        assert "Import conversations" in screen_text(app)
        await pilot.press(*"chats.json", "enter")
        await told(pilot)
        assert [one.title for one in link.asked(p.ImportConversation)] == [
            "chat 0",
            "chat 1",
            "chat 2",
        ]
        assert any("3 conversations imported from chats.json." in note for note in notes(app))


async def test_an_import_that_the_host_ends_says_how_far_it_came(folder: Path) -> None:
    (folder / "chats.json").write_text(
        write_json([Transcript("a", (Line("user", "x"),)), Transcript("b", (Line("user", "x"),))])
    )
    link = StoringLink()
    link.refusals[p.ImportConversation] = "The disk is full."
    async with terminal(link, (80, 24)) as (app, pilot):
        await say(pilot, app, "/import chats.json")
        named = f"{folder / 'chats.json'} cannot be imported whole. Its conversation 'a' is refused"
        assert f"{named}: The disk is full." in notes(app)
        assert any("0 of 2 conversations imported from chats.json" in note for note in notes(app))


async def test_a_file_that_holds_no_chats_is_told(folder: Path) -> None:
    wrong = {
        b"": "cannot be imported",
        b"\xff\xfe\x00": "cannot be imported",
        b'[{"title": "cut': "cannot be imported",
        b"[" * 100_000: "cannot be imported",
        b'{"a": 1}': "no list of conversations",
    }
    link = StoringLink()
    async with terminal(link, (80, 24)) as (app, pilot):
        await say(pilot, app, "/import wrong.json")
        assert "There is no file" in notes(app)[-1]
        for content, sentence in wrong.items():
            (folder / "wrong.json").write_bytes(content)
            await say(pilot, app, "/import wrong.json")
            assert "wrong.json" in notes(app)[-1]
            assert sentence in notes(app)[-1]
        assert not link.asked(p.ImportConversation)
