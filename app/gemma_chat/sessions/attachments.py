"""Images and recordings of a question: read, checked and named by their bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path

from gemma_chat.engine.interface import Media
from gemma_chat.errors import ModalityError
from gemma_chat.media.facts import facts_of
from gemma_chat.media.files import read_media_file
from gemma_chat.media.limits import MOST_FILES
from gemma_chat.media.pixels import decode
from gemma_chat.terms import MediaKind

MediaSource = bytes | str | PathLike[str]
"""An image or recording: the bytes of its file, or the path of the file."""

_NAMES: dict[MediaKind, str] = {"image": "images", "audio": "audio"}
_KEYWORDS: dict[MediaKind, str] = {
    "image": "enable_vision_modality",
    "audio": "enable_audio_modality",
}


def modalities_of(
    asked: dict[MediaKind, bool | None], available: Collection[MediaKind]
) -> tuple[MediaKind, ...]:
    """What a session takes: what it asks for, or all its model can where it leaves that open.

    Raises `ModalityError` when it asks for what the model cannot.
    """
    for kind, wanted in asked.items():
        if wanted and kind not in available:
            raise ModalityError(
                f"This model cannot take {_NAMES[kind]}: it was loaded without a projector for "
                f"them. Open the session without {_KEYWORDS[kind]}, or load the model with "
                "projector_path."
            )
    return tuple(kind for kind in available if asked.get(kind) is not False)


def refusal(kind: MediaKind, session: int, *, model_can: bool) -> ModalityError:
    """Why a session does not take this kind of media."""
    if model_can:
        return ModalityError(
            f"Session {session} was opened with {_KEYWORDS[kind]}=False and takes no "
            f"{_NAMES[kind]}. Open another one for them."
        )
    return ModalityError(
        f"Session {session} cannot take {_NAMES[kind]}: its model was loaded without a projector "
        "for them. Send text only, or load the model with projector_path."
    )


def check_count(count: int) -> None:
    """Raise `ModalityError` when a question has more files than are taken."""
    if count > MOST_FILES:
        raise ModalityError(
            f"A question has {count} attachments; at most {MOST_FILES} are taken. Send the rest "
            "with the next one."
        )


def each(sources: MediaSource | Sequence[MediaSource]) -> Iterator[MediaSource]:
    """One source, or several, as several."""
    if isinstance(sources, bytes | str | PathLike):
        yield sources
    else:
        yield from sources


def read_media(source: MediaSource, kind: MediaKind, place: int) -> Media:
    """Read and check one image or recording, whole: it can be decoded. Blocks.

    `place` numbers it within its question, to name one that was given as bytes.

    Raises `ModalityError` that names the file.
    """
    if isinstance(source, bytes):
        data, name = source, f"{'Image' if kind == 'image' else 'Recording'} {place}"
    else:
        name = fspath(source)
        data = read_media_file(Path(name))
    return checked_media(data, name, kind)


def checked_media(data: bytes, name: str, kind: MediaKind | None = None) -> Media:
    """The bytes of a file as media, of `kind` or of whichever it is.

    Raises `ModalityError` that names the file when it is of another kind, damaged or too large.
    """
    facts = facts_of(data, name)
    if kind not in (None, facts.kind):
        raise ModalityError(
            f"{name} is {facts.format}, which is not one of {_NAMES[kind or 'image']}. "
            f"Give it as {_NAMES[facts.kind]}."
        )
    if facts.kind == "image":
        decode(data, name)
    return Media(facts.kind, data, facts.digest)
