"""What the terminals are shown of the lock is one moment of it, however fast turns go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from gemma_chat.host.lock_board import LockBoard
from gemma_chat.sessions.engine_thread import EngineThread
from gemma_chat.sessions.events import LockEntry, LockPicture
from gemma_chat.sessions.lock import GenerationLock

TURN = LockEntry(1, 1, False, "queued", 0, 0, 0, 0.0, 0.0, ticket=7)
WAITING, COMPUTING = LockPicture((), (TURN,)), LockPicture((TURN,), ())


class GoesOn:
    """An engine thread whose turn has gone on by the next look."""

    def __init__(self, *pictures: LockPicture) -> None:
        self._pictures: Iterator[LockPicture] = iter(pictures)

    def picture(self) -> LockPicture:
        return next(self._pictures)


@pytest.mark.parametrize("pictures", [(WAITING, COMPUTING), (COMPUTING, WAITING)])
async def test_a_turn_that_goes_from_the_queue_to_the_engine_is_shown_once(
    pictures: tuple[LockPicture, LockPicture],
) -> None:
    board = LockBoard(lambda _: None, lambda: (), lambda _: "tab", lambda _: 0)
    board.watch(GenerationLock(cast(EngineThread, GoesOn(*pictures, *pictures))))
    view = board.view()
    board.close()
    assert [one.ticket for one in (*view.holders, *view.waiting)] == [7]
