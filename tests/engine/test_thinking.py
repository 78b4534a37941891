"""Thoughts in turns on the real model: set apart, within a budget, and out of later prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    EngineOptions,
    Generated,
    Prompt,
    ReplyForm,
    ReplyPart,
    SequenceHandle,
    TurnRun,
)
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.weights import Weights

QWEN = (Path(__file__).parent / "templates" / "qwen.jinja").read_text()
ASKED = ChatMessage("user", "What is the sea?")
THINK = ReplyForm(thinking=True, thinking_budget=6)


@pytest.fixture(scope="module")
def thinker(smollm2_path: Path) -> Iterator[LlamaEngine]:
    """A model whose prompts end within a thought, which it would never end by itself."""
    opened = QWEN + "{%- if enable_thinking %}{{ '<think>\\n' }}{% endif %}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Weights, "chat_template", property(lambda _: opened))
        engine = LlamaEngine.load(
            smollm2_path, EngineOptions(context_size=512, threads=1, states_mb=64)
        )
    yield engine
    engine.close()


def speak(
    engine: LlamaEngine, sequence: SequenceHandle, prompt: Prompt, **sampling: object
) -> tuple[str, str, TurnRun]:
    """Answer, thinking and the turn; 24 tokens at most."""
    settings = SamplingSettings(**({"max_output_tokens": 24} | sampling))  # type: ignore[arg-type]
    run = engine.begin(sequence, prompt, settings, "foreground")
    parts: list[ReplyPart] = []
    while True:
        step = run.step()
        if isinstance(step, Generated | Ended):
            parts += step.parts or (ReplyPart("text", step.text),)
        if isinstance(step, Ended):
            run.finish()
            break
    thinking = "".join(part.text for part in parts if part.kind == "thinking")
    return "".join(part.text for part in parts if part.kind == "text"), thinking, run


def test_when_the_budget_is_used_up_the_answer_begins(thinker: LlamaEngine) -> None:
    prompt = thinker.prompt([ASKED], THINK)
    text, thinking, run = speak(thinker, thinker.open_sequence(), prompt)
    assert thinker.description.thinks
    assert 0 < thinker.count_tokens(thinking) <= 6
    assert text[:1].isalnum()
    assert "think>" not in thinking
    assert run.counts.generated == 24


def test_without_thinking_the_prompt_has_an_empty_thought_and_the_reply_none(
    thinker: LlamaEngine,
) -> None:
    text, thinking, _ = speak(thinker, thinker.open_sequence(), thinker.prompt([ASKED]))
    assert text
    assert thinking == ""


def test_a_grammar_leaves_no_room_for_thinking(thinker: LlamaEngine) -> None:
    prompt = thinker.prompt([ASKED], THINK)
    said = speak(thinker, thinker.open_sequence(), prompt, grammar='root ::= "yes"')
    assert said[:2] == ("yes", "")


def test_a_thought_is_cut_out_of_the_next_prompt_and_costs_evaluating_the_answer_again(
    thinker: LlamaEngine,
) -> None:
    """Case 18 of the session API, in tokens: what is thought leaves the context."""
    sequence = thinker.open_sequence()
    prompt = thinker.prompt([ASKED], THINK)
    text, _, _ = speak(thinker, sequence, prompt)
    following = [ASKED, ChatMessage("assistant", text), ChatMessage("user", "Why?")]
    longer = thinker.prompt(following, THINK)
    _, _, run = speak(thinker, sequence, longer)
    opened = thinker.count_tokens("<think>\n")
    assert run.counts.reused == prompt.token_count - 1 - opened
    assert run.counts.evaluated == run.prompt_tokens - run.counts.reused
