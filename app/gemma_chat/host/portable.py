"""Conversations of the protocol as files hold them, and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gemma_chat.exchange.transcript import Line, Tab, Transcript
from gemma_chat.host.protocol import (
    MAX_GROUP_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Conversation,
    ImportConversation,
    ImportedMessage,
    MessageView,
    TabLook,
)


def transcript_from(conversation: Conversation, messages: Iterable[MessageView]) -> Transcript:
    """A conversation with all its messages, ready to be written to a file."""
    return Transcript(
        title=conversation.view.title,
        lines=tuple(_lines(messages)),
        created=conversation.view.created,
        settings=conversation.settings,
        tab=Tab(conversation.tab.group, conversation.tab.mark, conversation.tab.pinned),
    )


def import_request(transcript: Transcript) -> ImportConversation:
    """The request that stores what was read from a file."""
    tab = transcript.tab
    return ImportConversation(
        0,
        _one_line(transcript.title, MAX_TITLE_CHARACTERS),
        tuple(map(_message, transcript.lines)),
        transcript.settings,
        transcript.created,
        TabLook(_one_line(tab.group, MAX_GROUP_CHARACTERS), tab.mark, tab.pinned),
    )


def _message(line: Line) -> ImportedMessage:
    model = _one_line(line.model, MAX_MODEL_CHARACTERS)
    return ImportedMessage(line.role, line.text, line.created, line.ending, model, line.pinned)


def _one_line(text: str, most: int) -> str:
    return " ".join(text.split())[:most]


def _lines(messages: Iterable[MessageView]) -> Iterator[Line]:
    for message in messages:
        if message.state != "queued" and message.state != "streaming":
            yield Line(
                message.role,
                message.text,
                message.created,
                message.state,
                message.model,
                message.pinned,
            )
