"""Messages, blocks of code and selected text are copied as they were written."""

from __future__ import annotations

import base64

import pytest
from tests.ui.reading import CODE, TALK, reading, select
from tests.ui.scripted import message, notes

from gemma_chat.ui.app import ChatApp


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts the terminal was asked to take."""
    texts: list[str] = []

    def note(_: ChatApp, sequence: str) -> None:
        texts.append(base64.b64decode(sequence[7:-1]).decode())

    monkeypatch.setattr(ChatApp, "_send_to_terminal", note)
    return texts


async def test_a_message_is_copied_as_it_was_written_and_that_is_said(sent: list[str]) -> None:
    async with reading() as (app, _, pilot):
        await select(pilot, app, 4)
        await pilot.press("c")
        await pilot.pause()
        assert sent == [CODE]
        assert "51 characters in 11 lines sent to the terminal's clipboard." in notes(app)
        assert app.clipboard == CODE


async def test_the_newest_reply_is_copied_while_one_types(sent: list[str]) -> None:
    async with reading(*TALK[:2]) as (_, __, pilot):
        await pilot.press("alt+c")
        await pilot.pause()
        assert sent == ["Wide."]


async def test_blocks_of_code_are_marked_one_after_the_other_and_copied(sent: list[str]) -> None:
    async with reading() as (app, _, pilot):
        await select(pilot, app, 4)
        for _ in range(3):
            await pilot.press("b", "c")
            await pilot.pause()
        assert sent == ["print(1)", "second", "print(1)"]
        await select(pilot, app, 1)
        await pilot.press("b")
        await pilot.pause()
        assert any("no block of code" in note for note in notes(app))


async def test_text_is_selected_with_shift_and_arrows_and_copied(sent: list[str]) -> None:
    text = "one 👩‍👩‍👧 two\n\nsecond שלום"
    async with reading(message(1, text, role="assistant")) as (app, _, pilot):
        await select(pilot, app, 1)
        await pilot.press(*["shift+right"] * 5, "c")
        await pilot.press("shift+down", "shift+down", "shift+end", "c")
        await pilot.pause()
        assert sent == ["one 👩‍👩‍👧", text]


async def test_a_block_is_marked_without_a_cursor_too(sent: list[str]) -> None:
    async with reading(*TALK, message(5, "plain", role="assistant", turn=3)) as (app, _, pilot):
        app.action_run("message.code")
        await pilot.pause()
        assert app.state.selected == 4
