"""The turns of one session: how they get into the queue, and what their ends leave behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import SequenceHandle, ToolChoice
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.context_use import ContextUse
from gemma_chat.sessions.continuation import Continuation
from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.engine_thread import EngineThread
from gemma_chat.sessions.events import Piece, TurnResult, TurnsDropped
from gemma_chat.sessions.history import Exchange, Step, ToolResult
from gemma_chat.sessions.job import Report, TurnJob, TurnOwner
from gemma_chat.sessions.metrics import SessionTotals, TurnMetrics
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.question import Question, question_text
from gemma_chat.sessions.turn import Turn
from gemma_chat.sessions.warm_ups import WarmUps


class SessionTurns:
    """Numbers and queues the turns of a session, and keeps those that are not finished.

    What the engine thread reports of them arrives here, on the loop.
    """

    def __init__(
        self,
        session: int,
        sequence: SequenceHandle,
        conversation: Conversation,
        engine_thread: EngineThread,
        *,
        background: bool,
        warm_ups: WarmUps,
        context_use: ContextUse,
        on_overflow: Callable[[TurnsDropped], None],
        on_end: Callable[[], None],
    ) -> None:
        """Go on from the turns that `conversation` has.

        What is warmed up gives way to a turn. `on_end` is called when one has ended.
        """
        self.metrics = TurnMetrics()
        """The figures of the last finished turn."""
        self.totals = SessionTotals()
        """The sums over all turns."""
        self._session = session
        self._sequence = sequence
        self._conversation = conversation
        self._engine_thread = engine_thread
        self._background = background
        self._warm_ups = warm_ups
        self._context_use = context_use
        self._on_overflow = on_overflow
        self._on_end = on_end
        self._unfinished: list[Turn] = []
        self._last_number = 0
        self.skip_numbers()

    @property
    def unfinished(self) -> tuple[Turn, ...]:
        """The turns that are not finished, oldest first."""
        return tuple(self._unfinished)

    def skip_numbers(self) -> None:
        """The conversation is another one: the numbers that are used in it are not used again."""
        exchanges = self._conversation.exchanges
        if exchanges:
            self._last_number = max(self._last_number, exchanges[-1].turn)

    def must_be_finished(self, what: str) -> None:
        """Raise `GemmaChatError` while a turn is unfinished: `what` cannot be done then."""
        if self._unfinished:
            raise GemmaChatError(
                f"Session {self._session} cannot {what} while its turn "
                f"{self._unfinished[0].number} is not finished; stop it first."
            )

    def tell(self, question: Question, reply: str) -> None:
        """Put an exchange into the history that took place elsewhere; no turn may be unfinished."""
        self._warm_ups.give_up()
        self._last_number += 1
        told = Exchange(self._last_number, question.text, (Step(reply),), question.media)
        self._conversation.exchanges = (*self._conversation.exchanges, told)

    def ask(
        self,
        question: Question,
        tool_choice: ToolChoice,
        sampling: SamplingSettings | None,
        rules: ReplyRules,
    ) -> Turn:
        """Queue a turn with this question."""
        job = self._job(self._conversation, self._last_number + 1, question, sampling)
        job.tool_choice = tool_choice
        job.rules = rules
        return self._submit_next(job)

    def go_on(
        self,
        results: Sequence[ToolResult],
        tool_choice: ToolChoice,
        sampling: SamplingSettings | None,
        rules: ReplyRules,
    ) -> Turn:
        """Queue the turn that goes on after the results of calls; none may be unfinished."""
        if self._unfinished:
            raise GemmaChatError(
                f"Session {self._session} cannot take results while its turn "
                f"{self._unfinished[0].number} is not finished; wait for its end."
            )
        number = self._conversation.answer(results)
        job = self._job(self._conversation, number, Question(""), sampling)
        job.continues = True
        job.tool_choice = tool_choice
        job.rules = rules
        return self._submit(job)

    def continue_reply(self, sampling: SamplingSettings | None) -> Turn:
        """Queue the turn that writes on at the end of the last reply."""
        exchanges = self._conversation.exchanges
        if not exchanges or exchanges[-1].steps[-1].calls:
            raise GemmaChatError(
                f"Session {self._session} has no reply that can go on: its last exchange is "
                f"{'waiting for the results of tools' if exchanges else 'not there'}. Ask first."
            )
        owner = Continuation(self._conversation)
        question = Question(exchanges[-1].question)
        return self._submit_next(self._job(owner, self._last_number + 1, question, sampling))

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns ask something else: all of them or, with `False`, none."""
        jobs = {turn.number: turn.job for turn in self._unfinished}
        if not all(number in jobs for number in questions):
            return False
        changes = {jobs[number]: question_text(text) for number, text in questions.items()}
        return self._engine_thread.rephrase(changes)

    def close(self, error: GemmaChatError) -> None:
        """Stop the running turn; those that wait fail with `error`."""
        for turn in self.unfinished:
            turn.close(error)

    def _job(
        self,
        owner: TurnOwner,
        number: int,
        question: Question,
        sampling: SamplingSettings | None,
    ) -> TurnJob:
        return TurnJob(
            owner=owner,
            session=self._session,
            number=number,
            background=self._background,
            sequence=self._sequence,
            question=question.text,
            media=question.media,
            sampling=None if sampling is None else sampling.validated(),
        )

    def _submit_next(self, job: TurnJob) -> Turn:
        turn = self._submit(job)
        self._last_number = turn.number
        return turn

    def _submit(self, job: TurnJob) -> Turn:
        self._warm_ups.give_up()
        turn = Turn(job, self._engine_thread.stop)
        job.receive = partial(self._receive, turn)
        self._engine_thread.submit(job)
        self._unfinished.append(turn)
        return turn

    def _receive(self, turn: Turn, report: Report) -> None:
        match report:
            case Piece():
                turn.add(report)
            case TurnsDropped():
                self._on_overflow(report)
            case TurnResult():
                self._ended(turn, report)

    def _ended(self, turn: Turn, result: TurnResult) -> None:
        self.metrics = result.metrics
        self.totals = self.totals.plus(result.metrics)
        if result.kept:
            self._context_use.note(turn.progress.prompt_total + turn.progress.generated)
        self._unfinished.remove(turn)
        turn.end(result)
        self._on_end()
