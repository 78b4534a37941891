"""The marks with which the model families set thinking and tool calls apart from text.

Gemma 4 thinks in a channel and calls tools in a notation of its own; Qwen and its relatives do both
in tags, with JSON in them; FunctionGemma writes Gemma's notation between other tags. A model that
knows no form for tools is told one in an instruction (see `prompted`): a code fence of its own
kind. Which of them a model writes stands in its chat template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CallSyntax = Literal["json", "gemma"]


@dataclass(frozen=True, slots=True)
class ThinkingMarks:
    """What stands around a thought; `header` follows `opening` and is no part of it."""

    opening: str
    closing: str
    header: str = ""
    before_closing: str = ""
    """White space the model puts before the closing mark."""
    after_closing: str = ""
    """White space the model puts between its thought and the answer."""

    @property
    def empty(self) -> str:
        """A thought without a word: put before a reply, it leaves no room for another."""
        if self.header:
            return f"{self.opening}{self.header}{self.closing}"
        return f"{self.opening}\n\n{self.closing}{self.after_closing}"

    @property
    def end(self) -> str:
        """What closes a thought and leads to the answer."""
        return f"{self.before_closing}{self.closing}{self.after_closing}"

    def around(self, thought: str) -> str:
        """A thought as the model writes it before its answer."""
        header = self.header or "\n"
        return f"{self.opening}{header}{thought}{self.end}"


@dataclass(frozen=True, slots=True)
class CallMarks:
    """What stands around a call of a tool."""

    opening: str
    closing: str
    syntax: CallSyntax
    string: str = ""
    """What stands on both sides of a string, in Gemma's notation."""
    results: str = ""
    """With what the model hands over to whoever carries its calls out."""
    native: bool = True
    """The chat template writes calls itself."""


@dataclass(frozen=True, slots=True)
class Marks:
    """All marks of one model. Without thinking marks nothing is ever taken for a thought."""

    calls: CallMarks
    thinking: ThinkingMarks | None = None

    @property
    def names(self) -> frozenset[str]:
        """The marks that may be control tokens."""
        calls, thinking = self.calls, self.thinking
        names = {calls.opening, calls.closing, calls.string, calls.results}
        if thinking is not None:
            names |= {thinking.opening, thinking.closing}
        return frozenset(names - {""})


GEMMA4_THINKING = ThinkingMarks("<|channel>", "<channel|>", header="thought\n")
THINK_TAGS = ThinkingMarks("<think>", "</think>", before_closing="\n", after_closing="\n\n")
GEMMA4_CALLS = CallMarks(
    "<|tool_call>", "<tool_call|>", "gemma", string='<|"|>', results="<|tool_response>"
)
FUNCTION_GEMMA_CALLS = CallMarks(
    "<start_function_call>",
    "<end_function_call>",
    "gemma",
    string="<escape>",
    results="<start_function_response>",
)
TOOL_CALL_TAGS = CallMarks("<tool_call>", "</tool_call>", "json")
PROMPTED_CALLS = CallMarks("```tool_call\n", "\n```", "json", native=False)


_AROUND_RESULTS = frozenset(
    {
        "<tools>",
        "</tools>",
        "<tool_response>",
        "</tool_response>",
        "<|tool>",
        "<tool|>",
        "<tool_response|>",
        "<|think|>",
        "<start_function_declaration>",
        "<end_function_declaration>",
        "<end_function_response>",
    }
)


def marks_of(template: str, *, takes_tools: bool) -> Marks:
    """The marks of a model with this chat template.

    Args:
        template: the source of the template.
        takes_tools: whether the template reads a variable `tools`.
    """
    return Marks(_calls_of(template) if takes_tools else PROMPTED_CALLS, _thinking_of(template))


def soft_marks(marks: Marks) -> frozenset[str]:
    """What a tokenizer may know as a mark although it is no control token."""
    thinking = {marks.thinking.opening, marks.thinking.closing} if marks.thinking else set()
    return frozenset(thinking | (marks.names | _AROUND_RESULTS if marks.calls.native else set()))


def _calls_of(template: str) -> CallMarks:
    for marks in (GEMMA4_CALLS, FUNCTION_GEMMA_CALLS, TOOL_CALL_TAGS):
        if marks.opening in template:
            return marks
    return PROMPTED_CALLS


def _thinking_of(template: str) -> ThinkingMarks | None:
    for marks in (GEMMA4_THINKING, THINK_TAGS):
        if marks.opening in template or marks.closing in template:
            return marks
    return None
