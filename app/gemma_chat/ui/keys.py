"""What Textual 8.2.8 does not know of keys in terminals without the kitty protocol.

There alt+enter arrives as ESC CR, which Textual reads as enter (it would send the message), and
alt+1 as ESC 1, which it reads as the sign that a Mac keyboard types.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from textual import _ansi_sequences

MODIFIED_ENTER = {f"{modifier}+\r": f"{modifier}+enter" for modifier in ("shift", "ctrl", "alt")}
"""How Textual names these keys under xterm's modifyOtherKeys, with a raw CR, and what they are."""

ASK_FOR_MODIFIED_KEYS = "\x1b[>4;1m"
"""tmux passes on shift+enter and ctrl+enter only to a program that asked for it."""

NO_MODIFIED_KEYS = "\x1b[>4;0m"


def teach_textual() -> None:
    """Add the sequences that are missing to Textual's own table; more than once is fine."""
    # The table's values are read for `.value` only; its key enum cannot be extended.
    table = cast("dict[str, object]", _ansi_sequences.ANSI_SEQUENCES_KEYS)
    table["\x1b\r"] = (SimpleNamespace(value="alt+enter"),)
    for digit in "0123456789":
        table[f"\x1b{digit}"] = (SimpleNamespace(value=f"alt+{digit}"),)
