"""A store of its own for every test, with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.store.store import Store

SETTINGS = SessionSettings(
    system_instruction="Answer as a pirate.",
    sampling=SamplingSettings(temperature=0.7, random_seed=None, stop=("END",)),
)


@dataclass
class Clock:
    """Seconds that pass only when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
def store(database: Path, clock: Clock) -> Iterator[Store]:
    opened = Store.open(database, busy_seconds=0.05, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def settings() -> SessionSettings:
    return SETTINGS
