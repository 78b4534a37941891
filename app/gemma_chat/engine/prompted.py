"""Tools for models whose chat template has no form for them: told, called and answered in text.

The system instruction lists the tools and asks for a code fence of a kind of its own:

    ```tool_call
    {"name": "clock", "arguments": {"zone": "UTC"}}
    ```

Results come back as what the person says next, in a fence named `tool_result`. They are JSON
strings, so that nothing in a result can end the fence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gemma_chat.engine.interface import ChatMessage, ToolCall, ToolSpec

_INSTRUCTION = """You can call tools. To call one, write nothing but a block like this:

```tool_call
{{"name": "tool name", "arguments": {{"argument": "value"}}}}
```

Call a tool only when you need it, with exactly one block for each call. You are then given the \
result. These are the tools, with the JSON schema of their arguments:

{tools}"""


def told(messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> list[ChatMessage]:
    """The conversation with its tools, calls and results as text."""
    spoken = [_spoken(message) for message in messages]
    if not tools:
        return spoken
    instruction = _INSTRUCTION.format(tools="\n".join(map(_line, tools)))
    if spoken and spoken[0].role == "system":
        system = f"{spoken[0].text.rstrip()}\n\n{instruction}"
        return [replace(spoken[0], text=system), *spoken[1:]]
    return [ChatMessage("system", instruction), *spoken]


def written_call(call: ToolCall) -> str:
    """A call as the model is asked to write it."""
    return f'```tool_call\n{{"name": {_json(call.name)}, "arguments": {call.arguments}}}\n```'


def _spoken(message: ChatMessage) -> ChatMessage:
    if message.role == "tool":
        result = f'{{"name": {_json(message.tool_name)}, "result": {_json(message.text)}}}'
        return replace(
            message,
            role="user",
            text=f"```tool_result\n{result}\n```",
            tool_call_id="",
            tool_name="",
        )
    if not message.tool_calls:
        return message
    calls = "\n".join(map(written_call, message.tool_calls))
    return replace(message, text="\n\n".join(_present((message.text, calls))), tool_calls=())


def _present(texts: Iterable[str]) -> Iterable[str]:
    return (text for text in texts if text)


def _line(tool: ToolSpec) -> str:
    parameters = json.loads(tool.parameters)
    return (
        f'{{"name": {_json(tool.name)}, "description": {_json(tool.description)}, '
        f'"parameters": {json.dumps(parameters, ensure_ascii=False)}}}'
    )


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
