"""Evaluating ahead spares the coming turn its prefill and changes nothing else."""

from __future__ import annotations

from tests.engine.conftest import forget_all, speak, talk

from gemma_chat.engine.interface import ChatMessage, Ended, SequenceHandle
from gemma_chat.engine.llama import LlamaEngine

SYSTEM = ChatMessage("system", "You are an old and patient captain who has seen it all. " * 10)
PASTE = "It was a dark night and the sea was rough. " * 24


def anticipate(engine: LlamaEngine, sequence: SequenceHandle, draft: str, steps: int = 99) -> int:
    """Evaluate ahead, at most `steps` micro-batches; returns how many tokens it evaluated."""
    left, right = (engine.prompt([SYSTEM, *talk(draft + end)]) for end in ("A", "1"))
    run = engine.anticipate(sequence, left, right, "background")
    for _ in range(steps):
        if isinstance(run.step(), Ended):
            break
        run.give_way()
    assert run.finish() == ""
    return run.counts.evaluated


def test_a_system_instruction_evaluated_ahead_is_not_evaluated_again(engine: LlamaEngine) -> None:
    question = [SYSTEM, *talk("What is the sea?")]
    alone, whole = speak(engine, engine.open_sequence(), question)
    forget_all(engine)
    sequence = engine.open_sequence()
    ahead = anticipate(engine, sequence, "")
    text, run = speak(engine, sequence, question)
    assert ahead > 100
    assert run.counts.reused == ahead
    assert run.counts.evaluated == whole.prompt_tokens - ahead
    assert text == alone


def test_a_long_paste_is_evaluated_ahead_in_whole_micro_batches(engine: LlamaEngine) -> None:
    question = [SYSTEM, *talk(PASTE + "What happened next?")]
    alone, whole = speak(engine, engine.open_sequence(), question)
    forget_all(engine)
    sequence = engine.open_sequence()
    ahead = anticipate(engine, sequence, PASTE)
    text, run = speak(engine, sequence, question)
    assert run.counts.reused == ahead > whole.prompt_tokens // 2
    assert text == alone


def test_a_draft_changed_after_it_was_evaluated_changes_nothing(engine: LlamaEngine) -> None:
    question = [SYSTEM, *talk(PASTE[:600] + "But no. " + PASTE[:300])]
    alone, _ = speak(engine, engine.open_sequence(), question)
    forget_all(engine)
    sequence = engine.open_sequence()
    anticipate(engine, sequence, PASTE)
    text, _ = speak(engine, sequence, question)
    assert text == alone


def test_an_anticipation_given_up_half_way_keeps_what_it_has(engine: LlamaEngine) -> None:
    sequence = engine.open_sequence()
    ahead = anticipate(engine, sequence, PASTE, steps=2)
    _, run = speak(engine, sequence, [SYSTEM, *talk(PASTE)])
    assert run.counts.reused + run.counts.restored == ahead > 0
