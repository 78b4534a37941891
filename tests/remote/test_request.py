"""What is sent to a server, in the words each of them knows."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    PLAIN_REPLY,
    ChatMessage,
    Media,
    ReplyForm,
    ToolCall,
    ToolSpec,
)
from gemma_chat.errors import SettingsError
from gemma_chat.remote.request import Dialect, RequestWriter

HELLO = (ChatMessage("user", "Hello"),)


def body(
    *messages: ChatMessage,
    dialect: Dialect = "other",
    form: ReplyForm = PLAIN_REPLY,
    **sampling: Any,
) -> dict[str, Any]:
    writer = RequestWriter("http://models.example", "gemma", dialect)
    written = writer.body(messages or HELLO, form, SamplingSettings(**sampling))
    found = json.loads(written)
    assert isinstance(found, dict)
    return found


def test_a_reply_is_asked_for_as_a_stream_with_its_usage() -> None:
    asked = body()
    assert asked["model"] == "gemma"
    assert asked["messages"] == [{"role": "user", "content": "Hello"}]
    assert asked["stream"] is True
    assert asked["stream_options"] == {"include_usage": True}


def test_sampling_settings_have_the_names_the_server_knows() -> None:
    asked = body(
        dialect="llama-server",
        temperature=0.5,
        top_k=7,
        repeat_penalty=1.2,
        dry_multiplier=0.8,
        random_seed=3,
        max_output_tokens=9,
        stop=("a", "b"),
    )
    assert (asked["temperature"], asked["top_k"], asked["repeat_penalty"]) == (0.5, 7, 1.2)
    assert (asked["dry_multiplier"], asked["seed"], asked["max_tokens"]) == (0.8, 3, 9)
    assert asked["stop"] == ["a", "b"]
    assert asked["return_progress"] is True
    assert body(dialect="vllm", repeat_penalty=1.2)["repetition_penalty"] == 1.2


def test_an_unknown_server_is_asked_only_what_differs_from_doing_nothing() -> None:
    neutral = body(top_k=0, random_seed=None)
    assert not {"top_k", "min_p", "repeat_penalty", "dry_base", "seed", "max_tokens", "stop"} & set(
        neutral
    )
    assert body(top_k=5)["top_k"] == 5


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        ("llama-server", "grammar"),
        ("llama-cpp-python", "grammar"),
        ("vllm", "structured_outputs"),
    ],
)
def test_a_grammar_is_sent_where_it_is_followed(dialect: Dialect, name: str) -> None:
    assert 'root ::= "a"' in json.dumps(
        body(dialect=dialect, grammar='root ::= "a"')[name]
    ).replace('\\"', '"')


def test_a_grammar_is_refused_where_nobody_knows_whether_it_is_followed() -> None:
    with pytest.raises(SettingsError, match=r"http://models\.example .* grammar"):
        body(grammar='root ::= "a"')


def test_a_reply_is_gone_on_with_by_servers_that_want_to_be_told() -> None:
    started = (*HELLO, ChatMessage("assistant", "Good"))
    assert body(*started, dialect="vllm")["continue_final_message"] is True
    assert "continue_final_message" not in body(*started, dialect="llama-server")
    assert "continue_final_message" not in body(dialect="vllm")


SCHEMA = '{"type": "object"}'


def test_a_schema_is_sent_in_the_words_of_the_server() -> None:
    asked = body(json_schema=SCHEMA)["response_format"]
    assert asked["json_schema"]["schema"] == {"type": "object"}
    asked = body(dialect="llama-cpp-python", json_schema=SCHEMA)["response_format"]
    assert asked == {"type": "json_object", "schema": {"type": "object"}}


def test_biases_of_tokens_go_to_every_server_and_those_of_texts_where_they_are_known() -> None:
    token, text = LogitBias(7, None), LogitBias("sea", 2.5)
    assert body(logit_bias=(token,))["logit_bias"] == {"7": -100.0}
    asked = body(dialect="llama-server", logit_bias=(token, text))
    assert asked["logit_bias"] == [[7, -100.0], ["sea", 2.5]]
    with pytest.raises(SettingsError, match=r"'sea'.*Give token numbers"):
        body(logit_bias=(text,))


def test_an_image_is_a_data_url_in_front_of_its_text() -> None:
    png = b"\x89PNG\r\n\x1a\n rest"
    image = Media("image", png, "digest")
    [message] = body(ChatMessage("user", "What is it?", media=(image,)))["messages"]
    picture, text = message["content"]
    kind, _, data = picture["image_url"]["url"].partition(";base64,")
    assert (kind, base64.b64decode(data)) == ("data:image/png", png)
    assert text == {"type": "text", "text": "What is it?"}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
        (b"?", "application/octet-stream"),
    ],
)
def test_the_kind_of_an_image_is_that_of_its_bytes(data: bytes, kind: str) -> None:
    message = ChatMessage("user", "", media=(Media("image", data, "digest"),))
    [part] = body(message)["messages"][0]["content"]
    assert part["image_url"]["url"].startswith(f"data:{kind};base64,")


@pytest.mark.parametrize(
    ("data", "format_"), [(b"RIFF1234WAVEfmt ", "wav"), (b"ID3\x04", "mp3"), (b"fLaC", "flac")]
)
def test_a_recording_is_sent_with_its_format(data: bytes, format_: str) -> None:
    message = ChatMessage("user", "", media=(Media("audio", data, "digest"),))
    [part] = body(message)["messages"][0]["content"]
    assert part["input_audio"]["format"] == format_
    assert base64.b64decode(part["input_audio"]["data"]) == data


def test_tools_calls_and_results_are_told() -> None:
    clock = ToolSpec("clock", "Tells the time.", '{"type": "object", "properties": {}}')
    call = ToolCall("call-1", "clock", "{}")
    asked = body(
        ChatMessage("user", "What time is it?"),
        ChatMessage("assistant", "", tool_calls=(call,)),
        ChatMessage("tool", "noon", tool_call_id="call-1", tool_name="clock"),
        form=ReplyForm(tools=(clock,), tool_choice="required"),
    )
    assert asked["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert asked["tool_choice"] == "required"
    _, reply, result = asked["messages"]
    assert reply["tool_calls"] == [
        {"id": "call-1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    ]
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "call-1", "noon")


def test_thinking_is_switched_in_the_template_where_the_server_lets_it() -> None:
    asked = body(dialect="llama-server", form=ReplyForm(thinking=True))
    assert asked["chat_template_kwargs"] == {"enable_thinking": True}
    assert "chat_template_kwargs" not in body(form=ReplyForm(thinking=True))


def test_earlier_thinking_goes_to_servers_that_know_the_field() -> None:
    message = ChatMessage("assistant", "Yes.", thinking="Hm.")
    assert body(message, dialect="llama-server")["messages"][0]["reasoning_content"] == "Hm."
    assert "reasoning_content" not in body(message)["messages"][0]
