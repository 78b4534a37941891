"""Sizes of measurements fit the context they are taken in."""

from __future__ import annotations

import pytest

from gemma_chat.engine.bench.plan import FULL, QUICK, SMALLEST_CONTEXT, Plan
from gemma_chat.errors import SettingsError


def test_a_large_context_leaves_a_plan_as_it_is() -> None:
    assert FULL.fitted(8192) == FULL
    assert QUICK.fitted(8192) == QUICK


@pytest.mark.parametrize("plan", [FULL, QUICK], ids=["full", "quick"])
def test_a_small_context_bounds_every_length(plan: Plan) -> None:
    fitted = plan.fitted(SMALLEST_CONTEXT)
    lengths = (
        *fitted.depths,
        fitted.prefill,
        fitted.history,
        fitted.turns_history,
        fitted.summarized,
        fitted.fork_history,
        fitted.tab_history,
    )
    assert max(lengths) < SMALLEST_CONTEXT - 600
    assert (fitted.rounds, fitted.tabs) == (plan.rounds, plan.tabs)


def test_a_context_that_holds_nothing_is_refused_with_what_is_needed() -> None:
    with pytest.raises(SettingsError, match=str(SMALLEST_CONTEXT)):
        FULL.fitted(SMALLEST_CONTEXT - 1)
