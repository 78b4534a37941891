"""The number of threads follows a simulated machine: quiet, busy, and changing."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemma_chat.engine.threads import DECODE, PREFILL, Pace, ThreadPlan, ThreadTuner, thread_counts

QUIET = {1: 0.0238, 2: 0.0189}
BUSY = {1: 0.0233, 2: 0.0370}
"""Seconds a token, SmolLM2 on two cores, without and with one other busy process."""

Machine = Callable[[int, int], float]


def steady(table: dict[int, float], noise: float = 0.0, seed: int = 0) -> Machine:
    chance = random.Random(seed)
    return lambda _, threads: table[threads] * (1 + noise * chance.uniform(-1, 1))


def run(tuner: ThreadTuner, machine: Machine, steps: int) -> tuple[float, list[int]]:
    """Let a machine compute; returns the seconds it took and the threads of each step."""
    total, used = 0.0, []
    for step in range(steps):
        used.append(tuner.threads)
        seconds = machine(step, tuner.threads)
        tuner.record(seconds)
        total += seconds
    return total, used


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.15])
@pytest.mark.parametrize("seed", range(5))
def test_a_quiet_machine_loses_less_than_three_in_a_hundred(noise: float, seed: int) -> None:
    seconds, used = run(ThreadTuner((1, 2), DECODE), steady(QUIET, noise, seed), 200)
    assert seconds <= 200 * QUIET[2] / 0.97
    assert used.count(1) < 20


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.15])
@pytest.mark.parametrize("seed", range(5))
def test_a_busy_machine_gets_nine_tenths_of_its_best_from_the_first_token_on(
    noise: float, seed: int
) -> None:
    seconds, _ = run(ThreadTuner((1, 2), DECODE), steady(BUSY, noise, seed), 200)
    assert seconds <= 200 * BUSY[1] / 0.90


def test_a_machine_that_stays_quiet_is_asked_less_and_less() -> None:
    tuner = ThreadTuner((1, 2), DECODE)
    machine = steady(QUIET, 0.05)
    run(tuner, machine, 400)
    _, used = run(tuner, machine, 2_000)
    assert 0 < used.count(1) <= 16


def test_threads_that_are_held_up_now_and_then_count_by_what_they_deliver() -> None:
    """Two threads are as fast as on a quiet machine on most steps, and very slow on others."""
    chance = random.Random(1)

    def machine(_: int, threads: int) -> float:
        held_up = threads == 2 and chance.random() < 0.4
        return 0.070 if held_up else QUIET[threads]

    tuner = ThreadTuner((1, 2), DECODE)
    run(tuner, machine, 100)
    seconds, _ = run(tuner, machine, 400)
    assert seconds <= 400 * QUIET[1] / 0.90


@given(st.integers(0, 10_000), st.integers(20, 400), st.floats(0, 0.15))
def test_a_process_that_becomes_busy_is_noticed_within_a_few_tokens(
    seed: int, before: int, noise: float
) -> None:
    tuner = ThreadTuner((1, 2), DECODE)
    run(tuner, steady(QUIET, noise, seed), before)
    seconds, used = run(tuner, steady(BUSY, noise, seed + 1), 64)
    assert used.index(1) <= 6
    assert seconds <= 64 * BUSY[1] / 0.90
    assert tuner.settled == 1


@example(seed=3385, held_up=3, slower=2.85)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(1.6, 6))
def test_what_holds_the_machine_up_for_a_moment_changes_little(
    seed: int, held_up: int, slower: float
) -> None:
    tuner = ThreadTuner((1, 2), DECODE)
    quiet = steady(QUIET, 0.05, seed)
    run(tuner, quiet, 100)
    run(tuner, lambda step, threads: slower * quiet(step, threads), held_up)
    seconds, _ = run(tuner, quiet, 100)
    assert tuner.settled == 2
    assert seconds <= 100 * QUIET[2] / 0.94


def test_a_machine_that_becomes_quiet_again_is_used_in_full_within_seconds() -> None:
    tuner = ThreadTuner((1, 2), DECODE)
    run(tuner, steady(BUSY, 0.05), 200)
    assert tuner.settled == 1
    run(tuner, steady(QUIET, 0.05), 300)
    assert tuner.settled == 2


@given(st.integers(0, 10_000))
def test_any_change_between_quiet_and_busy_costs_little(seed: int) -> None:
    chance = random.Random(seed)
    tuner = ThreadTuner((1, 2), DECODE)
    spent = best = 0.0
    for _ in range(4):
        table = chance.choice((QUIET, BUSY))
        seconds, _used = run(tuner, steady(table, 0.1, seed), 400)
        spent += seconds
        best += 400 * min(table.values())
    assert spent <= best / 0.90


def test_one_slow_step_is_no_reason_to_look_around() -> None:
    held_up, calm = ThreadTuner((1, 2), DECODE), ThreadTuner((1, 2), DECODE)
    for tuner in (held_up, calm):
        run(tuner, steady(QUIET), 75)
    held_up.record(10 * QUIET[2])
    calm.record(QUIET[2])
    assert run(held_up, steady(QUIET), 8)[1] == run(calm, steady(QUIET), 8)[1]


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=200),
    st.integers(1, 70),
    st.sampled_from([DECODE, PREFILL, Pace(1, 0, 0.0)]),
)
def test_whatever_is_measured_only_the_best_and_its_neighbours_are_used(
    times: list[float], cores: int, pace: Pace
) -> None:
    counts = thread_counts(cores)
    tuner = ThreadTuner(counts, pace)
    for seconds in times:
        assert abs(counts.index(tuner.threads) - counts.index(tuner.settled)) <= 1
        tuner.record(seconds)


@given(
    st.integers(3, 64).flatmap(
        lambda cores: st.tuples(st.just(cores), st.integers(0, len(thread_counts(cores)) - 1))
    )
)
def test_larger_machines_walk_to_their_best_number(case: tuple[int, int]) -> None:
    cores, best = case
    counts = thread_counts(cores)
    table = {count: 0.02 * 1.25 ** abs(at - best) for at, count in enumerate(counts)}
    tuner = ThreadTuner(counts, DECODE)
    run(tuner, steady(table, 0.02), 600)
    assert tuner.settled == counts[best]


def test_a_single_number_is_never_left() -> None:
    tuner = ThreadTuner((3,), DECODE)
    _, used = run(tuner, lambda step, _: 0.02 * (1 + step % 7), 100)
    assert set(used) == {3}


def test_prefill_risks_nothing_before_it_has_something_to_compare() -> None:
    _, used = run(ThreadTuner((1, 2), PREFILL), steady({1: 0.46, 2: 0.24}), 20)
    assert set(used) == {2}


def test_prefill_that_slows_down_tries_fewer_threads() -> None:
    tuner = ThreadTuner((1, 2), PREFILL)
    run(tuner, steady({1: 0.46, 2: 0.24}), 20)
    run(tuner, steady({1: 0.46, 2: 0.90}), 12)
    assert tuner.settled == 1


def test_after_a_rest_the_other_numbers_are_looked_at_again() -> None:
    plan = ThreadPlan((1, 2), 128)
    now = 0.0

    def decode(table: dict[int, float], steps: int) -> int:
        """The number that small batches are given then: the best one found."""
        nonlocal now
        for _ in range(steps):
            end = now + table[plan.threads(1)]
            plan.record(1, now, end)
            now = end
        return plan.threads(2)

    assert decode(BUSY, 60) == 1
    now += 60
    assert decode(QUIET, 16) == 2


def test_small_batches_follow_decoding_and_parts_of_a_micro_batch_prefill() -> None:
    plan = ThreadPlan((1, 2), 128)
    now = 0.0
    for _ in range(60):
        end = now + BUSY[plan.threads(1)]
        plan.record(1, now, end)
        now = end
    assert [plan.threads(tokens) for tokens in (1, 2, 8, 16)] == [1, 1, 1, 1]
    assert [plan.threads(tokens) for tokens in (17, 127, 128)] == [2, 2, 2]


@given(st.integers(1, 512))
def test_the_numbers_to_try_go_from_one_to_all_cores_and_stay_few(cores: int) -> None:
    counts = thread_counts(cores)
    assert counts[0] == 1
    assert counts[-1] == cores
    assert list(counts) == sorted(set(counts))
    assert len(counts) <= 6


def test_a_number_that_is_ten_times_slower_is_not_tried_after_every_rest() -> None:
    tuner = ThreadTuner((1, 2), DECODE)
    machine = steady({1: 0.025, 2: 0.250})
    run(tuner, machine, 60)
    seconds = 0.0
    for _ in range(40):
        tuner.rest()
        seconds += run(tuner, machine, 50)[0]
    assert seconds <= 40 * 50 * 0.025 / 0.90
