"""Choosing the next token from the logits, in llama.cpp's order and with its samplers.

Logit bias, penalties, DRY, top-k, typical-p, top-p, min-p, XTC, temperature, draw. A grammar has
the last word: a token it refuses is chosen again among those it allows.

Where only a few tokens can be chosen (greedy, or a small top-k), llama.cpp's samplers are given a
shortlist that certainly holds those few, and choose what they would choose from the whole
vocabulary; where that is not certain, they are given the whole vocabulary.
"""

from __future__ import annotations

import ctypes
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.adapters import Adapter
from gemma_chat.engine.candidates import Candidates, LogitsRows
from gemma_chat.engine.grammar import Grammar
from gemma_chat.engine.json_schema import grammar_of
from gemma_chat.engine.library import native
from gemma_chat.engine.shortlist import Logits, Shortlist, TokenIds
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.errors import AdapterError, SettingsError

_DRY_BREAKERS = (b"\n", b":", b'"', b"*")
_LARGEST_SHORT_K = 256
_COLDEST = 1e-6
"""Below this temperature the likeliest token is certain, and logits divided by it no numbers."""
_SPARE = 64
"""How many of the likeliest tokens penalties may push out before the shortlist is too short."""
_LONGEST = 4096
"""Tokens a shortlist may have; only logits that are nearly all equal give a longer one."""
_AHEAD = 8192
"""Tokens of a reply that fit a window over the whole context before its beginning leaves it."""


