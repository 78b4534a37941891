"""The ways out of a terminal, and what each means for the host that it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemma_chat.host import protocol as p
from gemma_chat.quantities import counted
from gemma_chat.ui.state import TerminalState

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp


def detached(command: str) -> str:
    """What is said in the shell; `command` is the program as it is called for the same host."""
    return (
        f"Detached: the host stays. `{command} attach` comes back, `{command} host stop` ends it."
    )


class Leaving:
    """Carries out quitting, detaching and stopping the host."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app

    def quit(self) -> None:
        """End this terminal; with the last one the host leaves too, after `host.keep_alive`."""
        self._app.leave(last_words=p.Goodbye(0))

    def detach(self) -> None:
        """End this terminal, and let the host stay however long nobody comes."""
        self._app.spawn(self._detach())

    async def _detach(self) -> None:
        # Whoever detaches relies on it: without the host's word this terminal stays.
        if await self._app.calls.detach():
            self._app.farewell = detached(self._app.options.command)
            self._app.leave()

    def stop_host(self) -> None:
        """Let the host leave, and leave too; asks first when that would disturb somebody."""
        self._app.spawn(self._stop_host())

    async def _stop_host(self) -> None:
        others = await self._app.calls.other_terminals()
        disturbed = disturbed_by_stop(self._app.state, others)
        if not disturbed:
            await self._stop()
            return
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self._app.spawn(self._stop())

        choices = (
            Choice("stay", "Let it run", key="l"),
            Choice("stop", "Stop it", disturbed, key="s"),
        )
        self._app.push_screen(ChoiceDialog("Stop the host?", choices), answered)

    async def _stop(self) -> None:
        if await self._app.calls.stop_host():
            self._app.leave()


def disturbed_by_stop(state: TerminalState, others: int) -> str:
    """What the end of the host would interrupt, in a few words; empty when nothing."""
    turns = (*state.lock.holders, *state.lock.waiting)
    replies = {entry.session for entry in turns if not entry.background}
    replies |= {tab.session for tab in state.tabs if tab.view.calling}
    interrupts = ""
    if replies:
        interrupts = f"interrupts {'a reply' if len(replies) == 1 else f'{len(replies)} replies'}"
    if not others:
        return interrupts
    terminals = counted(others, "other terminal")
    if interrupts:
        return f"{interrupts}, {terminals}"
    return f"{terminals} {'is' if others == 1 else 'are'} attached"
