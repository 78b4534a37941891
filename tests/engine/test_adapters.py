"""LoRA adapters on both real models: sessions with different ones share the weights, nothing else.

"Alone" is a turn of a new session when nothing is saved that it could share.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.adapters import metadata, write_adapter, write_gguf
from tests.engine.conftest import forget_all, run_to_end, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    EngineOptions,
    LoraChoice,
    SequenceHandle,
    TurnRun,
)
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.errors import AdapterError
from gemma_chat.models.gguf_header import check_model_file

SYSTEM = ChatMessage("system", "You are an old captain who has seen it all and tells of it gladly.")
QUESTIONS = ("Tell me of the sea.", "And of the land?")
SAMPLED = SamplingSettings(temperature=0.8, top_k=40, random_seed=3, max_output_tokens=5)

Choices = dict[str, LoraChoice | None]


@pytest.fixture
def choices(short_model_path: Path, tmp_path: Path) -> Choices:
    """Two adapters, one of them weaker too, and none."""
    a = write_adapter(tmp_path / "a.gguf", short_model_path, 1)
    b = write_adapter(tmp_path / "b.gguf", short_model_path, 2)
    return {
        "a": LoraChoice(str(a)),
        "b": LoraChoice(str(b)),
        "weak a": LoraChoice(str(a), 0.5),
        "none": None,
    }


def ask(
    engine: LlamaEngine,
    sequence: SequenceHandle,
    messages: list[ChatMessage],
    lora: LoraChoice | None,
) -> tuple[str, TurnRun]:
    """One turn with an adapter."""
    prompt = replace(engine.prompt(messages), lora=lora)
    run = engine.begin(sequence, prompt, SAMPLED, "foreground")
    try:
        return run_to_end(run), run
    finally:
        run.finish()


class Talk:
    """A conversation of two questions with one adapter."""

    def __init__(self, engine: LlamaEngine, lora: LoraChoice | None) -> None:
        self.engine, self.lora = engine, lora
        self.sequence = engine.open_sequence()
        self.replies: list[str] = []

    def turn(self) -> TurnRun:
        """Ask the next question."""
        texts = [*self.replies, QUESTIONS[len(self.replies)]]
        said = [text for pair in zip(QUESTIONS, self.replies, strict=False) for text in pair]
        messages = [SYSTEM, *talk(*said, texts[-1])]
        reply, run = ask(self.engine, self.sequence, messages, self.lora)
        self.replies.append(reply or ".")
        return run


def alone(engine: LlamaEngine, lora: LoraChoice | None) -> list[str]:
    forget_all(engine)
    conversation = Talk(engine, lora)
    for _ in QUESTIONS:
        conversation.turn()
    engine.release(conversation.sequence)
    forget_all(engine)
    return conversation.replies


def test_sessions_with_and_without_adapters_never_mix(
    engine: LlamaEngine, choices: Choices
) -> None:
    expected = {name: alone(engine, lora) for name, lora in choices.items()}
    assert len({tuple(replies) for replies in expected.values()}) == len(choices)
    talks = {name: Talk(engine, lora) for name, lora in choices.items()}
    for _ in QUESTIONS:
        for conversation in talks.values():
            conversation.turn()
    assert {name: conversation.replies for name, conversation in talks.items()} == expected


def test_what_one_adapter_evaluated_is_of_no_use_to_another(
    engine: LlamaEngine, choices: Choices
) -> None:
    Talk(engine, choices["a"]).turn()
    for other in ("b", "weak a", "none"):
        counts = Talk(engine, choices[other]).turn().counts
        assert (counts.reused, counts.restored) == (0, 0)
    counts = Talk(engine, choices["a"]).turn().counts
    assert counts.restored > 0


def test_an_adapter_can_be_changed_between_turns_and_changed_back(
    engine: LlamaEngine, choices: Choices
) -> None:
    expected = {name: alone(engine, choices[name])[0] for name in ("a", "none")}
    messages = [SYSTEM, *talk(QUESTIONS[0])]
    sequence = engine.open_sequence()
    for name in ("a", "none", "a", "none"):
        text, run = ask(engine, sequence, messages, choices[name])
        assert text == expected[name]
    assert run.counts.evaluated == 1


def test_a_background_turn_with_another_adapter_changes_nothing(
    engine: LlamaEngine, choices: Choices
) -> None:
    expected = [alone(engine, choices[name])[0] for name in ("a", "b")]
    runs = []
    for name, lane in (("a", "foreground"), ("b", "background")):
        prompt = replace(engine.prompt([SYSTEM, *talk(QUESTIONS[0])]), lora=choices[name])
        runs.append(engine.begin(engine.open_sequence(), prompt, SAMPLED, lane))  # type: ignore[arg-type]
    texts = ["", ""]
    open_runs = [0, 1]
    while open_runs:
        for at in list(open_runs):
            step = runs[at].step()
            texts[at] += getattr(step, "text", "")
            runs[at].give_way()
            if isinstance(step, Ended):
                texts[at] += runs[at].finish()
                open_runs.remove(at)
    assert [text or "." for text in texts] == expected


def test_a_fork_goes_on_with_the_adapter_and_what_it_evaluated(
    engine: LlamaEngine, choices: Choices
) -> None:
    parent = Talk(engine, choices["a"])
    parent.turn()
    child = Talk(engine, choices["a"])
    child.sequence, child.replies = engine.fork(parent.sequence), list(parent.replies)
    counts = child.turn().counts
    assert counts.evaluated < counts.restored + counts.reused
    parent.turn()
    assert child.replies == parent.replies


def test_what_is_warmed_up_is_evaluated_with_the_adapter(
    engine: LlamaEngine, choices: Choices
) -> None:
    expected = alone(engine, choices["a"])[0]
    conversation = Talk(engine, choices["a"])
    left, right = (
        replace(engine.prompt([SYSTEM, *talk(text)]), lora=choices["a"]) for text in ("A", "1")
    )
    run = engine.warm_up(conversation.sequence, left, right, "background")
    while not isinstance(run.step(), Ended):
        pass
    run.finish()
    counts = conversation.turn().counts
    assert counts.restored + counts.reused > 0
    assert conversation.replies == [expected]


def test_after_a_restart_each_adapter_finds_its_own_states(
    short_model_path: Path, choices: Choices, tmp_path: Path
) -> None:
    options = EngineOptions(
        context_size=512, threads=1, states_mb=64, states_dir=tmp_path / "states"
    )
    names = ("a", "none")
    before = LlamaEngine.load(short_model_path, options)
    talks = {name: Talk(before, choices[name]) for name in names}
    for conversation in talks.values():
        conversation.turn()
    before.close()
    moved = shutil.copy(str(choices["a"].path), tmp_path / "moved.gguf")  # type: ignore[union-attr]
    choices["a"] = LoraChoice(str(moved))
    after = LlamaEngine.load(short_model_path, options)
    resumed = {name: Talk(after, choices[name]) for name in names}
    for name, conversation in resumed.items():
        conversation.replies = list(talks[name].replies)
        counts = conversation.turn().counts
        assert counts.restored > counts.evaluated
    second = {name: conversation.replies for name, conversation in resumed.items()}
    assert second == {name: alone(after, choices[name]) for name in names}
    after.close()


def test_a_strength_of_0_is_no_adapter(engine: LlamaEngine, choices: Choices) -> None:
    Talk(engine, None).turn()
    off = replace(choices["a"], scale=0.0)  # type: ignore[type-var]
    assert Talk(engine, off).turn().counts.restored > 0


def test_an_adapter_is_loaded_once_however_many_use_it(
    engine: LlamaEngine, choices: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = engine._adapters._load
    monkeypatch.setattr(engine._adapters, "_load", lambda path: loads.append(path) or load(path))
    for name in ("a", "weak a", "a", "b"):
        Talk(engine, choices[name]).turn()
    # The files are new for this test, so their content was met by an earlier one at the most.
    assert len(loads) == len(set(loads)) <= 2


def test_a_session_stays_usable_after_an_adapter_that_cannot_be_used(
    engine: LlamaEngine, choices: Choices, tmp_path: Path
) -> None:
    expected = alone(engine, choices["a"])
    conversation = Talk(engine, choices["a"])
    conversation.turn()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(choices["a"].path).read_bytes()[:-100])  # type: ignore[union-attr]
    messages = [SYSTEM, *talk(QUESTIONS[0])]
    for wrong, words in (
        (LoraChoice(str(cut)), "cut short"),
        (LoraChoice(str(tmp_path / "gone.gguf")), "There is no LoRA adapter"),
    ):
        with pytest.raises(AdapterError, match=words):
            ask(engine, conversation.sequence, messages, wrong)
    conversation.turn()
    assert conversation.replies == expected


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "is damaged"), (1e38, "computes no numbers any more")]
)
def test_an_adapter_that_leads_to_no_numbers_is_named_and_spoils_nothing(
    smollm2: LlamaEngine, short_smollm2_path: Path, tmp_path: Path, value: float, words: str
) -> None:
    name = "blk.0.attn_q.weight"
    header = check_model_file(short_smollm2_path)
    inner, outer = header.tensors[name].shape
    path = write_gguf(
        tmp_path / "nan.gguf",
        header.architecture,
        metadata,
        [
            (f"{name}.lora_a", np.full((4, inner), value, np.float32)),
            (f"{name}.lora_b", np.full((outer, 4), value, np.float32)),
        ],
    )
    expected = alone(smollm2, None)
    conversation = Talk(smollm2, LoraChoice(str(path)))
    with pytest.raises(AdapterError, match=words):
        conversation.turn()
    conversation.lora = None
    conversation.turn()
    conversation.turn()
    assert conversation.replies == expected
