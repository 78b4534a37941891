"""Reading `conversations.json` of a ChatGPT data export.

A list of conversations, each with `mapping`: nodes by their id, with `parent`, `children` and a
`message` that may be null. `current_node` is the end of the branch that was shown last. Messages
of the roles `system` and `tool`, and hidden ones, are the program's own and left out; so are parts
that are not text, for which a line says what was there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.message_tree import branch, seconds, text_or_empty
from gemma_chat.exchange.transcript import Line, Transcript


def is_openai(document: Any) -> bool:
    """Whether this looks like an export of ChatGPT: one conversation, or a list of them."""
    first = document[0] if isinstance(document, list) and document else document
    return isinstance(first, Mapping) and "mapping" in first


def read_openai(document: Any) -> tuple[Transcript, ...]:
    """The conversations of an export; raises `ExchangeError`."""
    conversations = document if isinstance(document, list) else [document]
    found = [_conversation(one, at) for at, one in enumerate(conversations, start=1)]
    return tuple(one for one in found if one.lines)


def _conversation(value: Any, at: int) -> Transcript:
    mapping = value.get("mapping") if isinstance(value, Mapping) else None
    if not isinstance(mapping, Mapping):
        raise ExchangeError(f"its conversation number {at} has no mapping of messages.")
    nodes = {name: node for name, node in mapping.items() if isinstance(node, Mapping)}
    end = text_or_empty(value.get("current_node"))
    if end not in nodes:
        end = _last_leaf(nodes)
    lines = (
        _line(node.get("message")) for node in branch(nodes, end, lambda one: one.get("parent"))
    )
    return Transcript(
        title=text_or_empty(value.get("title")),
        lines=tuple(line for line in lines if line is not None),
        created=seconds(value.get("create_time")),
    )


def _last_leaf(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """The newest node that nothing follows, for files that do not say which branch was shown."""
    parents = {text_or_empty(node.get("parent")) for node in nodes.values()}
    leaves = [name for name in nodes if name not in parents]
    return max(leaves, key=lambda name: _when(nodes[name]), default="")


def _when(node: Mapping[str, Any]) -> float:
    message = node.get("message")
    return seconds(message.get("create_time")) if isinstance(message, Mapping) else 0.0


def _line(message: Any) -> Line | None:
    if not isinstance(message, Mapping):
        return None
    author, metadata = message.get("author"), message.get("metadata")
    role = author.get("role") if isinstance(author, Mapping) else None
    hidden = isinstance(metadata, Mapping) and metadata.get("is_visually_hidden_from_conversation")
    text = _text(message.get("content"))
    if role not in ("user", "assistant") or hidden or not text.strip():
        return None
    return Line(role, text, seconds(message.get("create_time")))


def _text(content: Any) -> str:
    if not isinstance(content, Mapping):
        return ""
    if content.get("content_type") in ("thoughts", "reasoning_recap", "user_editable_context"):
        return ""
    parts = content.get("parts")
    if not isinstance(parts, Sequence) or isinstance(parts, str):
        return text_or_empty(content.get("text"))
    return "\n\n".join(_part(part) for part in parts if part)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("content_type") if isinstance(part, Mapping) else None
    return f"[{text_or_empty(kind).replace('_', ' ') or 'something that is not text'}]"
