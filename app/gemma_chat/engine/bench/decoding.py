"""Decoding and prefill against bare loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from statistics import median
from time import perf_counter

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.bench.bare import BareLoop
from gemma_chat.engine.bench.conversation import question
from gemma_chat.engine.bench.figures import Figure, Round, Target, figure
from gemma_chat.engine.bench.load import busy_process
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.reply import EndlessReply
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import ChatMessage, Engine, EngineOptions, Prefill, Prompt

GREEDY = SamplingSettings()
"""A session's defaults."""

DRAWN = SamplingSettings(temperature=0.8, top_k=40, top_p=0.95)
"""What people set who want variety."""

_TASK = "Tell all of this again in your own words, at great length and with many details."
_MARGIN = 64
"""Tokens of room in a bare loop's context: prompts come out a little longer than planned."""
_CHUNK = 8
"""Tokens of each side before the other has its turn: what disturbs the machine disturbs both."""


def decode(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Tok/s of replies with their sampling, against `llama_decode` alone at the same depth."""
    with (
        rig.engine(without_lookup(rig.options)) as engine,
        # A longer window spreads the cache over more memory: both have the same.
        rig.bare(engine.description.context_size) as bare,
    ):
        for depth in plan.depths:
            prompt = _prompt(engine, depth, number=depth)
            bare.prefill(rig.tokens(prompt))
            for name, words, sampling in (
                ("decode", "greedy", GREEDY),
                ("decode-drawn", "temperature 0.8, top-k 40, top-p 0.95", DRAWN),
            ):
                rounds = _side_by_side(engine, bare, prompt, sampling, plan, tick)
                yield figure(
                    f"{name}-{depth}",
                    f"decode at depth {depth}, {words}",
                    unit="tok/s",
                    rounds=rounds,
                    target=Target("ratio", ">=", 0.97),
                    baseline_title=f"bare llama_decode, {rig.threads} threads, no sampling",
                )


def _side_by_side(
    engine: Engine,
    bare: BareLoop,
    prompt: Prompt,
    sampling: SamplingSettings,
    plan: Plan,
    tick: Tick,
) -> list[Round]:
    """Time `plan.decoded` tokens of both in turns of `_CHUNK`; each round begins at the depth.

    A round ends sooner when both together have taken twice `plan.decode_seconds`.
    """
    rounds = []
    depth = bare.save()
    with closing(EndlessReply(engine, prompt, sampling)) as reply:
        reply.advance(_CHUNK, plan.decode_seconds)
        for _ in range(plan.rounds):
            reply.rewind()
            bare.restore(depth)
            ours, theirs = _Speed(), _Speed()
            while (
                ours.tokens < plan.decoded
                and ours.seconds + theirs.seconds < 2 * plan.decode_seconds
            ):
                ours.add(reply.advance(_CHUNK, plan.decode_seconds))
                theirs.add(bare.decode(_CHUNK, plan.decode_seconds))
            rounds.append(Round.of(ours.per_second, theirs.per_second))
            tick()
    bare.restore(depth)
    return rounds


def busy(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Tok/s of a reply while another process is busy, against the best fixed thread count.

    The best is the bare loop whose median is highest. All take turns under the same load, which
    has been there for some tokens before the first round. Each decodes `plan.decoded` tokens, or as
    many as `plan.decode_seconds` allow: two threads on one free core hardly move.
    """
    depth = plan.depths[0]
    counts = sorted({1, max(1, rig.threads - 1), rig.threads})
    with (
        rig.engine(without_lookup(rig.options)) as engine,
        rig.bare(depth + plan.decoded + _MARGIN) as bare,
        closing(EndlessReply(engine, _prompt(engine, depth, number=1), GREEDY)) as reply,
        busy_process(),
    ):
        bare.prefill(rig.tokens(_prompt(engine, depth, number=1)))
        start = bare.save()
        reply.advance(4 * _CHUNK, 2 * plan.decode_seconds)
        ours: list[float] = []
        fixed: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(plan.rounds):
            reply.rewind()
            ours.append(_Speed().add(reply.advance(plan.decoded, plan.decode_seconds)).per_second)
            for count in counts:
                bare.restore(start)
                bare.set_threads(count)
                speed = _Speed().add(bare.decode(plan.decoded, plan.decode_seconds))
                fixed[count].append(speed.per_second)
            tick()
    best = max(counts, key=lambda count: median(fixed[count]))
    speeds = ", ".join(f"{count}: {median(fixed[count]):.1f}" for count in counts)
    yield figure(
        "busy",
        f"decode at depth {depth} beside a busy process",
        unit="tok/s",
        rounds=[Round.of(*pair) for pair in zip(ours, fixed[best], strict=True)],
        target=Target("ratio", ">=", 0.90),
        baseline_title=f"bare llama_decode, best fixed thread count ({best})",
        note=f"tok/s by threads: {speeds}",
    )


def prefill(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Tok/s of a new conversation's prompt, against `llama_decode` in batches of 512.

    Ours is timed from `begin` (matching, tokenizing) to the last micro-batch; the last token, which
    is decoded alone, belongs to the time to first token. The prompts are all different, and both
    contexts of one size: llama.cpp itself is some hundredths slower in a large one.
    """
    rounds = []
    with rig.engine() as engine, rig.bare(engine.description.context_size) as bare:
        for number in range(plan.rounds):
            prompt = _prompt(engine, plan.prefill, number=1000 + number)
            ours = _Speed().add(_prefilled(engine, prompt))
            tokens = rig.tokens(prompt)
            theirs = _Speed().add((len(tokens), bare.prefill(tokens)))
            rounds.append(Round.of(ours.per_second, theirs.per_second))
            tick()
    yield figure(
        "prefill",
        f"prefill of {plan.prefill} tokens",
        unit="tok/s",
        rounds=rounds,
        target=Target("ratio", ">=", 0.97),
        baseline_title=f"bare llama_decode, {rig.threads} threads, batches of 512",
    )


def _prefilled(engine: Engine, prompt: Prompt) -> tuple[int, float]:
    sequence = engine.open_sequence()
    started = perf_counter()
    run = engine.begin(sequence, prompt, GREEDY, "foreground")
    while True:
        step = run.step()
        if not isinstance(step, Prefill) or step.done >= step.total - 1:
            break
    seconds = perf_counter() - started
    evaluated = run.counts.evaluated
    run.finish()
    engine.release(sequence)
    return evaluated, seconds


def lookup(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Tok/s of a summary's reply with prompt lookup, against an engine without it."""
    count = 2 * plan.decoded
    task = "Sum this text up: copy its most important sentences, word for word."
    with (
        rig.engine(replace(rig.options, prompt_lookup=True)) as having,
        rig.engine(without_lookup(rig.options)) as lacking,
        closing(EndlessReply(having, _prompt(having, plan.summarized, 7, task), GREEDY)) as quick,
        closing(EndlessReply(lacking, _prompt(lacking, plan.summarized, 7, task), GREEDY)) as slow,
    ):
        rounds = []
        for _ in range(plan.rounds):
            quick.rewind()
            slow.rewind()
            ours = _Speed().add(quick.advance(count))
            theirs = _Speed().add(slow.advance(count))
            rounds.append(Round.of(ours.per_second, theirs.per_second))
            tick()
    yield figure(
        "lookup",
        f"summary of {plan.summarized} tokens with prompt lookup",
        unit="tok/s",
        rounds=rounds,
        target=Target("ratio", ">=", 1.3),
        baseline_title="the same without prompt lookup",
    )


def without_lookup(options: EngineOptions) -> EngineOptions:
    """Options for plain decoding, one token after the other."""
    return replace(options, prompt_lookup=False)


def _prompt(engine: Engine, tokens: int, number: int, task: str = _TASK) -> Prompt:
    return engine.prompt([ChatMessage("user", question(engine, tokens, number, task))])


class _Speed:
    """Tokens and seconds added up."""

    def __init__(self) -> None:
        self.tokens = 0
        self.seconds = 0.0

    def add(self, done: tuple[int, float]) -> _Speed:
        self.tokens += done[0]
        self.seconds += done[1]
        return self

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds
