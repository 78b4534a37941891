"""What is wrong with a media file, before it is known what the file is called."""

from __future__ import annotations

CUT = "it ends before its end; copy or download it again"
DAMAGED = "it is damaged; copy or download it again"


class MediaFault(Exception):
    """A reason with its remedy, as the end of a sentence."""
