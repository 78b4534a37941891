"""A conversation as a tab holds one: its messages, and turns with what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.bench.prose import passage
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    Engine,
    Generated,
    SequenceHandle,
    TurnRun,
)

_OVERTIME = 16
"""Tokens that a reply may go on for so as not to end in white space."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one turn took.

    `first` is the time to first token in seconds: from the messages, not yet rendered, to the first
    sampled token. `held` is what the sequence had before, `prompt`, `evaluated` and `generated`
    count tokens.
    """

    first: float
    held: int
    prompt: int
    evaluated: int
    generated: int


class Conversation:
    """One sequence with its messages; greedy, with replies of few tokens."""

    def __init__(
        self, engine: Engine, messages: tuple[ChatMessage, ...] = (), reply: int = 4
    ) -> None:
        self._engine = engine
        self._reply = reply
        self.messages = messages
        self.sequence: SequenceHandle = engine.open_sequence()

    def say(self, text: str) -> Cost:
        """Send one more message."""
        self.messages = (*self.messages, ChatMessage("user", text))
        return self._turn()

    def regenerate(self) -> Cost:
        """Have the last reply written again."""
        self.messages = self.messages[:-1]
        return self._turn()

    def edit(self, text: str) -> Cost:
        """Send another message in place of the last one."""
        self.messages = self.messages[:-2]
        return self.say(text)

    def fork(self) -> Conversation:
        """A conversation that goes its own way from here."""
        child = Conversation(self._engine, self.messages, self._reply)
        child.sequence = self._engine.fork(self.sequence)
        return child

    def close(self) -> None:
        """Give its memory back."""
        self._engine.release(self.sequence)

    def _turn(self) -> Cost:
        held = self.sequence.token_count
        settings = SamplingSettings(max_output_tokens=self._reply + _OVERTIME)
        started = perf_counter()
        prompt = self._engine.prompt(self.messages)
        run = self._engine.begin(self.sequence, prompt, settings, "foreground")
        first, text = _first_text(run)
        seconds = perf_counter() - started
        text += "" if isinstance(first, Ended) else self._rest(run, text)
        text += run.finish()
        self.messages = (*self.messages, ChatMessage("assistant", text))
        counts = run.counts
        return Cost(seconds, held, run.prompt_tokens, counts.evaluated, counts.generated)

    def _rest(self, run: TurnRun, text: str) -> str:
        """Step until the reply is long enough.

        A template may trim white space from a reply, and what follows it would count as new.
        """
        rest = ""
        while run.counts.generated < self._reply or (text + rest)[-1:].isspace():
            step = run.step()
            if isinstance(step, Generated | Ended):
                rest += step.text
            if isinstance(step, Ended):
                break
        return rest


def _first_text(run: TurnRun) -> tuple[Generated | Ended, str]:
    while True:
        step = run.step()
        if isinstance(step, Generated | Ended):
            return step, step.text


def question(engine: Engine, tokens: int, number: int, task: str = "") -> str:
    """A message whose prompt, alone in a conversation, has `tokens` tokens or very few less."""
    frame = engine.prompt([ChatMessage("user", task or "x")]).token_count
    text = passage(engine.count_tokens, max(8, tokens - frame), number)
    return f"{text}\n\n{task}" if task else text


def opened(engine: Engine, tokens: int, number: int) -> Conversation:
    """A conversation that holds about `tokens` tokens after its first turn."""
    conversation = Conversation(engine)
    conversation.say(question(engine, tokens, number))
    return conversation
