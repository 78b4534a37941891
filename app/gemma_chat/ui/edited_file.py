"""A message in the person's own editor: the command that opens it, and what comes back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gemma_chat.host.protocol import MAX_MESSAGE_CHARACTERS


class Edited(msgspec.Struct, frozen=True):
    """What came back from the editor: a text, or a sentence that says why there is none."""

    text: str | None = None
    sentence: str = ""


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """The words of the editor's command; raises `ValueError` for unbalanced quotes."""
    words = shlex.split(environment.get("VISUAL") or environment.get("EDITOR") or "vi")
    return words or ["vi"]


def read_back(file: Path) -> Edited:
    """What the editor has left in the file."""
    try:
        text = file.read_bytes().decode("utf-8-sig").rstrip("\n")
    except OSError as error:
        return Edited(sentence=f"What was edited cannot be read ({error.strerror}).")
    except UnicodeDecodeError:
        return Edited(sentence="What was edited is not UTF-8 text. Your message is as it was.")
    if len(text) > MAX_MESSAGE_CHARACTERS:
        return Edited(
            sentence=f"What was edited has {len(text):,} characters; one message may have "
            f"{MAX_MESSAGE_CHARACTERS:,}. Your message is as it was."
        )
    return Edited(text.replace("\r\n", "\n").replace("\0", ""))
