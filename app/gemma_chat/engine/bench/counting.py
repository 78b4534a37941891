"""What regenerating, editing and forking evaluate: counted, so one round says it."""

from __future__ import annotations

from collections.abc import Iterator

from gemma_chat.engine.bench.conversation import Cost, opened
from gemma_chat.engine.bench.figures import Figure, Round, Target, figure
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.prose import passage
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import Engine


def turns(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Tokens evaluated by a reply written again, an edited message and a message to a fork.

    New are the tokens that come after what the sequence held at the end of the turn before: the
    message in its frame. An edited message may cost less where it begins like the one it replaces.
    One is counted for a reply written again, whose first token is chosen by the logits of the last
    prompt token.
    """
    with rig.engine() as engine:
        conversation = opened(engine, plan.turns_history, number=5)
        held = conversation.sequence.token_count
        conversation.say(_text(engine, plan, 1))
        cost = conversation.regenerate()
        yield _counted("regenerate", "a reply written again", cost, 1)
        tick()

        cost = conversation.edit(_text(engine, plan, 2))
        yield _counted("edit", "the last message edited", cost, cost.prompt - held)
        tick()

        child = conversation.fork()
        cost = child.say(_text(engine, plan, 3))
        yield _counted("fork-message", "a message to a fork", cost, cost.prompt - cost.held)
        tick()


def _text(engine: Engine, plan: Plan, number: int) -> str:
    return passage(engine.count_tokens, plan.message, 50_000 + number)


def _counted(name: str, title: str, cost: Cost, new: int) -> Figure:
    return figure(
        name,
        f"{title}: tokens evaluated",
        unit="tokens",
        rounds=[Round.of(cost.evaluated, max(1, new))],
        target=Target("ratio", "<=", 1.0),
        baseline_title="new tokens",
        note=f"of {cost.prompt} tokens in the prompt",
    )
