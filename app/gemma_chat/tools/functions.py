"""Python functions as tools."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from gemma_chat.errors import ToolError
from gemma_chat.tools.docstrings import described
from gemma_chat.tools.parameters import parameters_of
from gemma_chat.tools.tool import Tool, refuse_too_long, spec_of


def as_tool(given: Tool | Callable[..., object]) -> Tool:
    """A tool as it is, or a function made into one; raises `ToolError`."""
    return given if isinstance(given, Tool) else function_tool(given)


def function_tool(function: Callable[..., object], *, name: str = "") -> Tool:
    """A tool that calls `function`, in a thread of its own when it is not asynchronous.

    The model is told the parameters as annotated and the docstring: its description, and what it
    says about each parameter. Arguments are checked and converted before the call. A result that
    is not text is given as JSON. What the function raises becomes the result of the call.

    Raises:
        ToolError: The function has no usable name or signature.
    """
    if not callable(function):
        raise ToolError(
            f"A tool must be a function or a Tool, not {type(function).__name__}. "
            "Give tools=[function, ...]."
        )
    name = name or getattr(function, "__name__", "") or type(function).__name__
    if name == "<lambda>":
        raise ToolError("A lambda cannot be a tool: it has no name. Define a function with def.")
    words = described(inspect.getdoc(function))
    parameters = parameters_of(function, name, words.parameters)
    spec = spec_of(name, words.text, parameters.schema)

    async def run(arguments: str) -> str:
        refuse_too_long(name, arguments)
        values = parameters.convert(arguments)
        try:
            return _as_text(await _call(function, values))
        except ToolError:
            raise
        except Exception as error:
            raise ToolError(f"{name} failed: {type(error).__name__}: {error}") from error

    return Tool(spec, run)


async def _call(function: Callable[..., object], values: dict[str, Any]) -> object:
    asynchronous = map(inspect.iscoroutinefunction, (function, type(function).__call__))
    if any(asynchronous):
        result: Any = function(**values)
    else:
        result = await _in_thread(lambda: function(**values))
    return await result if inspect.isawaitable(result) else result


async def _in_thread(call: Callable[[], object]) -> object:
    """Call in a thread that nobody waits for when the program ends or the time is up.

    The threads of `asyncio.to_thread` are joined at the end of a program, so one function that
    never returns would keep it from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(result: object, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result: object = None
        failure: BaseException | None = None
        try:
            result = call()
        except Exception as error:
            # A future refuses StopIteration, which would end the coroutine that awaits it.
            failure = error if not isinstance(error, StopIteration) else RuntimeError(str(error))
        except BaseException as error:
            failure = RuntimeError(f"{type(error).__name__}: {error}")
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
            loop.call_soon_threadsafe(settle, result, failure)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="tool", daemon=True).start()
    return await future


def _as_text(result: object) -> str:
    if isinstance(result, str):
        return result
    try:
        return msgspec.json.encode(result, enc_hook=str).decode()
    except (TypeError, ValueError, RecursionError):
        return str(result)
