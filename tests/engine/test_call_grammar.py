"""A required call is valid whatever the model: the grammar leaves nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.engine.conftest import run_to_end

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.call_grammar import required_call
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    Generated,
    ReplyForm,
    ReplyPart,
    SequenceHandle,
    Step,
    ToolCall,
    ToolSpec,
)
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.marks import (
    FUNCTION_GEMMA_CALLS,
    GEMMA4_CALLS,
    PROMPTED_CALLS,
    TOOL_CALL_TAGS,
)
from gemma_chat.engine.sampler import Sampler

ASKED = ChatMessage("user", "What is it like in Paris?")
SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]},
    {
        "properties": {
            "on": {"type": "boolean"},
            "level": {"anyOf": [{"type": "null"}, {"const": 3}]},
            "colour": {"enum": ["red", 'a "quoted"\\ one\n']},
        },
        "required": ["level"],
    },
    {"properties": {"a": {"type": "array", "items": {"type": "boolean"}, "maxItems": 1}}},
    {"required": ["what"]},
    {"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"x": {"$ref": "#/$defs/x"}}}}},
    {"properties": {"x": {"type": ["integer", "null"]}, "y": {"type": 7}, "z": True}},
]


def called(engine: LlamaEngine, tool: ToolSpec, sequence: SequenceHandle | None = None) -> ToolCall:
    """What a model calls when it must."""
    form = ReplyForm(tools=(tool,), tool_choice="required")
    prompt = engine.prompt([ASKED], form)
    settings = SamplingSettings(max_output_tokens=80)
    run = engine.begin(sequence or engine.open_sequence(), prompt, settings, "foreground")
    parts: list[ReplyPart] = []
    step: Step | None = None
    while not isinstance(step, Ended):
        step = run.step()
        if isinstance(step, Generated | Ended):
            assert step.text == ""
            parts += step.parts
    run.finish()
    (call,) = (part.call for part in parts)
    assert call is not None
    return call


@pytest.mark.parametrize("schema", SCHEMAS[:4], ids=range(4))
def test_even_the_smallest_model_makes_a_valid_call(
    whole_smollm2: LlamaEngine, schema: dict[str, Any]
) -> None:
    call = called(whole_smollm2, ToolSpec("look_up.it-2", "Looks it up.", json.dumps(schema)))
    assert (call.name, call.error) == ("look_up.it-2", "")


def test_a_model_that_never_heard_of_chats_makes_a_valid_call(gemma3: LlamaEngine) -> None:
    call = called(gemma3, ToolSpec("clock", "Tells the time.", json.dumps(SCHEMAS[1])))
    assert (call.name, call.error) == ("clock", "")


@pytest.mark.parametrize(
    "marks", [TOOL_CALL_TAGS, PROMPTED_CALLS, GEMMA4_CALLS, FUNCTION_GEMMA_CALLS]
)
def test_llama_cpp_reads_the_grammar_of_any_schema(smollm2: LlamaEngine, marks: Any) -> None:
    tools = [ToolSpec(f"tool_{n}", "", json.dumps(schema)) for n, schema in enumerate(SCHEMAS)]
    settings = SamplingSettings(grammar=required_call(tools, marks))
    sampler = Sampler(smollm2._vocabulary, settings, [])
    sampler.close()


def test_the_history_shows_a_required_call_in_the_tokens_it_was_sampled_with(
    smollm2: LlamaEngine,
) -> None:
    tool = ToolSpec("clock", "Tells the time.", json.dumps(SCHEMAS[1]))
    sequence = smollm2.open_sequence()
    call = called(smollm2, tool, sequence)
    held = sequence.token_count
    history = [
        ASKED,
        ChatMessage("assistant", "", tool_calls=(call,)),
        ChatMessage("tool", "12:30", tool_name="clock"),
    ]
    prompt = smollm2.prompt(history, ReplyForm(tools=(tool,)))
    settings = SamplingSettings(max_output_tokens=1)
    following = smollm2.begin(sequence, prompt, settings, "foreground")
    run_to_end(following)
    assert following.counts.reused == held
    assert following.counts.evaluated == following.prompt_tokens - held
