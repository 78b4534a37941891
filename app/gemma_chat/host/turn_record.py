"""What one turn leaves behind: its question and reply in the store, and the events about them.

`turns` drives it. The first text of a reply is stored at once and the rest in short intervals while
it streams (see `saving`), so that is the most that the death of the host takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from gemma_chat.errors import StoreError
from gemma_chat.host.asides import Asides
from gemma_chat.host.protocol import (
    AsideChanged,
    Event,
    FinishReason,
    MessageChanged,
    MessageRemoved,
    Notice,
    TranscriptChanged,
    TurnFinished,
    TurnMetrics,
    TurnText,
)
from gemma_chat.host.saving import ReplySaver
from gemma_chat.host.unstored import Unstored, in_memory
from gemma_chat.host.views import aside_view, message_view, stored_metrics
from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.history import ToolResult
from gemma_chat.store.database import Durability
from gemma_chat.store.records import Message
from gemma_chat.store.store import Store
from gemma_chat.terms import FinishedState

THOUGHT_SECONDS: Final = 0.25
"""More of a thought is told this often, as a whole."""

EMPTY_REPLY: Final = (
    "The model ended its reply before the first word. Ask again, or with other words."
)
ONLY_THOUGHT: Final = (
    "The model thought and did not come to an answer. Raise the reply limit or set a thinking "
    "budget, then ask again."
)
_LEFT: Final = "The program ended, or its model was changed, before this was answered."

_log = logging.getLogger(__name__)

_STATE_OF: Final[dict[FinishReason, FinishedState]] = {
    "stop": "complete",
    "tool_call": "complete",
    "length": "length",
    "stopped": "stopped",
    "closed": "interrupted",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended. `kept`: question and reply are part of the context of later turns."""

    reason: FinishReason
    metrics: TurnMetrics
    error: str = ""
    kept: bool = False


TurnKind = Literal["ask", "ask_again", "go_on"]
"""A new question; a question that was answered before; a reply that is written on."""


