"""A conversation as tokens: the chat template, and the wall between its marks and people's text.

The template writes control tokens such as `<|im_start|>` into the prompt. The same characters in a
message, an attachment or a system instruction are text and must stay text, or anybody could forge
a turn. Before rendering, such text is broken apart with a character that occurs nowhere else;
after rendering, whatever still reads as a control token was written by the template.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

from gemma_chat.engine.interface import (
    PLAIN_REPLY,
    ChatMessage,
    MediaPiece,
    ReplyForm,
    ToolCall,
    ToolSpec,
)
from gemma_chat.engine.marks import marks_of, soft_marks
from gemma_chat.engine.media_marks import MediaMarks, PiecesOf, refuse_media
from gemma_chat.engine.prompted import told
from gemma_chat.engine.template import BUILT_IN, ChatTemplate, Family, family_of
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.errors import TemplateError

_log = logging.getLogger(__name__)
_SURROGATE = re.compile("[\ud800-\udfff]")
_PRIVATE = range(0xE000, 0xF8FF)


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt in pieces: control tokens as numbers, text as UTF-8, and media."""

    pieces: tuple[int | bytes | MediaPiece, ...]
    thinking_open: bool = False
    """It ends within a thought."""
    thought: tuple[int | bytes, ...] = ()
    """The marks at its end that open a thought, or stand for an empty one."""


_TRIAL = (ChatMessage("system", "s"), ChatMessage("user", "u"), ChatMessage("assistant", "a"))


class PromptWriter:
    """Writes prompts for one model."""

    def __init__(self, vocabulary: Vocabulary, *, architecture: str, template: str) -> None:
        self._vocabulary = vocabulary
        self.family: Family = family_of(architecture, list(vocabulary.control_tokens))
        self.source: Literal["file", "built-in"] = "built-in"
        self._template = self._compile(BUILT_IN[self.family])
        source = BUILT_IN[self.family]
        if template and self._use_own(template):
            source = template
        self.marks = marks_of(source, takes_tools=self._template.takes_tools)
        """With what this model sets thoughts and calls apart."""
        self.thinks = self._template.takes_thinking and self.marks.thinking is not None
        """The template can switch thinking on and off."""
        self._soft_marks = soft_marks(self.marks) - vocabulary.control_tokens.keys()

    def _compile(self, source: str) -> ChatTemplate:
        return ChatTemplate(
            source,
            beginning=self._vocabulary.beginning_text,
            end=self._vocabulary.end_text,
        )

    def _use_own(self, source: str) -> bool:
        try:
            own = self._compile(source)
            if not own.render([*_TRIAL, ChatMessage("user", "u")]).strip():
                raise TemplateError("The chat template writes nothing.")
        except TemplateError as error:
            _log.warning("The model's own chat template is not used: %s", error)
            return False
        self._template = own
        self.source = "file"
        return True

    def write(
        self,
        messages: Sequence[ChatMessage],
        form: ReplyForm = PLAIN_REPLY,
        media_pieces: PiecesOf = refuse_media,
    ) -> Written:
        """The prompt of a conversation.

        `media_pieces` gives what stands for an image or a recording; by default they are refused.

        Raises:
            TemplateError: the template refuses this conversation.
            ModalityError: a message has media that cannot be taken.
        """
        native = self.marks.calls.native
        if not native:
            messages = told(messages, form.tools)
        said = chain(_texts_of(messages), _texts_of_tools(form.tools))
        breaker, parter, place, mark = _unused_characters(said)
        media = MediaMarks(mark)
        wall = _Wall(self._vocabulary, self._soft_marks, breaker, parter)
        safe, thoughts = self._without_thoughts(list(map(wall.message, messages)), place)
        safe = [replace(one, text=media.written(one.media) + one.text) for one in safe]
        tools = tuple(map(wall.tool, form.tools)) if native else ()
        rendered = self._template.render(safe, tools, thinking=form.thinking)
        for number, thought in enumerate(thoughts):
            rendered = self._with_thought(rendered, f"{place}{number}{place}", thought)
        pieces = self._split(rendered, breaker, parter)
        thought = self._thought_at_end(rendered)
        return Written(
            media.placed(pieces, media_pieces),
            thinking_open=bool(thought) and not self._closes_thought(thought),
            thought=self.pieces_of(thought),
        )

    def pieces_of(self, text: str) -> tuple[int | bytes, ...]:
        """Marks of the model's family as they stand within a prompt."""
        return tuple(self._split(text, "\ue000", "\ue001", begins=False))

    def _without_thoughts(
        self, messages: Sequence[ChatMessage], place: str
    ) -> tuple[list[ChatMessage], list[str]]:
        """Messages with a sign where each thought belongs, and the thoughts.

        Templates have opinions of their own on which thoughts of the history are written; what is
        kept is decided by whoever keeps the history.
        """
        safe: list[ChatMessage] = []
        thoughts: list[str] = []
        for message in messages:
            marked = replace(message, thinking="")
            if message.thinking and self.marks.thinking is not None:
                sign = f"{place}{len(thoughts)}{place}"
                thoughts.append(self.marks.thinking.around(message.thinking))
                if message.text or not message.tool_calls:
                    marked = replace(marked, text=sign + message.text)
                else:
                    first, *others = message.tool_calls
                    named = replace(first, name=sign + first.name)
                    marked = replace(marked, tool_calls=(named, *others))
            safe.append(marked)
        return safe, thoughts

    def _with_thought(self, rendered: str, sign: str, thought: str) -> str:
        """A rendered conversation with a thought where its sign stands, or before that call."""
        at = rendered.find(sign)
        if at < 0:
            return rendered
        rest = rendered[at + len(sign) :]
        opening = self.marks.calls.opening
        call = rendered.rfind(opening, 0, at)
        is_in_call = call >= 0 and self.marks.calls.closing not in rendered[call:at]
        start = call if is_in_call else at
        return rendered[:start] + thought + rendered[start:at] + rest

    def _thought_at_end(self, rendered: str) -> str:
        """The marks with which a prompt leads the model into a thought, or past it."""
        thinking = self.marks.thinking
        at = rendered.rfind(thinking.opening) if thinking is not None else -1
        if thinking is None or at < 0:
            return ""
        marks = rendered[at:]
        words = marks.replace(thinking.opening + thinking.header, "").replace(thinking.opening, "")
        return "" if words.replace(thinking.closing, "").strip() else marks

    def _closes_thought(self, marks: str) -> bool:
        return self.marks.thinking is not None and self.marks.thinking.closing in marks

    def _split(
        self, rendered: str, breaker: str, parter: str, *, begins: bool = True
    ) -> list[int | bytes]:
        pieces: list[int | bytes] = []
        vocabulary = self._vocabulary
        first = vocabulary.beginning
        controls = list(vocabulary.find_control(rendered))
        starts_right = bool(controls) and controls[0][0] == 0 and controls[0][2] == first
        if begins and first is not None and not starts_right:
            pieces.append(first)
        at = 0
        strip_next = False
        for start, end, token in [*controls, (len(rendered), len(rendered), -1)]:
            run = rendered[at:start].replace(breaker, "")
            before, after = vocabulary.strips(token) if token >= 0 else (False, False)
            run = run.lstrip() if strip_next else run
            run = run.rstrip() if before else run
            pieces += [part.encode("utf-8") for part in run.split(parter) if part]
            if token >= 0:
                pieces.append(token)
            strip_next = after
            at = end
        return pieces


