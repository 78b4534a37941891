"""What llama.cpp's samplers work on: arrays of its own memory, made once and used for every token.

Nearly all of a token's time goes by in `llama_decode`, which leaves nothing of Python in the CPU's
caches: after it, every object that has to be made costs many times what it costs in a tight loop.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from gemma_chat.engine.library import native
from gemma_chat.engine.shortlist import Logits, TokenIds

_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
"""The layout of `llama_token_data` in llama.h."""
_ROW = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
_MOST_ROWS = 64


class LogitsRows:
    """The logits of the batch just evaluated.

    Args:
        size: how many tokens the vocabulary has.
    """

    def __init__(self, size: int) -> None:
        module, _ = native()
        # The bindings' own function makes a pointer object with a type of its own each time.
        self._address = _ROW(ctypes.cast(module.llama_get_logits_ith, ctypes.c_void_p).value or 0)
        self._size = size
        self._rows: dict[int, Logits] = {}

    def row(self, context: Any, index: int) -> Logits:
        """llama.cpp's own memory: valid until the next batch.

        Args:
            context: the native context.
            index: which token of the batch, one whose logits were asked for; -1 is the last.
        """
        address = self._address(context, index)
        known = self._rows.get(address)
        if known is None:
            if len(self._rows) == _MOST_ROWS:
                self._rows.clear()
            values = (ctypes.c_float * self._size).from_address(address)
            known = self._rows[address] = np.ctypeslib.as_array(values)
        return known


class Candidates:
    """A `llama_token_data_array`: tokens with their logits, for samplers to choose from.

    Args:
        room: how many there will be as a rule; more make it grow.
    """

    def __init__(self, room: int) -> None:
        self._module, _ = native()
        self._make_room(room)

    def _make_room(self, room: int) -> None:
        self._entries = np.zeros(room, _CANDIDATE)
        self._tokens, self._logits = self._entries["id"], self._entries["logit"]
        self._data = self._entries.ctypes.data_as(self._module.llama_token_data_p)
        self._array = self._module.llama_token_data_array(data=self._data)
        self._reference = ctypes.byref(self._array)

    def fill(self, tokens: TokenIds, logits: Logits | float) -> None:
        """Begin anew with these tokens, whose logits are in the same order, or all the same."""
        count = tokens.size
        if count > self._entries.size:
            self._make_room(count)
        self._tokens[:count] = tokens
        self._logits[:count] = logits
        array = self._array
        # Samplers may point it to another place.
        array.data, array.size, array.selected, array.sorted = self._data, count, -1, False

    @property
    def logits(self) -> Logits:
        """The logits as samplers left them, valid until `fill`; in what order is up to them."""
        return self._logits[: self._array.size]

    @property
    def chosen(self) -> int:
        """The token that the last sampler chose."""
        array = self._array
        return int(array.data[array.selected].id)

    def apply(self, sampler: Any) -> None:
        """Let a native sampler, or a chain of them, adjust, drop or choose."""
        self._module.llama_sampler_apply(sampler, self._reference)
