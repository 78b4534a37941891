"""Conversations of the protocol as files hold them, and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gemma_chat.exchange.transcript import Line, Transcript
from gemma_chat.host.protocol import (
    MAX_TITLE_CHARACTERS,
    Conversation,
    ImportConversation,
    ImportedMessage,
    MessageView,
)


def transcript_from(conversation: Conversation, messages: Iterable[MessageView]) -> Transcript:
    """A conversation with all its messages, ready to be written to a file."""
    return Transcript(
        title=conversation.view.title,
        lines=tuple(_lines(messages)),
        created=conversation.view.created,
        settings=conversation.settings,
    )


def import_request(transcript: Transcript, title: str | None = None) -> ImportConversation:
    """The request that stores what was read from a file, under another title when one is given."""
    given = transcript.title if title is None else title
    return ImportConversation(
        0,
        " ".join(given.split())[:MAX_TITLE_CHARACTERS],
        tuple(
            ImportedMessage(line.role, line.text, line.created, line.ending)
            for line in transcript.lines
        ),
        transcript.settings,
        transcript.created,
    )


def _lines(messages: Iterable[MessageView]) -> Iterator[Line]:
    for message in messages:
        if message.state != "queued" and message.state != "streaming":
            yield Line(message.role, message.text, message.created, message.state)
