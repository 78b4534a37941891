"""Figures: medians, ratios of rounds, and targets."""

from __future__ import annotations

import pytest

from gemma_chat.engine.bench.figures import Relation, Round, Spread, Target, figure


def of_ratio(relation: Relation, value: float) -> Target:
    return Target("ratio", relation, value)


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    made = figure(
        "decode",
        "decode",
        unit="tok/s",
        rounds=[Round.of(40, 40), Round.of(10, 20), Round.of(99, 100)],
        target=of_ratio(">=", 0.97),
    )
    assert (made.measured, made.baseline) == (40, 40)
    assert made.ratio == Spread(0.99, 0.5, 1.0)
    assert made.reached


@pytest.mark.parametrize(
    ("relation", "value", "reached"),
    [(">=", 0.5, True), (">=", 0.51, False), ("<=", 0.5, True), ("<", 0.5, False), ("=", 1, False)],
)
def test_a_target_is_reached_by_its_relation(
    relation: Relation, value: float, reached: bool
) -> None:
    made = figure("n", "t", unit="s", rounds=[Round.of(1, 2)], target=of_ratio(relation, value))
    assert made.reached is reached


def test_a_figure_without_a_baseline_is_held_against_its_own_value() -> None:
    made = figure("fork", "t", unit="s", rounds=[Round(0.2)], target=Target("measured", "<", 1.0))
    assert made.reached
    assert (made.baseline, made.ratio) == (None, None)


def test_a_baseline_of_zero_gives_no_ratio_and_reaches_nothing() -> None:
    made = figure("n", "t", unit="tokens", rounds=[Round.of(3, 0)], target=of_ratio(">=", 0.0))
    assert made.ratio is None
    assert not made.reached
