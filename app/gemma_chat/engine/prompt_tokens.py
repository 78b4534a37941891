"""Prompts as the tokens that are evaluated: counted, spelled out, and matched against held ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from gemma_chat.engine import prefix
from gemma_chat.engine.interface import PLAIN_REPLY, ChatMessage, Prompt, ReplyForm
from gemma_chat.engine.media_marks import PiecesOf
from gemma_chat.engine.prompt import PromptWriter
from gemma_chat.engine.vocabulary import Vocabulary

_CACHED_RUN = 4096
"""Bytes of text from which on its tokens are not remembered."""
_ANY_TWO = ("A", "1")
"""Two messages whose tokens differ from the first one on."""


class PromptTokens:
    """Writes the prompts of one model and knows their tokens. May be used by any thread."""

    def __init__(
        self, vocabulary: Vocabulary, writer: PromptWriter, media_pieces: PiecesOf
    ) -> None:
        """`media_pieces` gives what stands for an image or a recording."""
        self._vocabulary = vocabulary
        self._writer = writer
        self._media_pieces = media_pieces
        self._tokenize = lru_cache(maxsize=1024)(vocabulary.tokenize)
        self._opening = lru_cache(maxsize=256)(self._opening_tokens)

    def prompt(
        self,
        messages: Sequence[ChatMessage],
        form: ReplyForm = PLAIN_REPLY,
        *,
        written: str = "",
    ) -> Prompt:
        """Render a conversation; see `Engine.prompt`."""
        rendered = self._writer.write(messages, form, self._media_pieces)
        pieces = rendered.pieces
        if written:
            # A piece of its own: the reply was sampled behind the opening, token by token.
            pieces = (*pieces, written.encode("utf-8"))
        system = messages[0].text if messages and messages[0].role == "system" else ""
        thought = 0 if written else len(self.tokens(rendered.thought))
        thinking_open = rendered.thinking_open and not written
        return Prompt(pieces, self.length(pieces), system, form, thinking_open, thought)

    def without_thought(self, prompt: Prompt) -> Prompt:
        """A prompt that leaves no room for thinking: a grammar would shape the thought."""
        thinking = self._writer.marks.thinking
        if thinking is None or not (prompt.thinking_open or prompt.form.thinking):
            return prompt
        pieces = self._writer.pieces_of(thinking.end if prompt.thinking_open else thinking.empty)
        return replace(
            prompt,
            pieces=(*prompt.pieces, *pieces),
            thinking_open=False,
            thought_tokens=prompt.thought_tokens + len(self.tokens(pieces)),
        )

    def spelled(self, prompt: Prompt) -> tuple[bytes, ...]:
        """A prompt token by token; see `Engine.spelled`."""
        return tuple(chain.from_iterable(map(self._spelled, prompt.pieces)))

    def opening(self, system: str, form: ReplyForm) -> list[int]:
        """What all prompts with one system instruction and the same tools begin with."""
        return self._opening(system, form)

    def plan(self, held: list[int], prompt: Prompt) -> tuple[int, list[int]]:
        """How many of the held tokens a prompt begins with, and all its tokens."""
        matched, rest = prefix.plan(
            held,
            prompt.pieces,
            tokenize=self._run_tokens,
            piece=self._vocabulary.piece,
            is_control=self._vocabulary.is_control,
        )
        return matched, held[:matched] + rest

    def tokens(self, pieces: tuple[prefix.Piece, ...]) -> list[int]:
        """The tokens of pieces of a prompt."""
        return self.plan([], Prompt(pieces, 0))[1]

    def length(self, pieces: Sequence[prefix.Piece]) -> int:
        """How many tokens pieces of a prompt are."""
        return sum(map(self._length, pieces))

    def _length(self, piece: prefix.Piece) -> int:
        if isinstance(piece, int):
            return 1
        return len(self._run_tokens(piece) if isinstance(piece, bytes) else piece.tokens)

    def _spelled(self, piece: prefix.Piece) -> Iterator[bytes]:
        if isinstance(piece, bytes):
            yield from map(self._vocabulary.piece, self._run_tokens(piece))
        elif isinstance(piece, int):
            yield self._vocabulary.piece(piece)
        else:
            yield f"[{piece.media.kind}, {len(piece.tokens)} tokens]".encode()

    def _opening_tokens(self, system: str, form: ReplyForm) -> list[int]:
        first = [ChatMessage("system", system)] if system else []
        left, right = (
            self.tokens(self._writer.write([*first, ChatMessage("user", text)], form).pieces)
            for text in _ANY_TWO
        )
        return left[: prefix.common_prefix(left, right)]

    def _run_tokens(self, run: bytes) -> list[int]:
        if len(run) > _CACHED_RUN:
            return self._vocabulary.tokenize(run)
        return self._tokenize(run)
