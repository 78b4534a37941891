"""Reading exports of the web page of llama.cpp's server.

`{"conv": {"id", "name", "lastModified", "currNode"}, "messages": [{"id", "role", "content",
"parent", "timestamp", "type"}]}`, or a list of these; times are in milliseconds. The root of the
tree is a message of the type `root`, and `currNode` the end of the branch that is shown. System
messages within it become the system instruction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gemma_chat.config.sampling import MAX_SYSTEM_INSTRUCTION, SessionSettings
from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.message_tree import branch, seconds, text_or_empty
from gemma_chat.exchange.transcript import Line, Transcript

_MILLISECONDS: Final = 1000.0


def is_llama_webui(document: Any) -> bool:
    """Whether this looks like such an export: one conversation, or a list of them."""
    first = document[0] if isinstance(document, list) and document else document
    return isinstance(first, Mapping) and "conv" in first and "messages" in first


def read_llama_webui(document: Any) -> tuple[Transcript, ...]:
    """The conversations of an export; raises `ExchangeError`."""
    conversations = document if isinstance(document, list) else [document]
    found = [_conversation(one, at) for at, one in enumerate(conversations, start=1)]
    return tuple(one for one in found if one.lines)


def _conversation(value: Any, at: int) -> Transcript:
    head = value.get("conv") if isinstance(value, Mapping) else None
    messages = value.get("messages") if isinstance(value, Mapping) else None
    if not isinstance(head, Mapping) or not isinstance(messages, Sequence):
        raise ExchangeError(f"its conversation number {at} has no messages.")
    nodes = {
        message["id"]: message
        for message in messages
        if isinstance(message, Mapping) and isinstance(message.get("id"), str)
    }
    end = text_or_empty(head.get("currNode"))
    if end not in nodes:
        end = next(reversed(nodes), "")
    shown = branch(nodes, end, lambda one: one.get("parent"))
    said = [one for one in shown if one.get("type") != "root"]
    lines = (_line(one) for one in said)
    system = [text_or_empty(one.get("content")) for one in said if one.get("role") == "system"]
    instruction = "\n\n".join(filter(None, system))[:MAX_SYSTEM_INSTRUCTION]
    return Transcript(
        title=text_or_empty(head.get("name")),
        lines=tuple(line for line in lines if line is not None),
        created=min((_when(one) for one in said if _when(one)), default=0.0),
        settings=msgspec.structs.replace(SessionSettings(), system_instruction=instruction),
    )


def _line(message: Mapping[str, Any]) -> Line | None:
    role, text = message.get("role"), text_or_empty(message.get("content"))
    if role not in ("user", "assistant") or not text.strip():
        return None
    return Line(role, text, _when(message))


def _when(message: Mapping[str, Any]) -> float:
    return seconds(message.get("timestamp"), _MILLISECONDS)
