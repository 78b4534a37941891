"""Commands that change what was said: ask in other words, walk between branches, delete, pin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.quantities import counted
from gemma_chat.ui.input.slash import escaped
from gemma_chat.ui.text import NAME_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.selection import Selection
    from gemma_chat.ui.plain.terminal import PlainTerminal
    from gemma_chat.ui.state import TabState

_NONE: Final = "none"
Scope = Literal["exchange", "following"]
_SCOPES: Final[dict[str, Scope]] = {"exchange": "exchange", "following": "following"}


class ChangeCommands:
    """Carries these out for the terminal that owns it; all are about the selected message."""

    def __init__(self, terminal: PlainTerminal, selection: Selection) -> None:
        self._terminal = terminal
        self._selection = selection
        self.by_id: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "message.edit": self.edit,
            "plain.branch": self.branch,
            "message.delete": self.delete,
            "message.pin": self.pin,
            "message.quote": self.quote,
        }

    async def edit(self, wish: str) -> None:
        """Bring a question into the line; the next message that is typed takes its place."""
        terminal = self._terminal
        if wish.strip().lower() == _NONE:
            terminal.in_place_of = 0
            terminal.say("The question stays as it is; the next message is a new one.")
            return
        if wish:
            raise SettingsError(f"/resend takes none, not {one_line(wish, NAME_CELLS)}.")
        _, message = await self._selection.about("user")
        if message.role != "user":
            raise SettingsError("Your own messages can be edited; /again asks for another reply.")
        terminal.in_place_of = message.message
        terminal.to_edit = escaped(message.text)
        terminal.say(
            "The next message takes the place of this question; what followed stays as another "
            "branch. /resend none leaves it as it is."
        )

    # ------------------------------------------------------------ branches

    async def branch(self, wish: str) -> None:
        """Show another branch in the place of a message, or say how many there are."""
        terminal, (tab, message) = self._terminal, await self._with_branches()
        if not wish:
            terminal.say(
                f"Branch {message.branch} of {message.branches} at {beginning(message)}. "
                "/branch NUMBER shows another one."
            )
            return
        wanted = int(wish[:9]) if wish.isdecimal() else 0
        if not 1 <= wanted <= message.branches:
            there = counted(message.branches, "branch")
            raise SettingsError(
                f"There is no branch {one_line(wish, NAME_CELLS)} at this message; it has {there}."
            )
        place = tab.place_of(message.message)
        if wanted != message.branch and not await terminal.calls.select_branch(
            tab.session, message.message, wanted
        ):
            return
        messages = (await self._selection.tab()).conversation.messages
        if place < len(messages):
            self._selection.put(tab.session, messages[place].message)
            terminal.read(messages[place])

    async def _with_branches(self) -> tuple[TabState, p.MessageView]:
        """The selected message; with none selected, the newest one at which branches begin."""
        tab, selected = await self._selection.tab(), await self._selection.chosen()
        messages = tab.conversation.messages if selected is None else (selected,)
        for message in reversed(messages):
            if message.branches > 1:
                return tab, message
        raise SettingsError(
            "There is one branch only here. /again and /resend begin another; the one so far stays."
        )

    # ------------------------------------------------------------ deleting

    async def delete(self, wish: str) -> None:
        """Delete for good what `wish` says, or say what there is to delete."""
        terminal, (tab, message) = self._terminal, await self._selection.about()
        named = beginning(message)
        if message.state == "queued":
            if await self._deleted(tab, message, "exchange"):
                terminal.say(f"Cancelled: {named}.")
            return
        scope = _SCOPES.get(wish.strip().lower())
        if wish and scope is None:
            shown = one_line(wish, NAME_CELLS)
            raise SettingsError(f"/delete takes exchange or following, not {shown}.")
        if scope is None:
            after = len(tab.conversation.messages) - tab.place_of(message.message) - 1
            terminal.say(
                f"{named} is meant. /delete exchange deletes its question and reply for good, "
                f"/delete following it and all after it, {counted(after, 'message')}, with their "
                "branches. /message selects another message."
            )
        elif await self._deleted(tab, message, scope):
            what = {"exchange": "the exchange with", "following": "all from here on:"}[scope]
            terminal.say(f"Deleted {what} {named}.")

    async def _deleted(self, tab: TabState, message: p.MessageView, scope: Scope) -> bool:
        deleting = self._terminal.calls.delete(
            tab.session, message.message, tab.last_message, scope
        )
        done = await deleting
        if done:
            self._selection.leave()
        return done

    # ------------------------------------------------------------ as context

    async def pin(self, argument: str) -> None:
        """Keep the message in the context of the model, or no longer."""
        tab, message = await self._selection.about()
        pinned = not message.pinned
        if await self._terminal.calls.pin(tab.session, message.message, pinned=pinned):
            said = "stays in the context" if pinned else "is not pinned any more"
            self._terminal.say(f"{beginning(message)} {said}.")

    async def quote(self, argument: str) -> None:
        """Bring the message into the line as a quotation."""
        _, message = await self._selection.about("assistant")
        quoted = "\n".join(f"> {line}".rstrip() for line in message.text.strip().splitlines())
        self._terminal.to_edit = f"{quoted}\n\n"


def beginning(message: p.MessageView) -> str:
    """How a message is named within a sentence: by its first words."""
    return f"“{one_line(message.text, NAME_CELLS)}”"
