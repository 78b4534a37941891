"""Turns: what is asked of the model, who holds the lock and who waits, what a reply brings."""

from __future__ import annotations

from typing import Literal

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.host.protocol.messages import TurnMetrics, Upload
from gemma_chat.host.protocol.wire import Wire
from gemma_chat.terms import FinishReason

ToolAnswer = Literal["once", "always", "never"]
"""`always` and `never` hold for this tool in this tab from now on."""

TurnPhase = Literal["idle", "queued", "prefill", "generating"]


class ToolQuestion(Wire, frozen=True):
    """The model of a tab wants to call a tool, and a person has to allow it."""

    question: int
    """Its number, never used again by this host."""
    name: str
    arguments: str
    """A JSON object, as text, cut when it is long."""


class LockEntry(Wire, frozen=True):
    """One turn that holds the generation lock or waits for it."""

    session: int
    turn: int
    name: str
    background: bool = False
    phase: TurnPhase = "queued"
    prompt_done: int = 0
    prompt_total: int = 0
    generated: int = 0
    tokens_per_second: float = 0.0
    elapsed: float = 0.0
    """Seconds since it began to hold or to wait."""
    ticket: int = 0
    """What `ChangeQueue` knows it by; 0 while it waits for a model and is in no queue yet."""
    moved: int = 0
    """Places it was moved up by hand; less than 0 where others were moved before it."""
    about: int = 0
    """The tab that background work is done for; 0 when it is none."""


class LockView(Wire, frozen=True):
    """The generation lock: who holds it and who waits, in the order in which they will run.

    On a server with several slots others run `beside` the holder that began first.
    """

    holder: LockEntry | None = None
    waiting: tuple[LockEntry, ...] = ()
    beside: tuple[LockEntry, ...] = ()

    @property
    def holders(self) -> tuple[LockEntry, ...]:
        """All that run now, in the order in which they began."""
        return () if self.holder is None else (self.holder, *self.beside)


class SendMessage(Wire, frozen=True, tag="send_message"):
    """Ask: queues a turn. Answer: `Queued` with its number.

    With `after`, the last message that is seen, it is refused when that one is no longer on the
    branch that is shown: nothing is said into a conversation that nobody sees.
    """

    id: int
    session: int
    text: str
    after: int = 0
    attachments: tuple[Upload, ...] = ()


class StopTurn(Wire, frozen=True, tag="stop_turn"):
    """End the running turn of a tab, keeping what there is of the reply. Answer: `Done`.

    With `turn`, that turn only, also when it waits in the queue; 0 is the oldest unfinished one.
    """

    id: int
    session: int
    turn: int = 0


class AnswerTool(Wire, frozen=True, tag="answer_tool"):
    """Answer a `ToolQuestion`; the first answer counts, later ones do nothing. Answer: `Done`."""

    id: int
    session: int
    question: int
    answer: ToolAnswer


class EditMessage(Wire, frozen=True, tag="edit_message"):
    """Ask a question in other words, in its place; what followed it stays as another branch.

    One that still waits is changed where it waits. With `newest`, the newest message the asker
    knows of, it is refused when a question came later: none is put aside unseen. Answer: `Queued`.
    """

    id: int
    session: int
    message: int
    text: str
    newest: int = 0


class Regenerate(Wire, frozen=True, tag="regenerate"):
    """Have a question answered once more; the reply so far stays as another branch.

    `message` is the reply or its question; `sampling` holds for this turn only. `newest` as in
    `EditMessage`. Answer: `Queued`.
    """

    id: int
    session: int
    message: int
    sampling: SamplingSettings | None = None
    newest: int = 0


class ContinueReply(Wire, frozen=True, tag="continue_reply"):
    """Let the newest reply of a tab, which was stopped or cut, go on. Answer: `Queued`."""

    id: int
    session: int
    message: int


class SelectBranch(Wire, frozen=True, tag="select_branch"):
    """Show branch number `branch`, from 1, in the place of `message`. Answer: `Done`."""

    id: int
    session: int
    message: int
    branch: int


class DeleteMessage(Wire, frozen=True, tag="delete_message"):
    """Delete an exchange, or a message and all that was said after it on any branch.

    `newest` is the newest message the asker knows of: what came later is not deleted unseen.
    A waiting question is withdrawn. Answer: `Done`.
    """

    id: int
    session: int
    message: int
    newest: int
    scope: Literal["exchange", "following"] = "exchange"


class ForkFrom(Wire, frozen=True, tag="fork_from"):
    """Open a tab with the conversation up to a reply, or up to before a question.

    The question stands in the input of the new tab. `message` 0 is the newest one that is
    finished. The fork of a conversation that no tab shows is shown in no tab either. Answer:
    `Opened`.
    """

    id: int
    session: int
    message: int = 0
    title: str | None = None
    """Else it is called after the conversation."""


class PinMessage(Wire, frozen=True, tag="pin_message"):
    """Pin a message, so that it stays in the context, or take the pin away. Answer: `Done`."""

    id: int
    session: int
    message: int
    pinned: bool


class ReorderQueue(Wire, frozen=True, tag="reorder_queue"):
    """Answer a tab's waiting questions in this order; names each of their turns once.

    The turns keep their places in the queue and exchange their questions. Answer: `Done`.
    """

    id: int
    session: int
    turns: tuple[int, ...]


class ChangeQueue(Wire, frozen=True, tag="change_queue"):
    """Move an entry of the generation lock's queue by one place, or end it. Answer: `Done`.

    It exchanges its place with its neighbour: persons' turns come before background work, and a
    tab's questions stay in their order (`ReorderQueue` exchanges those).
    """

    id: int
    ticket: int
    change: Literal["sooner", "later", "cancel"]


class Queued(Wire, frozen=True, tag="queued"):
    """The message is stored and its turn waits for the lock."""

    id: int
    session: int
    turn: int


class TurnText(Wire, frozen=True, tag="turn_text"):
    """More text of a reply that streams. `offset` is its place in the reply, in characters."""

    session: int
    turn: int
    message: int
    offset: int
    text: str


class TurnFinished(Wire, frozen=True, tag="turn_finished"):
    """A turn has ended, whichever way."""

    session: int
    turn: int
    reason: FinishReason
    metrics: TurnMetrics
    error: str = ""


class LockChanged(Wire, frozen=True, tag="lock_changed"):
    """The lock or its queue changed, or the holder's figures did (once a second at most)."""

    lock: LockView
