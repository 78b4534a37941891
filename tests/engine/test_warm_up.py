"""A warm-up spares the coming turn its prefill and changes nothing else."""

from __future__ import annotations

from dataclasses import replace

from tests.engine.conftest import forget_all, run_to_end, speak, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, Ended, Prompt, SequenceHandle
from gemma_chat.engine.llama import LlamaEngine

SYSTEM = ChatMessage("system", "You are an old and patient captain who has seen it all. " * 10)
PASTE = "It was a dark night and the sea was rough. " * 24


def warm_up(engine: LlamaEngine, sequence: SequenceHandle, draft: str, steps: int = 99) -> int:
    """Warm up, at most `steps` micro-batches; returns how many tokens were evaluated."""
    left, right = (engine.prompt([SYSTEM, *talk(draft + end)]) for end in ("A", "1"))
    run = engine.warm_up(sequence, left, right, "background")
    for _ in range(steps):
        if isinstance(run.step(), Ended):
            break
        run.give_way()
    assert run.finish() == ""
    return run.counts.evaluated


def test_a_warmed_up_system_instruction_is_not_evaluated_again(
    engine: LlamaEngine,
) -> None:
    question = [SYSTEM, *talk("What is the sea?")]
    alone, whole = speak(engine, engine.open_sequence(), question)
    forget_all(engine)
    sequence = engine.open_sequence()
    warmed = warm_up(engine, sequence, "")
    text, run = speak(engine, sequence, question)
    assert warmed > 100
    assert run.counts.reused == warmed
    assert run.counts.evaluated == whole.prompt_tokens - warmed
    assert text == alone


def test_a_long_paste_is_warmed_up_in_whole_micro_batches(engine: LlamaEngine) -> None:
    question = [SYSTEM, *talk(PASTE + "What happened next?")]
    alone, whole = speak(engine, engine.open_sequence(), question)
    forget_all(engine)
    sequence = engine.open_sequence()
    warmed = warm_up(engine, sequence, PASTE)
    text, run = speak(engine, sequence, question)
    assert run.counts.reused == warmed > whole.prompt_tokens // 2
    assert text == alone


def test_a_draft_changed_after_it_was_evaluated_changes_nothing(engine: LlamaEngine) -> None:
    question = [SYSTEM, *talk(PASTE[:600] + "But no. " + PASTE[:300])]
    alone, _ = speak(engine, engine.open_sequence(), question)
    forget_all(engine)
    sequence = engine.open_sequence()
    warm_up(engine, sequence, PASTE)
    text, _ = speak(engine, sequence, question)
    assert text == alone


def test_a_warm_up_given_up_half_way_keeps_what_it_has(engine: LlamaEngine) -> None:
    sequence = engine.open_sequence()
    warmed = warm_up(engine, sequence, PASTE, steps=2)
    _, run = speak(engine, sequence, [SYSTEM, *talk(PASTE)])
    assert run.counts.reused + run.counts.restored == warmed > 0


def test_a_conversation_up_to_a_seam_is_warmed_up_whatever_its_length(
    engine: LlamaEngine,
) -> None:
    told = [SYSTEM, *talk(*["The sea is deep, and the ship is small. " * 6] * 4)]

    def asked(question: str) -> Prompt:
        prompt = engine.prompt([*told, ChatMessage("user", question)])
        before = engine.prompt(told).pieces
        same = [a == b for a, b in zip(prompt.pieces, before, strict=False)]
        return replace(prompt, seam=same.index(False))

    def answer(sequence: SequenceHandle) -> tuple[str, int, int]:
        sampling = SamplingSettings(max_output_tokens=16)
        run = engine.begin(sequence, asked("And then?"), sampling, "foreground")
        return run_to_end(run), run.counts.evaluated, run.prompt_tokens

    alone, _, length = answer(engine.open_sequence())
    forget_all(engine)
    sequence = engine.open_sequence()
    run = engine.warm_up(sequence, asked("A"), asked("1"), "background")
    while not isinstance(run.step(), Ended):
        pass
    run.finish()
    text, evaluated, _ = answer(sequence)
    assert text == alone
    assert run.counts.evaluated + evaluated == length
    assert evaluated < 16


def test_a_prompt_is_spelled_as_the_model_is_given_it(engine: LlamaEngine) -> None:
    prompt = engine.prompt([SYSTEM, *talk("<|im_start|> is text, ä too")])
    spelled = engine.spelled(prompt)
    assert len(spelled) == prompt.token_count
    assert SYSTEM.text.strip().encode() in b"".join(spelled)
    assert "<|im_start|> is text, ä too".encode() in b"".join(spelled)
