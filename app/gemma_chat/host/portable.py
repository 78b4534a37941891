"""Conversations of the protocol as files hold them, and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gemma_chat.exchange import transcript as file
from gemma_chat.exchange.transcript import Line, Tab, Transcript
from gemma_chat.host.protocol import (
    MAX_GROUP_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Aside,
    Conversation,
    ImportConversation,
    ImportedMessage,
    MessageView,
    TabLook,
    Thought,
    ToolUse,
)
from gemma_chat.terms import FinishedState

T = TypeVar("T")


def transcript_from(conversation: Conversation, messages: Iterable[MessageView]) -> Transcript:
    """A conversation with the messages of all its branches, ready to be written to a file."""
    return Transcript(
        title=conversation.view.title,
        lines=_lines(tuple(messages)),
        created=conversation.view.created,
        settings=conversation.settings,
        tab=Tab(conversation.tab.group, conversation.tab.mark, conversation.tab.pinned),
    )


def import_request(transcript: Transcript) -> ImportConversation:
    """The request that stores what was read from a file; the bytes of attachments it has not."""
    tab = transcript.tab
    return ImportConversation(
        0,
        _one_line(transcript.title, MAX_TITLE_CHARACTERS),
        tuple(map(_message, transcript.lines)),
        transcript.settings,
        transcript.created,
        TabLook(_one_line(tab.group, MAX_GROUP_CHARACTERS), tab.mark, tab.pinned),
    )


def import_refusal(transcript: Transcript, path: Path, reason: str) -> str:
    """Why a conversation of the file at `path` was not stored: the host knows of no file."""
    title = _one_line(transcript.title, MAX_TITLE_CHARACTERS)
    which = f"Its conversation {title!r}" if title else "A conversation without a title"
    return f"{path} cannot be imported whole. {which} is refused: {reason}"


def _message(line: Line) -> ImportedMessage:
    return ImportedMessage(
        role=line.role,
        text=line.text,
        created=line.created,
        state=line.ending,
        model=_one_line(line.model, MAX_MODEL_CHARACTERS),
        pinned=line.pinned,
        parent=line.parent,
        chosen=line.chosen,
        asides=tuple(map(_aside, line.asides)),
    )


def _aside(aside: file.Aside) -> Aside:
    if isinstance(aside, file.Thought):
        return _same_fields(aside, Thought)
    return _same_fields(aside, ToolUse)


def _one_line(text: str, most: int) -> str:
    return " ".join(text.split())[:most]


def _lines(messages: Sequence[MessageView]) -> tuple[Line, ...]:
    """The finished messages; what follows one that is not follows the last finished one above.

    One whose parent was removed while they were fetched follows the message right before it.
    """
    lines: list[Line] = []
    followed = {one.parent for one in messages if _is_finished(one)}
    places = {0: 0}
    chosen: dict[int, int] = {}
    for message in messages:
        parent = places.get(message.parent, len(lines))
        ending = _ending(message, followed=message.message in followed)
        if ending is None:
            places[message.message] = parent
            continue
        place = len(lines) + 1
        places[message.message] = place
        if message.chosen or parent not in chosen:
            chosen[parent] = place
        lines.append(_line(message, ending, None if parent == place - 1 else parent))
    # Where the chosen one is not finished, or another was chosen meanwhile, one is all the same.
    return tuple(
        replace(line, chosen=chosen[file.parent_of(line.parent, place)] == place)
        for place, line in enumerate(lines, start=1)
    )


def _is_finished(message: MessageView) -> bool:
    return message.state not in ("queued", "streaming")


def _ending(message: MessageView, *, followed: bool) -> FinishedState | None:
    """How a message ended; `None` while it has not.

    A question waits again while it is to be answered anew, and is whole all the same.
    """
    if message.state == "queued":
        return "complete" if followed and message.role == "user" else None
    return None if message.state == "streaming" else message.state


def _line(message: MessageView, ending: FinishedState, parent: int | None) -> Line:
    return Line(
        role=message.role,
        text=message.text,
        created=message.created,
        ending=ending,
        model=message.model,
        pinned=message.pinned,
        parent=parent,
        asides=tuple(map(_file_aside, message.asides)),
        attachments=tuple(_same_fields(one, file.Attachment) for one in message.attachments),
    )


def _file_aside(aside: Aside) -> file.Aside:
    if isinstance(aside, Thought):
        return _same_fields(aside, file.Thought)
    return _same_fields(aside, file.ToolUse)


def _same_fields(record: Any, kind: type[T]) -> T:
    return msgspec.convert(record, kind, from_attributes=True)
