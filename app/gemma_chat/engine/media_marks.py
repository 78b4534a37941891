"""Where media stand in a prompt: marks that a chat template carries through as text.

A mark is a number between two characters that occur nowhere else in the conversation. What a
template does to its message (moves it, trims it, leaves it out) it does to the mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gemma_chat.engine.interface import Media, MediaPiece
from gemma_chat.errors import ModalityError

PiecesOf = Callable[[Media], Sequence[int | MediaPiece]]
"""What stands in a prompt for an image or a recording."""


def refuse_media(media: Media) -> Sequence[int | MediaPiece]:
    """What a model without a projector makes of media: an error."""
    what = "images" if media.kind == "image" else "audio"
    raise ModalityError(
        f"This model cannot take {what}: it was loaded without a projector. Load it with its "
        "mmproj file, or take the attachment out."
    )


class MediaMarks:
    """The media of one prompt, by the numbers of their marks."""

    def __init__(self, character: str) -> None:
        self._character = character
        self._media: list[Media] = []

    def written(self, media: Sequence[Media]) -> str:
        """The marks of the media of one message, for the beginning of its text."""
        marks = ""
        for one in media:
            marks += f"{self._character}{len(self._media)}{self._character}"
            self._media.append(one)
        return marks

    def placed(
        self, pieces: Sequence[int | bytes], pieces_of: PiecesOf
    ) -> tuple[int | bytes | MediaPiece, ...]:
        """A rendered prompt with its marks replaced by what they stand for."""
        if not self._media:
            return tuple(pieces)
        edge = re.escape(self._character.encode())
        mark = re.compile(edge + rb"([0-9]+)" + edge)
        placed: list[int | bytes | MediaPiece] = []
        for piece in pieces:
            if isinstance(piece, int):
                placed.append(piece)
                continue
            for at, run in enumerate(mark.split(piece)):
                if at % 2:
                    placed += pieces_of(self._media[int(run)])
                elif run:
                    placed.append(run)
        return tuple(placed)
