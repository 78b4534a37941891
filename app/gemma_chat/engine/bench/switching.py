"""Coming back to a conversation: after another one, after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from gemma_chat.engine.bench.conversation import Conversation, opened
from gemma_chat.engine.bench.figures import Figure, Round, Target, figure
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.prose import passage
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import Engine


def switch(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Times to first token in A with and without a turn of B in between, and of A's whole history.

    A round: a message to A while it is resident; a turn of B; a message to A; A's last reply again,
    which evaluates one token; a turn of B; A's last reply again; all of A's history in a new
    conversation; A's last reply, for A to be resident again. Both messages are of the same length,
    and A grows by them. Each is timed from the messages, not yet rendered, to its first token. B's
    turns and the last one of A are not timed.
    """
    with rig.engine() as engine:
        a = opened(engine, plan.history, number=1)
        b = opened(engine, plan.history, number=2)
        a.say(_message(engine, plan, 0))
        resident, switched, restored, replays = [], [], [], []
        for number in range(1, plan.rounds + 1):
            resident.append(a.say(_message(engine, plan, 2 * number)).first)
            b.regenerate()
            switched.append(a.say(_message(engine, plan, 2 * number + 1)).first)
            again = a.regenerate().first
            b.regenerate()
            restored.append(a.regenerate().first - again)
            if number <= plan.replays:
                replays.append(_replayed(engine, a, number))
                a.regenerate()
            tick()
    yield from _switch_figures(plan, resident, switched, restored, replays)


def _message(engine: Engine, plan: Plan, number: int) -> str:
    return passage(engine.count_tokens, plan.message, 30_000 + number)


def _replayed(engine: Engine, original: Conversation, number: int) -> float:
    """The time to first token of a conversation as long as `original` that nobody has evaluated.

    It is A's, with a number before its first word so that nothing of A's can be reused.
    """
    first, *others = original.messages[:-1]
    copy = Conversation(engine, (replace(first, text=f"{number}. {first.text}"), *others[:-1]))
    seconds = copy.say(others[-1].text).first
    copy.close()
    return seconds


def _switch_figures(
    plan: Plan,
    resident: list[float],
    switched: list[float],
    restored: list[float],
    replays: list[float],
) -> Iterator[Figure]:
    anew = [*replays, *[median(replays)] * (len(switched) - len(replays))]
    replay_title = "evaluating A's whole history anew"
    title = f"A→B→A of {plan.history} tokens"
    yield figure(
        "switch",
        f"{title}: first token after a {plan.message}-token message",
        unit="s",
        rounds=[Round.of(*pair) for pair in zip(switched, resident, strict=True)],
        target=Target("ratio", "<=", 1.15),
        baseline_title="the same with no switch",
    )
    yield figure(
        "switch-replay",
        f"{title}: first token after a {plan.message}-token message",
        unit="s",
        rounds=[Round.of(*pair) for pair in zip(switched, anew, strict=True)],
        target=Target("ratio", "<=", 0.01),
        baseline_title=replay_title,
        note="most of it is evaluating the new message, which no memory can spare",
    )
    yield figure(
        "switch-alone",
        f"{title}: what the switch adds to a reply written again",
        unit="s",
        rounds=[Round.of(*pair) for pair in zip(restored, anew, strict=True)],
        target=Target("ratio", "<=", 0.01),
        baseline_title=replay_title,
    )


def restart(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Time to first token of a new engine on the states of the one before, against staying.

    A round: a message to the conversation while it is resident; the engine is closed, another one
    opened on the same folder; a message to the same conversation, the new engine's first turn.
    Neither closing nor opening is timed.
    """
    folder = Path(mkdtemp(dir=rig.scratch))
    options = replace(rig.options, states_dir=folder)
    rounds = []
    with ExitStack() as stack:
        engine = stack.enter_context(rig.engine(options))
        conversation = opened(engine, plan.history, number=4)
        conversation.say(_message(engine, plan, 100))
        for number in range(plan.rounds):
            resident = conversation.say(_message(engine, plan, 200 + number)).first
            stack.close()
            engine = stack.enter_context(rig.engine(options))
            conversation = Conversation(engine, conversation.messages)
            restarted = conversation.say(_message(engine, plan, 300 + number)).first
            rounds.append(Round.of(restarted, resident))
            tick()
    yield figure(
        "restart",
        f"first token after a restart, {plan.history} tokens of history",
        unit="s",
        rounds=rounds,
        target=Target("ratio", "<=", 1.5),
        baseline_title="the same with no restart, resident",
        note="the engine's first turn; a restart of the process also loads the model",
    )
