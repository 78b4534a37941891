"""A grammar that a reply follows: which tokens it allows now.

llama.cpp tests a token by walking its characters through the grammar, so testing a whole
vocabulary costs as much as evaluating a token or more. Here a token that was chosen is tested by
itself; and where all allowed ones must be known, first the 256 bytes with which they could begin
are tested, and then only the tokens that begin with an allowed one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemma_chat.engine.candidates import Candidates
from gemma_chat.engine.gbnf import check_grammar, names_tokens
from gemma_chat.engine.library import native
from gemma_chat.engine.shortlist import TokenIds
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.errors import SettingsError


class Grammar:
    """The state of one reply in a grammar.

    Raises:
        SettingsError: the grammar cannot be parsed, or is larger than llama.cpp can take.
    """

    def __init__(self, vocabulary: Vocabulary, grammar: str) -> None:
        check_grammar(grammar)
        self._llama, log = native()
        self._vocabulary = vocabulary
        self._candidates = Candidates(1)
        self._names_tokens = names_tokens(grammar)
        with log.excerpt() as lines:
            self._sampler: Any = self._llama.llama_sampler_init_grammar(
                vocabulary.handle, grammar.encode("utf-8", "replace"), b"root"
            )
        if not self._sampler:
            reason = next((line for line in lines if "pars" in line or "grammar" in line), "")
            raise SettingsError(
                "The grammar cannot be used: it must be GBNF with a rule named root"
                + (f" ({reason})." if reason else ".")
            )

    def allows(self, token: int) -> bool:
        """Whether the reply may go on with this token."""
        return bool(self.allowed(np.array([token], np.intp)).size)

    def allowed(self, tokens: TokenIds) -> TokenIds:
        """Those of `tokens` with which the reply may go on."""
        if not tokens.size:
            return tokens
        self._candidates.fill(tokens, 0.0)
        self._candidates.apply(self._sampler)
        found: TokenIds = tokens[np.isfinite(self._candidates.logits)]
        return found

    def all_allowed(self) -> TokenIds:
        """All tokens of the vocabulary with which the reply may go on, ascending."""
        if self._names_tokens:
            return self.allowed(np.arange(self._vocabulary.size))
        beginnings = self._vocabulary.beginnings
        known = np.array([token for token, _ in beginnings if token >= 0], np.intp)
        possible = set(self.allowed(known).tolist())
        groups = [group for token, group in beginnings if token < 0 or token in possible]
        return np.sort(self.allowed(np.concatenate([self._vocabulary.endings, *groups])))

    def accept(self, token: int) -> None:
        """The reply goes on with this token, which must be allowed."""
        self._llama.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        """Free it; twice is fine."""
        if self._sampler:
            self._llama.llama_sampler_free(self._sampler)
            self._sampler = None
