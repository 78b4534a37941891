"""What a person does to attach a file: by path, by a dialog, by dropping it on the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_chat.errors import ModalityError
from gemma_chat.media.faults import not_taken
from gemma_chat.media.limits import MOST_FILES, MOST_MESSAGE_BYTES
from gemma_chat.quantities import byte_size
from gemma_chat.ui.attaching.attached import Attached, read_attached

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp


class AttachCommands:
    """Attaches files for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app

    def ask(self) -> None:
        """Let the person name a file."""
        from gemma_chat.ui.attaching.dialog import AttachDialog

        def chosen(path: str | None) -> None:
            if path:
                self.attach([Path(path)])

        self._app.push_screen(AttachDialog(), chosen)

    def attach(self, paths: Sequence[Path]) -> None:
        """Read these files and put them above the input."""
        self._app.switch(self.put_above(paths))

    async def put_above(self, paths: Sequence[Path]) -> bool:
        """Read these files and put them above the input; whether all of them are there."""
        chips = self._app.window.composer.attachments
        try:
            for path in paths:
                file = await asyncio.to_thread(read_attached, path)
                self._must_fit(file, chips.files)
                chips.add(file)
        except ModalityError as error:
            self._app.say(str(error), "warning")
            return False
        return True

    def _must_fit(self, file: Attached, others: Sequence[Attached]) -> None:
        model = self._app.state.model
        if model.phase == "ready" and file.kind not in model.modalities:
            on_server = bool(model.server)
            raise ModalityError(
                not_taken(
                    file.kind, file.name, model.name, on_server=on_server, so_it="is not attached"
                )
            )
        if len(others) >= MOST_FILES:
            raise ModalityError(
                f"A message takes at most {MOST_FILES} attachments; send {file.name} with the "
                "next one."
            )
        total = sum(len(one.data) for one in (*others, file))
        if total > MOST_MESSAGE_BYTES:
            raise ModalityError(
                f"The attachments would have {byte_size(total)} together; one message takes "
                f"{byte_size(MOST_MESSAGE_BYTES)}. Send {file.name} with the next one."
            )