class Sampler:
    """The samplers of one turn.

    Args:
        vocabulary: the model's.
        settings: validated settings.
        context: tokens before the reply, for the penalties and DRY.
        adapter: what the logits are evaluated with; a damaged one gives none that are numbers.

    Raises:
        SettingsError: when the grammar or the schema cannot be followed, or a biased token does
            not exist.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        settings: SamplingSettings,
        context: Sequence[int],
        adapter: Adapter | None = None,
    ) -> None:
        self._llama, _ = native()
        self._size = vocabulary.size
        self._rows = LogitsRows(vocabulary.size)
        self._candidates = Candidates(_LONGEST)
        self._adapter = adapter
        self._chain: Any = None
        self._adjustments: Any = None
        self._choice: Any = None
        self._greedy = settings.temperature < _COLDEST or settings.top_k == 1
        biases = token_biases(vocabulary, settings)
        self._biased = np.array(sorted(biases), np.intp)
        adjusted = bool(biases) or _penalises(settings)
        self._grammar = _grammar(vocabulary, settings)
        self._argmax = self._greedy and not adjusted
        self._chain = self._new_chain()
        if adjusted:
            self._adjustments = self._new_chain()
            self._add_biases(biases)
            self._add_penalties(vocabulary.handle, settings, context)
            self._llama.llama_sampler_chain_add(self._chain, self._adjustments)
        self._choice = self._new_chain()
        self._add_choice(settings)
        self._llama.llama_sampler_chain_add(self._chain, self._choice)
        self._few = 1 if self._greedy else settings.top_k
        self._shortlist: Shortlist | None = None
        if self._can_shorten(settings) and not (self._argmax and self._grammar is None):
            spare = _SPARE if adjusted or self._grammar is not None else 0
            self._shortlist = Shortlist(self._size, min(self._few + spare, self._size))

    # ------------------------------------------------------------ building

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

    def _add_biases(self, biases: dict[int, float]) -> None:
        if biases:
            module = self._llama
            entries = (module.llama_logit_bias * len(biases))(*biases.items())
            module.llama_sampler_chain_add(
                self._adjustments,
                module.llama_sampler_init_logit_bias(self._size, len(biases), entries),
            )

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
            llama.llama_sampler_chain_add(self._adjustments, sampler)
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
            llama.llama_sampler_chain_add(self._adjustments, sampler)

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

    def sample(self, context: Any, index: int = -1) -> int:
        """The next token after one of the batch just evaluated.

        With a grammar a token is chosen as without, and only when the grammar refuses it, again
        among those it allows: what llama.cpp does, for most tokens are allowed.

        Args:
            context: the native context.
            index: which token of the batch, one whose logits were asked for; -1 is the last.

        Raises:
            AdapterError: the adapter makes the model compute what are no numbers.
            SettingsError: everything that the grammar allows is forbidden by a logit bias, or no
                token spells it.
        """
        if self._adapter is not None:
            self._check_numbers(self._logits(context, index), self._adapter)
        if self._argmax and self._grammar is None:
            return int(self._logits(context, index).argmax())
        if self._grammar is not None:
            return self._sample_by_grammar(self._logits(context, index), self._grammar)
        token = self._sample_from_few(context, index)
        if token is None:
            return self._sample_from_all(context, index)
        self._llama.llama_sampler_accept(self._chain, token)
        return token

    def _sample_from_all(self, context: Any, index: int) -> int:
        return int(self._llama.llama_sampler_sample(self._chain, context, index))

    def _logits(self, context: Any, index: int) -> Logits:
        return self._rows.row(context, index)

    def _check_numbers(self, logits: Logits, adapter: Adapter) -> None:
        if math.isnan(logits.max()):
            raise AdapterError(
                f"With the LoRA adapter {adapter.path} at strength {adapter.scale:g} the model "
                "computes no numbers any more. Lower lora_scale, or choose another adapter."
            )

    def _sample_from_few(self, context: Any, index: int) -> int | None:
        """Choose from a shortlist; `None` when the choice from all might be another."""
        return None if self._shortlist is None else self._choose_few(self._logits(context, index))

    def _choose_few(self, logits: Logits, grammar: Grammar | None = None) -> int | None:
        """Choose among the likeliest that the grammar allows; `None` when that is not certain."""
        assert self._shortlist is not None
        found = self._shortlist.best(logits)
        tokens = np.union1d(found.tokens, self._biased) if self._biased.size else found.tokens
        if grammar is not None and tokens.size <= _LONGEST:
            tokens = grammar.allowed(tokens)
        if not self._few <= tokens.size <= _LONGEST:
            return None
        candidates = self._candidates
        candidates.fill(tokens, logits[tokens])
        if self._adjustments is not None:
            candidates.apply(self._adjustments)
        if not self._is_certain(candidates.logits, found.floor):
            return None
        candidates.apply(self._choice)
        return candidates.chosen

    def _is_certain(self, logits: Logits, floor: float) -> bool:
        """Whether the few best of the shortlist are the few best of all, in the same order.

        All others are below `floor`. Which of two equals comes first is up to llama.cpp's sort,
        and depends on what else it sorts; the greedy choice takes the first, here as there.
        """
        if self._greedy:
            return bool(logits.max() >= floor)
        # So few are sorted and compared in less time as a list than as an array.
        ordered = sorted(logits.tolist())[-self._few - 1 :]
        return ordered[-self._few] >= floor and len(set(ordered)) == len(ordered)

    # ------------------------------------------------------------ with a grammar

    def _sample_by_grammar(self, logits: Logits, grammar: Grammar) -> int:
        token = self._choose(logits)
        if not grammar.allows(token):
            token = self._choose_allowed(logits, grammar)
        grammar.accept(token)
        self._llama.llama_sampler_accept(self._chain, token)
        return token

    def _choose(self, logits: Logits) -> int:
        if self._argmax:
            return int(logits.argmax())
        token = None if self._shortlist is None else self._choose_few(logits)
        return self._choose_among(np.arange(self._size), logits) if token is None else token

    def _choose_allowed(self, logits: Logits, grammar: Grammar) -> int:
        token = None if self._shortlist is None else self._choose_few(logits, grammar)
        return self._choose_among(grammar.all_allowed(), logits) if token is None else token

    def _choose_among(self, tokens: TokenIds, logits: Logits) -> int:
        candidates = self._candidates
        candidates.fill(tokens, logits[tokens])
        if self._adjustments is not None:
            candidates.apply(self._adjustments)
        if not tokens.size:
            raise SettingsError(
                "The reply cannot go on: the model has no token for what the grammar wants here. "
                "Allow other characters."
            )
        if not np.isfinite(candidates.logits).any():
            raise SettingsError(
                "The reply cannot go on: logit_bias forbids every token that the grammar or the "
                "JSON schema allows here. Forbid less."
            )
        candidates.apply(self._choice)
        return candidates.chosen

    def close(self) -> None:
        """Free the native samplers; twice is fine."""
        if self._grammar is not None:
            self._grammar.close()
        if self._chain:
            self._llama.llama_sampler_free(self._chain)
        self._chain = self._adjustments = self._choice = self._grammar = None


def token_biases(vocabulary: Vocabulary, settings: SamplingSettings) -> dict[int, float]:
    """The biases by token; those of one token are added up. Raises `SettingsError`."""
    biases: dict[int, float] = {}
    for bias in settings.logit_bias:
        target = bias.target
        if isinstance(target, int) and target >= vocabulary.size:
            raise SettingsError(
                f"logit_bias: there is no token {target}; this model's are numbered from 0 to "
                f"{vocabulary.size - 1}."
            )
        tokens = (
            [target]
            if isinstance(target, int)
            else vocabulary.tokenize(target.encode("utf-8", "replace"))
        )
        amount = -math.inf if bias.bias is None else bias.bias
        for token in set(tokens):
            biases[token] = biases.get(token, 0.0) + amount
    return biases


def _grammar(vocabulary: Vocabulary, settings: SamplingSettings) -> Grammar | None:
    if settings.json_schema is not None:
        return Grammar(vocabulary, grammar_of(settings.json_schema))
    return None if settings.grammar is None else Grammar(vocabulary, settings.grammar)


def _penalises_tokens(settings: SamplingSettings) -> bool:
    return settings.repeat_last_n != 0 and (
        settings.repeat_penalty != 1
        or settings.presence_penalty != 0
        or settings.frequency_penalty != 0
    )


def _penalises(settings: SamplingSettings) -> bool:
    return _penalises_tokens(settings) or settings.dry_multiplier > 0
