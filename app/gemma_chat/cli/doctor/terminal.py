"""What the terminal can do: it is asked, and need not answer.

All questions are sent at once and the primary device attributes last, which every terminal answers
(ECMA-48 DA, `CSI c`): what has not come before that answer will not come. A time limit holds for
terminals that answer nothing.
"""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from gemma_chat.cli.doctor.finding import Finding, ok, warning
from gemma_chat.media.pixels import INSTALL
from gemma_chat.ui.multiplexer import multiplexers

ANSWER_SECONDS: Final = 0.6
_KITTY_KEYS: Final = b"\033[?u"
_NAME: Final = b"\033[>0q"
_ATTRIBUTES: Final = b"\033[c"
_DA1: Final = re.compile(rb"\x1b\[\?([\d;]*)c")
_MOST_BYTES: Final = 4096
_CLIPBOARD: Final = "52"


def terminal_findings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """What is known of the terminal this runs in, if it runs in one."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield ok("terminal", "none here; run the doctor in the one you use")
        return
    answer = ask_terminal(sys.stdin.fileno())
    yield from findings_of(answer, environment)


def ask_terminal(descriptor: int) -> bytes:
    """All that the terminal behind `descriptor` answers within `ANSWER_SECONDS`."""
    try:
        if os.tcgetpgrp(descriptor) != os.getpgrp():
            # In the background the kernel would stop this process for touching the terminal.
            return b""
        before = termios.tcgetattr(descriptor)
    except (OSError, termios.error):
        return b""
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        os.write(descriptor, _NAME + _KITTY_KEYS + _ATTRIBUTES)
        return _read_answer(descriptor)
    except OSError:
        return b""
    finally:
        # What comes late must not be read by the shell as typed.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _read_answer(descriptor: int) -> bytes:
    answer = b""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not _DA1.search(answer) and len(answer) < _MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        piece = os.read(descriptor, 1024)
        if not piece:
            break
        answer += piece
    return answer


def findings_of(answer: bytes, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What the answer and the environment tell."""
    name = re.search(rb"\x1bP>\|([^\x1b]*)\x1b\\", answer)
    told = name[1].decode("utf-8", "replace") if name else environment.get("TERM", "")
    within = "".join(f" in {each}" for each in multiplexers(environment))
    if not answer:
        yield warning(
            "terminal",
            f"{told or 'unknown'}{within}; it answers no questions",
            "What it can do is found out by trying; most terminals of today answer.",
        )
    else:
        yield ok("terminal", f"{told or 'unknown'}{within}")
    yield _colours(environment)
    yield _keys(answer, within)
    attributes = _DA1.search(answer)
    abilities = attributes[1].decode().split(";") if attributes else []
    if _CLIPBOARD in abilities:
        yield ok("copying", "OSC 52: also over SSH")
    else:
        yield warning(
            "copying",
            "it does not say that it takes OSC 52",
            "Many take it all the same. In tmux: set -s set-clipboard on",
        )
    yield _images(environment)


def _colours(environment: Mapping[str, str]) -> Finding:
    if environment.get("NO_COLOR"):
        return ok("colours", "switched off by NO_COLOR")
    if environment.get("COLORTERM", "") in ("truecolor", "24bit"):
        return ok("colours", "all of them (24 bit)")
    if "256" in environment.get("TERM", ""):
        return ok("colours", "256")
    return warning(
        "colours", "16, as far as TERM says", "Set COLORTERM=truecolor if it shows all colours."
    )


def _images(environment: Mapping[str, str]) -> Finding:
    """Previews are half blocks, which every terminal draws; how well depends on its colours."""
    if find_spec("PIL") is None:
        return warning("images", "sent ones have no preview: that needs Pillow", INSTALL)
    colours = _colours(environment)
    blocks = "previews in half blocks, two pixels a cell"
    if colours.state == "warning":
        return warning("images", f"{blocks}, and hardly to be told with 16 colours", colours.remedy)
    if environment.get("NO_COLOR"):
        return ok("images", f"{blocks}, in grey")
    return ok("images", blocks)


def _keys(answer: bytes, within: str) -> Finding:
    if re.search(rb"\x1b\[\?\d+u", answer):
        return ok("keys", "told apart (kitty protocol), shift+enter and enter too")
    remedy = "\\ at the end of a line makes a new one everywhere; by default ctrl+j too."
    if " in tmux" in within:
        remedy += " For shift+enter: set -s extended-keys on"
    return warning("keys", "shift+enter cannot be told from enter", remedy)
