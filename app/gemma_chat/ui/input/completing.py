"""Completion at work: looks at the text after every change, shows what fits, puts it in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gemma_chat.ui.input.slash import is_command

if TYPE_CHECKING:
    from gemma_chat.ui.composer import Composer
    from gemma_chat.ui.input.completion import Offer, Sources, Suggestion
    from gemma_chat.ui.input.suggestions import Suggestions


class Completing:
    """The suggestions of one input."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self._list: Suggestions | None = None
        self._dismissed = ""
        """The text for which a person closed the list: it stays closed until that changes."""
        self._looked_at = ("", 0)
        """The line and the cursor to which what is shown belongs."""
        self.sources: Sources | None = None
        """Where names come from; without it nothing is suggested."""

    def look(self) -> None:
        """The text has changed."""
        editor = self._composer.editor
        row, column = editor.cursor_location
        line = editor.document[row]
        before = line[:column]
        command = row == 0 and is_command(before)
        if self.sources is None or not (command or "@" in before):
            self.close()
            return
        if editor.text == self._dismissed:
            return
        self._dismissed = ""
        # Beside everything else: names and files are read from the disk.
        self._composer.run_worker(
            self._offer(line, column, self.sources, first_line=row == 0), group="completing"
        )

    def look_again(self) -> None:
        """The cursor has moved: what is shown may not fit any more."""
        if self._shown is None:
            return
        row, column = self._composer.editor.cursor_location
        if column != self._shown.end or (row and is_command(self._composer.editor.text)):
            self.look()

    def move(self, step: int) -> None:
        """Mark the suggestion above or below."""
        if self._list is not None:
            self._list.move(step)

    def take(self, *, by_enter: bool) -> bool:
        """Put the marked suggestion in; whether there was one that changes anything.

        By enter, what is typed in full already is left to be sent.
        """
        offer, marked = self._shown, self._list.marked if self._list else None
        editor = self._composer.editor
        row, column = editor.cursor_location
        if offer is not None and (editor.document[row], column) != self._looked_at:
            # Typed faster than it was looked up: what is shown belongs to an earlier text.
            offer = self._now(editor.document[row], column, first_line=row == 0)
            marked = offer.suggestions[0] if offer else None
        if offer is None or marked is None:
            self._hide()
            return False
        typed = editor.document[row][offer.start : offer.end]
        self._hide()
        if by_enter and typed == marked.text.strip():
            return False
        self._put(offer, marked, row)
        complete = marked.kind in ("command", "argument") and not marked.text.endswith(" ")
        if by_enter and complete:
            self._composer.send()
        return True

    def close(self) -> bool:
        """Take the list away; whether there was one."""
        shown = self._shown is not None
        if shown:
            self._dismissed = self._composer.editor.text
        self._hide()
        return shown

    # ------------------------------------------------------------

    @property
    def _shown(self) -> Offer | None:
        return self._list.offer if self._list is not None and self._list.display else None

    async def _offer(self, line: str, column: int, sources: Sources, *, first_line: bool) -> None:
        from gemma_chat.ui.input.completion import offer

        found = await asyncio.to_thread(offer, line, column, first_line=first_line, sources=sources)
        if found is not None:
            await self._make_list()
        editor = self._composer.editor
        row, now = editor.cursor_location
        if (editor.document[row], now) != (line, column) or editor.text == self._dismissed:
            # Something else was typed meanwhile, or the list was closed.
            return
        self._looked_at = (line, column)
        if found is None:
            self._hide()
        else:
            self._show(found)

    def _now(self, line: str, column: int, *, first_line: bool) -> Offer | None:
        from gemma_chat.ui.input.completion import offer

        if self.sources is None:
            return None
        return offer(line, column, first_line=first_line, sources=self.sources)

    async def _make_list(self) -> None:
        if self._list is None:
            from gemma_chat.ui.input.suggestions import Suggestions

            self._list = Suggestions()
            self._list.display = False
            await self._composer.mount(self._list, before=self._composer.editor)

    def _show(self, offer: Offer) -> None:
        assert self._list is not None
        self._list.display = True
        self._list.show(offer)
        self._composer.editor.choosing = True

    def _hide(self) -> None:
        self._composer.editor.choosing = False
        if self._list is not None:
            self._list.display = False

    def _put(self, offer: Offer, marked: Suggestion, row: int) -> None:
        composer = self._composer
        editor = composer.editor
        before = sum(len(editor.document[above]) + 1 for above in range(row))
        start, end = before + offer.start, before + offer.end
        at_sign = editor.document[row][offer.start] == "@" if offer.start < offer.end else False
        if marked.kind == "file" and at_sign:
            composer.post_message(composer.FileWanted(marked.text, start, end))
            return
        text = marked.text
        if at_sign:
            text = "@" + text.replace(" ", "\\ ")
        editor.change(start, end, text)
        editor.move_to(start + len(text))
