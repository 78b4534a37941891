"""What a server is found to be: its model, its context, and how it can be asked."""

from __future__ import annotations

import pytest
from tests.remote.conftest import connected
from tests.remote.scripted import ScriptedServer, refuse

from gemma_chat.errors import ServerError, SettingsError
from gemma_chat.remote.discovery import UNKNOWN_CONTEXT
from gemma_chat.remote.options import ServerOptions


def offer(server: ScriptedServer, *models: dict[str, object]) -> None:
    server.answers["/v1/models"] = refuse(200, {"data": list(models)})


def test_the_first_model_is_taken_and_named_after_its_file(server: ScriptedServer) -> None:
    offer(server, {"id": "/models/gemma-3-4b.gguf", "owned_by": "me"}, {"id": "other"})
    engine = connected(server)
    assert engine.models == ("/models/gemma-3-4b.gguf", "other")
    description = engine.description
    assert (description.name, description.server, description.path) == (
        "gemma-3-4b",
        server.url,
        "",
    )
    assert engine.figures().weights_bytes == 0


@pytest.mark.parametrize("wanted", ["gemma3:latest", "gemma3"])
def test_a_model_is_found_by_its_name_with_or_without_tag(
    server: ScriptedServer, wanted: str
) -> None:
    offer(server, {"id": "other"}, {"id": "gemma3:latest"})
    assert connected(server, model=wanted).description.name == "gemma3:latest"


def test_an_unknown_name_is_answered_with_those_there_are(server: ScriptedServer) -> None:
    offer(server, *({"id": f"model-{n}"} for n in range(20)))
    with pytest.raises(ServerError, match=r"no model 'mine'.*model-0, .* and 12 more"):
        connected(server, model="mine")


def test_a_server_without_a_list_is_believed_to_have_the_model_that_is_named(
    server: ScriptedServer,
) -> None:
    del server.answers["/v1/models"]
    assert connected(server, model="mine").description.name == "mine"
    with pytest.raises(ServerError, match="status 404"):
        connected(server)


def test_a_server_without_a_model_is_refused(server: ScriptedServer) -> None:
    offer(server)
    with pytest.raises(ServerError, match="offers no model"):
        connected(server)


@pytest.mark.parametrize("list_", [[], {"data": "none"}, {"data": [{"name": "x"}]}, "models", None])
def test_a_list_that_is_none_is_refused(server: ScriptedServer, list_: object) -> None:
    server.answers["/v1/models"] = refuse(200, list_)
    with pytest.raises(ServerError, match="a list of models that is none"):
        connected(server)


def test_llama_server_is_known_by_its_props_and_tells_its_context(server: ScriptedServer) -> None:
    props = {"default_generation_settings": {"n_ctx": 16384}, "total_slots": 4}
    server.answers["/props"] = refuse(200, props)
    server.answers["/tokenize"] = refuse(200, {"tokens": [1, 2, 3]})
    engine = connected(server)
    assert engine.description.context_size == 16384
    assert engine.description.token_counts == "exact"
    assert engine.count_tokens("three words here") == 3


def test_vllm_tells_the_length_of_its_model(server: ScriptedServer) -> None:
    offer(server, {"id": "gemma", "owned_by": "vllm", "max_model_len": 32768})
    server.answers["/tokenize"] = refuse(200, {"count": 5, "max_model_len": 32768})
    engine = connected(server)
    assert engine.description.context_size == 32768
    assert engine.count_tokens("five") == 5
    assert server.requests[-1].json["prompt"] == "five"


def test_a_context_that_nobody_tells_is_small_and_can_be_set(server: ScriptedServer) -> None:
    assert connected(server).description.context_size == UNKNOWN_CONTEXT
    assert connected(server, context_size=100_000).description.context_size == 100_000


def test_llama_server_tells_whether_it_sees_and_hears(server: ScriptedServer) -> None:
    props = {
        "default_generation_settings": {"n_ctx": 4096},
        "modalities": {"vision": True, "audio": False},
    }
    server.answers["/props"] = refuse(200, props)
    engine = connected(server)
    assert engine.description.modalities == ("image",)


@pytest.mark.parametrize("props", [refuse(200, "hello"), refuse(500, {}), refuse(200, {"a": 1})])
def test_props_that_are_none_are_those_of_another_server(
    server: ScriptedServer, props: object
) -> None:
    server.answers["/props"] = props
    assert connected(server).description.token_counts == "estimated"


@pytest.mark.parametrize(
    "options",
    [
        {"max_parallel": 0},
        {"max_parallel": 65},
        {"context_size": -1},
        {"connect_seconds": 0},
        {"silence_seconds": float("nan")},
        {"api_key": "key\r\nX-Other: header"},
        {"api_key": "schlüssel"},
    ],
)
def test_options_that_are_not_allowed_are_refused_before_anything_is_sent(
    server: ScriptedServer, options: dict[str, float | str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        connected(server, **options)
    assert server.requests == []
    assert "key\r" not in str(refused.value)
    assert "X-Other" not in str(refused.value)


def test_defaults_are_allowed() -> None:
    assert ServerOptions().validated() == ServerOptions()
