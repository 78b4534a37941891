"""Words for tokens: conversations as the scripted engine writes and reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from gemma_chat.engine.interface import ChatMessage, Role, ToolCall

_WORD = re.compile(rb"\s*\S+|\s+")
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
_BESIDE = "\x01"

Token = int | bytes


def words(text: str) -> list[bytes]:
    """The scripted tokenizer."""
    return _WORD.findall(text.encode())


def tokens_of(pieces: Sequence[int | bytes]) -> list[Token]:
    tokens: list[Token] = []
    for piece in pieces:
        tokens += [piece] if isinstance(piece, int) else _WORD.findall(piece)
    return tokens


def messages_of(pieces: Sequence[int | bytes]) -> tuple[ChatMessage, ...]:
    messages = []
    for place in range(0, len(pieces) - 1, 3):
        role, text = pieces[place], pieces[place + 1]
        assert isinstance(role, int)
        assert isinstance(text, bytes)
        messages.append(_read(ROLES[role], text.decode()))
    return tuple(messages)


def spelled_out(message: ChatMessage) -> str:
    """All of a message in one text."""
    calls = [[call.id, call.name, call.arguments, call.error] for call in message.tool_calls]
    beside = [message.thinking, calls, message.tool_call_id, message.tool_name]
    return f"{message.text}{_BESIDE}{json.dumps(beside)}" if any(beside) else message.text


def _read(role: Role, written: str) -> ChatMessage:
    text, mark, beside = written.partition(_BESIDE)
    if not mark:
        return ChatMessage(role, text)
    thinking, calls, tool_call_id, tool_name = json.loads(beside)
    return ChatMessage(
        role,
        text,
        thinking=thinking,
        tool_calls=tuple(ToolCall(*call) for call in calls),
        tool_call_id=tool_call_id,
        tool_name=tool_name,
    )


def shared(left: Sequence[Token], right: Sequence[Token]) -> int:
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return length
