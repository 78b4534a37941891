"""What a session says to the engine: its settings and its exchanges, as they stand now.

Between two turns the event loop changes them; a turn reads them when it begins and adds to them
when it ends, on the engine thread. Both replace whole immutable values, so neither ever sees half
of a change.
"""

from __future__ import annotations

from dataclasses import replace

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.engine.interface import Engine, Prompt
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import Exchange, well_formed
from gemma_chat.sessions.job import PreparedTurn, TurnJob
from gemma_chat.sessions.options import following, lora_of
from gemma_chat.sessions.window import Window, fit_window, messages_of, reply_room

_ANY_TWO = ("A", "1")
"""Two ways in which a question can go on, with no token in common."""


class Conversation:
    """The settings and exchanges of one session; the owner of its turns."""

    def __init__(
        self, engine: Engine, settings: SessionSettings, exchanges: tuple[Exchange, ...]
    ) -> None:
        self.settings = settings
        self.exchanges = exchanges
        self._engine = engine
        self._left_out_now = 0

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges were not in the prompt of the newest one."""
        return self.exchanges[-1].left_out if self.exchanges else 0

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation with the question of `job`, without what no longer fits."""
        before = self.left_out
        settings = self.settings
        window = self._fit(settings, job.question)
        self._left_out_now = window.left_out
        dropped = _dropped(job, window, before)
        return PreparedTurn(window.prompt, following(settings.sampling, job.rules), dropped)

    def expect(self, draft: str) -> PreparedTurn:
        """Two prompts of a coming turn whose question begins with `draft`."""
        settings = self.settings
        window = self._fit(settings, draft + _ANY_TWO[0])
        other = self._render(settings, window.left_out, draft + _ANY_TWO[1])
        return PreparedTurn(window.prompt, settings.sampling, alternative=other)

    def _fit(self, settings: SessionSettings, question: str) -> Window:
        size = self._engine.description.context_size
        return fit_window(
            lambda skip: self._render(settings, skip, question),
            exchanges=len(self.exchanges),
            left_out=self.left_out,
            context_size=size,
            room=reply_room(size, settings.sampling.max_output_tokens),
        )

    def _render(self, settings: SessionSettings, skip: int, question: str) -> Prompt:
        instruction = well_formed(settings.system_instruction)
        prompt = self._engine.prompt(messages_of(instruction, self.exchanges[skip:], question))
        return replace(prompt, lora=lora_of(settings))

    def keep(self, job: TurnJob, reply: str) -> bool:
        """Add the exchange. A reply without a visible character leaves no trace.

        An empty reply in the history teaches a model to answer nothing, and some chat templates
        refuse it.
        """
        if not reply.strip():
            return False
        exchange = Exchange(job.number, job.question, reply, self._left_out_now)
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
        messages = messages_of(
            well_formed(self.settings.system_instruction), self.exchanges[self.left_out :]
        )
        return self._engine.prompt(messages).token_count


class Anticipation:
    """The owner of a turn that is not asked yet: it leaves no trace in the history."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """What the turn will begin with, when its question begins as that of `job`."""
        return self._conversation.expect(job.question)

    def keep(self, job: TurnJob, reply: str) -> bool:
        """Nothing."""
        return False


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
