"""What stands in an input box and is not sent: typed text, and large pastes folded away.

A folded paste takes one line on the screen instead of thousands in the editor, whose cost grows
with its text. Saved as one string, and taken apart again, a draft comes back as it was.
"""

from __future__ import annotations

import re

import msgspec

from gemma_chat.host.protocol import MAX_MESSAGE_CHARACTERS
from gemma_chat.ui.attaching.attached import Attached

FOLD_CHARACTERS = 20_000
"""A paste longer than this is folded."""

_BETWEEN = "\n\n"
_FILE = re.compile(r"(?:\A|(?<=[^\n])\n\n)(?P<block>File `[^`\n]{1,255}`:\n\n```)")
"""Where a file begins that was inserted, as `input/files.py` writes it."""


class Draft(msgspec.Struct, frozen=True):
    """Typed text, the folded pastes that follow it, and files that go with them.

    Files stay in this terminal until they are sent: the host keeps only the text of a draft.
    """

    text: str = ""
    pastes: tuple[str, ...] = ()
    attachments: tuple[Attached, ...] = ()

    @property
    def full(self) -> str:
        """What is sent, and what is kept by the host."""
        return _BETWEEN.join(part for part in (self.text, *self.pastes) if part)

    @property
    def empty(self) -> bool:
        """There is nothing to send."""
        said = self.text.strip() or any(paste.strip() for paste in self.pastes)
        return not said and not self.attachments

    @property
    def too_long(self) -> str:
        """A sentence when this is more than one message can carry, else an empty string."""
        length = len(self.full)
        if length <= MAX_MESSAGE_CHARACTERS:
            return ""
        return (
            f"This message has {length:,} characters; one message may have "
            f"{MAX_MESSAGE_CHARACTERS:,}. Shorten it or send it in parts."
        )

    def before(self, other: Draft) -> Draft:
        """This draft with `other` below it: how a message comes back to an input in use."""
        text = "\n".join(part for part in (self.text, other.text) if part)
        files = (*self.attachments, *other.attachments)
        return Draft(text, (*self.pastes, *other.pastes), files)

    def with_paste(self, paste: str) -> Draft:
        """This draft and one more folded paste."""
        return msgspec.structs.replace(self, pastes=(*self.pastes, paste))

    def without_paste(self, index: int) -> Draft:
        """This draft without the paste at `index`."""
        rest = self.pastes[:index] + self.pastes[index + 1 :]
        return msgspec.structs.replace(self, pastes=rest)


def draft_of(full: str) -> Draft:
    """Take apart a saved draft: what is too large for the editor is folded."""
    if block := _FILE.search(full):
        # A file comes back folded, with all that follows it.
        text = full[: block.start()]
        if len(text) <= FOLD_CHARACTERS:
            return Draft(text, (full[block.start("block") :],))
    if len(full) <= FOLD_CHARACTERS:
        return Draft(full)
    typed, between, paste = full.partition(_BETWEEN)
    if not (typed and between and paste) or len(typed) > FOLD_CHARACTERS:
        return Draft("", (full,))
    return Draft(typed, (paste,))
