"""Which message a command of the plain line mode is about: the one selected, else the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.text import NAME_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.terminal import PlainTerminal
    from gemma_chat.ui.state import TabState

_NONE: Final = "none"


class Selection:
    """The message that a person has selected, if any.

    It is known by its number in the store, so that it stays the same one whatever is said after
    it; one that is shown no more is told, and never taken for another.
    """

    def __init__(self, terminal: PlainTerminal) -> None:
        self._terminal = terminal
        self._selected = (0, 0)
        """Session and message."""

    async def tab(self) -> TabState:
        """The tab that is shown; raises `SettingsError` when none is open."""
        active = self._terminal.state.active
        tab = await self._terminal.loaded(active) if active else None
        if tab is None:
            raise SettingsError(
                "No tab is open. /new opens one, /conversations lists all there are."
            )
        return tab

    async def chosen(self) -> p.MessageView | None:
        """The selected message of the tab that is shown; raises when it is shown no more."""
        tab = await self.tab()
        session, number = self._selected
        if session != tab.session:
            return None
        message = tab.message(number)
        if message is None:
            self.leave()
            raise SettingsError(
                "The message that was selected is not shown any more. /message NUMBER selects "
                "another one."
            )
        return message

    async def about(
        self, newest: Literal["user", "assistant", "any"] = "any"
    ) -> tuple[TabState, p.MessageView]:
        """The selected message; with none selected the newest one of this role."""
        tab, selected = await self.tab(), await self.chosen()
        if selected is not None:
            return tab, selected
        for message in reversed(tab.conversation.messages):
            if newest in ("any", message.role):
                return tab, message
        what = {"user": "question", "assistant": "reply", "any": "message"}[newest]
        raise SettingsError(f"There is no {what} in this tab yet.")

    def put(self, session: int, message: int) -> None:
        """Select a message."""
        self._selected = (session, message)

    def leave(self) -> None:
        """Select none: what follows is about the newest message again."""
        self._selected = (0, 0)

    async def find(self, wish: str) -> p.MessageView | None:
        """Select the message that is meant by a number, counted back from 1, the newest, or by
        words that stand in it; `none` selects none. The selected one."""
        tab = await self.tab()
        messages = tab.conversation.messages
        if wish.lower() == _NONE:
            self.leave()
            return None
        if wish.isdecimal():
            place = int(wish[:9])
            found = messages[-place] if 1 <= place <= len(messages) else None
        else:
            words = wish.casefold()
            backwards = (one for one in reversed(messages) if words in one.text.casefold())
            found = next(backwards, None)
        if found is None:
            shown = one_line(wish, NAME_CELLS)
            raise SettingsError(f"No message is meant by {shown}. /show 10 reads the last ten.")
        self.put(tab.session, found.message)
        return found
