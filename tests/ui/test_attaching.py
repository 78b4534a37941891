"""Images and recordings in the terminal: attached by path or dropped, shown, taken out, sent."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.projectors import picture, tone
from tests.ui.hands import HeldBack
from tests.ui.scripted import (
    READY,
    ScriptedLink,
    make_app,
    message,
    notes,
    screen_text,
    tab,
)
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from gemma_chat.errors import ModalityError
from gemma_chat.host import protocol as p
from gemma_chat.media.faults import not_taken
from gemma_chat.quantities import byte_size
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.attaching import commands
from gemma_chat.ui.attaching.attached import dropped_paths, paths_like, read_attached
from gemma_chat.ui.attaching.chips import AttachmentChip
from gemma_chat.ui.attaching.dialog import AttachDialog
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.transcript.previews import picture_lines

SEEING = msgspec.structs.replace(READY, modalities=("image",))


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    file = tmp_path / "my cat.png"
    file.write_bytes(picture(1))
    return file


async def drop(pilot: Pilot[None], file: Path) -> None:
    """Drop a file on the terminal and wait until it was read."""
    app = pilot.app
    assert isinstance(app, ChatApp)
    app.window.composer.editor.post_message(events.Paste(str(file)))
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


def chips(app: ChatApp) -> list[str]:
    return [str(chip.render()) for chip in app.query(AttachmentChip)]


def test_a_paste_that_is_nothing_but_paths_is_a_drop(cat: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.WAV"
    song.write_bytes(tone(440))
    escaped = str(cat).replace(" ", "\\ ")
    for text in (str(cat), f"'{cat}'", f'"{cat}"', escaped, cat.as_uri(), f" {cat}\r\n"):
        assert dropped_paths(text) == (cat,)
    assert dropped_paths(f"{cat}\n{song}") == (cat, song)
    assert dropped_paths(f"{escaped} {song}") == (cat, song)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my cat.png",
        "/nowhere/cat.png",
        "Look at {cat}",
        "{cat}\nand this",
        "file://elsewhere{cat}",
        "/etc/passwd",
        "/a\0.png",
        "'/unfinished.png",
        "~nobody-here/cat.png",
        "/" + "x" * 5000 + ".png",
    ],
)
def test_any_other_paste_is_text(text: str, cat: Path) -> None:
    assert dropped_paths(text.replace("{cat}", str(cat))) == ()


def test_completion_knows_folders_pictures_and_recordings_only(tmp_path: Path, cat: Path) -> None:
    (tmp_path / "my folder").mkdir()
    (tmp_path / "my notes.txt").write_text("no")
    assert paths_like(f"{tmp_path}/my") == [str(cat), f"{tmp_path}/my folder/"]
    assert paths_like("/nowhere/at/all") == []
    assert paths_like("~nobody-here/") == []


def test_files_that_cannot_be_attached_are_refused_by_name(tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("My cat is called Tom.")
    with pytest.raises(ModalityError, match=r"^notes\.png is not a PNG"):
        read_attached(text)
    with pytest.raises(ModalityError, match="is not a file"):
        read_attached(tmp_path)
    with pytest.raises(ModalityError, match="does not exist"):
        read_attached(tmp_path / "nothing.png")
    with text.open("wb") as target:
        target.truncate(2**40)
    with pytest.raises(ModalityError, match=r"notes\.png has .* at most 20 MB"):
        read_attached(text)


async def test_a_dropped_picture_is_shown_above_the_input_and_sent(cat: Path) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=SEEING)
        await pilot.pause()
        await drop(pilot, cat)
        assert chips(app) == [f"▣ my cat.png  PNG 48×32 {byte_size(len(picture(1)))}  ✕"]
        assert app.window.composer.editor.text == ""
        await pilot.press("h", "i", "enter")
        await app.workers.wait_for_complete()
        (sent,) = link.asked(p.SendMessage)
        assert sent.text == "hi"
        assert sent.attachments == (p.Upload("my cat.png", picture(1)),)
        await pilot.pause()
        assert chips(app) == []


async def test_enter_right_after_a_dropped_picture_sends_it_too(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = HeldBack(read_attached)
    monkeypatch.setattr(commands, "read_attached", reading)
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=SEEING)
        await pilot.pause()
        for event in (events.Paste(str(cat)), events.Key("x", "x"), events.Key("enter", None)):
            app.post_message(event)
        await reading.let_go()
        await link.is_asked(p.SendMessage)
        (sent,) = link.asked(p.SendMessage)
        assert sent.attachments == (p.Upload("my cat.png", picture(1)),)


async def test_a_picture_alone_is_sent(cat: Path) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=SEEING)
        await pilot.pause()
        await drop(pilot, cat)
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert len(link.asked(p.SendMessage)) == 1


async def test_backspace_and_a_click_take_an_attachment_out(cat: Path) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=SEEING)
        await pilot.pause()
        for _ in range(2):
            await drop(pilot, cat)
        assert len(chips(app)) == 2
        await pilot.press("backspace")
        await pilot.pause()
        assert len(chips(app)) == 1
        await pilot.click(AttachmentChip)
        await pilot.pause()
        assert chips(app) == []


async def test_attachments_stay_with_their_tab(cat: Path) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1), tab(2)], model=SEEING)
        await pilot.pause()
        await drop(pilot, cat)
        await pilot.press("ctrl+pagedown")
        await pilot.pause()
        assert chips(app) == []
        await pilot.press("ctrl+pageup")
        await pilot.pause()
        assert len(chips(app)) == 1


async def test_the_dialog_completes_a_path_and_attaches_it(cat: Path) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=SEEING)
        await pilot.pause()
        await pilot.press("alt+a")
        await pilot.pause()
        assert isinstance(app.screen, AttachDialog)
        app.screen.query_one(Input).value = f"{cat.parent}/my"
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("tab")
        assert app.screen.query_one(Input).value == str(cat)
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert len(chips(app)) == 1


@pytest.mark.parametrize(
    ("model", "words"),
    [(READY, "does not take images"), (SEEING, "does not take audio")],
    ids=["blind", "deaf"],
)
async def test_what_the_model_does_not_take_is_said_at_once(
    model: p.ModelView, words: str, cat: Path, tmp_path: Path
) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(tone(440))
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=model)
        await pilot.pause()
        app._commands.attaching.attach([cat if model is READY else song])
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert words in " ".join(notes(app))
        assert chips(app) == []


async def test_an_image_behind_an_at_sign_is_attached_and_named(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cat.parent)
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=SEEING)
        await pilot.pause()
        app.window.composer.load(Draft("What is @my"))
        app._commands.input.replace_by_file(cat.name, 8, 11)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.window.composer.editor.text == "What is `my cat.png` "
        assert "my cat.png" in " ".join(chips(app))


def test_a_model_of_a_server_needs_its_projector_there() -> None:
    here, there = (
        not_taken("image", "cat.png", "Gemma", on_server=on_server, so_it="was not sent")
        for on_server in (False, True)
    )
    assert "model.projector" in here
    assert "Start the server with its projector" in there
    assert "model.projector" not in there


async def test_a_path_pasted_for_a_model_without_eyes_is_text(cat: Path) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)], model=READY)
        await pilot.pause()
        app.window.composer.editor.post_message(events.Paste(str(cat)))
        await pilot.pause()
        assert app.window.composer.editor.text == str(cat)


async def test_the_transcript_names_what_was_sent() -> None:
    files = (
        p.AttachmentView("cat\x1b[2J.png", "c" * 64, "image", "PNG", 2_500_000, 1024, 768),
        p.AttachmentView("song.wav", "5" * 64, "audio", "WAV", 900, seconds=61.4),
    )
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 24)) as pilot:
        asked = msgspec.structs.replace(message(1, "Look."), attachments=files)
        link.stored[1] = (asked,)
        link.connect([tab(1, message_count=1)], model=SEEING)
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        text = screen_text(app)
        assert "▣ cat␛[2J.png  PNG 1024×768 2.5 MB" in text
        assert "♪ song.wav  WAV 1:01 900 bytes" in text
        assert "Look." in text


def test_a_picture_becomes_half_blocks_of_its_own_colours() -> None:
    red, blue, grey = (255, 0, 0), (0, 0, 255), (9, 9, 9)
    rows = picture_lines(2, 3, bytes([*red, *blue, *blue, *red, *grey, *grey]))
    assert [row.text for row in rows] == ["▀▀", "▀▀"]
    assert rows[0].pixels == ((red, blue), (blue, red))
    assert rows[1].pixels == ((grey, grey), (grey, grey))


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut"])
async def test_the_transcript_shows_a_preview_when_it_has_come(
    whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    digest = "c" * 64
    cat = p.AttachmentView("cat.png", digest, "image", "PNG", 2_500_000, 1024, 768)
    link = ScriptedLink()
    link.previews[digest] = p.Preview(0, digest, 4, 2, bytes(24 if whole else 23))
    app = make_app(link)
    async with app.run_test(size=(100, 24)) as pilot:
        asked = msgspec.structs.replace(message(1, "Look."), attachments=(cat,))
        link.stored[1] = (asked,)
        link.connect([tab(1, message_count=1)], model=SEEING)
        await link.is_asked(p.FetchPreview)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert ("▀▀▀▀" in screen_text(app)) == whole
        assert "Look." in screen_text(app)
        assert len(link.asked(p.FetchPreview)) == 1


async def test_a_terminal_without_colours_asks_for_no_preview(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("NO_COLOR", "1")
    cat = p.AttachmentView("cat.png", "c" * 64, "image", "PNG", 2_500_000, 1024, 768)
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 24)) as pilot:
        asked = msgspec.structs.replace(message(1, "Look."), attachments=(cat,))
        link.stored[1] = (asked,)
        link.connect([tab(1, message_count=1)], model=SEEING)
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "cat.png" in screen_text(app)
        assert link.asked(p.FetchPreview) == []
