"""Turns on the real models: exact, interruptible, and never evaluating a token twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from tests.engine.conftest import forget_all, run_to_end, speak, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    EngineOptions,
    Generated,
    Interrupted,
    Prefill,
    Prompt,
)
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.shelf import HeldSequence
from gemma_chat.engine.state_bytes import StateBytes
from gemma_chat.errors import ContextOverflowError, EngineCrashedError, SettingsError

LONG = "The quick brown fox jumps over the lazy dog near the river bank. " * 24


def begin(engine: LlamaEngine, messages: list[ChatMessage], **kwargs: object):  # type: ignore[no-untyped-def]
    lane = kwargs.pop("lane", "foreground")
    sampling = SamplingSettings(**({"max_output_tokens": 16} | kwargs))  # type: ignore[arg-type]
    return engine.begin(engine.open_sequence(), engine.prompt(messages), sampling, lane)  # type: ignore[arg-type]


def test_the_next_turn_evaluates_only_what_is_new(engine: LlamaEngine) -> None:
    sequence = engine.open_sequence()
    question = talk("Tell me about the sea.")
    answer, first = speak(engine, sequence, question)
    assert first.counts.evaluated == first.prompt_tokens
    follow_up = [*question, *talk("", answer, "And the sky?")[1:]]
    follow_up[1] = ChatMessage("assistant", answer)
    _, second = speak(engine, sequence, follow_up)
    held = first.prompt_tokens + first.counts.generated - 1
    assert second.counts.reused == held
    assert second.counts.evaluated == second.prompt_tokens - held


def test_guesses_from_the_conversation_are_counted_with_those_that_were_right(
    smollm2: LlamaEngine,
) -> None:
    verse = "one two three four five six seven eight nine ten " * 4
    messages = talk("Count.", verse, "Count again.")
    _, run = speak(smollm2, smollm2.open_sequence(), messages, temperature=0.0)
    assert run.counts.guessed >= run.counts.guessed_right > 0
    assert run.counts.guessed_right < run.counts.generated


def test_a_switch_to_another_session_and_back_changes_nothing(engine: LlamaEngine) -> None:
    """A→B→A gives token for token what an uninterrupted A gives."""

    def dialogue(between: Callable[[], object]) -> list[str]:
        sequence = engine.open_sequence()
        messages: list[ChatMessage] = []
        answers: list[str] = []
        for question in ("Who are you?", "What do you like?", "Why?"):
            messages.append(ChatMessage("user", question))
            answer, run = speak(engine, sequence, messages, temperature=0.9, top_k=50)
            answers.append(answer)
            messages.append(ChatMessage("assistant", answer))
            assert answers[1:] == [] or run.counts.evaluated < 40
            between()
        return answers

    undisturbed = dialogue(lambda: None)
    forget_all(engine)
    other = engine.open_sequence()
    switched = dialogue(lambda: speak(engine, other, talk("Something else entirely.")))
    assert switched == undisturbed


def test_a_turn_that_gives_way_in_prefill_and_in_decode_is_the_same(engine: LlamaEngine) -> None:
    messages = talk(LONG + "Summarise this.")
    undisturbed = run_to_end(begin(engine, messages, lane="background", max_output_tokens=10))
    forget_all(engine)

    other = engine.open_sequence()
    run = begin(engine, messages, lane="background", max_output_tokens=10)
    text = ""
    steps = 0
    while True:
        step = run.step()
        steps += 1
        if isinstance(step, Generated):
            text += step.text
        elif isinstance(step, Ended):
            text += step.text
            break
        run.give_way()
        speak(engine, other, talk(f"Person number {steps} asks."), max_output_tokens=2)
        if steps % 3 == 0:
            # Another background turn takes the stream away: the state has to come back.
            run_to_end(begin(engine, talk("And?"), lane="background", max_output_tokens=2))
    assert text + run.finish() == undisturbed


def test_an_interrupted_micro_batch_leaves_the_session_as_it_was(engine: LlamaEngine) -> None:
    messages = talk(LONG)
    expected = run_to_end(begin(engine, messages))
    forget_all(engine)
    run = begin(engine, messages)
    seen: list[object] = []
    text = ""
    while not seen or not isinstance(seen[-1], Ended):
        run.interrupt()
        seen.append(run.step())
        assert seen[-1] == Interrupted()
        seen.append(run.step())
        assert not isinstance(seen[-1], Interrupted)
        if isinstance(seen[-1], Generated | Ended):
            text += seen[-1].text
    assert text == expected


def test_prefill_goes_on_in_micro_batches_of_at_most_256_tokens(engine: LlamaEngine) -> None:
    run = begin(engine, talk(LONG))
    done: list[int] = []
    while isinstance(step := run.step(), Prefill):
        done.append(step.done)
        assert step.total == run.prompt_tokens
    run.finish()
    assert all(b - a <= 256 for a, b in zip([0, *done], done, strict=False))
    assert done[-1] == run.prompt_tokens - 1


def test_a_stopped_turn_keeps_what_it_evaluated(engine: LlamaEngine) -> None:
    sequence = engine.open_sequence()
    prompt = engine.prompt(talk(LONG))
    run = engine.begin(sequence, prompt, SamplingSettings(), "foreground")
    run.step()
    run.step()
    run.finish()
    evaluated = sequence.token_count
    assert 256 < evaluated <= 512
    again = engine.begin(sequence, prompt, SamplingSettings(max_output_tokens=4), "foreground")
    run_to_end(again)
    assert again.counts.reused == evaluated


def test_finishing_twice_is_fine(engine: LlamaEngine) -> None:
    run = begin(engine, talk("Hello"))
    run.step()
    run.finish()
    assert run.finish() == ""


def test_a_fork_shares_what_its_parent_has_evaluated(smollm2: LlamaEngine) -> None:
    parent = smollm2.open_sequence()
    answer, _ = speak(smollm2, parent, talk(LONG))
    before = smollm2.figures().kv_saved_bytes
    forks = [smollm2.fork(parent) for _ in range(50)]
    assert smollm2.figures().kv_saved_bytes == before
    more = [*talk(LONG), ChatMessage("assistant", answer), ChatMessage("user", "Go on.")]
    texts = set()
    for fork in forks[:3]:
        text, turn = speak(smollm2, fork, more)
        texts.add(text)
        assert turn.counts.evaluated < 20
    assert len(texts) == 1
    for fork in forks:
        smollm2.release(fork)


def test_a_released_session_gives_its_memory_back(smollm2: LlamaEngine) -> None:
    before = smollm2.figures().kv_saved_bytes
    sequence = smollm2.open_sequence()
    speak(smollm2, sequence, talk(LONG))
    assert smollm2.figures().kv_saved_bytes > before
    smollm2.release(sequence)
    smollm2.release(sequence)
    assert smollm2.figures().kv_saved_bytes == before


def test_greedy_text_does_not_depend_on_the_seed(engine: LlamaEngine) -> None:
    texts = {
        run_to_end(begin(engine, talk("Hello"), temperature=0, top_k=0, random_seed=seed))
        for seed in (1, 2, 3)
    }
    assert len(texts) == 1


def test_the_same_seed_gives_the_same_text_and_another_one_another(engine: LlamaEngine) -> None:
    def sampled(seed: int) -> str:
        return run_to_end(
            begin(engine, talk("Write a poem."), temperature=1.5, top_k=0, random_seed=seed)
        )

    assert sampled(7) == sampled(7)
    assert len({sampled(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7, "top_k": 40, "top_p": 0.9, "min_p": 0.05, "repeat_penalty": 1.2},
        {"temperature": 1.0, "top_k": 0, "typical_p": 0.9, "presence_penalty": 0.5},
        {"temperature": 1.0, "top_k": 0, "xtc_probability": 1.0, "xtc_threshold": 0.1},
        {"temperature": 0, "dry_multiplier": 0.8, "frequency_penalty": 0.3, "repeat_last_n": -1},
        {"temperature": 5.0, "top_k": 3, "dry_multiplier": 1.0, "dry_penalty_last_n": 0},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_every_sampling_setting_gives_text(engine: LlamaEngine, settings: dict[str, float]) -> None:
    run = begin(engine, talk("Tell me a story."), random_seed=3, **settings)
    run_to_end(run)
    assert run.counts.generated > 0


def test_a_repeat_penalty_changes_a_greedy_text(smollm2: LlamaEngine) -> None:
    loop = talk("Say the word sea again and again.")
    plain = run_to_end(begin(smollm2, loop, max_output_tokens=60))
    varied = run_to_end(begin(smollm2, loop, max_output_tokens=60, repeat_penalty=1.5))
    assert plain != varied


def test_a_grammar_is_obeyed_by_any_model(engine: LlamaEngine) -> None:
    for temperature in (0.0, 1.5):
        run = begin(
            engine,
            talk("Is it?"),
            grammar='root ::= ("yes" | "no") "!"',
            temperature=temperature,
            top_k=0,
        )
        assert run_to_end(run) in ("yes!", "no!")


@pytest.mark.parametrize("grammar", ["root ::= (((", "", "\0", "other ::= 'x'", "root ::= root"])
def test_a_grammar_that_cannot_be_used_is_a_sentence(smollm2: LlamaEngine, grammar: str) -> None:
    with pytest.raises(SettingsError, match="grammar"):
        begin(smollm2, talk("Hello"), grammar=grammar)


def test_a_stop_string_ends_the_reply_before_it(smollm2: LlamaEngine) -> None:
    whole = run_to_end(begin(smollm2, talk("Count to ten."), max_output_tokens=40))
    stop = whole[10:14]
    text = run_to_end(begin(smollm2, talk("Count to ten."), max_output_tokens=40, stop=(stop,)))
    assert text == whole[: whole.index(stop)]


def test_the_reply_limit_is_exact(engine: LlamaEngine) -> None:
    run = begin(engine, talk("Tell me a long story."), max_output_tokens=5)
    run_to_end(run)
    assert run.counts.generated <= 5


def test_a_full_context_ends_the_reply_with_length(short_smollm2_path: Path) -> None:
    engine = LlamaEngine.load(short_smollm2_path, EngineOptions(context_size=128, threads=1))
    run = begin(
        engine,
        talk("Tell me a story without an end."),
        max_output_tokens=None,
        grammar="root ::= [a-z ]+ root",
    )
    step = run.step()
    while not isinstance(step, Ended):
        step = run.step()
    run.finish()
    engine.close()
    assert step.reason == "length"
    assert run.prompt_tokens + run.counts.generated == 128


def test_a_prompt_that_leaves_no_room_is_refused_by_name(smollm2: LlamaEngine) -> None:
    with pytest.raises(ContextOverflowError, match="2048"):
        begin(smollm2, talk(LONG * 20))


def test_the_sliding_window_is_never_trusted_beyond_its_edge(gemma3: LlamaEngine) -> None:
    """Going far back evaluates again, and gives what a fresh session gives."""
    sequence = gemma3.open_sequence()
    speak(gemma3, sequence, talk(LONG * 4))
    edited = talk(LONG[:300] + "And now something else.")
    text, run = speak(gemma3, sequence, edited)
    forget_all(gemma3)
    fresh, _ = speak(gemma3, gemma3.open_sequence(), edited)
    assert text == fresh
    assert run.counts.reused + run.counts.restored + run.counts.evaluated == run.prompt_tokens


def test_what_is_cut_off_beyond_the_sliding_window_is_gone_from_every_layer(
    gemma3: LlamaEngine,
) -> None:
    """Layers without a window hold no token of the branch that was left, and have its room."""
    sequence = gemma3.open_sequence()
    opening = talk(LONG * 2)
    answer, _ = speak(gemma3, sequence, opening, max_output_tokens=2)
    opening.append(ChatMessage("assistant", answer))
    _, long = speak(gemma3, sequence, [*opening, *talk("Row, row, row your boat. " * 150)])
    short = [*opening, *talk("Sing of something else, of a hill or of a tree. " * 8)]
    text, run = speak(gemma3, sequence, short)
    assert run.counts.reused > 512
    assert long.prompt_tokens + run.counts.evaluated > 2048
    forget_all(gemma3)
    fresh, _ = speak(gemma3, gemma3.open_sequence(), short)
    assert text == fresh


def test_a_session_that_is_not_resident_holds_no_bytes_of_its_own(gemma3: LlamaEngine) -> None:
    """What it could go back to is in its saved state, which leaves RAM as a whole."""
    sequence = cast(HeldSequence, gemma3.open_sequence())
    speak(gemma3, sequence, talk(LONG * 2))
    assert sequence.checkpoints
    speak(gemma3, gemma3.open_sequence(), talk("Somebody else."))
    fork = cast(HeldSequence, gemma3.fork(sequence))
    assert sequence.checkpoints == fork.checkpoints == []
    _, again = speak(gemma3, sequence, talk(LONG * 2))
    assert again.counts.evaluated == 1


def test_a_reply_spelled_in_more_tokens_than_its_text_needs_never_runs_over_the_context(
    short_smollm2_path: Path,
) -> None:
    """It was counted in the tokens of its text: the turn that goes on from it fits with those."""
    engine = LlamaEngine.load(
        short_smollm2_path, EngineOptions(context_size=128, threads=1, states_mb=16)
    )
    text = b" the sea" * 50
    spelled = tuple(bytes([letter]) for letter in text[:120])
    sequence = engine.open_sequence()
    limit = SamplingSettings(max_output_tokens=1)
    run_to_end(engine.begin(sequence, Prompt(spelled, 120), limit, "foreground"))
    going_on = Prompt((text,), engine.count_tokens(text.decode()))
    assert going_on.token_count < 128 < 120 + engine.count_tokens(text[120:].decode())
    run = engine.begin(sequence, going_on, limit, "foreground")
    run_to_end(run)
    assert run.prompt_tokens == going_on.token_count
    engine.close()


def test_a_reply_is_there_although_there_was_no_memory_to_save_its_state(
    gemma3: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(12, "Cannot allocate memory")

    question = talk("Tell me a long story. " * 75)
    monkeypatch.setattr(gemma3._context, "save", full)
    monkeypatch.setattr(gemma3._context, "save_window", full)
    sequence = gemma3.open_sequence()
    _, run = speak(gemma3, sequence, question, max_output_tokens=2)
    assert run.prompt_tokens > 512
    assert run.counts.generated == 2
    speak(gemma3, gemma3.open_sequence(), talk("Something else."), max_output_tokens=2)
    monkeypatch.undo()
    _, again = speak(gemma3, sequence, question, max_output_tokens=2)
    assert again.counts.evaluated == again.prompt_tokens


def test_a_window_that_llama_cpp_refuses_costs_the_turn_and_nothing_else(
    gemma3: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(stream: int, _: StateBytes) -> bool:
        gemma3._context.clear(stream)
        return False

    question = talk("Tell me a long story. " * 150)
    monkeypatch.setattr(gemma3._context, "restore_window", refused)
    sequence = gemma3.open_sequence()
    with pytest.raises(EngineCrashedError, match="conversation is kept"):
        speak(gemma3, sequence, question, max_output_tokens=2)
    monkeypatch.undo()
    _, again = speak(gemma3, sequence, question, max_output_tokens=2)
    assert again.counts.evaluated == again.prompt_tokens


def test_a_session_whose_state_was_dropped_goes_on_from_what_others_share_with_it(
    smollm2: LlamaEngine,
) -> None:
    system = ChatMessage("system", "You are an old and patient captain who has seen it all. " * 4)
    speak(smollm2, smollm2.open_sequence(), [system, *talk("Who are you?")])
    sequence = smollm2.open_sequence()
    answer, _ = speak(smollm2, sequence, [system, *talk("What is the sea?")])
    speak(smollm2, smollm2.open_sequence(), talk("Something else."))
    held = cast(HeldSequence, sequence).saved
    assert held is not None
    smollm2._shelf._drop(held)
    follow_up = [system, *talk("What is the sea?", answer, "And what is the sky, do you think?")]
    _, run = speak(smollm2, sequence, follow_up)
    assert run.counts.restored > 40
