"""When streamed text is painted."""

from __future__ import annotations

import pytest
from textual.app import App

from gemma_chat.ui.transcript.pacing import PERIOD, is_terminal_behind, pause_after


@pytest.mark.parametrize("cost", [0.0, 0.002, 0.01, 0.5])
def test_painting_takes_at_most_a_quarter_of_the_time_and_thirty_frames_a_second(
    cost: float,
) -> None:
    assert pause_after(cost) >= 3 * cost
    assert cost + pause_after(cost) >= PERIOD


class _Queue:
    def __init__(self, size: int) -> None:
        self._size = size

    def qsize(self) -> int:
        return self._size


class _Writer:
    def __init__(self, size: int) -> None:
        self._queue = _Queue(size)


class _Driver:
    def __init__(self, size: int) -> None:
        self._writer_thread = _Writer(size)


@pytest.mark.parametrize(("queued", "is_behind"), [(0, False), (2, False), (3, True)])
def test_a_terminal_with_more_than_two_writes_waiting_is_behind(
    queued: int, is_behind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: App[None] = App()
    monkeypatch.setattr(app, "_driver", _Driver(queued))

    assert is_terminal_behind(app) is is_behind


def test_a_screen_without_a_writer_is_never_behind() -> None:
    assert not is_terminal_behind(App())
