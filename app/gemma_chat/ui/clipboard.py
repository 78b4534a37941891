"""Copying, whatever lies between the program and the person's clipboard.

The way is OSC 52, which asks the terminal itself: it works over SSH, and wrapped for them through
tmux and screen. A terminal does not answer, so what is said afterwards is "sent to the terminal",
never "copied". Where OSC 52 cannot work (the text is too large for it, or the terminal is known not
to take it) a clipboard program of this machine is used, when the person sits at it, and a file in
the state directory at the very last. Which of these it was is told.

Sources: xterm's control sequences (OSC 52), tmux(1) `allow-passthrough`, screen(1) on DCS strings.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gemma_chat.quantities import counted
from gemma_chat.ui.multiplexer import multiplexers, through

MOST_BYTES: Final = 74_994
"""Of text in one OSC 52: 100,000 bytes with its frame, the most that common terminals take."""
PROGRAM_SECONDS: Final = 2.0
"""How long a clipboard program may take; some wait for ever without a display."""
FILE_NAME: Final = "copied.txt"

_OLDEST_VTE: Final = 7600
"""GNOME's terminals take OSC 52 from VTE 0.76 on."""

Way = Literal["terminal", "tmux", "program", "file", "nowhere"]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was really done with a text, as a sentence for the person."""

    way: Way
    sentence: str


@dataclass(frozen=True, slots=True)
class Program:
    """A command that puts its standard input into a clipboard."""

    name: str
    arguments: tuple[str, ...] = ()


def osc52(text: str, environment: Mapping[str, str]) -> str:
    """The sequence that asks the terminal to take `text`, through tmux or screen if need be.

    Empty when it cannot get through them.
    """
    payload = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    return through(f"\x1b]52;c;{payload}\x07", multiplexers(environment))


def takes_osc52(environment: Mapping[str, str]) -> bool:
    """Whether the terminal may take OSC 52; false where it is known that it does not."""
    if environment.get("TMUX") or environment.get("STY"):
        return True
    if environment.get("TERM", "") in ("", "dumb", "linux"):
        return False
    if environment.get("TERM_PROGRAM") == "Apple_Terminal":
        return False
    vte = environment.get("VTE_VERSION", "")
    return not vte.isdigit() or int(vte) >= _OLDEST_VTE


def local_programs(environment: Mapping[str, str]) -> tuple[Program, ...]:
    """The clipboard programs for the display the person sits at; none over SSH."""
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return ()
    programs = [Program("pbcopy"), Program("clip.exe")]
    if environment.get("DISPLAY"):
        programs[:0] = [
            Program("xclip", ("-selection", "clipboard")),
            Program("xsel", ("--clipboard", "--input")),
        ]
    if environment.get("WAYLAND_DISPLAY"):
        programs.insert(0, Program("wl-copy"))
    return tuple(programs)


TMUX_BUFFER: Final = Program("tmux", ("load-buffer", "-w", "-"))
"""tmux keeps the text, and hands it to its own terminal also where it lets nothing through."""


class Clipboard:
    """Copies texts for one terminal."""

    def __init__(
        self,
        write: Callable[[str], None],
        environment: Mapping[str, str],
        state_dir: Callable[[], Path],
    ) -> None:
        """`write` sends a sequence to the terminal, `state_dir` is where the file would be."""
        self._write = write
        self._environment = environment
        self._state_dir = state_dir

    async def copy(self, text: str) -> Copied:
        """Copy `text` in the best way there is. Nothing is raised: the answer says how it went."""
        size = len(text.encode("utf-8", "replace"))
        what = _extent(text)
        if self._environment.get("TMUX") and await run(TMUX_BUFFER, text):
            if size <= MOST_BYTES:
                self._write(osc52(text, self._environment))
            return Copied("tmux", f"{what} copied to tmux, and sent on to its terminal.")
        sequence = osc52(text, self._environment) if size <= MOST_BYTES else ""
        if sequence and takes_osc52(self._environment):
            self._write(sequence)
            return Copied(
                "terminal", f"{what} sent to the terminal's clipboard{self._on_the_way()}."
            )
        why = "too much for the terminal" if size > MOST_BYTES else "this terminal takes no copies"
        for program in local_programs(self._environment):
            if await run(program, text):
                return Copied("program", f"{what} copied with {program.name} ({why}).")
        return self._to_file(text, what, why)

    def _on_the_way(self) -> str:
        passed = multiplexers(self._environment)
        if "tmux" in passed:
            return ", if tmux lets it through (allow-passthrough)"
        return " through screen" if passed else ""

    def _to_file(self, text: str, what: str, why: str) -> Copied:
        path = self._state_dir() / FILE_NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8", errors="replace", newline="")
        except OSError as error:
            return Copied("nowhere", f"Not copied: {why}, and {path} cannot be written: {error}.")
        return Copied("file", f"{what} written to {path} ({why}).")


async def run(program: Program, text: str) -> bool:
    """Give `text` to a program; whether it took it."""
    path = shutil.which(program.name)
    if path is None:
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *program.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(PROGRAM_SECONDS):
            await process.communicate(text.encode("utf-8", "replace"))
    except (TimeoutError, OSError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False
    return process.returncode == 0


def _extent(text: str) -> str:
    lines = text.rstrip("\n").count("\n") + 1
    characters = counted(len(text), "character")
    return characters if lines == 1 else f"{characters} in {lines:,} lines"
