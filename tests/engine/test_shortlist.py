"""The shortlist holds the likeliest tokens of any vocabulary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.shortlist import Logits, Shortlist


def logits(seed: int, size: int, *, digits: int = 6) -> Logits:
    """Like a model's; with few digits many are equal."""
    drawn = np.random.default_rng(seed).standard_normal(size) * 4
    return drawn.round(digits).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(1, 9_000), st.integers(1, 320), st.integers(0, 6))
def test_it_holds_the_likeliest_and_all_their_equals_in_order(
    seed: int, size: int, wanted: int, digits: int
) -> None:
    values = logits(seed, size, digits=digits)
    wanted = min(wanted, size)
    found = Shortlist(size, wanted).best(values)
    assert found.tokens.size >= wanted
    assert (np.diff(found.tokens) > 0).all()
    assert found.floor <= np.sort(values)[-wanted]
    assert np.array_equal(found.tokens, np.flatnonzero(values >= np.float32(found.floor)))


def test_its_buffers_keep_nothing_of_earlier_logits() -> None:
    shortlist = Shortlist(5_000, 40)
    shortlist.best(logits(1, 5_000))
    values = logits(2, 5_000) - 100
    kept, fresh = shortlist.best(values), Shortlist(5_000, 40).best(values)
    assert np.array_equal(kept.tokens, fresh.tokens)
    assert kept.floor == fresh.floor


def test_it_stays_short_where_neighbours_are_alike() -> None:
    values = np.full(262_144, -5, np.float32)
    values[70_000:70_100] = logits(3, 100) + 20
    assert Shortlist(262_144, 40).best(values).tokens.size <= 100


def test_logits_that_are_no_numbers_give_an_empty_list() -> None:
    assert Shortlist(1_000, 10).best(np.full(1_000, np.nan, np.float32)).tokens.size == 0
