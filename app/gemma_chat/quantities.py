"""Sizes and counts as people read them, the one way in settings, messages and on the screen.

Units of bytes are decimal, as disks and downloads are sold: 1 MB is 1,000,000 bytes.
"""

from __future__ import annotations

from typing import Final

KB: Final = 1_000
MB: Final = 1_000_000
GB: Final = 1_000_000_000


def byte_size(size: float) -> str:
    """A number of bytes in few cells: `812 bytes`, `12 kB`, `4.2 MB`, `138 MB`, `4.1 GB`."""
    if size < 0:
        return f"-{byte_size(-size)}"
    if size < 999.5:
        return f"{size:.0f} bytes"
    if size < 999.5 * KB:
        return f"{size / KB:.0f} kB"
    if size < 9.95 * MB:
        return f"{size / MB:.1f}".removesuffix(".0") + " MB"
    if size < 999.5 * MB:
        return f"{size / MB:.0f} MB"
    return f"{size / GB:,.1f}".removesuffix(".0") + " GB"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """How many of something: `1 tab`, `2,000 tabs`; `nouns` is a plural without a mere `s`."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