class TurnRecord:
    """The question and the reply of one turn."""

    def __init__(
        self,
        store: Store,
        publish: Callable[[Event], None],
        question: Message,
        reply: Message,
        unstored: Unstored,
        *,
        kind: TurnKind = "ask",
    ) -> None:
        """Both are in the store with state `queued`; the reply is empty, so nobody is shown it.

        Unless it goes on: then only the reply is unfinished, and it has its text so far. What the
        store does not take at the end is left to `unstored`.
        """
        self.kind = kind
        self.model = ""
        """The name of the model that answers, once there is one."""
        self.brought_back = False
        """It brought no reply, and the one there was before is shown again."""
        self._store = store
        self._publish = publish
        self._unstored = unstored
        self._question = question
        self._reply = reply
        self._speaks = bool(reply.text)
        self._pieces: list[str] = [reply.text]
        self._length = len(reply.text)
        self._asides = Asides(reply.asides)
        self._tell_due: asyncio.TimerHandle | None = None
        self._saver = ReplySaver(self._save, self._report)
        self._store_failed = False

    @property
    def session(self) -> int:
        """The conversation."""
        return self._question.session

    @property
    def turn(self) -> int:
        """The number of the turn."""
        return self._reply.turn

    @property
    def question(self) -> Message:
        """The question as it stands."""
        return self._question

    @property
    def reply(self) -> tuple[int, str | None]:
        """The number of the reply and all its text so far, `None` when it has not begun.

        The store may lag behind.
        """
        return self._reply.message, self._text() if self._speaks else None

    def rephrase(self, text: str) -> None:
        """Another question waits in this place from now on."""
        self._question = self._store.update_message(self._question.message, text=text)
        self._tell(self._question)

    def begin(self) -> None:
        """The turn has the lock: the question waits no longer. Again is fine."""
        if self._question.state == "queued":
            self._settle_question("complete")

    def add(self, piece: str | Piece) -> None:
        """More of the reply. Raises `StoreError` when a reply cannot be begun."""
        self.begin()
        kind = piece.kind if isinstance(piece, Piece) else "text"
        if isinstance(piece, Piece) and kind == "tool_result" and piece.call is not None:
            self._asides.answer(ToolResult(piece.call.id, str(piece), piece.outcome or "answered"))
            self._keep_asides()
        elif kind == "text":
            if self._asides.say():
                self._keep_asides()
            self._add_text(str(piece))
        elif isinstance(piece, Piece) and piece.call is not None:
            self._asides.add_call(piece.call, at=self._length)
            self._keep_asides()
        elif self._asides.think(str(piece), at=self._length):
            self._keep_asides()
        else:
            self._tell_thought_soon()

    def _add_text(self, text: str) -> None:
        if not self._speaks:
            self._begin_reply(text)
        else:
            self._pieces.append(text)
            self._saver.changed()
        self._publish(TurnText(self.session, self.turn, self._reply.message, self._length, text))
        self._length += len(text)

    def settle(self, outcome: Outcome) -> None:
        """The turn has ended: bring both messages into their last state."""
        self.abandon()
        text = self._text()
        self._asides.end()
        if text.strip() or self._asides.all:
            self._finish_reply(text, outcome)
        else:
            self._drop_reply()
        if outcome.kept or self.kind == "go_on":
            self.begin()
        elif not self._bring_back():
            self._fail_question(outcome)

    def abandon(self) -> None:
        """Nothing more is told or stored of the reply as it grows."""
        if self._tell_due is not None:
            self._tell_due.cancel()
        self._saver.end()

    def tell_end(self, outcome: Outcome) -> None:
        """Tell everybody that the turn has ended; nothing about it follows."""
        self._publish(
            TurnFinished(self.session, self.turn, outcome.reason, outcome.metrics, outcome.error)
        )

    def _text(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def _begin_reply(self, text: str) -> None:
        self._reply = self._store.update_message(
            self._reply.message,
            text=text,
            state="streaming",
            model=self.model,
            durability="soon",
        )
        self._speaks = True
        self._pieces.append(text)
        self._tell(msgspec.structs.replace(self._reply, text=""))

    async def _save(self) -> None:
        saved = self._store.save_reply(
            self._reply.message, self.turn, self._text(), self._asides.all
        )
        await asyncio.wrap_future(saved)

    def _keep_asides(self) -> None:
        """Tell at once that a thought or a call began or ended, and store it soon."""
        if not self._speaks:
            self._begin_reply("")
        self._tell_asides()

    def _tell_thought_soon(self) -> None:
        if self._tell_due is None:
            loop = asyncio.get_running_loop()
            self._tell_due = loop.call_later(THOUGHT_SECONDS, self._tell_asides)

    def _tell_asides(self) -> None:
        if self._tell_due is not None:
            self._tell_due.cancel()
            self._tell_due = None
        changed = self._asides.take_changes()
        for place, aside in changed:
            view = aside_view(aside)
            self._publish(AsideChanged(self.session, self.turn, self._reply.message, place, view))
        if changed:
            self._saver.changed()

    def _finish_reply(self, text: str, outcome: Outcome) -> None:
        state = _STATE_OF[outcome.reason]
        metrics, asides = stored_metrics(outcome.metrics), self._asides.all
        last = msgspec.structs.replace(
            self._reply,
            state=state,
            text=text,
            error=outcome.error,
            metrics=metrics,
            asides=asides,
        )
        try:
            self._reply = self._store.finish_message(
                self._reply.message,
                state=state,
                text=text,
                error=outcome.error,
                metrics=metrics,
                asides=asides,
            )
        except StoreError as error:
            self._report(error)
            self._reply = last
            self._unstored.keep(last)
            self._publish(MessageChanged(self.session, self.turn, in_memory(last)))
        else:
            self._tell(self._reply)

    def _drop_reply(self) -> None:
        try:
            self._store.remove_message(self._reply.message)
        except StoreError as error:
            self._report(error)
            self._unstored.drop(self._reply.message)
        if self._speaks:
            self._publish(MessageRemoved(self.session, self.turn, self._reply.message))

    def _bring_back(self) -> bool:
        """Show the reply that a question had before it was asked again, when it had one."""
        if self.kind != "ask_again":
            return False
        try:
            shown = self._store.branches.chosen_below(self._question.message)
        except StoreError as error:
            self._report(error)
            return False
        if shown is None or shown.role != "assistant":
            return False
        self._settle_question("complete")
        self._publish(TranscriptChanged(self.session, self._question.message))
        self.brought_back = True
        return True

    def _fail_question(self, outcome: Outcome) -> None:
        match outcome.reason:
            case "stopped":
                self._settle_question("stopped")
            case "closed":
                self._settle_question("interrupted", outcome.error or _LEFT)
            case _:
                why = ONLY_THOUGHT if self._asides.all else EMPTY_REPLY
                self._settle_question("failed", outcome.error or why)

    def _settle_question(self, state: FinishedState, error: str = "") -> None:
        # That it is being answered is found out again after a power cut; its reply need not wait
        # for the disk because of that.
        durability: Durability = "soon" if state == "complete" else "on_disk"
        try:
            self._question = self._store.finish_message(
                self._question.message, state=state, error=error, durability=durability
            )
        except StoreError as failure:
            self._report(failure)
            self._question = msgspec.structs.replace(self._question, state=state, error=error)
            self._unstored.keep(self._question)
        else:
            self._unstored.forget(self._question.message)
        self._tell(self._question)

    def _tell(self, message: Message) -> None:
        self._publish(MessageChanged(self.session, self.turn, message_view(message)))

    def _report(self, error: StoreError) -> None:
        """Say once in a turn that the store does not work; the reply goes on in memory."""
        _log.error("turn %d of conversation %d: %s", self.turn, self.session, error)
        if not self._store_failed:
            self._store_failed = True
            self._publish(Notice("error", str(error), self.session))
