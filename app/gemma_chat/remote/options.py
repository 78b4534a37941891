"""How a chat server is used."""

from __future__ import annotations

from dataclasses import dataclass, field

from gemma_chat.errors import SettingsError

MOST_PARALLEL = 64
MOST_CONTEXT = 16_777_216
MOST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What is known of a server before it is asked; times in seconds."""

    model: str = ""
    """The name by which the server knows its model; empty takes the first it offers."""
    max_parallel: int = 1
    """How many turns it is given at once, 1 to 64: as many as it has slots."""
    context_size: int = 0
    """One conversation's window in tokens; 0 is what the server says."""
    api_key: str = field(default="", repr=False)
    """Sent to this server and nowhere else; neither stored nor logged."""
    connect_seconds: float = 10.0
    """How long the server may take to accept a connection."""
    silence_seconds: float = 300.0
    """How long it may say nothing, reading the prompt included. A reply may take any time."""

    def validated(self) -> ServerOptions:
        """Return self, or raise `SettingsError` that names the option and what is allowed."""
        for name, value, low, high in (
            ("max_parallel", self.max_parallel, 1, MOST_PARALLEL),
            ("context_size", self.context_size, 0, MOST_CONTEXT),
            ("connect_seconds", self.connect_seconds, 0.1, MOST_SECONDS),
            ("silence_seconds", self.silence_seconds, 0.1, MOST_SECONDS),
        ):
            if not low <= value <= high:
                raise SettingsError(f"{name} = {value} is not allowed: {low} to {high:,.10g}.")
        # The message of http.client about a header that cannot be sent would show the key.
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise SettingsError(
                "The API key holds characters that cannot be sent, such as a line end. Set the "
                "variable again, to the key alone."
            )
        return self
