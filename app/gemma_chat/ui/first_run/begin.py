"""Shows the first steps, and begins the first chat with what was chosen in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.first_run.screen import Beginning, FirstRun
from gemma_chat.ui.input.slash import escaped

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands


def begin(app: ChatApp, commands: Commands) -> None:
    """Lead through the first steps."""

    def chosen(beginning: Beginning | None) -> None:
        if beginning is not None:
            _start(app, commands, beginning)

    app.push_screen(FirstRun(app, commands.models, app.library.roles().items), chosen)


def _start(app: ChatApp, commands: Commands, beginning: Beginning) -> None:
    tab = app.state.active_tab
    if tab is not None and beginning.role is not None:
        commands.change_settings(tab.session, beginning.role.applied_to(tab.view.settings))
    draft = Draft(escaped(beginning.message))
    if not beginning.message:
        return
    if app.state.model.phase in ("ready", "loading"):
        commands.send(draft)
    else:
        app.put_draft(app.state.active, draft)
