"""The words that several rooms share, each defined once."""

from __future__ import annotations

from typing import Final, Literal

KvType = Literal["f16", "q8_0", "q4_0"]
"""How the KV cache is stored."""

Lane = Literal["foreground", "background"]
"""Whether a person waits for a turn."""

MediaKind = Literal["image", "audio"]
"""What beside text a model may take."""

MessageRole = Literal["user", "assistant"]
"""Who wrote a message that is kept."""

SPEAKERS: Final[dict[MessageRole, str]] = {"user": "You", "assistant": "Assistant"}
"""What they are called wherever a person reads a conversation: on screens, in lines, in files."""

FinishReason = Literal["stop", "length", "stopped", "tool_call", "closed", "failed"]
"""Why a turn ended: by itself, at a limit, by a person, for calls, with its session, by a fault."""

FinishedState = Literal["complete", "stopped", "length", "interrupted", "failed"]
"""What has become of a message: `interrupted` by the end of the host, `stopped` by a person."""

MessageState = Literal[
    "complete", "queued", "streaming", "stopped", "length", "interrupted", "failed"
]
"""How a message stands; beside those of `FinishedState`, `queued` is not begun."""

UseOutcome = Literal["waiting", "answered", "refused", "failed", "stopped"]
"""What has become of a tool call."""

TabMark = Literal["", "diamond", "triangle", "square", "star", "note", "cross"]
"""The sign that a person gave a tab."""

Openness = Literal["all", "open", "closed"]
"""Which conversations are meant: those with a tab, those without, or both."""

ModelPlace = Literal["own", "board", "hub", "lmstudio", "ollama", "elsewhere"]
"""Whose folder a model file is in."""

LinkPhase = Literal["connecting", "connected", "silent", "lost", "failed"]
"""How a terminal stands with the host."""
