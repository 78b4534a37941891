"""A reply with a schema parses and fits it, whatever the schema, or ends with the reason length."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.engine.conftest import talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import Ended
from gemma_chat.engine.llama import LlamaEngine

SCALARS = (
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "string", "maxLength": 4}])
    | st.integers(-200, 200).map(
        lambda low: {"type": "integer", "minimum": low, "maximum": low + 9}
    )
    | st.lists(st.integers(0, 99) | st.text(max_size=4), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    )
)


def compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects, lists and choices of smaller schemas."""
    names = st.lists(st.text(min_size=1, max_size=3), max_size=2, unique=True)
    return (
        st.tuples(names, inner, st.booleans()).map(
            lambda drawn: {
                "type": "object",
                "properties": dict.fromkeys(drawn[0], drawn[1]),
                "required": drawn[0] if drawn[2] else [],
            }
        )
        | inner.map(lambda items: {"type": "array", "items": items, "maxItems": 2})
        | st.lists(inner, min_size=1, max_size=2).map(lambda some: {"anyOf": some})
    )


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """As much of JSON Schema as these schemas use."""
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "object":
            return (
                isinstance(value, dict)
                and set(schema["required"]) <= set(value) <= set(schema["properties"])
                and all(fits(one, schema["properties"][name]) for name, one in value.items())
            )
        case "array":
            return (
                isinstance(value, list)
                and len(value) <= 2
                and all(fits(one, schema["items"]) for one in value)
            )
        case "integer":
            return type(value) is int and bool(schema["minimum"] <= value <= schema["maximum"])
        case "string":
            return isinstance(value, str) and len(value) <= 4
        case "boolean":
            return isinstance(value, bool)
    return value is None


@examples(max_examples=12, deadline=None)
@given(st.recursive(SCALARS, compound, max_leaves=3), st.integers(0, 2**32 - 2))
def test_a_reply_parses_and_fits_its_schema_or_is_cut(
    smollm2: LlamaEngine, schema: dict[str, Any], seed: int
) -> None:
    sampling = SamplingSettings(
        temperature=1.5,
        top_k=0 if seed % 2 else 40,
        random_seed=seed,
        max_output_tokens=20,
        json_schema=json.dumps(schema),
    )
    prompt = smollm2.prompt(talk("Hi"))
    run = smollm2.begin(smollm2.open_sequence(), prompt, sampling, "foreground")
    text = ""
    while not isinstance(step := run.step(), Ended):
        text += getattr(step, "text", "")
    text += step.text + run.finish()
    if step.reason == "stop":
        assert fits(json.loads(text), schema)
    else:
        assert step.reason == "length"
        assert run.counts.generated == 20
