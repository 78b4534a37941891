"""The model that the command line names."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gemma_chat.host.protocol import ModelView


class WantedModel(msgspec.Struct, frozen=True):
    """A file by its whole path, or a chat server and the name of its model."""

    path: str = ""
    server: str = ""
    server_model: str = ""

    @property
    def name(self) -> str:
        """What it is called on the screen."""
        return self.server_model or self.server or Path(self.path).stem

    def is_loaded_as(self, model: ModelView) -> bool:
        """Whether the host has it already, or is loading it."""
        if self.server:
            same = _plain(self.server) == _plain(model.server)
            return same and self.server_model in ("", model.name)
        return self.path == model.path and model.phase != "failed"


def _plain(server: str) -> str:
    """An address without what may be left away in it."""
    address = server.removesuffix("/").removesuffix("/v1").lower()
    return address if "://" in address else f"http://{address}"
