"""The model's tokenizer: text to tokens, tokens to bytes, and which tokens are control tokens.

All of it only reads the loaded vocabulary, so any thread may call it at any time.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from gemma_chat.engine.library import native
from gemma_chat.engine.shortlist import TokenIds

_CONTROL = 1 << 3
_UNKNOWN = 1 << 0
_LSTRIP = 1 << 7
_RSTRIP = 1 << 8


class Vocabulary:
    """The vocabulary of a loaded model."""

    def __init__(self, handle: Any) -> None:
        self._llama, _ = native()
        self.handle = handle
        """llama.cpp's vocabulary."""
        self.size: int = self._llama.llama_vocab_n_tokens(handle)
        self._pieces: list[bytes | None] = [None] * self.size
        self._ends: dict[int, bool] = {}
        self._buffer_size = 256

    # ------------------------------------------------------------ text to tokens

    def tokenize(self, text: bytes) -> list[int]:
        """The tokens of plain text; nothing in it is ever read as a control token."""
        if not text:
            return []
        room = len(text) + 8
        tokens = (ctypes.c_int32 * room)()
        count = self._llama.llama_tokenize(self.handle, text, len(text), tokens, room, False, False)
        if count < 0:
            room = -count
            tokens = (ctypes.c_int32 * room)()
            count = self._llama.llama_tokenize(
                self.handle, text, len(text), tokens, room, False, False
            )
        return tokens[:count]

    def count(self, text: str) -> int:
        """How many tokens `text` has by itself."""
        return len(self.tokenize(text.encode("utf-8", "surrogatepass")))

    # ------------------------------------------------------------ tokens to bytes

    def piece(self, token: int) -> bytes:
        """The bytes of one token as they stand in a text; control tokens give their name."""
        known = self._pieces[token]
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def spoken(self, token: int) -> bytes:
        """The bytes a reader sees: nothing for a control token that is not text."""
        return b"" if self.is_control(token) else self.piece(token)

    def _read_piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(self._buffer_size)
        length = self._llama.llama_token_to_piece(
            self.handle, token, buffer, self._buffer_size, 0, True
        )
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = self._llama.llama_token_to_piece(self.handle, token, buffer, -length, 0, True)
        return buffer.raw[: max(0, length)]

    # ------------------------------------------------------------ by their first byte

    @cached_property
    def beginnings(self) -> tuple[tuple[int, TokenIds], ...]:
        """The tokens that do not end a reply, in groups that begin with the same byte.

        With each group the token that is this byte alone, or -1 where there is none.
        """
        groups: list[list[int]] = [[] for _ in range(256)]
        alone = [-1] * 256
        endings = set(self.endings.tolist())
        buffer = ctypes.create_string_buffer(self._buffer_size)
        read, handle, size = self._llama.llama_token_to_piece, self.handle, self._buffer_size
        for token in range(self.size):
            length = read(handle, token, buffer, size, 0, True)
            if length and token not in endings:
                first = buffer[0][0]
                groups[first].append(token)
                if length == 1:
                    alone[first] = token
        return tuple(
            (one, np.array(group, np.intp))
            for one, group in zip(alone, groups, strict=True)
            if group
        )

    @cached_property
    def endings(self) -> TokenIds:
        """The tokens that end a reply."""
        return np.array(
            [token for token in sorted(self._control_numbers) if self.ends_generation(token)],
            np.intp,
        )

    # ------------------------------------------------------------ control tokens

    @cached_property
    def control_tokens(self) -> dict[str, int]:
        """Control tokens by the text that a chat template writes for them."""
        found: dict[str, int] = {}
        for token in range(self.size):
            if self._llama.llama_vocab_get_attr(self.handle, token) & (_CONTROL | _UNKNOWN):
                text = self._llama.llama_vocab_get_text(self.handle, token)
                if text:
                    found[text.decode("utf-8", "replace")] = token
        return found

    @cached_property
    def _control_numbers(self) -> frozenset[int]:
        return frozenset(self.control_tokens.values())

    @cached_property
    def _candidates(self) -> re.Pattern[str]:
        # Gemma has thousands of control tokens, nearly all of the shape <…>. One alternative each
        # would let a text full of "<" cost seconds; the shape is matched and then looked up.
        shape = re.compile(r"<[^<>]{1,62}>")
        odd = sorted((n for n in self.control_tokens if not shape.fullmatch(n)), key=len)
        return re.compile("|".join([*map(re.escape, reversed(odd)), shape.pattern]))

    def find_control(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Every control token written out in `text`: start, end, token; from left to right."""
        at = 0
        while found := self._candidates.search(text, at):
            token = self.control_tokens.get(found.group())
            if token is None:
                at = found.start() + 1
            else:
                yield found.start(), found.end(), token
                at = found.end()

    def is_control(self, token: int) -> bool:
        """Whether the token has a meaning of its own instead of being text."""
        return token in self._control_numbers

    def strips(self, token: int) -> tuple[bool, bool]:
        """Whether a control token swallows the white space before it, and after it."""
        attributes = self._llama.llama_vocab_get_attr(self.handle, token)
        return bool(attributes & _LSTRIP), bool(attributes & _RSTRIP)

    def ends_generation(self, token: int) -> bool:
        """Whether the model says with this token that its reply is complete."""
        known = self._ends.get(token)
        if known is None:
            known = self._ends[token] = bool(self._llama.llama_vocab_is_eog(self.handle, token))
        return known

    def _text_of(self, token: int) -> str:
        return self.piece(token).decode("utf-8", "replace") if token >= 0 else ""

    @cached_property
    def beginning(self) -> int | None:
        """The token put before every sequence, if the model wants one."""
        token: int = self._llama.llama_vocab_bos(self.handle)
        return token if token >= 0 and self._llama.llama_vocab_get_add_bos(self.handle) else None

    @cached_property
    def beginning_text(self) -> str:
        """What a chat template knows as `bos_token`."""
        return self._text_of(self._llama.llama_vocab_bos(self.handle))

    @cached_property
    def end_text(self) -> str:
        """What a chat template knows as `eos_token`."""
        return self._text_of(self._llama.llama_vocab_eos(self.handle))
