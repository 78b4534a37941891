"""The base of all messages between terminal and host."""

from __future__ import annotations

import msgspec


class Wire(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base of all that goes over the socket."""
