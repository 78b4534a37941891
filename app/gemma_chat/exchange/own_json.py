"""The program's own file format: JSON, versioned, with everything that belongs to a conversation.

{"format": "gemma-chat conversations", "version": 2, "conversations": [
    {"title": "…", "created": 1700000000.0, "settings": {…},
     "tab": {"group": "Work", "mark": "star", "pinned": true},
     "messages": [
        {"role": "user", "text": "…", "created": 1700000001.0, "pinned": true},
        {"role": "assistant", "text": "…", "created": 1700000002.0, "model": "…",
         "asides": [{"type": "thought", "at": 0, "text": "…", "seconds": 1.5},
                    {"type": "tool_use", "at": 0, "name": "clock", "arguments": "{}",
                     "outcome": "answered", "result": "…"}]},
        {"role": "assistant", "text": "…", "parent": 1, "chosen": false}]}]}

The messages are those of all branches. `parent` is the place in this list, from 1, of the message
that one follows, 0 for a first one; without it that is the message right before. Of those that
follow the same message one is chosen. `asides` are thoughts and tool calls with their results;
`attachments` says what is known of files, without their bytes.

What a file leaves out is as by default: those of earlier programs have neither tabs nor models,
and those of version 1 have one branch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.message_tree import check_branches
from gemma_chat.exchange.transcript import Aside, Attachment, Line, Tab, Transcript
from gemma_chat.terms import FinishedState, MessageRole, TabMark

FORMAT: Final = "gemma-chat conversations"
VERSION: Final = 2
_READ: Final = (1, VERSION)

_MARKS: Final = {mark: mark for mark in get_args(TabMark)}


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    role: MessageRole
    text: str
    created: float = 0.0
    ending: FinishedState = "complete"
    model: str = ""
    pinned: bool = False
    parent: int | None = None
    chosen: bool = True
    asides: tuple[Aside, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class _Tab(msgspec.Struct, frozen=True, omit_defaults=True):
    group: str = ""
    mark: str = ""
    pinned: bool = False


class _Conversation(msgspec.Struct, frozen=True):
    title: str
    messages: tuple[_Message, ...]
    created: float = 0.0
    settings: SessionSettings = SessionSettings()
    tab: _Tab = _Tab()


class _File(msgspec.Struct, frozen=True):
    format: str
    version: int
    conversations: tuple[_Conversation, ...]


def write_json(transcripts: Iterable[Transcript]) -> str:
    """These conversations as one file, which `read_own` gives back as they are."""
    conversations = tuple(
        _Conversation(
            one.title,
            tuple(msgspec.convert(line, _Message, from_attributes=True) for line in one.lines),
            one.created,
            one.settings,
            msgspec.convert(one.tab, _Tab, from_attributes=True),
        )
        for one in transcripts
    )
    file = msgspec.to_builtins(_File(FORMAT, VERSION, conversations))
    # msgspec refuses lone surrogates, which a title may hold; json writes them as escapes.
    return json.dumps(file, ensure_ascii=False, indent=2) + "\n"


def is_own(document: Any) -> bool:
    """Whether this looks like a file of `write_json`, of whatever version."""
    return isinstance(document, Mapping) and document.get("format") == FORMAT


def read_own(document: Mapping[str, Any]) -> tuple[Transcript, ...]:
    """The conversations of a file of ours; raises `ExchangeError`."""
    version = document.get("version")
    if version not in _READ:
        raise ExchangeError(
            f"it was written by another gemma-chat (version {version!r} of the format; this one "
            f"reads those up to {VERSION}). Install a newer gemma-chat."
        )
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise ExchangeError(f"it is not as gemma-chat writes it: {error}.") from None
    for one in file.conversations:
        check_branches([(message.parent, message.chosen) for message in one.messages])
    return tuple(
        Transcript(
            one.title,
            tuple(msgspec.convert(line, Line, from_attributes=True) for line in one.messages),
            one.created,
            one.settings.validated(),
            # A sign of a later program is none here, rather than a reason to refuse the rest.
            Tab(one.tab.group, _MARKS.get(one.tab.mark, ""), one.tab.pinned),
        )
        for one in file.conversations
    )
