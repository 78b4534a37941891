"""What a process died of is found by the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.store.conftest import Clock

from gemma_chat.store.attempts import REMEMBERED_SECONDS
from gemma_chat.store.store import Store

DYING = """
import os, signal, sys
from pathlib import Path
from gemma_chat.store.store import Store

store = Store.open(Path(sys.argv[1]))
store.attempts.begin("waits longest")
store.attempts.run(store.attempts.begin("runs"))
store.attempts.begin("waits")
survived = store.attempts.begin("survived")
store.attempts.run(survived)
store.attempts.end(survived)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_died_of_what_ran(database: Path, clock: Clock) -> None:
    subprocess.run([sys.executable, "-c", DYING, database], check=False)
    store = Store.open(database, clock=clock)
    assert store.attempts.settle() == ("runs",)
    assert store.attempts.deaths("runs") == (1000.0,)
    for innocent in ("waits longest", "waits", "survived"):
        assert store.attempts.deaths(innocent) == ()
    assert store.attempts.settle() == ()
    store.close()


def test_when_nothing_had_begun_yet_it_was_the_first_in_line(database: Path, clock: Clock) -> None:
    store = Store.open(database, clock=clock)
    store.attempts.begin("first")
    store.attempts.begin("second")
    assert store.attempts.settle() == ("first",)
    assert store.attempts.deaths("second") == ()
    store.close()


def test_deaths_are_counted_and_forgotten_in_time(database: Path, clock: Clock) -> None:
    store = Store.open(database, clock=clock)
    for _ in range(3):
        store.attempts.run(store.attempts.begin("turn"))
        store.attempts.settle()
        clock.now += 10
    assert store.attempts.deaths("turn") == (1000.0, 1010.0, 1020.0)
    clock.now = 1015.0 + REMEMBERED_SECONDS
    store.attempts.settle()
    assert store.attempts.deaths("turn") == (1020.0,)
    store.close()


def test_of_an_engine_that_failed_only_what_ran_has_died(database: Path, clock: Clock) -> None:
    store = Store.open(database, clock=clock)
    runs, waits = store.attempts.begin("runs"), store.attempts.begin("waits")
    store.attempts.run(runs)
    for attempt in (runs, waits):
        store.attempts.die(attempt)
    assert store.attempts.deaths("runs") == (1000.0,)
    assert store.attempts.deaths("waits") == ()
    assert store.attempts.settle() == ()
    store.close()


def test_deaths_that_are_still_to_come_by_a_clock_set_back_do_not_count(
    database: Path, clock: Clock
) -> None:
    store = Store.open(database, clock=clock)
    store.attempts.run(store.attempts.begin("turn"))
    store.attempts.settle()
    clock.now -= 500
    assert store.attempts.deaths("turn") == ()
    store.attempts.settle()
    clock.now += 1000
    assert store.attempts.deaths("turn") == ()
    store.close()