def _writable(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates become U+FFFD, NUL becomes a space."""
    return _SURROGATE.sub("\ufffd", text.replace("\0", " "))


class _Wall:
    """Keeps what people, models, files and servers say from reading as control tokens.

    Some marks are no control tokens but words that the tokenizer finds in any text (`soft`). Text
    is tokenized in two parts there.
    """

    def __init__(
        self, vocabulary: Vocabulary, soft: Iterable[str], breaker: str, parter: str
    ) -> None:
        self._vocabulary = vocabulary
        self._soft = tuple(soft)
        self._breaker = breaker
        self._parter = parter

    def message(self, message: ChatMessage) -> ChatMessage:
        """A message in which nothing reads as a control token."""
        return replace(
            message,
            text=self.text(message.text),
            thinking=self.text(message.thinking),
            tool_calls=tuple(map(self._call, message.tool_calls)),
            tool_call_id=self.text(message.tool_call_id),
            tool_name=self.text(message.tool_name),
        )

    def tool(self, tool: ToolSpec) -> ToolSpec:
        """A tool in whose description and schema nothing reads as a control token."""
        parameters = json.dumps(self._value(json.loads(tool.parameters)), ensure_ascii=False)
        return ToolSpec(tool.name, self.text(tool.description), parameters)

    def text(self, text: str) -> str:
        """A text with its control tokens broken apart."""
        text = _writable(text)
        # A broken one may leave another readable across its edge ("<<|x|>"), hence the loop.
        while found := list(self._vocabulary.find_control(text)):
            parts: list[str] = []
            at = 0
            for start, end, _ in found:
                parts += text[at : start + 1], self._breaker, text[start + 1 : end]
                at = end
            text = "".join([*parts, text[at:]])
        for mark in self._soft:
            text = text.replace(mark, f"{mark[0]}{self._parter}{mark[1:]}")
        return text

    def _call(self, call: ToolCall) -> ToolCall:
        return replace(
            call,
            id=self.text(call.id),
            name=self.text(call.name),
            arguments=self.text(_escapes_read(call.arguments)),
        )

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._value(item) for key, item in value.items()}
        return [self._value(item) for item in value] if isinstance(value, list) else value


def _escapes_read(arguments: str) -> str:
    """JSON in which no escape hides a character that a template would bring to light."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return "{}"
    return json.dumps(value, ensure_ascii=False) if "\\u" in arguments else arguments


def _texts_of(messages: Iterable[ChatMessage]) -> Iterable[str]:
    for message in messages:
        yield message.text
        yield message.thinking
        yield message.tool_name
        yield message.tool_call_id
        for call in message.tool_calls:
            yield from (call.id, call.name, _escapes_read(call.arguments))


def _texts_of_tools(tools: Iterable[ToolSpec]) -> Iterable[str]:
    for tool in tools:
        yield tool.description
        yield json.dumps(json.loads(tool.parameters), ensure_ascii=False)


def _unused_characters(texts: Iterable[str]) -> tuple[str, str, str, str]:
    """Four characters that occur in none of the texts."""
    used: set[str] = set()
    for text in texts:
        used.update(text)
    unused = (chr(point) for point in _PRIVATE if chr(point) not in used)
    one, two, three, four = (next(unused, "") for _ in range(4))
    if four:
        return one, two, three, four
    raise TemplateError(
        "The conversation uses every private character of Unicode; remove the binary text from it."
    )
