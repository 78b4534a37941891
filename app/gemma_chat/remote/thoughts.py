"""Thoughts that a server leaves in the text of a reply.

A server that does not know how its model thinks (vLLM without a reasoning parser, LM Studio unless
it is told) passes the thought on as the model wrote it: `<think>…</think>` before the first word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from gemma_chat.engine.interface import ReplyPart

_OPENING: Final = "<think>"
_CLOSING: Final = "</think>"


class ThoughtsInText:
    """Takes the text of one reply in pieces, and tells what of it is a thought.

    White space around a thought is no part of it. A tag that is split over pieces is held back
    until it is certain. Behind the first word of the answer tags are text.
    """

    def __init__(self) -> None:
        self._state: Literal["beginning", "thinking", "answering"] = "beginning"
        self._held = ""
        self._fresh = False
        """A thought or the answer behind it begins: white space there is left out."""

    def add(self, text: str) -> Iterator[ReplyPart]:
        """More of the text; what is certain now."""
        self._held += text
        if self._state == "beginning":
            self._look_for_opening()
        if self._state == "thinking":
            yield from self._thought()
        if self._state == "answering":
            yield from self._answer()

    def rest(self) -> Iterator[ReplyPart]:
        """What is still held back, at the end."""
        held, self._held = self._held, ""
        if self._state == "thinking":
            yield from _part("thinking", held.rstrip())
        else:
            yield from _part("text", held)

    def _look_for_opening(self) -> None:
        said = self._held.lstrip()
        if said.startswith(_OPENING):
            self._held = said.removeprefix(_OPENING)
            self._state, self._fresh = "thinking", True
        elif not _OPENING.startswith(said):
            self._state = "answering"

    def _thought(self) -> Iterator[ReplyPart]:
        thought, closing, answer = self._held.partition(_CLOSING)
        if self._fresh:
            thought = thought.lstrip()
            self._fresh = not thought
        if closing:
            yield from _part("thinking", thought.rstrip())
            self._held, self._state, self._fresh = answer, "answering", True
            return
        certain = thought[: len(thought) - _begun(thought)].rstrip()
        self._held = thought.removeprefix(certain)
        yield from _part("thinking", certain)

    def _answer(self) -> Iterator[ReplyPart]:
        text, self._held = self._held, ""
        if self._fresh:
            text = text.lstrip()
            self._fresh = not text
        yield from _part("text", text)


def _part(kind: Literal["text", "thinking"], text: str) -> Iterator[ReplyPart]:
    if text:
        yield ReplyPart(kind, text)


def _begun(text: str) -> int:
    """The length of the longest end of `text` with which the closing tag begins."""
    lengths = range(min(len(_CLOSING) - 1, len(text)), 0, -1)
    return next((length for length in lengths if text.endswith(_CLOSING[:length])), 0)
