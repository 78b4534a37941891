"""The marks by which a person tells tabs apart: a sign with a colour, never a colour alone."""

from __future__ import annotations

from typing import Final

import msgspec

from gemma_chat.host.protocol import TabMark

PINNED: Final = "✱"


class Mark(msgspec.Struct, frozen=True):
    """A mark as it is drawn. `ink` is the variable of the theme that colours it."""

    name: TabMark
    sign: str
    ink: str


MARKS: Final = (
    Mark("diamond", "◆", "ink-bad"),
    Mark("triangle", "▲", "ink-wait"),
    Mark("square", "■", "ink-good"),
    Mark("star", "★", "ink-mark"),
    Mark("note", "♪", "ink-title"),
    Mark("cross", "✚", "foreground"),
)

_BY_NAME: Final[dict[str, Mark]] = {mark.name: mark for mark in MARKS}


def mark_named(name: str) -> Mark | None:
    """The mark of this name."""
    return _BY_NAME.get(name)
