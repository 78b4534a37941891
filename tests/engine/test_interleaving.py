"""Whatever is done between a session's turns, it says what it would say alone.

Up to six sessions take turns, are stopped, forked, regenerated, rewound and carried over restarts,
with a budget so small that states go to files. Afterwards each session's own history is played
again by itself, on an engine that holds nothing else, and compared text for text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    EngineOptions,
    Generated,
    SequenceHandle,
)
from gemma_chat.engine.llama import LlamaEngine

OPTIONS = EngineOptions(context_size=1024, threads=1, states_mb=8)
SYSTEMS = ("", "You are a captain who has seen all the seas of this world and tells of them. " * 3)
TOKENS = 5


@dataclass(frozen=True)
class Asked:
    """A turn as it was asked: everything its text depends on."""

    question: str
    seed: int
    stop_after: int
    """Tokens after which it is stopped; 0 stops it in prefill."""
    history: tuple[tuple[str, str], ...]


@dataclass
class Played:
    """A session, and the turns that led to where it is, with what was said."""

    system: str
    sequence: SequenceHandle
    history: list[tuple[str, str]] = field(default_factory=list)
    turns: list[tuple[Asked, str]] = field(default_factory=list)


def play(engine: LlamaEngine, system: str, sequence: SequenceHandle, asked: Asked) -> str:
    """Run one turn; returns its text."""
    messages = [ChatMessage("system", system)] if system else []
    for question, reply in asked.history:
        messages += [ChatMessage("user", question), ChatMessage("assistant", reply)]
    messages.append(ChatMessage("user", asked.question))
    sampling = SamplingSettings(
        temperature=1.0, top_k=40, random_seed=asked.seed, max_output_tokens=TOKENS
    )
    run = engine.begin(sequence, engine.prompt(messages), sampling, "foreground")
    text = ""
    while run.counts.generated < asked.stop_after:
        step = run.step()
        if isinstance(step, Generated | Ended):
            text += step.text
        if isinstance(step, Ended):
            break
    else:
        if not asked.stop_after:
            run.step()
            run.finish()
            return ""
    return text + run.finish()


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

    def ask(self, session: Played, question: str, seed: int, stop_after: int) -> None:
        asked = Asked(question, seed, stop_after, tuple(session.history))
        text = play(self.engine, session.system, session.sequence, asked)
        session.turns.append((asked, text))
        if text.strip():
            session.history.append((question, text))

    def regenerate(self, session: Played, seed: int) -> None:
        if session.history:
            question, _ = session.history.pop()
            self.ask(session, question, seed, TOKENS)

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


def alone(engine: LlamaEngine, session: Played) -> list[str]:
    """The texts of a session's turns when nothing else ever happened."""
    for saved in list(engine._shelf._states.values()):
        engine._shelf._drop(saved)
    sequence = engine.open_sequence()
    texts = [play(engine, session.system, sequence, asked) for asked, _ in session.turns]
    engine.release(sequence)
    return texts


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "regenerate", "fork", "rewind", "restart", "open"]),
        st.integers(0, 5),
        st.integers(0, 3),
        st.sampled_from([TOKENS, TOKENS, 2, 0]),
    ),
    min_size=6,
    max_size=10,
)
QUESTIONS = ("What is the sea?", "Why?", "Tell me of a storm. " * 12, "And then?")


def run(model: Path, script: list[tuple[str, int, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(model, Path(folder))
        world.open(SYSTEMS[1])
        for action, number, seed, stop_after in script:
            session = world.sessions[number % len(world.sessions)]
            if action == "ask":
                world.ask(session, QUESTIONS[seed], seed, stop_after)
            elif action == "regenerate":
                world.regenerate(session, seed + 10)
            elif action == "fork":
                world.fork(session)
            elif action == "rewind":
                del session.history[seed:]
            elif action == "restart":
                world.restart()
            elif len(world.sessions) < 6:
                world.open(SYSTEMS[seed % 2])
        world.engine.close()
    reference = LlamaEngine.load(model, OPTIONS)
    for session in world.sessions:
        said = [text for _, text in session.turns]
        assert alone(reference, session) == said
    reference.close()


@pytest.mark.timeout(600)
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(script=steps)
def test_every_session_says_what_it_would_say_alone(
    short_model_path: Path, script: list[tuple[str, int, int, int]]
) -> None:
    """Case 9 of the session API."""
    run(short_model_path, script)
