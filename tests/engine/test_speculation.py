"""Turns that verify guesses: sooner, and what they would be in the same batches again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from tests.engine.conftest import OPTIONS, forget_all, run_to_end, speak, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, Ended, Generated, SequenceHandle
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.shelf import HeldSequence
from gemma_chat.engine.turn import LlamaTurn

VERSE = (
    "The mill by the river was built of grey stone. Its wheel turned slowly in the summer. "
    "The miller had three daughters and a blind dog. "
)
QUOTING = talk(VERSE + VERSE + "Repeat this text word for word.")


def quote(
    engine: LlamaEngine, sequence: SequenceHandle | None = None, **sampling: object
) -> LlamaTurn:
    settings = SamplingSettings(**({"max_output_tokens": 40} | sampling))  # type: ignore[arg-type]
    held = sequence or engine.open_sequence()
    return engine.begin(held, engine.prompt(QUOTING), settings, "foreground")


def test_a_quotation_comes_several_tokens_a_step(engine: LlamaEngine) -> None:
    run = quote(engine)
    steps = 0
    while not isinstance(run.step(), Ended):
        steps += run.counts.generated > 0
    run.finish()
    assert run.counts.generated == 40
    assert steps < 32


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.7, "top_k": 40, "random_seed": 5}])
def test_a_verified_turn_said_again_is_the_same(
    engine: LlamaEngine, sampling: dict[str, object]
) -> None:
    first = run_to_end(quote(engine, **sampling))
    forget_all(engine)
    assert run_to_end(quote(engine, **sampling)) == first


def test_a_verified_turn_whose_state_was_lost_goes_on_as_if_it_were_not(
    engine: LlamaEngine,
) -> None:
    undisturbed = run_to_end(quote(engine))
    forget_all(engine)
    sequence = engine.open_sequence()
    run = quote(engine, sequence)
    text, lost = "", 0
    while True:
        step = run.step()
        if isinstance(step, Generated):
            text += step.text
        elif isinstance(step, Ended):
            text += step.text
            break
        if run.counts.generated >= 12 * (lost + 1):
            run.give_way()
            speak(engine, engine.open_sequence(), talk("Somebody else."), max_output_tokens=2)
            forget_all(engine)
            lost += 1
    assert lost > 1
    assert text + run.finish() == undisturbed


@pytest.mark.parametrize("limit", [2, 9, 17, 18, 19, 20])
def test_a_reply_limit_holds_in_the_middle_of_a_guess(engine: LlamaEngine, limit: int) -> None:
    whole = run_to_end(quote(engine))
    run = quote(engine, max_output_tokens=limit)
    assert whole.startswith(run_to_end(run).rstrip("\ufffd"))
    assert run.counts.generated == limit


def test_a_stop_string_ends_the_reply_in_the_middle_of_a_guess(engine: LlamaEngine) -> None:
    whole = run_to_end(quote(engine))
    stop = whole[len(whole) // 2 : len(whole) // 2 + 6]
    run = quote(engine, stop=(stop,))
    assert run_to_end(run) == whole[: whole.index(stop)]


@pytest.fixture(params=["smollm2", "gemma3_of_all_tokens"])
def spelling(request: pytest.FixtureRequest) -> Iterator[LlamaEngine]:
    """Models whose nonsense a reader spells with the same tokens."""
    path = request.getfixturevalue(f"short_{request.param}_path")
    engine = LlamaEngine.load(path, OPTIONS)
    yield engine
    engine.close()


def test_after_a_verified_turn_only_new_tokens_are_evaluated(spelling: LlamaEngine) -> None:
    sequence = spelling.open_sequence()
    first = quote(spelling, sequence)
    answer = run_to_end(first)
    held = cast(HeldSequence, sequence).token_count
    _, second = speak(
        spelling, sequence, [*QUOTING, ChatMessage("assistant", answer), *talk("Thanks.")]
    )
    assert second.counts.reused == held
    assert second.counts.evaluated == second.prompt_tokens - held
