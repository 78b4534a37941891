"""Tools, and models that call them as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.sessions.scripted import Said, ScriptedEngine

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, ReplyPart, ToolCall
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.model import InferenceModel


def call(name: str, arguments: str = "{}", error: str = "") -> ReplyPart:
    return ReplyPart("tool_call", call=ToolCall("", name, arguments, error))


class Script:
    """Says one thing after the other; what it was told stands in `told`."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)
        self.told: list[tuple[ChatMessage, ...]] = []

    def __call__(self, messages: Sequence[ChatMessage], sampling: SamplingSettings) -> Said:
        self.told.append(tuple(messages))
        return self.said.pop(0) if self.said else "done"

    @property
    def results(self) -> list[str]:
        """The results in the newest prompt."""
        return [message.text for message in self.told[-1] if message.role == "tool"]


Open = Callable[..., Awaitable[tuple[Chat, Script, ScriptedEngine, InferenceModel]]]
"""Opens a chat that says what a test gives; see the fixture `talk`."""


class Door:
    """A tool that waits behind a door."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def wait(self) -> str:
        """Wait for the door."""
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "came through"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail() -> None:
    """Fail."""
    raise ValueError("no luck")


def scripted(script: Script) -> tuple[ScriptedEngine, InferenceModel]:
    engine = ScriptedEngine(script)
    return engine, InferenceModel(engine)


def call_of_add() -> Said:
    return [call("add", '{"a": 1, "b": 1}')]


def outcomes(chat: Chat) -> list[str]:
    """What became of the calls in the history, where each call has exactly one result."""
    made = [one.id for message in chat.history for one in message.tool_calls]
    results = [message for message in chat.history if message.role == "tool"]
    assert [result.tool_call_id for result in results] == made
    assert len(set(made)) == len(made)
    return [result.outcome for result in results]
