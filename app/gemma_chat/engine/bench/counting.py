"""What regenerating, editing and forking evaluate: counted, so one round says it."""

from __future__ import annotations

from collections.abc import Iterator

from gemma_chat.engine.bench.conversation import Conversation, Cost, opened
from gemma_chat.engine.bench.figures import Figure, Round, Target, figure
from gemma_chat.engine.bench.plan import Plan
from gemma_chat.engine.bench.prose import passage
from gemma_chat.engine.bench.rig import Rig
from gemma_chat.engine.bench.tick import Tick
from gemma_chat.engine.interface import Engine
from gemma_chat.engine.prefix import common_prefix


def turns(rig: Rig, plan: Plan, tick: Tick) -> Iterator[Figure]:
    """Tokens evaluated by a reply written again, an edited message and a message to a fork.

    New are the tokens after the longest beginning that was evaluated before, by the tokenizer's
    word and not by the engine's; one at least, whose logits the reply begins from.
    """
    with rig.engine() as engine:
        conversation = opened(engine, plan.turns_history, number=5)
        conversation.say(_text(engine, plan, 1))
        cost = conversation.regenerate()
        yield _counted("regenerate", "a reply written again", cost, 1)
        tick()

        before = _prompt_tokens(rig, engine, conversation)
        cost = conversation.edit(_text(engine, plan, 2))
        after = _prompt_tokens(rig, engine, conversation)
        new = len(after) - common_prefix(before, after)
        yield _counted("edit", "the last message edited", cost, new)
        tick()

        child = conversation.fork()
        cost = child.say(_text(engine, plan, 3))
        yield _counted("fork-message", "a message to a fork", cost, cost.prompt - cost.held)
        tick()


def _text(engine: Engine, plan: Plan, number: int) -> str:
    # A word that differs comes first: what two messages begin with alike would not be new.
    first = ("Apples", "Birds", "Clouds")[number - 1]
    return f"{first}: {passage(engine.count_tokens, plan.message, 50_000 + number)}"


def _prompt_tokens(rig: Rig, engine: Engine, conversation: Conversation) -> list[int]:
    return rig.tokens(engine.prompt(conversation.messages[:-1]))


def _counted(name: str, title: str, cost: Cost, new: int) -> Figure:
    return figure(
        name,
        f"{title}: tokens evaluated",
        unit="tokens",
        rounds=[Round.of(cost.evaluated, max(1, new))],
        target=Target("ratio", "=", 1.0),
        baseline_title="new tokens",
        note=f"of {cost.prompt} tokens in the prompt",
    )
