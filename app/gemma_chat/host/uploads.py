"""Files that a terminal sends with a message: checked, named, and turned into what others take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import PurePath

from gemma_chat.engine.interface import Media
from gemma_chat.errors import ModalityError
from gemma_chat.host.protocol import Preview, Upload
from gemma_chat.media.facts import MediaFacts, facts_of
from gemma_chat.media.faults import not_taken
from gemma_chat.media.files import check_together
from gemma_chat.media.pixels import decode
from gemma_chat.store.records import Attachment, Message, NewAttachment

MOST_NAME_CHARACTERS = 200
MOST_PREVIEW_SIDE = 512
"""Of a preview, in pixels."""


def checked_uploads(uploads: Sequence[Upload]) -> tuple[NewAttachment, ...]:
    """The files of a message, whole and of a kind and size that is taken. Blocks.

    Raises `ModalityError` that names the file.
    """
    check_together([len(upload.data) for upload in uploads])
    return tuple(map(_checked, uploads))


def _checked(upload: Upload) -> NewAttachment:
    name = PurePath(upload.name).name[-MOST_NAME_CHARACTERS:] or "attachment"
    facts = facts_of(upload.data, name)
    if facts.kind == "image":
        decode(upload.data, name)
    return NewAttachment(facts=_attachment(name, facts), data=upload.data)


def _attachment(name: str, facts: MediaFacts) -> Attachment:
    return Attachment(
        name=name,
        digest=facts.digest,
        kind=facts.kind,
        format=facts.format,
        size=facts.bytes,
        width=facts.width,
        height=facts.height,
        seconds=facts.seconds,
    )


def must_be_taken(
    files: Sequence[NewAttachment], modalities: Collection[str], model: str, *, on_server: bool
) -> None:
    """Raise `ModalityError` when a model, here or `on_server`, does not take one of these files."""
    for file in files:
        facts = file.facts
        if facts.kind not in modalities:
            raise ModalityError(
                not_taken(facts.kind, facts.name, model, on_server=on_server, so_it="was not sent")
            )


def media_of(message: Message, file_of: Callable[[str], bytes]) -> tuple[Media, ...]:
    """What is attached to a stored message; `file_of` gives the bytes of a digest."""
    return tuple(
        Media(file.kind, file_of(file.digest), file.digest) for file in message.attachments
    )


def preview(request: int, digest: str, data: bytes, sides: tuple[int, int]) -> Preview:
    """A picture scaled down to fit into `sides`. Blocks; raises `ModalityError`."""
    width, height = (max(1, min(side, MOST_PREVIEW_SIDE)) for side in sides)
    pixels = decode(data, "The picture", most_sides=(width, height))
    return Preview(request, digest, pixels.width, pixels.height, pixels.rgb)
