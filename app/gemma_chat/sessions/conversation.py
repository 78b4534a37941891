"""What a session says to the engine: its settings and its exchanges, as they stand now.

Between two turns the event loop changes them; a turn reads them when it begins and adds to them
when it ends, on the engine thread. Both replace whole immutable values, so neither ever sees half
of a change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import takewhile

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.engine.interface import ChatMessage, Engine, Prompt, ReplyForm, ToolChoice, ToolSpec
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import Exchange, Step, ToolResult, well_formed
from gemma_chat.sessions.job import PreparedTurn, TurnJob
from gemma_chat.sessions.options import following, lora_of
from gemma_chat.sessions.replacement import (
    NO_DIGEST,
    Digest,
    Replacement,
    decided,
    in_force,
    until,
)
from gemma_chat.sessions.summary import fit_text
from gemma_chat.sessions.window import (
    Space,
    Window,
    fewer,
    fit_window,
    fresh_replacement,
    messages_of,
)

MOST_OF_SUMMARY = 8
"""A summary takes at most this part of the window, an eighth; the middle of a longer one is cut."""

MOST_OF_RESULTS = 4
"""The results of one reply's calls take at most this part of the window, a quarter."""

LEAST_FREED = 8
"""Nothing is replaced ahead of a turn unless this part of the window, an eighth, becomes free."""

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
        replacements: tuple[Replacement, ...] = (),
        digest: Digest = NO_DIGEST,
    ) -> None:
        self.settings = settings
        self.exchanges = exchanges
        self.tools = tools
        self.replacements = replacements
        """What was decided about the oldest exchanges, in the order in which it was decided."""
        self.digest = digest
        """The newest summary, for the next decision."""
        self.prepared: Replacement | None = None
        """What is decided for when the window is full, and warmed up; not in force yet."""
        self._engine = engine
        self._now = self.replacement

    @property
    def replacement(self) -> Replacement:
        """What is in force now."""
        return in_force(self.replacements, len(self.exchanges))

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges are not in the prompt."""
        return self.replacement.replaces(self.exchanges)

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation with the question of `job`, without what no longer fits."""
        before = self.replacement
        earlier = self.exchanges[-1].calls if job.continues else 0
        job.reply.name_call = partial(_call_id, job.number, earlier)
        question = None if job.continues else ChatMessage("user", job.question, media=job.media)
        settings = self._settings_of(job)
        window = self._fit(settings, question, job.tool_choice)
        self._now = window.replacement
        dropped = self._dropped(job, window, before)
        return PreparedTurn(window.prompt, following(settings.sampling, job.rules), dropped)

    def reopen(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation with its last reply left open, for `job` to write on."""
        before = self.replacement
        last = self.exchanges[-1]
        job.reply.name_call = partial(_call_id, job.number, last.calls)
        settings = self._settings_of(job)
        window = self._fit(settings, None, written=last.steps[-1].text)
        self._now = window.replacement
        # A grammar begins at the beginning of a reply, and this one has its beginning.
        sampling = msgspec.structs.replace(settings.sampling, grammar=None, json_schema=None)
        return PreparedTurn(window.prompt, sampling, self._dropped(job, window, before))

    def lengthen(self, job: TurnJob) -> None:
        """Put what `job` brought behind the last reply."""
        if not (job.reply.text or job.reply.calls):
            return
        *before, last = self.exchanges
        *earlier, step = last.steps
        longer = replace(step, text=step.text + job.reply.text, calls=tuple(job.reply.calls))
        self._settle()
        self.exchanges = (*before, replace(last, steps=(*earlier, longer)))

    def _settings_of(self, job: TurnJob) -> SessionSettings:
        if job.sampling is None:
            return self.settings
        return msgspec.structs.replace(self.settings, sampling=job.sampling)

    def expect(self, draft: str) -> PreparedTurn:
        """Two prompts of a coming turn whose question begins with `draft`."""
        settings = self.settings
        left, right = (ChatMessage("user", draft + end) for end in _ANY_TWO)
        if self.prepared is None:
            window = self._fit(settings, left)
        else:
            window = self._window(settings, left, self.prepared)
        other = self.render(settings, window.replacement, right)
        return PreparedTurn(window.prompt, settings.sampling, alternative=other)

    def _fit(
        self,
        settings: SessionSettings,
        question: ChatMessage | None,
        choice: ToolChoice = "auto",
        *,
        written: str = "",
    ) -> Window:
        count = len(self.exchanges)
        current = self.replacement
        prepared = self.prepared
        window = fit_window(
            lambda replacement: self.render(
                settings, replacement, question, choice, written=written
            ),
            self.space(settings),
            # The exchange whose results or reply the turn goes on from stands for the question.
            exchanges=count if question is not None else count - 1,
            current=current,
            fresh=self._fresh(settings, current),
            overflow=settings.overflow,
            prepared=None if prepared is None else replace(prepared, since=count),
            pinned=sum(one.pinned for one in self.exchanges),
        )
        return replace(window, prompt=self._with_seam(settings, window))

    def _window(
        self, settings: SessionSettings, question: ChatMessage, replacement: Replacement
    ) -> Window:
        """The prompt with a replacement that was decided for the exchanges there are now."""
        fresh = replace(replacement, since=len(self.exchanges))
        window = Window(self.render(settings, fresh, question), fresh)
        return replace(window, prompt=self._with_seam(settings, window))

    def _with_seam(self, settings: SessionSettings, window: Window) -> Prompt:
        """The prompt, with a seam before the question when nothing like it was evaluated yet."""
        replacement = window.replacement
        if not replacement.exchanges or replacement.since != len(self.exchanges):
            return window.prompt
        before = self.render(settings, replacement, None)
        shared = zip(window.prompt.pieces, before.pieces, strict=False)
        seam = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], shared))
        return replace(window.prompt, seam=seam)

    def space(self, settings: SessionSettings) -> Space:
        """The window, and what is kept free in it for a reply."""
        size = self._engine.description.context_size
        return Space.of(size, settings.sampling.max_output_tokens)

    def cut_result(self, text: str, *, others: int, count: Callable[[str], int]) -> str:
        """See `Session.cut_result`; `count` tells how many tokens a text has."""
        most = self._engine.description.context_size // MOST_OF_RESULTS
        return fit_text(text, most // (others + 1), count)

    def _fresh(self, settings: SessionSettings, current: Replacement) -> Replacement:
        count = len(self.exchanges)
        if settings.overflow != "summary":
            return Replacement(since=count)
        most = self._engine.description.context_size // MOST_OF_SUMMARY
        newest = self.digest
        digest = replace(newest, text=fit_text(newest.text, most, self._engine.count_tokens))
        return fresh_replacement(current, digest, count)

    # ------------------------------------------------------------ preparing beforehand

    def plan(self) -> Replacement | None:
        """What is worth replacing before the next turn; `None` when nothing is.

        Either the window is nearly full, or what is in force left exchanges out for which there is
        a summary by now. A plan that was made earlier stays as long as it does.
        """
        settings, current, count = self.settings, self.replacement, len(self.exchanges)
        if settings.overflow == "stop" or not count:
            return None
        space = self.space(settings)
        fresh = self._fresh(settings, current)

        def render(replacement: Replacement) -> Prompt:
            return self.render(settings, replacement, None)

        whole = render(current)
        if not space.is_nearly_full(whole):
            late = replace(fresh, exchanges=current.exchanges)
            is_late = current.covered < current.exchanges <= fresh.covered
            return late if is_late and space.holds(render(late)) else None
        if self.prepared is not None and self.prepared.exchanges > current.exchanges:
            planned = replace(self.prepared, since=count)
            if not space.is_nearly_full(render(planned)):
                return planned
        chosen = fewer(render, space, exchanges=count, current=current, fresh=fresh)
        freed = whole.token_count - render(chosen).token_count
        return chosen if freed >= space.size // LEAST_FREED else None

    def adopt(self, session: int, plan: Replacement) -> TurnsDropped:
        """Let a plan be in force from the next turn on."""
        before = self.replacement
        fresh = replace(plan, since=len(self.exchanges))
        self.replacements = decided(self.replacements, fresh)
        self.prepared = None
        prompt = self.render(self.settings, fresh, None)
        return dropped_event(session, 0, self.exchanges, before, fresh, prompt)

    def _settle(self) -> None:
        """The turn is part of the history, and so is what was replaced for it."""
        if self._now != self.replacement:
            self.replacements = decided(self.replacements, self._now)
            self.prepared = None

    def render(
        self,
        settings: SessionSettings,
        replacement: Replacement,
        question: ChatMessage | None,
        choice: ToolChoice = "auto",
        *,
        written: str = "",
    ) -> Prompt:
        """The prompt of a question, or of what follows the last exchange, with a replacement."""
        messages = self.messages(settings, replacement, question)
        if written:
            del messages[-1]
        return self.prompt_of(settings, messages, choice, written=written)

    def messages(
        self, settings: SessionSettings, replacement: Replacement, question: ChatMessage | None
    ) -> list[ChatMessage]:
        """All that the chat template is given."""
        return messages_of(
            well_formed(settings.system_instruction),
            self.exchanges,
            question,
            replacement=replacement,
            keep_thinking=settings.keep_thinking,
        )

    def prompt_of(
        self,
        settings: SessionSettings,
        messages: Sequence[ChatMessage],
        choice: ToolChoice = "auto",
        *,
        written: str = "",
    ) -> Prompt:
        """These messages as a prompt."""
        form = ReplyForm(
            tools=self.tools,
            tool_choice=choice,
            # A reply that goes on has been thought about.
            thinking=settings.enable_thinking and not written,
            thinking_budget=settings.thinking_budget,
        )
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
        self._settle()
        if job.continues:
            *before, last = self.exchanges
            self.exchanges = (*before, replace(last, steps=(*last.steps, step)))
        else:
            exchange = Exchange(job.number, job.question, (step,), media=job.media)
            self.exchanges = (*self.exchanges, exchange)
        return True

    def rewind(self, turn: int) -> bool:
        """Forget the exchanges after turn number `turn`; `False` when there are none."""
        kept = tuple(one for one in self.exchanges if one.turn <= turn)
        if len(kept) == len(self.exchanges):
            return False
        self.go_to(kept, until(self.replacements, len(kept)))
        return True

    def go_to(self, exchanges: tuple[Exchange, ...], replacements: tuple[Replacement, ...]) -> None:
        """Go on from these; a summary that tells of others is forgotten."""
        pairs = zip(map(_said, self.exchanges), map(_said, exchanges), strict=False)
        if (
            sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            < self.digest.exchanges
        ):
            self.digest = NO_DIGEST
        self.exchanges = exchanges
        self.replacements = replacements
        self.prepared = None

    def count_tokens(self) -> int:
        """The length of the conversation as the next prompt would begin, in tokens."""
        if not self.exchanges:
            return 0
        return self.render(self.settings, self.replacement, None).token_count

    def _dropped(self, job: TurnJob, window: Window, before: Replacement) -> TurnsDropped | None:
        """What is to be told when a turn replaces more than the one before it."""
        now = window.replacement
        if now == before:
            return None
        return dropped_event(job.session, job.number, self.exchanges, before, now, window.prompt)


class WarmUpOwner:
    """The owner of a warm-up, whose turn is not asked yet: it leaves no trace in the history."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """What the turn will begin with, when its question begins as that of `job`."""
        # A copy: unlike in a turn, the loop may change the conversation meanwhile.
        return copy(self._conversation).expect(job.question)

    def keep(self, job: TurnJob) -> bool:
        """Nothing."""
        return False


def _said(exchange: Exchange) -> tuple[str, tuple[Step, ...]]:
    """What a summary of an exchange tells."""
    return exchange.question, exchange.steps


def _call_id(turn: int, earlier: int, place: int) -> str:
    """Names a call after its turn and its place among the calls of the turn, from 1."""
    return f"call-{turn}-{earlier + place + 1}"


def dropped_event(
    session: int,
    turn: int,
    exchanges: Sequence[Exchange],
    before: Replacement,
    now: Replacement,
    prompt: Prompt,
) -> TurnsDropped:
    """Says that `now` is replaced; `turn` is 0 between two turns."""
    left_out = now.replaces(exchanges)
    return TurnsDropped(
        session=session,
        turn=turn,
        dropped=left_out - before.replaces(exchanges),
        left_out=left_out,
        prompt_tokens=prompt.token_count,
        summarized=replace(now, exchanges=min(now.exchanges, now.covered)).replaces(exchanges),
    )
