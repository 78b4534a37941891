"""What the sessions report to whoever listens. Everything here is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.metrics import FinishReason, TurnMetrics

TurnPhase = Literal["queued", "prefill", "generating", "finished"]
Purpose = Literal["reply", "anticipation"]
"""An anticipation evaluates ahead what a coming turn begins with, and generates nothing."""

PieceKind = Literal["text", "thinking", "tool_call"]


class Piece(str):
    """A stretch of a reply that is final: never half a character."""

    __slots__ = ("kind",)

    kind: PieceKind

    def __new__(cls, text: str, kind: PieceKind = "text") -> Piece:
        """A piece is its text; `kind` says what the text is part of."""
        piece = super().__new__(cls, text)
        piece.kind = kind
        return piece


@dataclass(frozen=True, slots=True)
class LockEntry:
    """One turn that holds the generation lock or waits for it."""

    session: int
    turn: int
    background: bool
    phase: TurnPhase
    prompt_done: int
    """Prompt tokens in the KV cache, whether evaluated, reused or restored."""
    prompt_total: int
    """Length of the prompt in tokens; 0 until the turn begins."""
    generated: int
    tokens_per_second: float
    """The rate of decoding so far, 0 before the first token."""
    since: float
    """When it began to hold or to wait, by `time.monotonic`."""
    purpose: Purpose = "reply"


@dataclass(frozen=True, slots=True)
class LockEvent:
    """A turn went on to another phase, or further within it.

    `position` is its place in the queue, from 1, when the phase is `queued`; `reason` is set when
    it is `finished`. Progress within `generating` is reported in batches, not for every token.
    """

    entry: LockEntry
    position: int = 0
    reason: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class TurnsDropped:
    """The window overflowed: the oldest exchanges are left out of the prompt from this turn on."""

    session: int
    turn: int
    dropped: int
    """Exchanges left out newly."""
    left_out: int
    """Exchanges left out altogether; the history still has them."""
    prompt_tokens: int
    """Length of the prompt that is used now."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """How a turn ended.

    `error` is set when it failed, or was closed while it waited. `kept` tells whether the question
    and the reply are part of the history; a turn that produced nothing leaves no trace there.
    """

    reason: FinishReason
    text: str
    metrics: TurnMetrics
    error: GemmaChatError | None = None
    kept: bool = False

    def text_or_raise(self) -> str:
        """The reply, or its error raised."""
        if self.error is not None:
            raise self.error
        return self.text
