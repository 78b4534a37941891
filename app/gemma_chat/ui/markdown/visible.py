"""Text that is safe to send to a terminal.

A model, a person or a file may hand over anything: escape sequences, direction overrides that
show a command as another one, thousands of joiners on one letter. All of it is shown, none of it
acts.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
TAB_WIDTH = 4

_MAX_ZERO_WIDTH_RUN = 8
"""More marks on one letter than any script needs; the rest would pile up over other rows."""

_CONTROL_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_DIRECTION_AND_INVISIBLE = (
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x061C,
    0x180E,
    0x200B,
    0x200E,
    0x200F,
    *range(0x2028, 0x202A),
    *range(0x2060, 0x2066),
    *range(0x206A, 0x2070),
    0xFEFF,
    0x00AD,
    *range(0xFFF9, 0xFFFC),
)
_VISIBLE: dict[int, str] = (
    _CONTROL_PICTURES
    | {0x7F: "\N{SYMBOL FOR DELETE}"}
    | dict.fromkeys(range(0x80, 0xA0), REPLACEMENT)
    | dict.fromkeys(_DIRECTION_AND_INVISIBLE, REPLACEMENT)
)
_TAGS_AND_SURROGATES = "\ud800-\udfff\U000e0000-\U000e007f"
_UNSAFE = re.compile(
    f"[{''.join(re.escape(chr(code)) for code in _VISIBLE)}{_TAGS_AND_SURROGATES}]"
)
_ZERO_WIDTH = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u200c\u200d\u20d0-\u20ff\u302a-\u302f\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U000e0100-\U000e01ef"
)
_ZERO_WIDTH_BOMB = re.compile(f"(?<=[{_ZERO_WIDTH}]{{{_MAX_ZERO_WIDTH_RUN}}})[{_ZERO_WIDTH}]+")


def visible_text(text: str) -> str:
    """Text in which every control character has become a visible one; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    text = _UNSAFE.sub(lambda match: _VISIBLE.get(ord(match[0]), REPLACEMENT), text)
    return _ZERO_WIDTH_BOMB.sub(REPLACEMENT, text)


def visible_line(text: str) -> str:
    """Like `visible_text`, for one line: tabs become spaces, line ends visible."""
    return visible_text(text.expandtabs(TAB_WIDTH)).replace("\n", "\N{SYMBOL FOR NEWLINE}")
