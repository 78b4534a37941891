"""Case 11 on both real models: the settings of one session never reach another.

And what else a session can be set to: adapters, schemas and grammars, of a session or of a turn.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from tests.adapters import write_adapter

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import AdapterError, SettingsError
from gemma_chat.sessions.loading import load_model
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.options import SessionOptions

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY: SessionOptions = {"temperature": 0.0, "max_output_tokens": 6}
QUESTIONS = ("Tell me of the sea.", "Go on.")
SCHEMA = {"type": "object", "properties": {"sea": {"type": "boolean"}}, "required": ["sea"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loaded(short_model_path: Path) -> AsyncIterator[InferenceModel]:
    """Each real model once for the whole module."""
    async with await load_model(short_model_path, context_size=512, threads=1) as model:
        yield model


@pytest_asyncio.fixture(loop_scope="module")
async def model(loaded: InferenceModel) -> AsyncIterator[InferenceModel]:
    """The loaded model, given back without sessions."""
    yield loaded
    for session in loaded.sessions:
        await session.close()


@pytest.fixture
def adapter(short_model_path: Path, tmp_path: Path) -> Path:
    """An adapter for the model."""
    return write_adapter(tmp_path / "pirate.gguf", short_model_path, 1)


@pytest.fixture
def cut_adapter(adapter: Path) -> Path:
    """An adapter of which only the beginning is there."""
    path = adapter.with_name("cut.gguf")
    path.write_bytes(adapter.read_bytes()[:2000])
    return path


async def alone(model: InferenceModel, options: SessionOptions) -> list[str]:
    """The replies of a session that nobody disturbs."""
    async with await model.open_session(**{**GREEDY, **options}) as session:
        return [await session.get_response(question) for question in QUESTIONS]


async def test_case_11_settings_of_one_session_never_reach_another(
    model: InferenceModel, adapter: Path
) -> None:
    plain = await alone(model, {})
    various: dict[str, SessionOptions] = {
        "plain": {},
        "temperature": {"temperature": 1.5, "top_k": 0, "random_seed": 5},
        "seed": {"temperature": 1.5, "top_k": 0, "random_seed": 6},
        "grammar": {"grammar": 'root ::= "aye" [!.]+'},
        "schema": {"json_schema": SCHEMA},
        "stop strings": {"stop": plain[0].strip()[2:4]},
        "system instruction": {"system_instruction": "Answer as a pirate, in French."},
        "logit bias": {"logit_bias": {plain[0]: -math.inf, plain[0].strip()[:6]: -math.inf}},
        "penalty": {"repeat_penalty": 5.0, "repeat_last_n": -1},
        "adapter": {"lora_path": adapter},
    }
    expected = {name: await alone(model, options) for name, options in various.items()}
    assert len({tuple(replies) for replies in expected.values()}) == len(various)
    sessions = {
        name: await model.open_session(**{**GREEDY, **options}) for name, options in various.items()
    }
    rounds = [
        await asyncio.gather(*(session.get_response(question) for session in sessions.values()))
        for question in QUESTIONS
    ]
    said = {name: list(replies) for name, *replies in zip(sessions, *rounds, strict=True)}
    assert said == expected


async def test_an_adapter_can_be_set_and_taken_away_between_turns(
    model: InferenceModel, adapter: Path
) -> None:
    with_it = (await alone(model, {"lora_path": adapter}))[0]
    without = (await alone(model, {}))[0]
    session = await model.open_session(**GREEDY)
    off = session.settings
    for settings, expected in (
        (off, without),
        (msgspec.structs.replace(off, lora_path=str(adapter)), with_it),
        (msgspec.structs.replace(off, lora_path=str(adapter), lora_scale=0.0), without),
    ):
        session.settings = settings
        assert await session.get_response(QUESTIONS[0]) == expected
        await session.rewind(0)
    chat = await model.open_chat(**GREEDY, lora_path=adapter)
    assert (await chat.get_response(QUESTIONS[0])) == with_it
    assert (await chat.fork()).settings.lora_path == str(adapter)


async def test_an_adapter_that_cannot_be_used_leaves_the_session_as_it_was(
    model: InferenceModel, adapter: Path, cut_adapter: Path
) -> None:
    before = len(model.sessions)
    for path in (cut_adapter, adapter.with_name("gone.gguf"), adapter.parent):
        with pytest.raises(AdapterError, match=str(path.name)):
            await model.open_session(lora_path=path)
    assert len(model.sessions) == before
    session = await model.open_session(**GREEDY, lora_path=adapter)
    kept = session.settings
    with pytest.raises(AdapterError, match=r"cut\.gguf"):
        session.settings = msgspec.structs.replace(kept, lora_path=str(cut_adapter))
    assert session.settings == kept
    first = await session.get_response(QUESTIONS[0])
    await asyncio.to_thread(adapter.unlink)
    with pytest.raises(AdapterError, match=r"There is no LoRA adapter .*pirate\.gguf"):
        await session.get_response(QUESTIONS[1])
    session.settings = msgspec.structs.replace(kept, lora_path="")
    assert await session.get_response(QUESTIONS[1])
    assert [message.text for message in session.history][:2] == [QUESTIONS[0], first]


async def test_a_reply_follows_the_schema_of_its_session_or_of_its_turn(
    model: InferenceModel,
) -> None:
    session = await model.open_session(temperature=0.0, max_output_tokens=40, json_schema=SCHEMA)
    assert isinstance(json.loads(await session.get_response(QUESTIONS[0]))["sea"], bool)
    for name in ("red", "blue"):
        reply = await session.get_response("A colour?", json_schema={"const": name})
        assert (json.loads(reply), session.metrics.finish_reason) == (name, "stop")
    assert await session.get_response("Yes?", grammar='root ::= "Aye."') == "Aye."
    pieces = [piece async for piece in session.get_response_async("?", json_schema={"const": 7})]
    assert "".join(pieces) == "7"
    assert session.settings.sampling.json_schema == json.dumps(SCHEMA)
    assert isinstance(json.loads(await session.get_response("Again?"))["sea"], bool)


async def test_a_reply_with_a_schema_ends_when_it_is_complete_and_not_at_a_stop_string(
    model: InferenceModel,
) -> None:
    schema = {"const": {"a": "b"}}
    session = await model.open_session(temperature=0.0, stop=['"', "}"], json_schema=schema)
    assert json.loads(await session.get_response("Hello")) == {"a": "b"}


async def test_a_reply_that_is_cut_before_it_is_complete_says_so(model: InferenceModel) -> None:
    session = await model.open_session(temperature=0.0, max_output_tokens=2)
    await session.get_response("Hello", json_schema={"const": "a rather long reply"})
    assert session.metrics.finish_reason == "length"


async def test_what_no_turn_could_follow_is_refused_before_it_is_queued(
    model: InferenceModel,
) -> None:
    session = await model.open_session(**GREEDY)
    with pytest.raises(SettingsError, match="pattern"):
        await session.get_response("Hello", json_schema={"type": "string", "pattern": "a"})
    with pytest.raises(SettingsError, match="nests groups"):
        await session.get_response("Hello", grammar="root ::= " + "(" * 1000)
    with pytest.raises(SettingsError, match="uniqueItems"):
        await model.open_session(json_schema={"uniqueItems": True})
    with pytest.raises(SettingsError, match="GBNF with a rule named root"):
        await session.get_response("Hello", grammar='start ::= "a"')
    with pytest.raises(SettingsError, match="there is no token 9999999"):
        await alone(model, {"logit_bias": {9_999_999: 1.0}})
    assert session.history == ()
    assert await session.get_response("Hello")


async def test_a_biased_text_is_said_and_a_forbidden_one_is_not(model: InferenceModel) -> None:
    plain = (await alone(model, {}))[0]
    first = plain.split()[0]
    for options in (GREEDY, {**GREEDY, "temperature": 0.9, "top_k": 40}):
        forbidden = dict.fromkeys((first, f" {first}", plain), -math.inf)
        async with await model.open_session(**{**options, "logit_bias": forbidden}) as session:
            assert not (await session.get_response(QUESTIONS[0])).startswith(plain)
        async with await model.open_session(**{**options, "logit_bias": {"Q": 100.0}}) as session:
            assert await session.get_response(QUESTIONS[0]) == "Q" * 6


async def test_the_recommended_settings_are_those_of_the_family(model: InferenceModel) -> None:
    gemma = model.description.family.startswith("gemma")
    recommended = model.recommended_settings
    assert (recommended.temperature, recommended.top_p) == ((1.0, 0.95) if gemma else (0.7, 0.9))
    session = await model.open_session(settings=SessionSettings(sampling=recommended))
    assert session.settings.sampling == recommended
    assert (await model.open_session()).settings.sampling == SamplingSettings()
