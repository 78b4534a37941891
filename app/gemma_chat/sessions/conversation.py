"""What a session says to the engine: its settings and its exchanges, as they stand now.

Between two turns the event loop changes them; a turn reads them when it begins and adds to them
when it ends, on the engine thread. Both replace whole immutable values, so neither ever sees half
of a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.engine.interface import ChatMessage, Engine, Prompt, ReplyForm, ToolChoice, ToolSpec
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import Exchange, Step, ToolResult, well_formed
from gemma_chat.sessions.job import PreparedTurn, TurnJob
from gemma_chat.sessions.options import following, lora_of
from gemma_chat.sessions.window import Window, fit_window, messages_of, reply_room

_ANY_TWO = ("A", "1")
"""Two ways in which a question can go on, with no token in common."""


class Conversation:
    """The settings and exchanges of one session; the owner of its turns."""

    def __init__(
        self,
        engine: Engine,
        settings: SessionSettings,
        exchanges: tuple[Exchange, ...],
        tools: tuple[ToolSpec, ...] = (),
    ) -> None:
        self.settings = settings
        self.exchanges = exchanges
        self.tools = tools
        self._engine = engine
        self._left_out_now = 0

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges were not in the prompt of the newest one."""
        return self.exchanges[-1].left_out if self.exchanges else 0

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation with the question of `job`, without what no longer fits."""
        before = self.left_out
        earlier = self.exchanges[-1].calls if job.continues else 0
        job.reply.name_call = partial(_call_id, job.number, earlier)
        question = None if job.continues else ChatMessage("user", job.question, media=job.media)
        settings = self._settings_of(job)
        window = self._fit(settings, question, job.tool_choice)
        self._left_out_now = window.left_out
        dropped = _dropped(job, window, before)
        return PreparedTurn(window.prompt, following(settings.sampling, job.rules), dropped)

    def reopen(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation with its last reply left open, for `job` to write on."""
        before = self.left_out
        last = self.exchanges[-1]
        job.reply.name_call = partial(_call_id, job.number, last.calls)
        settings = self._settings_of(job)
        window = self._fit(settings, None, written=last.steps[-1].text)
        self._left_out_now = window.left_out
        # A grammar begins at the beginning of a reply, and this one has its beginning.
        sampling = msgspec.structs.replace(settings.sampling, grammar=None, json_schema=None)
        return PreparedTurn(window.prompt, sampling, _dropped(job, window, before))

    def lengthen(self, job: TurnJob) -> None:
        """Put what `job` brought behind the last reply."""
        *before, last = self.exchanges
        *earlier, step = last.steps
        longer = replace(step, text=step.text + job.reply.text, calls=tuple(job.reply.calls))
        grown = replace(last, steps=(*earlier, longer), left_out=self._left_out_now)
        self.exchanges = (*before, grown)

    def _settings_of(self, job: TurnJob) -> SessionSettings:
        if job.sampling is None:
            return self.settings
        return msgspec.structs.replace(self.settings, sampling=job.sampling)

    def expect(self, draft: str) -> PreparedTurn:
        """Two prompts of a coming turn whose question begins with `draft`."""
        settings = self.settings
        left, right = (ChatMessage("user", draft + end) for end in _ANY_TWO)
        window = self._fit(settings, left)
        other = self._render(settings, window.left_out, right)
        return PreparedTurn(window.prompt, settings.sampling, alternative=other)

    def _fit(
        self,
        settings: SessionSettings,
        question: ChatMessage | None,
        choice: ToolChoice = "auto",
        *,
        written: str = "",
    ) -> Window:
        size = self._engine.description.context_size
        exchanges = len(self.exchanges)
        return fit_window(
            lambda skip: self._render(settings, skip, question, choice, written=written),
            # The exchange whose results or reply the turn goes on from stands for the question.
            exchanges=exchanges if question is not None else exchanges - 1,
            left_out=self.left_out,
            context_size=size,
            room=reply_room(size, settings.sampling.max_output_tokens),
        )

    def _render(
        self,
        settings: SessionSettings,
        skip: int,
        question: ChatMessage | None,
        choice: ToolChoice = "auto",
        *,
        written: str = "",
    ) -> Prompt:
        messages = messages_of(
            well_formed(settings.system_instruction),
            self.exchanges[skip:],
            question,
            keep_thinking=settings.keep_thinking,
        )
        form = ReplyForm(
            tools=self.tools,
            tool_choice=choice,
            # A reply that goes on has been thought about.
            thinking=settings.enable_thinking and not written,
            thinking_budget=settings.thinking_budget,
        )
        if written:
            del messages[-1]
        prompt = self._engine.prompt(messages, form, written=written)
        return replace(prompt, lora=lora_of(settings))

    def answer(self, results: Sequence[ToolResult]) -> int:
        """Put the results of the newest calls into the history; returns the number of their turn.

        A call that is not among `results` gets one that says so. Raises `GemmaChatError` when
        no calls wait for results, or when a result is of another call or of one twice.
        """
        last = self.exchanges[-1] if self.exchanges else None
        if last is None or not last.steps[-1].awaits_results:
            raise GemmaChatError(
                "No tool call waits for a result: give results once, after a turn that ended with "
                "calls and before the next question."
            )
        step = last.steps[-1]
        open_calls = [call.id for call in step.calls]
        for result in results:
            if result.call_id not in open_calls:
                raise GemmaChatError(
                    f"There is no open tool call {result.call_id!r}; the last reply made "
                    f"{', '.join(call.id for call in step.calls)}. Give each one result."
                )
            open_calls.remove(result.call_id)
        given = tuple(replace(one, text=well_formed(one.text)) for one in results)
        answered = replace(step, results=given)
        answered = replace(answered, results=answered.answers())
        self.exchanges = (
            *self.exchanges[:-1],
            replace(last, steps=(*last.steps[:-1], answered)),
        )
        return last.turn

    def keep(self, job: TurnJob) -> bool:
        """Add the exchange, or its next step. A reply that says nothing leaves no trace.

        An empty reply in the history teaches a model to answer nothing, and some chat templates
        refuse it.
        """
        reply = job.reply
        if not reply.says_something:
            return False
        step = Step(reply.text, reply.thinking, reply.thinking_seconds, tuple(reply.calls))
        if job.continues:
            *before, last = self.exchanges
            longer = replace(last, steps=(*last.steps, step), left_out=self._left_out_now)
            self.exchanges = (*before, longer)
        else:
            exchange = Exchange(
                job.number, job.question, (step,), self._left_out_now, media=job.media
            )
            self.exchanges = (*self.exchanges, exchange)
        return True

    def rewind(self, turn: int) -> bool:
        """Forget the exchanges after turn number `turn`; `False` when there are none."""
        kept = tuple(one for one in self.exchanges if one.turn <= turn)
        changed = len(kept) < len(self.exchanges)
        self.exchanges = kept
        return changed

    def count_tokens(self) -> int:
        """The length of the conversation as the next prompt would begin, in tokens."""
        if not self.exchanges:
            return 0
        return self._render(self.settings, self.left_out, None).token_count


class Anticipation:
    """The owner of a turn that is not asked yet: it leaves no trace in the history."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """What the turn will begin with, when its question begins as that of `job`."""
        return self._conversation.expect(job.question)

    def keep(self, job: TurnJob) -> bool:
        """Nothing."""
        return False


def _call_id(turn: int, earlier: int, place: int) -> str:
    """Names a call after its turn and its place among the calls of the turn, from 1."""
    return f"call-{turn}-{earlier + place + 1}"


def _dropped(job: TurnJob, window: Window, before: int) -> TurnsDropped | None:
    if window.left_out <= before:
        return None
    return TurnsDropped(
        session=job.session,
        turn=job.number,
        dropped=window.left_out - before,
        left_out=window.left_out,
        prompt_tokens=window.prompt.token_count,
    )
