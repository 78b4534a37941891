"""After a restart a conversation goes on where it was, and gives the same text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.engine.conftest import forget_all, speak, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.candidates import LogitsRows
from gemma_chat.engine.interface import ChatMessage, EngineOptions, Generated
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.shortlist import Logits

QUESTIONS = ("Who are you and what do you like best of all?", "Why is that so?")


def load(model: Path, folder: Path) -> LlamaEngine:
    return LlamaEngine.load(
        model, EngineOptions(context_size=1024, threads=1, states_mb=64, states_dir=folder)
    )


def test_the_next_turn_after_a_restart_evaluates_only_its_message(
    short_model_path: Path, tmp_path: Path
) -> None:
    """Case 9 of the session API."""
    before = load(short_model_path, tmp_path)
    sequence = before.open_sequence()
    answer, first = speak(before, sequence, talk(QUESTIONS[0]))
    follow_up = talk(QUESTIONS[0], answer, QUESTIONS[1])
    held = first.prompt_tokens + first.counts.generated - 1
    before._shelf._files.settle()  # type: ignore[union-attr]

    # The process that wrote the files is still there: as after a kill, nothing was closed.
    after = load(short_model_path, tmp_path)
    text, second = speak(after, after.open_sequence(), follow_up)
    assert second.counts.restored == held
    assert second.counts.evaluated == second.prompt_tokens - held

    undisturbed, _ = speak(before, sequence, follow_up)
    assert text == undisturbed
    after.close()
    before.close()


def test_states_of_another_context_size_are_not_used(
    short_smollm2_path: Path, tmp_path: Path
) -> None:
    engine = load(short_smollm2_path, tmp_path)
    speak(engine, engine.open_sequence(), talk(QUESTIONS[0]))
    engine.close()
    other = LlamaEngine.load(
        short_smollm2_path, EngineOptions(context_size=512, threads=1, states_dir=tmp_path)
    )
    _, run = speak(other, other.open_sequence(), talk(QUESTIONS[0]))
    assert run.counts.restored == 0
    other.close()


def test_a_new_session_takes_over_the_system_instruction_and_gives_the_same_text(
    short_model_path: Path,
) -> None:
    system = ChatMessage("system", "You are an old and patient captain who has seen it all. " * 4)
    engine = LlamaEngine.load(
        short_model_path, EngineOptions(context_size=1024, threads=1, states_mb=64)
    )
    alone, whole = speak(engine, engine.open_sequence(), [system, *talk("What is the sea?")])
    engine.close()

    engine = LlamaEngine.load(
        short_model_path, EngineOptions(context_size=1024, threads=1, states_mb=64)
    )
    speak(engine, engine.open_sequence(), [system, *talk("A question of another tab, longer.")])
    shared, run = speak(engine, engine.open_sequence(), [system, *talk("What is the sea?")])
    assert run.counts.restored > 40
    assert run.counts.restored + run.counts.evaluated == whole.prompt_tokens
    assert shared == alone
    engine.close()


def test_regenerating_and_going_back_to_a_branch_evaluates_next_to_nothing(
    short_model_path: Path,
) -> None:
    engine = LlamaEngine.load(
        short_model_path, EngineOptions(context_size=2048, threads=1, states_mb=256)
    )
    sequence = engine.open_sequence()
    question = talk("Count up from one. " * 110)
    free = {"temperature": 1.0, "top_k": 0, "max_output_tokens": 40}
    first, _ = speak(engine, sequence, question, **free, random_seed=1)
    second, again = speak(engine, sequence, question, **free, random_seed=2)
    assert first != second
    assert again.counts.evaluated == 1
    same, _ = speak(engine, sequence, question, **free, random_seed=1)
    assert same == first
    _, back = speak(engine, sequence, [*question, ChatMessage("assistant", second), *talk("Go on")])
    assert back.counts.evaluated < 20
    engine.close()


def test_a_session_goes_back_beyond_the_sliding_window_after_a_restart(
    short_model_path: Path, tmp_path: Path
) -> None:
    """What is cut off is longer than llama.cpp's sliding-window cache reaches back."""
    opening = "Tell me a long story. " * 100
    before = load(short_model_path, tmp_path)
    sequence = before.open_sequence()
    answer, first = speak(before, sequence, talk(opening))
    held = first.prompt_tokens + first.counts.generated - 1
    speak(before, sequence, talk(opening, answer, "Now a long one about the sea. " * 35))
    edited = talk(opening, answer, "No, rather a short one.")
    before._shelf._files.settle()  # type: ignore[union-attr]

    after = load(short_model_path, tmp_path)
    text, run = speak(after, after.open_sequence(), edited)
    assert run.counts.restored >= held
    assert run.counts.evaluated == run.prompt_tokens - run.counts.restored
    undisturbed, _ = speak(before, sequence, edited)
    assert text == undisturbed
    after.close()
    before.close()


def test_a_reply_is_regenerated_after_a_restart_without_its_question_being_evaluated(
    short_model_path: Path, tmp_path: Path
) -> None:
    """A saved state reaches back as far as the window, and the cache it was in a little further."""
    question = talk("Tell me a long story. " * 110)
    before = load(short_model_path, tmp_path)
    speak(before, before.open_sequence(), question, max_output_tokens=4)
    before.close()
    after = load(short_model_path, tmp_path)
    _, run = speak(after, after.open_sequence(), question, max_output_tokens=4)
    assert run.prompt_tokens > 512
    assert run.counts.evaluated == 1
    after.close()


def test_beyond_the_window_who_stayed_and_who_comes_back_go_on_with_the_same_logits(
    gemma3: LlamaEngine,
) -> None:
    """Case 9 of the session API: text alone would hide that attention added up in another order."""
    rows = LogitsRows(gemma3.description.vocabulary_size)
    tale = "The sea was calm, and then the storm came over the ships of the old captain. " * 50

    def next_logits(*between: str) -> Logits:
        forget_all(gemma3)
        sequence, other = gemma3.open_sequence(), gemma3.open_sequence()
        answer, first = speak(gemma3, sequence, talk(tale), max_output_tokens=4)
        assert first.prompt_tokens > 768
        for question in between:
            speak(gemma3, other, talk(question), max_output_tokens=2)
        prompt = gemma3.prompt(talk(tale, answer, "Why?"))
        run = gemma3.begin(sequence, prompt, SamplingSettings(), "foreground")
        while not isinstance(run.step(), Generated):
            pass
        logits = rows.row(gemma3._context.handle, 0).copy()
        run.finish()
        return logits

    assert np.array_equal(next_logits(), next_logits("What is the sea?"))
