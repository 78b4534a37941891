"""The shortlist holds the likeliest tokens of any vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.shortlist import Logits, Shortlist


def logits(seed: int, size: int, *, digits: int = 6) -> Logits:
    """Like a model's; with few digits many are equal."""
    drawn = np.random.default_rng(seed).standard_normal(size) * 4
    return drawn.round(digits).astype(np.float32)


SIZES = st.integers(1, 9_000) | st.integers(65_500, 70_000)
"""Vocabularies that are looked through as a whole, and in groups."""


@given(st.integers(0, 10_000), SIZES, st.integers(1, 320), st.integers(0, 6))
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


@pytest.mark.parametrize("place", ["the same", "another"])
@pytest.mark.parametrize("size", [5_000, 70_000])
def test_its_buffers_keep_nothing_of_earlier_logits(size: int, place: str) -> None:
    shortlist = Shortlist(size, 40)
    values = logits(1, size)
    shortlist.best(values)
    values = values if place == "the same" else values.copy()
    values[:] = logits(2, size) - 100
    kept, fresh = shortlist.best(values), Shortlist(size, 40).best(values)
    assert np.array_equal(kept.tokens, fresh.tokens)
    assert kept.floor == fresh.floor


def test_it_stays_short_where_neighbours_are_alike() -> None:
    values = np.full(262_144, -5, np.float32)
    values[70_000:70_100] = logits(3, 100) + 20
    assert Shortlist(262_144, 40).best(values).tokens.size <= 100


def test_logits_that_are_no_numbers_give_an_empty_list() -> None:
    assert Shortlist(1_000, 10).best(np.full(1_000, np.nan, np.float32)).tokens.size == 0
