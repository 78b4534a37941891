"""What the sessions report to whoever listens. Everything here is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from gemma_chat.engine.interface import PartKind, ReplyPart, ToolCall
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.history import Outcome, ToolResult
from gemma_chat.sessions.metrics import TurnMetrics
from gemma_chat.terms import FinishReason

TurnPhase = Literal["queued", "prefill", "generating", "finished"]
Purpose = Literal["reply", "warm-up"]
"""A warm-up evaluates what a coming turn begins with, and generates nothing."""

PieceKind = PartKind | Literal["tool_result"]


class Piece(str):
    """A stretch of a reply that is final: never half a character, never half a tag.

    A piece of the kind `tool_call` is one whole call: its text is `name(arguments)`, for showing,
    and `call` is the call. Its id is unique within the session. A chat that carries out calls gives
    pieces of the kind `tool_result` too: the text is what the model is told, `call` the call, and
    `outcome` what became of it.

        thoughts = "".join(piece for piece in pieces if piece.kind == "thinking")
    """

    __slots__ = ("call", "kind", "outcome")

    kind: PieceKind
    call: ToolCall | None
    outcome: Outcome | None

    def __new__(
        cls,
        text: str,
        kind: PieceKind = "text",
        call: ToolCall | None = None,
        outcome: Outcome | None = None,
    ) -> Self:
        """A piece is its text; `kind` says what the text is part of."""
        piece = super().__new__(cls, text)
        piece.kind = kind
        piece.call = call
        piece.outcome = outcome
        return piece

    @classmethod
    def of_call(cls, call: ToolCall) -> Self:
        """The piece that is `call`."""
        return cls(f"{call.name}({call.arguments})", "tool_call", call)

    @classmethod
    def of_result(cls, call: ToolCall, result: ToolResult) -> Self:
        """The piece that is the result of `call`."""
        return cls(result.text, "tool_result", call, result.outcome)

    @classmethod
    def of(cls, part: ReplyPart) -> Self:
        """A part of a reply, as it came from the engine."""
        return cls(part.text, part.kind) if part.call is None else cls.of_call(part.call)


@dataclass(frozen=True, slots=True)
class LockEntry:
    """One turn that holds the generation lock or waits for it.

    print([(entry.session, entry.phase) for entry in model.lock.waiting])
    """

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
    ticket: int = 0
    """Its number in the queue, never used again by this model: what `GenerationLock.move` takes."""
    moved: int = 0
    """Places it was moved up by hand; less than 0 where others were moved before it."""


@dataclass(frozen=True, slots=True)
class LockPicture:
    """Who holds the generation lock and who waits for it, at one moment.

    Holders in the order in which they began, waiting turns in the order in which they will run.

        picture = model.lock.picture()
        print(len(picture.holders), len(picture.waiting))
    """

    holders: tuple[LockEntry, ...]
    waiting: tuple[LockEntry, ...]

    @property
    def is_free(self) -> bool:
        """Whether nobody holds the lock and nobody waits for it."""
        return not self.holders and not self.waiting


@dataclass(frozen=True, slots=True)
class LockEvent:
    """A turn went on to another phase, or further within it.

    `position` is its place in the queue, from 1, when the phase is `queued`; `reason` is set when
    it is `finished`. Progress within `generating` is reported in batches, not for every token.

        unsubscribe = model.lock.subscribe(lambda event: print(event.entry.phase))
    """

    entry: LockEntry
    position: int = 0
    reason: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class TurnsDropped:
    """The window is full: the oldest exchanges are left out of the prompt from this turn on.

    `turn` is 0 when that was decided between two turns, and warmed up for the next one.

        unsubscribe = session.subscribe(lambda event: print(event.dropped))
    """

    session: int
    turn: int
    dropped: int
    """Exchanges left out newly."""
    left_out: int
    """Exchanges left out altogether; the history still has them."""
    prompt_tokens: int
    """Length of the prompt that is used now."""
    summarized: int = 0
    """How many of those left out altogether a summary in the prompt stands for."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """How a turn ended.

    `text` is the answer alone. `reason` is "tool_call" when the model made calls and ended by
    itself: `Session.start_turn(results=...)` goes on from there. Calls may also be there with
    another reason, of a reply that was stopped or cut off; then nothing needs to be answered.

    `error` is set when it failed, or was closed while it waited. `kept` tells whether the question
    and the reply are part of the history; a turn that produced nothing leaves no trace there. (Of
    a turn that goes on after results it says so of its reply; the results are kept in any case.)

        result = await session.start_turn("What is the sea?").finished()
        print(result.text, result.reason, result.metrics.generated_tokens)
    """

    reason: FinishReason
    text: str
    metrics: TurnMetrics
    error: GemmaChatError | None = None
    kept: bool = False
    thinking: str = ""
    thinking_seconds: float = 0.0
    """How long the model thought, by the clock; 0 when it did not."""
    tool_calls: tuple[ToolCall, ...] = ()

    def text_or_raise(self) -> str:
        """The reply, or its error raised."""
        if self.error is not None:
            raise self.error
        return self.text
