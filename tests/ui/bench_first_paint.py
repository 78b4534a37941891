"""How long the terminal program takes to its first paint, against an empty Textual app.

Run by hand on a quiet machine: `python tests/ui/bench_first_paint.py [rounds]`. Both are started
alternately on a terminal of their own; the time is from the start of the interpreter to the
outline, and to the whole window. The aim is a ratio of at most 1.5.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time

from tests.ui.pty_terminal import on_terminal

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("PAINTED")
Empty().run()
"""
PROGRAM = """
import sys
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui.start import TerminalOptions, run_terminal
paths = Paths.default()
launch = HostLaunch(paths, ("--no-such-option",))
sys.exit(run_terminal(TerminalOptions(load_settings(paths), launch)))
"""


def environment_in(home: str) -> dict[str, str]:
    """The environment of a person: what was compiled at the first start is there at the next."""
    return {
        "GEMMA_CHAT_HOME": home,
        "PYTHONPYCACHEPREFIX": f"{home}/compiled",
    }


def seconds_to(code: str, text: str, home: str) -> float:
    """From the start of the interpreter until `text` is painted."""
    begun = time.perf_counter()
    with on_terminal(code, environment_in(home)) as terminal:
        terminal.until(text)
        taken = time.perf_counter() - begun
        if code == PROGRAM:
            terminal.until("ctrl+j new line")
        terminal.send("\x11")
        terminal.wait()
    return taken


def main(rounds: int) -> None:
    """Print the medians and their ratio."""
    empty: list[float] = []
    outline: list[float] = []
    whole: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        for code, text in ((EMPTY, "PAINTED"), (PROGRAM, "starting…")):
            seconds_to(code, text, home)
        for _ in range(rounds):
            empty.append(seconds_to(EMPTY, "PAINTED", home))
            outline.append(seconds_to(PROGRAM, "starting…", home))
            whole.append(seconds_to(PROGRAM, "ctrl+j new line", home))
    bare = statistics.median(empty)
    print(f"empty Textual app     {bare:.3f} s")
    for name, times in (("outline", outline), ("whole window", whole)):
        taken = statistics.median(times)
        print(f"gemma-chat, {name:<12} {taken:.3f} s, ratio {taken / bare:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
