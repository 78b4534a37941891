"""A conversation and its sampling settings as the body of a chat completion request."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, Media, ReplyForm, ToolSpec
from gemma_chat.errors import SettingsError

Dialect = Literal["llama-server", "llama-cpp-python", "vllm", "other"]
"""Which server it is, as far as that changes what it can be asked."""

_Body = dict[str, Any]

_SAME_NAME = (
    "typical_p",
    "repeat_last_n",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_penalty_last_n",
    "xtc_probability",
    "xtc_threshold",
)
"""What llama-server calls as we do, and nobody else knows."""

_FORBIDDEN = -100.0
"""The bias by which OpenAI's servers forbid a token."""

_SIGNATURES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"fLaC", "flac"),
)


@dataclass(frozen=True, slots=True)
class RequestWriter:
    """Writes the requests to one server."""

    server: str
    """Its address, for errors."""
    model: str
    dialect: Dialect

    def body(
        self, messages: Sequence[ChatMessage], form: ReplyForm, sampling: SamplingSettings
    ) -> bytes:
        """The request for one reply, streamed.

        Raises `SettingsError` when the server cannot do what the settings ask for.
        """
        body: _Body = {
            "model": self.model,
            "messages": [self._message(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        body |= self._sampling(sampling)
        body |= self._form(form)
        if self.dialect == "vllm" and messages and messages[-1].role == "assistant":
            # llama-server goes on with an open reply by itself.
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")

    def _sampling(self, sampling: SamplingSettings) -> _Body:
        body: _Body = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
        }
        repeat = "repetition_penalty" if self.dialect == "vllm" else "repeat_penalty"
        extras = {
            "top_k": (sampling.top_k, 0),
            "min_p": (sampling.min_p, 0.0),
            repeat: (sampling.repeat_penalty, 1.0),
        }
        for name, (value, neutral) in extras.items():
            # A strict server refuses what OpenAI does not have; the others have defaults of their
            # own where a name is missing.
            if self.dialect != "other" or value != neutral:
                body[name] = value
        if sampling.random_seed is not None:
            body["seed"] = sampling.random_seed
        if sampling.max_output_tokens is not None:
            body["max_tokens"] = sampling.max_output_tokens
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self.dialect == "llama-server":
            body |= {name: getattr(sampling, name) for name in _SAME_NAME}
            body["return_progress"] = True
        return body | self._biases(sampling) | self._rules(sampling)

    def _biases(self, sampling: SamplingSettings) -> _Body:
        """Biases of tokens, as OpenAI has them; of texts where the server takes them."""
        if not sampling.logit_bias:
            return {}
        biases = {
            one.target: _FORBIDDEN if one.bias is None else one.bias for one in sampling.logit_bias
        }
        if self.dialect == "llama-server":
            return {"logit_bias": [[target, bias] for target, bias in biases.items()]}
        texts = [target for target in biases if isinstance(target, str)]
        if texts:
            raise SettingsError(
                f"logit_bias: the server {self.server} is not known to take a text ({texts[0]!r}); "
                "llama-server does. Give token numbers instead."
            )
        return {"logit_bias": {str(target): bias for target, bias in biases.items()}}

    def _rules(self, sampling: SamplingSettings) -> _Body:
        """The schema or grammar of a reply. Nearly all servers know a schema."""
        if sampling.json_schema is None:
            return self._grammar(sampling.grammar)
        described = {"name": "reply", "strict": True, "schema": json.loads(sampling.json_schema)}
        if self.dialect == "llama-cpp-python":
            schema = described["schema"]
            return {"response_format": {"type": "json_object", "schema": schema}}
        return {"response_format": {"type": "json_schema", "json_schema": described}}

    def _grammar(self, grammar: str | None) -> _Body:
        if not grammar:
            return {}
        match self.dialect:
            case "llama-server" | "llama-cpp-python":
                return {"grammar": grammar}
            case "vllm":
                return {"structured_outputs": {"grammar": grammar}}
            case "other":
                raise SettingsError(
                    f"The server {self.server} is not known to follow a grammar; llama-server and "
                    "vLLM do. Leave the grammar of this session empty."
                )

    def _form(self, form: ReplyForm) -> _Body:
        body: _Body = {}
        if form.tools:
            body["tools"] = [_tool(tool) for tool in form.tools]
            body["tool_choice"] = form.tool_choice
        if self.dialect in ("llama-server", "vllm"):
            body["chat_template_kwargs"] = {"enable_thinking": form.thinking}
        return body

    def _message(self, message: ChatMessage) -> _Body:
        match message.role:
            case "tool":
                return {
                    "role": "tool",
                    "tool_call_id": message.tool_call_id,
                    "name": message.tool_name,
                    "content": message.text,
                }
            case "assistant":
                return self._reply(message)
            case role:
                return {"role": role, "content": _content(message)}

    def _reply(self, message: ChatMessage) -> _Body:
        body: _Body = {"role": "assistant", "content": message.text}
        if message.thinking and self.dialect in ("llama-server", "vllm"):
            body["reasoning_content"] = message.thinking
        if message.tool_calls:
            body["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in message.tool_calls
            ]
        return body


def _content(message: ChatMessage) -> str | list[_Body]:
    """Text alone, or the media and then the text."""
    if not message.media:
        return message.text
    parts = [_media(media) for media in message.media]
    if message.text:
        parts.append({"type": "text", "text": message.text})
    return parts


def _media(media: Media) -> _Body:
    encoded = base64.b64encode(media.data).decode("ascii")
    kind = _signature(media.data)
    if media.kind == "image":
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{encoded}"}}
    return {"type": "input_audio", "input_audio": {"data": encoded, "format": kind}}


def _signature(data: bytes) -> str:
    """The kind of a file, by how it begins: a media type for images, a format for audio."""
    if data.startswith(b"RIFF"):
        return "image/webp" if data[8:12] == b"WEBP" else "wav"
    found = next((kind for start, kind in _SIGNATURES if data.startswith(start)), "")
    return found or "application/octet-stream"


def _tool(tool: ToolSpec) -> _Body:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": json.loads(tool.parameters),
        },
    }
