"""An engine for tests: no weights, deterministic replies, and a gate before every step.

A token is a word with the white space before it, so prefixes behave as they do with a real
vocabulary: text that is put behind other text never changes the tokens in front of it.

The engine checks how it is used. Whatever a caller must not do (two steps at once, steps from two
threads, a released sequence, a second `finish`) is written down in `ScriptedEngine.violations`,
and a test asserts at its end that there are none.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.sessions.gate import Gate
from tests.sessions.words import ROLES, Token, messages_of, shared, spelled_out, tokens_of, words

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    PLAIN_REPLY,
    ChatMessage,
    Ended,
    Generated,
    Interrupted,
    LoraChoice,
    Media,
    MemoryFigures,
    ModelDescription,
    Prefill,
    Prompt,
    ReplyForm,
    ReplyPart,
    SequenceHandle,
    Step,
    TokenCounts,
)
from gemma_chat.errors import AdapterError, ContextOverflowError
from gemma_chat.terms import Lane

PREFILL_STEP = 128
BYTES_PER_TOKEN = 100

_END = 99

Said = str | Sequence[str | ReplyPart]
"""A reply: text, or stretches of text with thinking and calls between them."""
Reply = Callable[[Sequence[ChatMessage], SamplingSettings], Said]


def echo(messages: Sequence[ChatMessage], sampling: SamplingSettings) -> str:
    """The reply when a test gives no other: it shows what the model saw.

    >>> echo([ChatMessage("system", "Pirate"), ChatMessage("user", "Hi")], SamplingSettings())
    'Pirate 1: Hi'
    """
    system = "".join(m.text for m in messages if m.role == "system")
    questions = [m.text for m in messages if m.role == "user"]
    return f"{system} {len(questions)}: {questions[-1]}".strip()


@dataclass(slots=True, eq=False)
class ScriptedSequence:
    """What one session has evaluated."""

    number: int
    tokens: list[Token] = field(default_factory=list)
    released: bool = False

    @property
    def token_count(self) -> int:
        """How many tokens can be reused."""
        return len(self.tokens)


class ScriptedRun:
    """One turn of the scripted engine."""

    def __init__(
        self,
        engine: ScriptedEngine,
        sequence: ScriptedSequence,
        prompt: list[Token],
        reply: list[bytes | ReplyPart],
        limit: int | None,
    ) -> None:
        self._engine = engine
        self._sequence = sequence
        self._prompt = prompt
        self._reply = reply
        self._limit = limit
        self._interrupted = threading.Event()
        self._finished = False
        self._held_back = b""
        reused = shared(sequence.tokens, prompt[:-1])
        del sequence.tokens[reused:]
        self.counts = TokenCounts(reused=reused)
        self.prompt_tokens = len(prompt)

    def step(self) -> Step:
        """Wait at the gate, then evaluate a micro-batch or give the next word."""
        with self._engine.computing("step", self._sequence):
            self._engine.gate.enter(self._interrupted)
            if self._interrupted.is_set():
                self._interrupted.clear()
                self._engine.interruptions += 1
                return Interrupted()
            self._engine.raise_planned_failure()
            self._engine.steps += 1
            return self._prefill() or self._decode()

    def _prefill(self) -> Prefill | None:
        done = len(self._sequence.tokens)
        if done >= self.prompt_tokens:
            return None
        batch = self._prompt[done : done + PREFILL_STEP]
        self._sequence.tokens += batch
        self.counts.evaluated += len(batch)
        self._engine.evaluated[self._sequence.number] += len(batch)
        self._engine.order.append(("prefill", self._sequence.number))
        return Prefill(done + len(batch), self.prompt_tokens)

    def _decode(self) -> Generated | Ended:
        generated = self.counts.generated
        if generated == len(self._reply):
            return Ended("stop", self._final(b"", last=True))
        full = len(self._sequence.tokens) >= self._engine.description.context_size
        if full or generated == self._limit:
            return Ended("length", self._final(b"", last=True))
        token = self._reply[generated]
        self.counts.generated += 1
        self._engine.order.append(("token", self._sequence.number))
        if isinstance(token, ReplyPart):
            self._sequence.tokens.append(repr(token).encode())
            return Generated("", (token,))
        self._sequence.tokens.append(token)
        return Generated(self._final(token, last=False))

    def _final(self, token: bytes, *, last: bool) -> str:
        """The text that is final with `token`: a character cut in half is held back."""
        held = self._held_back + token
        if last:
            self._held_back = b""
            return held.decode("utf-8", "replace")
        for cut in range(min(4, len(held) + 1)):
            head = held[: len(held) - cut]
            try:
                text = head.decode("utf-8")
            except UnicodeDecodeError:
                continue
            self._held_back = held[len(head) :]
            return text
        self._held_back = b""
        return held.decode("utf-8", "replace")

    def give_way(self) -> None:
        """Noted, nothing else: all state is in this object."""
        with self._engine.computing("give_way", self._sequence):
            self._engine.order.append(("give_way", self._sequence.number))

    def interrupt(self) -> None:
        """Send the running or the next step back from the gate."""
        if self._finished:
            self._engine.violations.append("interrupt after finish")
        self._interrupted.set()
        self._engine.gate.wake()

    def finish(self) -> str:
        """End the turn."""
        with self._engine.computing("finish", self._sequence):
            if self._finished:
                self._engine.violations.append("finish twice")
                return ""
            self._finished = True
            self._engine.runs_open -= 1
            return self._final(b"", last=True)


class ScriptedEngine:
    """An `Engine` whose every step is in the test's hand."""

    def __init__(
        self,
        reply: Reply = echo,
        *,
        context_size: int = 4096,
        split: Callable[[str], list[bytes]] = words,
        slots: int = 1,
        modalities: tuple[Literal["image", "audio"], ...] = (),
        thinks: bool = True,
    ) -> None:
        self.slots = slots
        self.description = ModelDescription(
            path=str(Path("models") / "scripted.gguf"),
            name="scripted",
            architecture="scripted",
            family="chatml",
            parameters=4_000_000_000,
            weights_bytes=4_000,
            context_size=context_size,
            trained_context_size=context_size,
            vocabulary_size=1_000,
            sliding_window=0,
            template_source="built-in",
            modalities=modalities,
            thinks=thinks,
        )
        self.media: list[tuple[Media, ...]] = []
        """The media of each conversation that was rendered."""
        self.gate = Gate()
        self.prompts: list[tuple[ChatMessage, ...]] = []
        """The messages of every turn that began, in order."""
        self.forms: list[ReplyForm] = []
        """What the reply of every turn that began might hold, in order."""
        self.samplings: list[SamplingSettings] = []
        self.lanes: list[str] = []
        self.order: list[tuple[str, int]] = []
        """What was computed for which sequence: `prefill`, `token` or `give_way`."""
        self.steps = 0
        self.interruptions = 0
        self.evaluated: Counter[int] = Counter()
        """Prompt tokens evaluated, by sequence."""
        self.most_concurrent = 0
        self.runs_open = 0
        self.sequences: list[ScriptedSequence] = []
        self.closed = 0
        self.violations: list[str] = []
        self._reply = reply
        self._split = split
        self._counting = threading.Lock()
        self._computing = 0
        self._thread: int | None = None
        self._step_failure: BaseException | None = None
        self._begin_failure: BaseException | None = None

    def fail_next_step(self, error: BaseException) -> None:
        """The next step that passes the gate raises `error`."""
        self._step_failure = error

    def fail_next_begin(self, error: BaseException) -> None:
        """The next turn cannot begin."""
        self._begin_failure = error

    def raise_planned_failure(self) -> None:
        """Raise what `fail_next_step` planned, once."""
        if self._step_failure is not None:
            error, self._step_failure = self._step_failure, None
            raise error

    @property
    def tokens_in_use(self) -> int:
        """Tokens held by sequences that were not released."""
        return sum(len(s.tokens) for s in self.sequences if not s.released)

    @contextmanager
    def computing(self, what: str, sequence: ScriptedSequence) -> Iterator[None]:
        """Count concurrent computation and write down misuse."""
        thread = threading.get_ident()
        if self._thread is None:
            self._thread = thread
        if thread != self._thread and self.slots == 1:
            self.violations.append(f"{what} from another thread")
        if sequence.released:
            self.violations.append(f"{what} on a released sequence")
        if self.closed:
            self.violations.append(f"{what} after close")
        with self._counting:
            self._computing += 1
            self.most_concurrent = max(self.most_concurrent, self._computing)
        try:
            yield
        finally:
            with self._counting:
                self._computing -= 1

    def figures(self) -> MemoryFigures:
        """As many bytes as tokens are held."""
        self._must_be_open("figures")
        return MemoryFigures(
            weights_bytes=self.description.weights_bytes,
            kv_resident_bytes=self.tokens_in_use * BYTES_PER_TOKEN,
            kv_saved_bytes=0,
        )

    def count_tokens(self, text: str) -> int:
        """Words."""
        self._must_be_open("count_tokens")
        return len(words(text))

    def prompt(
        self,
        messages: Sequence[ChatMessage],
        form: ReplyForm = PLAIN_REPLY,
        *,
        written: str = "",
    ) -> Prompt:
        """A control token for each role and end, words between."""
        self._must_be_open("prompt")
        pieces: list[int | bytes] = []
        self.media.append(tuple(one for message in messages for one in message.media))
        for message in messages:
            pieces += [ROLES.index(message.role), spelled_out(message).encode(), _END]
        pieces.append(ROLES.index("assistant"))
        if written:
            pieces.append(written.encode())
        return Prompt(tuple(pieces), len(tokens_of(pieces)), form=form)

    def spelled(self, prompt: Prompt) -> tuple[bytes, ...]:
        """Control tokens in angle brackets, and words."""
        names = {number: f"<{role}>".encode() for number, role in enumerate(ROLES)}
        names[_END] = b"<end>"
        tokens = tokens_of(prompt.pieces)
        return tuple(names[one] if isinstance(one, int) else one for one in tokens)

    def check_lora(self, lora: LoraChoice) -> None:
        """Adapters fit unless their file is called wrong."""
        if Path(lora.path).stem == "wrong":
            raise AdapterError(f"The LoRA adapter {lora.path} does not fit. Choose another one.")

    def open_sequence(self) -> ScriptedSequence:
        """A new, empty sequence."""
        self._must_be_open("open_sequence")
        sequence = ScriptedSequence(len(self.sequences))
        self.sequences.append(sequence)
        return sequence

    def fork(self, sequence: SequenceHandle) -> ScriptedSequence:
        """A copy."""
        assert isinstance(sequence, ScriptedSequence)
        if sequence.released:
            self.violations.append("fork of a released sequence")
        copy = self.open_sequence()
        copy.tokens = list(sequence.tokens)
        return copy

    def release(self, sequence: SequenceHandle) -> None:
        """Forget its tokens."""
        assert isinstance(sequence, ScriptedSequence)
        self._must_be_open("release")
        sequence.released = True
        sequence.tokens.clear()

    def begin(
        self,
        sequence: SequenceHandle,
        prompt: Prompt,
        sampling: SamplingSettings,
        lane: Lane,
    ) -> ScriptedRun:
        """Read the messages back out of the prompt and decide the whole reply."""
        assert isinstance(sequence, ScriptedSequence)
        with self.computing("begin", sequence):
            if self._begin_failure is not None:
                error, self._begin_failure = self._begin_failure, None
                raise error
            tokens = tokens_of(prompt.pieces)
            if len(tokens) >= self.description.context_size:
                raise ContextOverflowError(
                    f"The prompt has {len(tokens)} tokens; "
                    f"the context holds {self.description.context_size}."
                )
            messages = messages_of(prompt.pieces)
            self.prompts.append(messages)
            self.forms.append(prompt.form)
            self.samplings.append(sampling)
            self.lanes.append(lane)
            self.runs_open += 1
            said = self._reply(messages, sampling)
            reply: list[bytes | ReplyPart] = []
            for stretch in (said,) if isinstance(said, str) else said:
                reply += [stretch] if isinstance(stretch, ReplyPart) else self._split(stretch)
            return ScriptedRun(self, sequence, tokens, reply, sampling.max_output_tokens)

    def warm_up(
        self,
        sequence: SequenceHandle,
        left: Prompt,
        right: Prompt,
        lane: Lane,
    ) -> ScriptedRun:
        """Evaluate what both prompts begin with, and say nothing."""
        assert isinstance(sequence, ScriptedSequence)
        with self.computing("begin", sequence):
            pairs = enumerate(zip(tokens_of(left.pieces), tokens_of(right.pieces), strict=False))
            common = next(at for at, (one, other) in pairs if one != other)
            self.lanes.append(lane)
            self.runs_open += 1
            return ScriptedRun(self, sequence, tokens_of(left.pieces)[:common], [], None)

    def close(self) -> None:
        """Count, and find turns that were left open."""
        if self._computing:
            self.violations.append("close while computing")
        if self.runs_open:
            self.violations.append(f"close with {self.runs_open} turns not finished")
        self.closed += 1

    def _must_be_open(self, what: str) -> None:
        if self.closed:
            self.violations.append(f"{what} after close")
