"""The real host on the real model survives each kind of fault; `run.py` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults import recovery
from tests.faults.disk import LimitedFiles
from tests.faults.rounds import run
from tests.faults.strokes import STROKES

from gemma_chat.host import link as link_module

HOST_FAULTS = ("kill_host", "pause_host", "kill_host_again", "restart_host")
OTHER_FAULTS = (
    "fill_disk",
    "kill_terminal",
    "cut_socket",
    "send_rubbish",
    "freeze_terminal",
    "kill_host_on_full_disk",
)


def test_each_kind_of_fault_is_in_the_short_form() -> None:
    assert {*HOST_FAULTS, *OTHER_FAULTS} == set(STROKES)


@pytest.mark.parametrize(("seed", "names"), [(1, HOST_FAULTS), (2, OTHER_FAULTS)])
async def test_what_was_shown_as_sent_or_finished_is_there_in_order_once(
    own_home: Path,
    smollm2_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    names: tuple[str, ...],
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (0.0, 0.1))
    plan = [(STROKES[name],) for name in names]
    done = await run(own_home, smollm2_path, LimitedFiles(), plan, seed)
    assert len(done.rounds) == len(plan)
    assert done.questions >= len(plan)
    assert done.replies >= len(plan)


async def test_a_reply_that_a_crash_cut_off_is_kept_and_goes_on_when_asked(
    own_home: Path, smollm2_path: Path
) -> None:
    measured = await recovery.measure(smollm2_path, crashes=1)
    [crash] = measured.crashes
    assert crash.kept > 0
