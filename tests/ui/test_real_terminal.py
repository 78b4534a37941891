"""The program as a person has it: in tmux, with keys, pastes, a mouse, and many sizes."""

from __future__ import annotations

import asyncio
import random
import textwrap
from collections.abc import Mapping

import pytest
from tests.host.rig import Rig
from tests.sessions.scripted import ScriptedEngine
from tests.ui.tmux_terminal import NEARBY, OVER_SSH, SIZE, TmuxTerminal, host_in_reach, in_tmux

PAINTED = "ctrl+j new line"
LINES = [f"line {number:02}" for number in range(1, 61)]
WHOLE = {"alternate_on": "0", "mouse_any_flag": "0", "cursor_flag": "1", "keypad_cursor_flag": "0"}
"""The modes of a terminal that nobody has changed."""
STORM = 300


@pytest.mark.parametrize("line", [NEARBY, OVER_SSH], ids=["nearby", "over SSH"])
async def test_keys_pastes_and_the_mouse_work_in_tmux_and_quitting_leaves_it_whole(
    line: Mapping[str, str],
) -> None:
    async with host_in_reach(ScriptedEngine(), line) as (_, command, variables):
        with in_tmux(command, variables) as terminal:
            await asyncio.to_thread(use_everything, terminal)


def use_everything(it: TmuxTerminal) -> None:
    """What a person does in a minute."""
    it.until_shown(PAINTED)
    assert it.modes["alternate_on"] == it.modes["mouse_any_flag"] == "1"

    it.press("one line\nand another")
    it.until_shown("│ one line", "│ and another")
    it.press("\r")
    it.until_shown("1: one line")

    it.terminal.paste("a long paste\r" * 20_000)
    it.until_shown("pasted 20,00")
    it.press("\x7f")
    it.until_gone("pasted 20,00")

    it.click("+")
    it.until_shown("2 Untitled")
    # The bar may be drawn before the other tab is; what comes now must wait for that one.
    it.until_gone("1: one line")
    it.click("1 Untitled")
    it.until_shown("1: one line")

    it.terminal.paste("\r".join(LINES))
    it.until_shown(LINES[-1])
    it.press("\r")
    it.until_shown("2: line 01")
    it.wheel("line", up=True, turns=60)
    # At the head nothing moves any more, however many turns are still on their way.
    it.until(lambda screen: screen.splitlines()[1:3] == ["┃ You", "┃ one line"])
    it.drag(LINES[2], len(LINES[2]) - 1)
    it.press("\x1bc")
    it.until_shown("copied to tmux")
    assert it.tmux("show-buffer") == LINES[2]
    it.wheel("1: one line", up=False, turns=60)
    it.until_shown(LINES[-1])

    it.terminal.resize(40, 10)
    it.until(lambda screen: len(screen.splitlines()) == 10 and "lock free" in screen)
    it.terminal.resize(*SIZE)
    it.until_shown(PAINTED, "lock free")

    it.press("\x11")
    it.until_shown("left with 0")
    assert it.modes == WHOLE


async def test_a_reply_streams_through_a_suspension_a_storm_of_sizes_and_the_loss_of_the_host() -> (
    None
):
    engine = ScriptedEngine(reply=lambda messages, sampling: " ".join(LINES))
    async with host_in_reach(engine, OVER_SSH) as (rig, command, variables):
        with in_tmux("PS1='shell> ' bash --norc --noprofile -i", variables) as terminal:
            await asyncio.to_thread(begin_a_reply, terminal, engine, command)
            await asyncio.to_thread(suspend, terminal, engine)
            await asyncio.to_thread(storm, terminal, engine)
            await lose_the_host(terminal, rig)


def begin_a_reply(it: TmuxTerminal, engine: ScriptedEngine, command: str) -> None:
    it.until_shown("shell>")
    it.press(f"clear; {command}\r")
    it.until_shown(PAINTED, "lock free")
    engine.gate.hold()
    it.press("Count\r")
    engine.gate.allow(20)
    it.until_shown(LINES[5])


def suspend(it: TmuxTerminal, engine: ScriptedEngine) -> None:
    it.press("\x1a")
    it.until_shown("Stopped")
    assert it.modes == WHOLE
    engine.gate.allow(20)
    it.press("fg\r")
    it.until_shown(PAINTED, LINES[15])
    assert it.modes["alternate_on"] == it.modes["mouse_any_flag"] == "1"


def storm(it: TmuxTerminal, engine: ScriptedEngine) -> None:
    sizes = random.Random(1)
    for _ in range(STORM):
        it.terminal.resize(sizes.randint(1, 200), sizes.randint(1, 60))
        it.terminal._read(0.0)
    engine.gate.open()
    it.terminal.resize(*SIZE)
    it.until(lambda screen: screen.splitlines()[1:-2] == picture())
    it.until_shown("lock free")


def picture() -> list[str]:
    """The rows between tab bar and status bar once the reply is there."""
    reply = textwrap.wrap(" ".join(LINES), SIZE[0] - 3)
    talk = ["┃ You", "┃ Count", "", "  Assistant", *(f"  {row}" for row in reply)]
    width = SIZE[0] - 2
    frame = [
        f"╭{'─' * width}╮",
        f"│{' Message'.ljust(width)}│",
        f"╰{' enter sends · ctrl+j new line · / commands ─'.rjust(width, '─')}╯",
    ]
    return [*talk, *[""] * (SIZE[1] - 3 - len(talk) - len(frame)), *frame]


async def lose_the_host(it: TmuxTerminal, rig: Rig) -> None:
    await rig.server.close("the test takes it away")
    await asyncio.to_thread(it.until_shown, "✕")
    it.press("\x11")
    await asyncio.to_thread(it.until_shown, "shell>")
    assert it.modes == WHOLE
