"""Whatever is done between a session's turns, it says what it would say alone.

Up to six sessions take turns, are stopped, forked, regenerated, rewound, warmed up and carried over
restarts, and give way to each other in the middle of prompts and replies, with a budget so small
that states go to files. Greedy replies repeat themselves, so that guesses prove right. Afterwards
each session's own history is played again by itself, on an engine that holds nothing else, and
compared token for token.

Of the two models one has a sliding window so narrow that nearly every conversation goes beyond it.
There a state goes back to its checkpoints only, and a file keeps few of them: a turn that found
less of its prompt than the session alone would have is evaluated alone from there, too, since other
batches give other logits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, Ended, EngineOptions, SequenceHandle
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.turn import LlamaTurn

OPTIONS = EngineOptions(context_size=768, threads=1, states_mb=8, micro_batch=64)
SYSTEMS = ("", "You are a captain who has seen all the seas of this world and tells of them. " * 3)
QUESTIONS = ("What is the sea?", "Why?", "Tell me of a storm. " * 12, "The sea, the sea, " * 22)
LONGEST_PROMPT = 480
"""Tokens of a prompt from which on the older half of its history is left out."""
TOKENS = 6
GREEDY_TOKENS = 14

Script = list[tuple[str, int, int, int]]


@dataclass(frozen=True)
class Asked:
    """A turn as it was asked: everything its tokens depend on."""

    question: str
    seed: int
    """0 is greedy."""
    stop_after: int
    """Tokens after which it is stopped; 0 stops it in prefill."""
    history: tuple[tuple[str, str], ...]

    def messages(self, system: str) -> list[ChatMessage]:
        messages = [ChatMessage("system", system)] if system else []
        for question, reply in self.history:
            messages += [ChatMessage("user", question), ChatMessage("assistant", reply)]
        return [*messages, ChatMessage("user", self.question)]

    @property
    def sampling(self) -> SamplingSettings:
        if not self.seed:
            return SamplingSettings(temperature=0, max_output_tokens=GREEDY_TOKENS)
        return SamplingSettings(
            temperature=1.0, top_k=40, random_seed=self.seed, max_output_tokens=TOKENS
        )


@dataclass(frozen=True)
class Said:
    """What became of a turn: its text, and the tokens of it."""

    text: str
    tokens: tuple[int, ...]
    found: int = field(compare=False)
    """Tokens of its prompt that were evaluated already."""
    done: int = field(compare=False)
    """Tokens that were evaluated when it ended."""


@dataclass
class Played:
    """A session, and the turns that led to where it is, with what was said."""

    system: str
    sequence: SequenceHandle
    history: list[tuple[str, str]] = field(default_factory=list)
    turns: list[tuple[Asked, Said]] = field(default_factory=list)


class Turning:
    """One turn, run as far as it is wanted."""

    def __init__(
        self,
        engine: LlamaEngine,
        system: str,
        sequence: SequenceHandle,
        asked: Asked,
    ) -> None:
        self._asked = asked
        prompt = engine.prompt(asked.messages(system))
        self.run: LlamaTurn = engine.begin(sequence, prompt, asked.sampling, "foreground")
        self._text = ""
        self._over = False

    def step(self, times: int) -> None:
        """At most so many steps, and none beyond where the turn ends or is stopped."""
        for _ in range(times):
            if self._over:
                return
            step = self.run.step()
            self._text += getattr(step, "text", "")
            generated = self.run.counts.generated
            self._over = isinstance(step, Ended) or generated >= self._asked.stop_after

    def end(self) -> Said:
        self.step(10_000)
        run, done = self.run, self.run._evaluation.done
        found = run.counts.reused + run.counts.restored
        text = self._text + run.finish()
        return Said(text, tuple(run._tokens[run.prompt_tokens :]), found, done)

    def repeat(self, said: Said) -> Said:
        """Find no more of the prompt than the turn that said this, and end where it ended."""
        work = self.run._evaluation
        work._held = min(work._held, said.found)
        self.step(1)
        while not self._asked.stop_after and work.done < said.done:
            self._over = False
            self.step(1)
        return self.end()


def play(engine: LlamaEngine, system: str, sequence: SequenceHandle, asked: Asked) -> Said:
    """Run one turn without a break."""
    return Turning(engine, system, sequence, asked).end()


class World:
    """Six sessions at most, on one engine that is restarted now and then."""

    def __init__(self, model: Path, folder: Path) -> None:
        self._model = model
        self._options = replace(OPTIONS, states_dir=folder)
        self.engine = LlamaEngine.load(model, self._options)
        self.sessions: list[Played] = []

    def open(self, system: str) -> Played:
        session = Played(system, self.engine.open_sequence())
        self.sessions.append(session)
        return session

    def asked(self, session: Played, question: str, seed: int, stop_after: int) -> Asked:
        while True:
            asked = Asked(question, seed, stop_after, tuple(session.history))
            prompt = self.engine.prompt(asked.messages(session.system))
            if prompt.token_count <= LONGEST_PROMPT or not session.history:
                return asked
            del session.history[: -(len(session.history) // 2) or None]

    def keep(self, session: Played, asked: Asked, said: Said) -> None:
        session.turns.append((asked, said))
        if said.text.strip():
            session.history.append((asked.question, said.text))

    def ask(self, session: Played, question: str, seed: int, stop_after: int) -> None:
        asked = self.asked(session, question, seed, stop_after)
        self.keep(session, asked, play(self.engine, session.system, session.sequence, asked))

    def give_way(self, session: Played, other: Played, seed: int, after: int) -> None:
        """A turn of one session gives way to a whole turn of another, which takes its stream."""
        question = QUESTIONS[(seed + after) % len(QUESTIONS)]
        asked = self.asked(session, question, seed, GREEDY_TOKENS)
        turn = Turning(self.engine, session.system, session.sequence, asked)
        turn.step(after)
        turn.run.interrupt()
        turn.step(1)
        turn.run.give_way()
        between = self.asked(other, QUESTIONS[seed], seed + 1, TOKENS)
        said = play(self.engine, other.system, other.sequence, between)
        self.keep(session, asked, turn.end())
        self.keep(other, between, said)

    def regenerate(self, session: Played, seed: int) -> None:
        if session.history:
            question, _ = session.history.pop()
            self.ask(session, question, seed, TOKENS)

    def rewind(self, session: Played) -> None:
        if session.history:
            session.history.pop()

    def warm_up(self, session: Played, question: str, steps: int) -> None:
        """Warm up what a question begins with that may be asked next."""
        asked = self.asked(session, question, 0, 0)
        left, right = (
            self.engine.prompt(
                replace(asked, question=asked.question + end).messages(session.system)
            )
            for end in ("A", "1")
        )
        ahead = self.engine.warm_up(session.sequence, left, right, "background")
        for _ in range(steps):
            if isinstance(ahead.step(), Ended):
                break
        ahead.finish()

    def fork(self, session: Played) -> None:
        if len(self.sessions) < 6:
            child = Played(session.system, self.engine.fork(session.sequence))
            child.history, child.turns = list(session.history), list(session.turns)
            self.sessions.append(child)

    def restart(self) -> None:
        self.engine.close()
        self.engine = LlamaEngine.load(self._model, self._options)
        for session in self.sessions:
            session.sequence = self.engine.open_sequence()


def alone(engine: LlamaEngine, session: Played) -> list[Said]:
    """What a session says when nothing else ever happened."""
    for saved in list(engine._shelf._states.values()):
        engine._shelf._drop(saved)
    sequence = engine.open_sequence()
    said = [
        Turning(engine, session.system, sequence, asked).repeat(before)
        for asked, before in session.turns
    ]
    engine.release(sequence)
    return said


ACTIONS = (
    "ask",
    "ask",
    "ask",
    "regenerate",
    "fork",
    "rewind",
    "restart",
    "open",
    "give_way",
    "warm",
)
steps = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 5),
        st.integers(0, 3),
        st.sampled_from([GREEDY_TOKENS, GREEDY_TOKENS, 2, 0]),
    ),
    min_size=4,
    max_size=7,
)
EVERYTHING_ONCE: Script = [
    ("ask", 0, 3, TOKENS),
    ("fork", 0, 0, 0),
    ("ask", 0, 3, TOKENS),
    ("give_way", 0, 0, 7),
    ("regenerate", 0, 0, 0),
    ("rewind", 0, 0, 0),
    ("warm", 0, 2, 3),
    ("restart", 0, 0, 0),
    ("ask", 0, 2, GREEDY_TOKENS),
    ("ask", 1, 0, GREEDY_TOKENS),
]
"""Every action at least once."""


@pytest.fixture(params=["short_smollm2", "narrow_gemma3"], scope="module")
def some_model_path(request: pytest.FixtureRequest) -> Path:
    """A model that looks back at everything, and one that looks back at 128 tokens."""
    path: Path = request.getfixturevalue(f"{request.param}_path")
    return path


def run(model: Path, script: Script) -> None:
    with TemporaryDirectory() as folder:
        world = World(model, Path(folder))
        world.open(SYSTEMS[1])
        for action, number, seed, amount in script:
            session = world.sessions[number % len(world.sessions)]
            match action:
                case "ask":
                    world.ask(session, QUESTIONS[seed], seed, amount)
                case "regenerate":
                    world.regenerate(session, seed)
                case "fork":
                    world.fork(session)
                case "rewind":
                    world.rewind(session)
                case "restart":
                    world.restart()
                case "warm":
                    world.warm_up(session, QUESTIONS[seed], amount)
                case "give_way" if len(world.sessions) > 1:
                    other = world.sessions[(number + 1) % len(world.sessions)]
                    world.give_way(session, other, seed, amount)
                case "open" if len(world.sessions) < 6:
                    world.open(SYSTEMS[seed % 2])
        world.engine.close()
    reference = LlamaEngine.load(model, replace(OPTIONS, states_mb=256))
    for session in world.sessions:
        assert alone(reference, session) == [said for _, said in session.turns]
    reference.close()


@pytest.mark.timeout(600)
@settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example(script=EVERYTHING_ONCE)
@given(script=steps)
def test_every_session_says_what_it_would_say_alone(some_model_path: Path, script: Script) -> None:
    """Case 9 of the session API."""
    run(some_model_path, script)
