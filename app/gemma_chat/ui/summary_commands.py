"""What can be done with a tab's summary, and with what the model sees of the tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gemma_chat.ui.drafts import Draft, draft_of

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp


class SummaryCommands:
    """Carries out these actions for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.by_id: Mapping[str, Callable[[], None]] = {
            "summary.now": self.write,
            "summary.copy": self.copy,
            "summary.insert": self.insert,
            "context.show": self.show_context,
        }

    def write(self) -> None:
        """Bring this tab's summary up to date, or write it again."""
        if self._app.state.active:
            self._app.spawn(self._app.calls.summarize(self._app.state.active))

    def copy(self) -> None:
        """Copy this tab's summary."""
        if text := self._summary():
            self._app.copy_to_clipboard(text)

    def insert(self) -> None:
        """Put this tab's summary into the input, behind what stands there."""
        text = self._summary()
        self._app.store_draft()
        tab = self._app.state.tab(self._app.state.writing)
        if not text or tab is None:
            return
        there = tab.draft
        typed = f"{there.text.rstrip()}\n\n" if there.text.strip() else ""
        full = draft_of(f"{typed}{text}")
        pastes = (*there.pastes, *full.pastes)
        self._app.put_draft(tab.session, Draft(full.text, pastes, there.attachments))
        self._app.window.composer.editor.focus()

    def _summary(self) -> str:
        tab = self._app.state.active_tab
        text = tab.view.summary.text if tab is not None else ""
        if not text:
            self._app.say("This tab has no summary yet.", "information")
        return text

    def show_context(self) -> None:
        """Show what the model sees of this tab."""
        if self._app.state.active:
            self._app.spawn(self._show_context(self._app.state.active))

    async def _show_context(self, session: int) -> None:
        answering = self._app.state.is_answering(session)
        context = await self._app.calls.context(session)
        if context is None:
            return
        from gemma_chat.ui.context_screen import ContextScreen

        def closed(prompt: str | None) -> None:
            if prompt:
                self._app.copy_to_clipboard(prompt)

        self._app.push_screen(ContextScreen(context, answering=answering), closed)
