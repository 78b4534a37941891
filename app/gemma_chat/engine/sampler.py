"""Choosing the next token from the logits, in llama.cpp's order and with its samplers.

Penalties, DRY, top-k, typical-p, top-p, min-p, XTC, temperature, draw. A grammar comes before all
of them: what it forbids is never a candidate.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.library import NativeLog, native
from gemma_chat.errors import SettingsError

_DRY_BREAKERS = (b"\n", b":", b'"', b"*")
_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
"""The layout of `llama_token_data` in llama.h."""


class Sampler:
    """The samplers of one turn.

    Args:
        vocabulary: the native vocabulary.
        vocabulary_size: its number of tokens.
        settings: validated settings.
        context: tokens before the reply, for the penalties and DRY.

    Raises:
        SettingsError: when the grammar cannot be parsed.
    """

    def __init__(
        self,
        vocabulary: Any,
        vocabulary_size: int,
        settings: SamplingSettings,
        context: Sequence[int],
    ) -> None:
        self._llama, log = native()
        self._size = vocabulary_size
        self._grammar: Any = None
        self._chain: Any = None
        self._greedy = settings.temperature == 0 or settings.top_k == 1
        penalised = _penalises(settings)
        self._argmax = self._greedy and not penalised and settings.grammar is None
        if settings.grammar is not None:
            self._grammar = self._read_grammar(vocabulary, settings.grammar, log)
        if not self._argmax:
            self._chain = self._llama.llama_sampler_chain_init(
                self._llama.llama_sampler_chain_default_params()
            )
            self._add_penalties(vocabulary, settings, context)
            self._add_choice(settings)

    # ------------------------------------------------------------ building

    def _read_grammar(self, vocabulary: Any, grammar: str, log: NativeLog) -> Any:
        if not grammar.strip() or "\0" in grammar:
            raise SettingsError(
                "The grammar is empty or contains a NUL character: write GBNF with a rule named "
                "root, or leave the grammar out."
            )
        with log.excerpt() as lines:
            made = self._llama.llama_sampler_init_grammar(
                vocabulary, grammar.encode("utf-8", "replace"), b"root"
            )
        if not made:
            reason = next((line for line in lines if "pars" in line or "grammar" in line), "")
            raise SettingsError(
                "The grammar cannot be used: it must be GBNF with a rule named root"
                + (f" ({reason})." if reason else ".")
            )
        return made

    def _add(self, sampler: Any) -> None:
        self._llama.llama_sampler_chain_add(self._chain, sampler)

    def _add_penalties(
        self, vocabulary: Any, settings: SamplingSettings, context: Sequence[int]
    ) -> None:
        """Penalties and DRY look back: they are told the end of the prompt before they start."""
        llama = self._llama
        if _penalises_tokens(settings):
            window = len(context) if settings.repeat_last_n < 0 else settings.repeat_last_n
            sampler = llama.llama_sampler_init_penalties(
                self._size,
                window,
                max(settings.repeat_penalty, 1e-3),
                settings.frequency_penalty,
                settings.presence_penalty,
            )
            for token in context[len(context) - min(window, len(context)) :]:
                llama.llama_sampler_accept(sampler, token)
            self._add(sampler)
        if settings.dry_multiplier > 0:
            breakers = (ctypes.c_char_p * len(_DRY_BREAKERS))(*_DRY_BREAKERS)
            window = settings.dry_penalty_last_n
            window = len(context) + 1024 if window < 0 else window
            sampler = llama.llama_sampler_init_dry(
                vocabulary,
                settings.dry_multiplier,
                settings.dry_base,
                settings.dry_allowed_length,
                window,
                breakers,
                len(_DRY_BREAKERS),
            )
            for token in context[len(context) - min(window, len(context)) :]:
                llama.llama_sampler_accept(sampler, token)
            self._add(sampler)

    def _add_choice(self, settings: SamplingSettings) -> None:
        llama = self._llama
        if self._greedy:
            self._add(llama.llama_sampler_init_greedy())
            return
        seed = settings.random_seed
        if seed is None:
            seed = random.SystemRandom().randrange(2**32 - 1)
        if settings.top_k > 0:
            self._add(llama.llama_sampler_init_top_k(settings.top_k))
        if settings.typical_p < 1:
            self._add(llama.llama_sampler_init_typical(settings.typical_p, 1))
        if settings.top_p < 1:
            self._add(llama.llama_sampler_init_top_p(settings.top_p, 1))
        if settings.min_p > 0:
            self._add(llama.llama_sampler_init_min_p(settings.min_p, 1))
        if settings.xtc_probability > 0:
            self._add(
                llama.llama_sampler_init_xtc(
                    settings.xtc_probability, settings.xtc_threshold, 1, seed
                )
            )
        self._add(llama.llama_sampler_init_temp(settings.temperature))
        self._add(llama.llama_sampler_init_dist(seed))

    # ------------------------------------------------------------ sampling

    def sample(self, context: Any) -> int | None:
        """The next token after the last evaluated one; `None` when the grammar allows nothing."""
        if self._argmax:
            return int(self._logits(context).argmax())
        if self._grammar is None:
            return int(self._llama.llama_sampler_sample(self._chain, context, -1))
        return self._sample_by_grammar(context)

    def _logits(self, context: Any) -> npt.NDArray[np.float32]:
        pointer = self._llama.llama_get_logits_ith(context, -1)
        return np.ctypeslib.as_array(pointer, (self._size,))

    def _sample_by_grammar(self, context: Any) -> int | None:
        candidates = np.empty(self._size, _CANDIDATE)
        candidates["id"] = np.arange(self._size, dtype=np.int32)
        candidates["logit"] = self._logits(context)
        candidates["p"] = 0
        module = self._llama
        array = module.llama_token_data_array(
            data=candidates.ctypes.data_as(module.llama_token_data_p),
            size=self._size,
            selected=-1,
            sorted=False,
        )
        module.llama_sampler_apply(self._grammar, ctypes.byref(array))
        if not np.isfinite(candidates["logit"]).any():
            return None
        module.llama_sampler_apply(self._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        module.llama_sampler_accept(self._grammar, token)
        module.llama_sampler_accept(self._chain, token)
        return token

    def close(self) -> None:
        """Free the native samplers; twice is fine."""
        for sampler in (self._chain, self._grammar):
            if sampler:
                self._llama.llama_sampler_free(sampler)
        self._chain = self._grammar = None


def _penalises_tokens(settings: SamplingSettings) -> bool:
    return settings.repeat_last_n != 0 and (
        settings.repeat_penalty != 1
        or settings.presence_penalty != 0
        or settings.frequency_penalty != 0
    )


def _penalises(settings: SamplingSettings) -> bool:
    return _penalises_tokens(settings) or settings.dry_multiplier > 0
