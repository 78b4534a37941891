"""The next question of a session: collected part by part, taken as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gemma_chat.engine.interface import Engine, Media
from gemma_chat.errors import GemmaChatError, ModalityError, SettingsError
from gemma_chat.sessions.attachments import MediaSource, check_count, each, read_media, refusal
from gemma_chat.sessions.history import well_formed
from gemma_chat.terms import MediaKind, MessageRole


@dataclass(frozen=True, slots=True)
class Message:
    """A part of the next question: text, images and recordings.

        await session.add_query_chunk(Message("What is this?", images=["cat.png"]))

    With the role `assistant` it is the whole reply that was given, elsewhere or before, to what
    was collected so far; both are in the history then.

        await session.add_query_chunk("I am Ann.")
        await session.add_query_chunk(Message("Hello, Ann.", role="assistant"))

    `images` are PNG, JPEG or WebP, `audio` is WAV, MP3 or FLAC; each is the path of a file or its
    bytes, one or several. Whatever the order of the parts, media stand before the text.
    """

    text: str = ""
    role: MessageRole = "user"
    images: MediaSource | Sequence[MediaSource] = ()
    audio: MediaSource | Sequence[MediaSource] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A whole question: its text, and the images and recordings before it."""

    text: str
    media: tuple[Media, ...] = ()


class QuestionParts:
    """What was given of a session's next question, until a turn takes it."""

    def __init__(self, engine: Engine, session: int, modalities: tuple[MediaKind, ...]) -> None:
        """`modalities` are what session number `session` takes beside text."""
        self._engine = engine
        self._session = session
        self._modalities = modalities
        self._texts: list[str] = []
        self._media: list[Media] = []

    async def read(self, chunk: str | Message) -> Question:
        """A part, with its files read and decoded off the loop; nothing is collected yet.

        Raises `ModalityError` or `SettingsError`, as `Session.add_query_chunk`.
        """
        message = chunk if isinstance(chunk, Message) else Message(chunk)
        if message.role != "user":
            raise SettingsError(
                f"A message has the role 'user' or 'assistant', not {message.role!r}; "
                "the system instruction is a setting of the session."
            )
        text = question_text(message.text)
        media = await self._media_of(message)
        check_count(len(self._media) + len(media))
        return Question(text, media)

    def add(self, part: Question) -> None:
        """Put a part that was read behind the others."""
        self._texts.append(part.text)
        self._media += part.media

    def clear(self) -> None:
        """The question is asked: begin to collect another one."""
        self._texts.clear()
        self._media.clear()

    def whole(self, text: str | None, media: Sequence[Media]) -> Question:
        """All parts, with `text` and `media` behind them; they stay until `clear`.

        Raises `ModalityError`, and `GemmaChatError` when there is nothing to ask.
        """
        together = "".join(self._texts) + (question_text(text) if text is not None else "")
        everything = (*self._media, *media)
        for one in media:
            self._must_be_taken(one.kind)
        check_count(len(everything))
        if not together and not everything:
            raise GemmaChatError(
                f"Session {self._session} has nothing to answer; give a text or add a chunk first."
            )
        return Question(together, everything)

    async def _media_of(self, message: Message) -> tuple[Media, ...]:
        sources: list[tuple[MediaKind, MediaSource]]
        sources = [("image", one) for one in each(message.images)]
        sources += [("audio", one) for one in each(message.audio)]
        check_count(len(sources))
        for kind, _ in sources:
            self._must_be_taken(kind)
        read = [
            await asyncio.to_thread(read_media, source, kind, place)
            for place, (kind, source) in enumerate(sources, 1)
        ]
        return tuple(read)

    def _must_be_taken(self, kind: MediaKind) -> None:
        if kind not in self._modalities:
            model_can = kind in self._engine.description.modalities
            raise refusal(kind, self._session, model_can=model_can)


def reply_text(message: Message) -> str:
    """The text of a reply that is told, well-formed.

    Raises `ModalityError` when there are media with it, and `SettingsError` when it says nothing.
    """
    if message.images or message.audio:
        raise ModalityError(
            "A reply of the model has no images and no audio. Give them with the question."
        )
    text = question_text(message.text)
    if not text.strip():
        raise SettingsError(
            "An empty reply is not taken into the history: it teaches a model to answer nothing."
        )
    return text


def question_text(text: str) -> str:
    """The text of a question, well-formed; raises `TypeError` when it is no text."""
    if not isinstance(text, str):
        raise TypeError(f"a question is text, not {type(text).__name__}")
    return well_formed(text)
