"""A conversation as tokens: the chat template, and the wall between its marks and people's text.

The template writes control tokens such as `<|im_start|>` into the prompt. The same characters in a
message, an attachment or a system instruction are text and must stay text, or anybody could forge
a turn. Before rendering, such text is broken apart with a character that occurs nowhere else;
after rendering, whatever still reads as a control token was written by the template.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Literal

from gemma_chat.engine.interface import ChatMessage, MediaPiece
from gemma_chat.engine.media_marks import MediaMarks, PiecesOf, refuse_media
from gemma_chat.engine.template import BUILT_IN, ChatTemplate, Family, family_of
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.errors import TemplateError

_log = logging.getLogger(__name__)
_SURROGATE = re.compile("[\ud800-\udfff]")
_PRIVATE = range(0xE000, 0xF8FF)
_TRIAL = (ChatMessage("system", "s"), ChatMessage("user", "u"), ChatMessage("assistant", "a"))


class PromptWriter:
    """Writes prompts for one model."""

    def __init__(self, vocabulary: Vocabulary, *, architecture: str, template: str) -> None:
        self._vocabulary = vocabulary
        self.family: Family = family_of(architecture, list(vocabulary.control_tokens))
        self.source: Literal["file", "built-in"] = "built-in"
        self._template = self._compile(BUILT_IN[self.family])
        if template:
            self._use_own(template)

    def _compile(self, source: str) -> ChatTemplate:
        return ChatTemplate(
            source,
            beginning=self._vocabulary.beginning_text,
            end=self._vocabulary.end_text,
        )

    def _use_own(self, source: str) -> None:
        try:
            own = self._compile(source)
            if not own.render([*_TRIAL, ChatMessage("user", "u")]).strip():
                raise TemplateError("The chat template writes nothing.")
        except TemplateError as error:
            _log.warning("The model's own chat template is not used: %s", error)
            return
        self._template = own
        self.source = "file"

    def write(
        self, messages: Sequence[ChatMessage], pieces_of: PiecesOf = refuse_media
    ) -> tuple[int | bytes | MediaPiece, ...]:
        """The prompt in pieces: control tokens as numbers, text as UTF-8, and media.

        `pieces_of` gives what stands for an image or a recording; by default they are refused.

        Raises:
            TemplateError: the template refuses this conversation.
            ModalityError: a message has media that cannot be taken.
        """
        breaker, mark = _unused_characters(messages)
        marks = MediaMarks(mark)
        safe = [
            ChatMessage(m.role, marks.written(m.media) + self._break_up(_writable(m.text), breaker))
            for m in messages
        ]
        return marks.placed(self._split(self._template.render(safe), breaker), pieces_of)

    def _break_up(self, text: str, breaker: str) -> str:
        """Make control tokens in a person's text unreadable as such."""
        # A broken one may leave another readable across its edge ("<<|x|>"), hence the loop.
        while found := list(self._vocabulary.find_control(text)):
            parts: list[str] = []
            at = 0
            for start, end, _ in found:
                parts += text[at : start + 1], breaker, text[start + 1 : end]
                at = end
            text = "".join([*parts, text[at:]])
        return text

    def _split(self, rendered: str, breaker: str) -> list[int | bytes]:
        pieces: list[int | bytes] = []
        vocabulary = self._vocabulary
        first = vocabulary.beginning
        controls = list(vocabulary.find_control(rendered))
        starts_right = bool(controls) and controls[0][0] == 0 and controls[0][2] == first
        if first is not None and not starts_right:
            pieces.append(first)
        at = 0
        strip_next = False
        for start, end, token in [*controls, (len(rendered), len(rendered), -1)]:
            run = rendered[at:start].replace(breaker, "")
            before, after = vocabulary.strips(token) if token >= 0 else (False, False)
            run = run.lstrip() if strip_next else run
            run = run.rstrip() if before else run
            if run:
                pieces.append(run.encode("utf-8"))
            if token >= 0:
                pieces.append(token)
            strip_next = after
            at = end
        return pieces


def _writable(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates become U+FFFD, NUL becomes a space."""
    return _SURROGATE.sub("\ufffd", text.replace("\0", " "))


def _unused_characters(messages: Sequence[ChatMessage]) -> tuple[str, str]:
    """Two characters that occur nowhere in the conversation."""
    used = {character for message in messages for character in set(message.text)}
    unused = [character for character in map(chr, _PRIVATE) if character not in used]
    if len(unused) >= 2:
        return unused[0], unused[1]
    raise TemplateError(
        "The conversation uses nearly every private character of Unicode; remove the binary text "
        "from it."
    )
