"""Chat templates: a conversation as the one text the model was trained to continue.

The model's own jinja2 template decides. It comes out of a downloaded file, so it runs in jinja2's
immutable sandbox with a limit on time and size. Templates that refuse a system role get the system
instruction in front of the first user message, as Gemma's own does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from types import FrameType
from typing import Any, Literal

from jinja2 import TemplateError as JinjaError
from jinja2 import meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gemma_chat.engine.interface import ChatMessage, ToolSpec
from gemma_chat.errors import TemplateError

Family = Literal["gemma3", "gemma4", "chatml", "other"]

MAX_TEMPLATE_CHARACTERS = 500_000
MAX_SECONDS = 3.0
MAX_GROWTH = 20_000_000
"""Characters one operation in a template may produce."""

_GEMMA3 = """{{ bos_token }}{% for message in messages %}
{%- if message.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}
{%- set role = 'model' if message.role == 'assistant' else message.role %}
{{- '<start_of_turn>' + role + '\\n' + message.content | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""

_GEMMA4 = """{{ bos_token }}
{%- if enable_thinking and messages[0].role != 'system' %}
{{- '<|turn>system\\n<|think|><turn|>\\n' }}
{%- endif %}{% for message in messages %}
{%- set role = 'model' if message.role == 'assistant' else message.role %}
{{- '<|turn>' + role + '\\n' }}
{%- if role == 'system' and enable_thinking %}{{ '<|think|>' }}{% endif %}
{{- message.content | trim + '<turn|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|turn>model\\n' }}
{%- if not enable_thinking %}{{ '<|channel>thought\\n<channel|>' }}{% endif %}
{%- endif %}"""

_CHATML = """{% for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

BUILT_IN: dict[Family, str] = {
    "gemma3": _GEMMA3,
    "gemma4": _GEMMA4,
    "chatml": _CHATML,
    "other": _CHATML,
}


def family_of(architecture: str, control_names: Sequence[str]) -> Family:
    """Which family's turns a model writes, by its control tokens first, then its architecture."""
    names = set(control_names)
    if "<|turn>" in names or architecture.startswith("gemma4"):
        return "gemma4"
    if "<start_of_turn>" in names or architecture.startswith("gemma"):
        return "gemma3"
    if "<|im_start|>" in names:
        return "chatml"
    return "other"


class _Sandbox(ImmutableSandboxedEnvironment):
    """jinja2's sandbox with a limit on what `*`, `**` and `+` may build."""

    intercepted_binops = frozenset({"*", "**", "+"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            sized, times = (left, right) if hasattr(left, "__len__") else (right, left)
            if hasattr(sized, "__len__") and isinstance(times, int):
                _limit(len(sized) * times)
        elif operator == "**":
            _limit(abs(right) if isinstance(right, int | float) else 0, 1000)
        elif hasattr(left, "__len__") and hasattr(right, "__len__"):
            _limit(len(left) + len(right))
        return super().call_binop(context, operator, left, right)


def _limit(size: float, most: float = MAX_GROWTH) -> None:
    if size > most:
        raise SecurityError(f"an operation would give {size:g} characters or digits")


def _raise_exception(text: str) -> None:
    raise JinjaError(str(text))


class _Deadline:
    """Stops template code that runs too long, also in a loop that calls nothing.

    A trace function sees every line of the compiled template; it costs about as much as the
    rendering itself, a few milliseconds for a long conversation.
    """

    def __enter__(self) -> None:
        self._until = perf_counter() + MAX_SECONDS
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != "<template>":
            return None
        if perf_counter() > self._until:
            raise SecurityError(f"it ran for more than {MAX_SECONDS:g} seconds")
        return self._trace


class ChatTemplate:
    """A compiled chat template.

    Raises `TemplateError` when the source is too large or is not a jinja2 template.
    """

    def __init__(self, source: str, *, beginning: str, end: str) -> None:
        if len(source) > MAX_TEMPLATE_CHARACTERS:
            raise TemplateError(
                f"The chat template has {len(source)} characters; "
                f"at most {MAX_TEMPLATE_CHARACTERS} are read."
            )
        environment = _Sandbox(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[
                "jinja2.ext.loopcontrols",
            ],
        )
        environment.globals["raise_exception"] = _raise_exception
        environment.filters["tojson"] = _to_json
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._fixed = {"bos_token": beginning, "eos_token": end, "add_generation_prompt": True}
        try:
            self._template = environment.from_string(source)
            variables = meta.find_undeclared_variables(environment.parse(source))
        except (JinjaError, RecursionError, SyntaxError, ValueError) as error:
            raise TemplateError(f"The chat template cannot be read: {error}.") from error
        self.takes_tools = "tools" in variables
        """It has a form of its own for tools."""
        self.takes_thinking = "enable_thinking" in variables
        """It can switch thinking on and off."""

    def render(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[ToolSpec] = (),
        *,
        thinking: bool = False,
    ) -> str:
        """The conversation as one text, ready for the model's reply.

        Raises `TemplateError` when the template refuses it, does too much or takes too long.
        """
        beside: dict[str, Any] = {"enable_thinking": thinking}
        if tools:
            beside["tools"] = [_plain_tool(tool) for tool in tools]
        merged = _one_voice_at_a_time(messages)
        try:
            return self._run(merged, beside)
        except TemplateError:
            if not merged or merged[0].role != "system":
                raise
            return self._run(_system_into_first_user(merged), beside)

    def _run(self, messages: Sequence[ChatMessage], beside: dict[str, Any]) -> str:
        plain = [_plain_message(message) for message in messages]
        pieces: list[str] = []
        size = 0
        limit = MAX_GROWTH + 4 * sum(len(message.text) for message in messages)
        try:
            with _Deadline():
                for piece in self._template.generate(messages=plain, **beside, **self._fixed):
                    pieces.append(piece)
                    size += len(piece)
                    _limit(size, limit)
        except Exception as error:
            # Whatever a downloaded template raises (it can reach any operator) is its own fault.
            raise TemplateError(f"The chat template failed: {error}.") from error
        return "".join(pieces)


class _WrittenObject(dict[str, Any]):
    """An object that a template writes as JSON in the very words in which it came."""

    source: str


def _written_object(source: str) -> _WrittenObject:
    value = json.loads(source)
    written = _WrittenObject(value if isinstance(value, dict) else {})
    written.source = source
    return written


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """JSON as the templates of the model families expect it, with `<` and `>` as they are."""
    if indent is None and isinstance(value, _WrittenObject):
        return value.source
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _plain_tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": json.loads(tool.parameters),
        },
    }


def _plain_message(message: ChatMessage) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        plain["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _written_object(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        plain["name"] = message.tool_name
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _one_voice_at_a_time(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Join neighbours of one role: many templates refuse roles that do not alternate."""
    merged: list[ChatMessage] = []
    for message in messages:
        before = merged[-1] if merged else None
        if before is not None and before.role == message.role and _is_text(before, message):
            merged[-1] = replace(before, text=f"{before.text}\n\n{message.text}")
        else:
            merged.append(message)
    return merged


def _is_text(*messages: ChatMessage) -> bool:
    """Whether there are neither calls nor results in them."""
    return not any(message.tool_calls or message.role == "tool" for message in messages)


def _system_into_first_user(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    system, *rest = messages
    for at, message in enumerate(rest):
        if message.role == "user":
            rest[at] = replace(message, text=f"{system.text}\n\n{message.text}")
            return rest
    return [ChatMessage("user", system.text), *rest]
