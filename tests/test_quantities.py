"""Sizes and counts are written in one way, everywhere."""

from __future__ import annotations

import pytest

from gemma_chat.quantities import byte_size, counted


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (999.6, "1 kB"),
        (12_400, "12 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (4_160_000, "4.2 MB"),
        (9_949_999, "9.9 MB"),
        (9_950_000, "10 MB"),
        (98_000_000, "98 MB"),
        (999_500_000, "1 GB"),
        (4_130_000_000, "4.1 GB"),
        (1 << 40, "1,099.5 GB"),
        (-5_400_000, "-5.4 MB"),
    ],
)
def test_a_size_takes_few_cells_and_never_a_thousand_of_its_unit(size: float, text: str) -> None:
    assert byte_size(size) == text


def test_a_count_names_what_is_counted_in_its_number() -> None:
    assert counted(1, "tab") == "1 tab"
    assert counted(2_000, "tab") == "2,000 tabs"
    assert counted(0, "reply", "replies") == "0 replies"
