"""The names of all measurements, for the command line; loads nothing."""

from __future__ import annotations

from typing import Final, Literal, get_args

Name = Literal[
    "decode",
    "busy",
    "prefill",
    "switch",
    "turns",
    "restart",
    "lookup",
    "fork",
    "idle",
    "tabs",
]

NAMES: Final[tuple[Name, ...]] = get_args(Name)
