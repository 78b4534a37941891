"""What one event of a streamed chat completion says.

The form is OpenAI's `chat.completion.chunk`, with what servers add to it: `reasoning_content`
(llama-server, vLLM) or `reasoning` (Ollama) for thinking, `prompt_progress` and `timings`
(llama-server), and error objects in the middle of the stream. Fields that are not known are left
out; known ones may be missing or null.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec


class UnreadableChunkError(ValueError):
    """The event is not a piece of a chat completion."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How many tokens the server counted: the whole prompt, what of it was cached, the reply."""

    prompt: int
    cached: int
    generated: int


@dataclass(frozen=True, slots=True)
class CallPiece:
    """More of the tool call number `index`: id and name come once, the arguments in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event. `read` of `total` prompt tokens are evaluated, where the server tells."""

    text: str = ""
    thinking: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish: str = ""
    usage: Usage | None = None
    read: int = 0
    total: int = 0
    error: str = ""

    @property
    def says_something(self) -> bool:
        """Whether a part of the reply is in it."""
        return bool(self.text or self.thinking or self.calls)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _TextPart(msgspec.Struct):
    text: str | None = None


class _Delta(msgspec.Struct):
    content: str | list[_TextPart] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Progress(msgspec.Struct):
    total: int = 0
    processed: int = 0


class _Timings(msgspec.Struct):
    cache_n: int | None = None
    prompt_n: int | None = None
    predicted_n: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None
    prompt_progress: _Progress | None = None
    error: Any = None
    message: Any = None
    object: str | None = None


def read_chunk(event: str) -> Chunk:
    """Read the data of one event. Raises `UnreadableChunkError`."""
    try:
        # The json module, for it takes half of a surrogate pair, which some servers send.
        found = msgspec.convert(json.loads(event), _Chunk)
    except (ValueError, RecursionError) as error:
        raise UnreadableChunkError(str(error)) from None
    if found.error is not None:
        return Chunk(error=error_text(found.error) or "an error without a text")
    if found.object == "error":
        return Chunk(error=error_text(found.message) or "an error without a text")
    if found.choices is None and found.usage is None and found.prompt_progress is None:
        raise UnreadableChunkError("it has neither choices nor usage")
    choice = next((one for one in found.choices or () if one.index == 0), _Choice())
    delta = choice.delta or _Delta()
    progress = found.prompt_progress or _Progress()
    return Chunk(
        text=_text(delta.content),
        thinking=delta.reasoning_content or delta.reasoning or "",
        calls=tuple(_call(at, call) for at, call in enumerate(delta.tool_calls or ())),
        finish=choice.finish_reason or "",
        usage=_usage(found.usage, found.timings),
        read=progress.processed,
        total=progress.total,
    )


def error_text(error: Any) -> str:
    """The sentence in an error object, in whichever of the usual forms it is; or an empty one."""
    match error:
        case str():
            return error
        case {"error": inner} if inner:
            return error_text(inner)
        case {"message": str(text)} | {"detail": str(text)}:
            return text
        case {"detail": [{"msg": str(text)}, *_]}:
            return text
        case _:
            return ""


def _text(content: str | list[_TextPart] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _call(place: int, call: _Call) -> CallPiece:
    function = call.function or _Function()
    arguments = function.arguments or ""
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments)
    index = place if call.index is None else call.index
    return CallPiece(index, call.id or "", function.name or "", arguments)


def _usage(usage: _Usage | None, timings: _Timings | None) -> Usage | None:
    if usage is not None and usage.prompt_tokens is not None:
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens if details else None) or (timings or _Timings()).cache_n
        return Usage(usage.prompt_tokens, cached or 0, usage.completion_tokens or 0)
    if timings is not None and timings.prompt_n is not None:
        cached = timings.cache_n or 0
        return Usage(timings.prompt_n + cached, cached, timings.predicted_n or 0)
    return None
