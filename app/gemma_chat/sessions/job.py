"""One turn as the engine thread sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    Media,
    Prompt,
    SequenceHandle,
    TokenCounts,
    ToolChoice,
    TurnRun,
)
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.events import (
    LockEntry,
    LockEvent,
    Piece,
    Purpose,
    TurnPhase,
    TurnResult,
    TurnsDropped,
)
from gemma_chat.sessions.metrics import TurnClock
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.reply import Reply
from gemma_chat.terms import FinishReason


@dataclass(frozen=True, slots=True)
class PreparedTurn:
    """What a session answers when its turn begins."""

    prompt: Prompt
    sampling: SamplingSettings
    dropped: TurnsDropped | None = None
    alternative: Prompt | None = None
    """Another prompt that is possible: a warm-up evaluates only what both begin with."""


class TurnOwner(Protocol):
    """The session of a turn; both calls come from the engine thread."""

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation as it stands now, with the question of `job` at its end."""

    def keep(self, job: TurnJob) -> bool:
        """Put question and reply into the history; `False` when there is nothing to keep."""


Report = Piece | LockEvent | TurnsDropped | TurnResult
"""What a job tells the loop: more of the reply, a new phase, an overflow, its end."""


def _nobody(_: Report) -> None:
    """A job that nobody follows."""


@dataclass(slots=True, eq=False)
class TurnJob:
    """A turn in the queue or in the engine.

    The engine thread alone writes `phase`, the counts and `run`, except that a turn which never
    began is ended by whoever takes it out of the queue.
    """

    owner: TurnOwner
    session: int
    number: int
    background: bool
    sequence: SequenceHandle
    question: str
    """What is asked; empty when `continues`."""
    media: tuple[Media, ...] = ()
    """The images and recordings that are asked about."""
    purpose: Purpose = "reply"
    continues: bool = False
    """The turn goes on after the results of calls, instead of asking something."""
    tool_choice: ToolChoice = "auto"
    sampling: SamplingSettings | None = None
    """How this turn samples, when not as its session says."""
    rules: ReplyRules = field(default_factory=ReplyRules)
    """A grammar or schema for this turn alone."""
    receive: Callable[[Report], None] = _nobody
    """Takes the reports of this turn, on the loop."""
    ticket: int = 0
    """Given by the queue."""
    moved: int = 0
    seed: int | None = None
    """What it is sampled with, once it has begun."""
    phase: TurnPhase = "queued"
    run: TurnRun | None = None
    stop_reason: FinishReason | None = None
    counts: TokenCounts = field(default_factory=TokenCounts)
    prompt_done: int = 0
    prompt_total: int = 0
    reply: Reply = field(default_factory=Reply)
    clock: TurnClock = field(default_factory=TurnClock)

    def entry(self) -> LockEntry:
        """A frozen picture of this turn."""
        return LockEntry(
            session=self.session,
            turn=self.number,
            background=self.background,
            phase=self.phase,
            prompt_done=self.prompt_done,
            prompt_total=self.prompt_total,
            generated=self.counts.generated,
            tokens_per_second=self.clock.rate(self.counts.generated),
            since=self.clock.since,
            purpose=self.purpose,
            ticket=self.ticket,
            moved=self.moved,
        )

    def result(
        self, reason: FinishReason, error: GemmaChatError | None = None, *, kept: bool = False
    ) -> TurnResult:
        """The end of this turn, put into words."""
        return TurnResult(
            reason,
            self.reply.text,
            self.clock.metrics(self.counts, reason, self.seed),
            error,
            kept,
            thinking=self.reply.thinking,
            thinking_seconds=self.reply.thinking_seconds,
            tool_calls=tuple(self.reply.calls),
        )
