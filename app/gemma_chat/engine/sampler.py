"""Choosing the next token from the logits, in llama.cpp's order and with its samplers.

Penalties, DRY, top-k, typical-p, top-p, min-p, XTC, temperature, draw. A grammar comes before all
of them: what it forbids is never a candidate.

Where only a few tokens can be chosen (greedy, or a small top-k), llama.cpp's samplers are given a
shortlist that certainly holds those few, and choose what they would choose from the whole
vocabulary; where that is not certain, they are given the whole vocabulary.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.library import NativeLog, native
from gemma_chat.engine.shortlist import Logits, Shortlist
from gemma_chat.errors import SettingsError

_DRY_BREAKERS = (b"\n", b":", b'"', b"*")
_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
"""The layout of `llama_token_data` in llama.h."""
_LARGEST_SHORT_K = 256
_SPARE = 64
"""How many of the likeliest tokens penalties may push out before the shortlist is too short."""
_LONGEST = 4096
"""Tokens a shortlist may have; only logits that are nearly all equal give a longer one."""
_AHEAD = 8192
"""Tokens of a reply that fit a window over the whole context before its beginning leaves it."""


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
        self._penalties: Any = None
        self._choice: Any = None
        self._greedy = settings.temperature == 0 or settings.top_k == 1
        penalised = _penalises(settings)
        self._argmax = self._greedy and not penalised and settings.grammar is None
        if settings.grammar is not None:
            self._grammar = self._read_grammar(vocabulary, settings.grammar, log)
        if not self._argmax:
            self._chain = self._new_chain()
            if penalised:
                self._penalties = self._new_chain()
                self._add_penalties(vocabulary, settings, context)
                self._llama.llama_sampler_chain_add(self._chain, self._penalties)
            self._choice = self._new_chain()
            self._add_choice(settings)
            self._llama.llama_sampler_chain_add(self._chain, self._choice)
        self._few = 1 if self._greedy else settings.top_k
        self._shortlist: Shortlist | None = None
        if not self._argmax and self._grammar is None and self._can_shorten(settings):
            wanted = min(self._few + (_SPARE if penalised else 0), vocabulary_size)
            self._shortlist = Shortlist(vocabulary_size, wanted)
            self._candidates = np.zeros(_LONGEST, _CANDIDATE)

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

    def _new_chain(self) -> Any:
        parameters = self._llama.llama_sampler_chain_default_params()
        return self._llama.llama_sampler_chain_init(parameters)

    def _can_shorten(self, settings: SamplingSettings) -> bool:
        """Penalties that raise logits could lift a token from anywhere into the few."""
        raises = _penalises_tokens(settings) and (
            settings.repeat_penalty < 1
            or settings.presence_penalty < 0
            or settings.frequency_penalty < 0
        )
        return 0 < self._few <= min(_LARGEST_SHORT_K, self._size) and not raises

    def _add_penalties(
        self, vocabulary: Any, settings: SamplingSettings, context: Sequence[int]
    ) -> None:
        """Penalties and DRY look back: they are told the end of the prompt before they start."""
        llama = self._llama
        if _penalises_tokens(settings):
            window = settings.repeat_last_n
            window = len(context) + _AHEAD if window < 0 else window
            sampler = llama.llama_sampler_init_penalties(
                self._size,
                window,
                max(settings.repeat_penalty, 1e-3),
                settings.frequency_penalty,
                settings.presence_penalty,
            )
            for token in context[len(context) - min(window, len(context)) :]:
                llama.llama_sampler_accept(sampler, token)
            llama.llama_sampler_chain_add(self._penalties, sampler)
        if settings.dry_multiplier > 0:
            breakers = (ctypes.c_char_p * len(_DRY_BREAKERS))(*_DRY_BREAKERS)
            window = settings.dry_penalty_last_n
            window = len(context) + _AHEAD if window < 0 else window
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
            llama.llama_sampler_chain_add(self._penalties, sampler)

    def _add_choice(self, settings: SamplingSettings) -> None:
        llama = self._llama

        def add(sampler: Any) -> None:
            llama.llama_sampler_chain_add(self._choice, sampler)

        if self._greedy:
            add(llama.llama_sampler_init_greedy())
            return
        seed = settings.random_seed
        if seed is None:
            seed = random.SystemRandom().randrange(2**32 - 1)
        if settings.top_k > 0:
            add(llama.llama_sampler_init_top_k(settings.top_k))
        if settings.typical_p < 1:
            add(llama.llama_sampler_init_typical(settings.typical_p, 1))
        if settings.top_p < 1:
            add(llama.llama_sampler_init_top_p(settings.top_p, 1))
        if settings.min_p > 0:
            add(llama.llama_sampler_init_min_p(settings.min_p, 1))
        if settings.xtc_probability > 0:
            add(
                llama.llama_sampler_init_xtc(
                    settings.xtc_probability, settings.xtc_threshold, 1, seed
                )
            )
        add(llama.llama_sampler_init_temp(settings.temperature))
        add(llama.llama_sampler_init_dist(seed))

    # ------------------------------------------------------------ sampling

    def sample(self, context: Any, index: int = -1) -> int | None:
        """The next token after one of the batch just evaluated; `None` when a grammar allows none.

        Args:
            context: the native context.
            index: which token of the batch, one whose logits were asked for; -1 is the last.
        """
        if self._argmax:
            return int(self._logits(context, index).argmax())
        if self._grammar is not None:
            return self._sample_by_grammar(context, index)
        token = self._sample_from_few(context, index)
        if token is None:
            return self._sample_from_all(context, index)
        self._llama.llama_sampler_accept(self._chain, token)
        return token

    def _sample_from_all(self, context: Any, index: int) -> int:
        return int(self._llama.llama_sampler_sample(self._chain, context, index))

    def _logits(self, context: Any, index: int) -> Logits:
        pointer = self._llama.llama_get_logits_ith(context, index)
        return np.ctypeslib.as_array(pointer, (self._size,))

    def _sample_from_few(self, context: Any, index: int) -> int | None:
        """Choose from a shortlist; `None` when the choice from all might be another."""
        if self._shortlist is None:
            return None
        logits = self._logits(context, index)
        found = self._shortlist.best(logits)
        count = found.tokens.size
        if not self._few <= count <= _LONGEST:
            return None
        candidates = self._candidates[:count]
        candidates["id"] = found.tokens
        candidates["logit"] = logits[found.tokens]
        array = self._array(candidates)
        if self._penalties is not None:
            self._llama.llama_sampler_apply(self._penalties, ctypes.byref(array))
        if not self._is_certain(candidates["logit"], found.floor):
            return None
        self._llama.llama_sampler_apply(self._choice, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _is_certain(self, logits: Logits, floor: float) -> bool:
        """Whether the few best of the shortlist are the few best of all, in the same order.

        All others are below `floor`. Which of two equals comes first is up to llama.cpp's sort,
        and depends on what else it sorts; the greedy choice takes the first, here as there.
        """
        if self._greedy:
            return bool(logits.max() >= floor)
        ordered = np.sort(logits)[-self._few - 1 :]
        return bool(ordered[-self._few] >= floor and (ordered[1:] > ordered[:-1]).all())

    def _array(self, candidates: np.ndarray[Any, Any]) -> Any:
        module = self._llama
        return module.llama_token_data_array(
            data=candidates.ctypes.data_as(module.llama_token_data_p),
            size=candidates.size,
            selected=-1,
            sorted=False,
        )

    def _sample_by_grammar(self, context: Any, index: int) -> int | None:
        candidates = np.empty(self._size, _CANDIDATE)
        candidates["id"] = np.arange(self._size, dtype=np.int32)
        candidates["logit"] = self._logits(context, index)
        candidates["p"] = 0
        module = self._llama
        array = self._array(candidates)
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
        self._chain = self._penalties = self._choice = self._grammar = None


def _penalises_tokens(settings: SamplingSettings) -> bool:
    return settings.repeat_last_n != 0 and (
        settings.repeat_penalty != 1
        or settings.presence_penalty != 0
        or settings.frequency_penalty != 0
    )


def _penalises(settings: SamplingSettings) -> bool:
    return _penalises_tokens(settings) or settings.dry_multiplier > 0
