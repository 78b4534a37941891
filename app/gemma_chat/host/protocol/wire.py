"""What all messages between a terminal and the host have in common."""

from __future__ import annotations

import msgspec

PROTOCOL_VERSION = 4
MAX_FRAME_BYTES = 32 * 1024 * 1024
MAX_MESSAGE_CHARACTERS = 4_000_000
MAX_TITLE_CHARACTERS = 200
MAX_MODEL_CHARACTERS = 200


class Wire(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base of all that goes over the socket."""
