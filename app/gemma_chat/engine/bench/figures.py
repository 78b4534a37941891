"""Figures as values: rounds, their medians, and whether a target is reached."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Literal

import msgspec

from gemma_chat.engine.bench.names import Name

Unit = Literal["tok/s", "s", "tokens", "bytes", "tabs"]
Relation = Literal[">=", "<=", "<", "="]

_HOLDS: dict[Relation, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
}


class Unmeasurable(Exception):
    """A figure cannot be taken of this model or on this machine; the text says why."""


class Target(msgspec.Struct, frozen=True):
    """What is to be reached, by the ratio to the baseline or by the measured value itself."""

    of: Literal["ratio", "measured"]
    relation: Relation
    value: float


class Round(msgspec.Struct, frozen=True):
    """One measurement and its baseline, taken right after one another."""

    measured: float
    baseline: float | None = None
    ratio: float | None = None

    @classmethod
    def of(cls, measured: float, baseline: float) -> Round:
        """A round with its ratio, which is `None` when the baseline is zero."""
        return cls(measured, baseline, measured / baseline if baseline else None)


class Spread(msgspec.Struct, frozen=True):
    """The median of some values, the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """The spread of `values`; `None` when there are none."""
        known = list(values)
        return cls(median(known), min(known), max(known)) if known else None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report. `measured` and `baseline` are medians over the rounds.

    `ratio` is the spread of the rounds' own ratios, so its median need not be the ratio of the
    medians: what disturbed one round disturbed both sides of it.
    """

    name: str
    title: str
    unit: Unit
    measured: float
    baseline: float | None
    baseline_title: str
    ratio: Spread | None
    target: Target
    reached: bool
    note: str
    rounds: tuple[Round, ...]


def figure(
    name: str,
    title: str,
    *,
    unit: Unit,
    rounds: Sequence[Round],
    target: Target,
    baseline_title: str = "",
    note: str = "",
) -> Figure:
    """Sum up the rounds of one measurement; there is at least one."""
    measured = median(one.measured for one in rounds)
    ratio = Spread.of(one.ratio for one in rounds if one.ratio is not None)
    baselines = Spread.of(one.baseline for one in rounds if one.baseline is not None)
    compared = measured if target.of == "measured" else ratio.median if ratio else None
    return Figure(
        name=name,
        title=title,
        unit=unit,
        measured=measured,
        baseline=baselines.median if baselines else None,
        baseline_title=baseline_title,
        ratio=ratio,
        target=target,
        reached=compared is not None and _HOLDS[target.relation](compared, target.value),
        note=note,
        rounds=tuple(rounds),
    )


class LeftOut(msgspec.Struct, frozen=True):
    """A measurement that was not taken, and why."""

    name: Name
    reason: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The model that was measured, and how it was run. Sizes in bytes, lengths in tokens."""

    name: str
    path: str
    architecture: str
    parameters: int
    weights_bytes: int
    context_size: int
    sliding_window: int
    threads: int
    safe_mode: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured; `load` is the mean number of busy processes before the first round."""

    system: str
    processor: str
    cores: int
    memory_bytes: int
    load: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one run has found out."""

    program: str
    quick: bool
    rounds: int
    seconds: float
    interrupted: bool
    subject: Subject | None
    machine: Machine
    figures: tuple[Figure, ...]
    left_out: tuple[LeftOut, ...]
