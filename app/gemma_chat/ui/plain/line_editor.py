"""The line in which a person types, edited by readline where Python has it.

readline waits for keys within the main thread. What is said meanwhile is announced by a signal,
whose handler Python runs in the middle of that wait: it says it above a new prompt while the line
is empty, and leaves it for later while something stands there, so that nobody is interrupted.
"""

from __future__ import annotations

import contextlib
import io
import select
import signal
import sys
import threading
import unicodedata
from collections.abc import Iterable
from types import FrameType, ModuleType
from typing import Final

from gemma_chat.ui.plain.outlet import Outlet, Page

CONTINUED: Final = "More: "
"""Before another line of the same message."""
PASTE_SECONDS: Final = 0.03
"""Lines that come within this time of each other were pasted: they are one message."""
_WAKE: Final = signal.SIGUSR1
_MOST_REMEMBERED: Final = 500


class Interrupted(Exception):
    """Ctrl+C at the prompt; `typed` is what stood in the line."""

    def __init__(self, typed: str) -> None:
        super().__init__(typed)
        self.typed = typed


class LineEditor:
    """Reads messages from the terminal that is standard input and output."""

    def __init__(
        self, readline: ModuleType, outlet: Outlet, page: Page, names: Iterable[str]
    ) -> None:
        """`names` are completed after a slash."""
        self._readline = readline
        self._outlet = outlet
        self._page = page
        self._names = sorted(names)
        self._prompt = ""
        self.is_reading = False
        """A line is asked for."""
        self._is_waiting = False
        """readline waits for keys, and its prompt stands there."""
        self._main = threading.main_thread().ident or 0
        if isinstance(sys.stdin, io.TextIOWrapper):
            # Keys of another encoding are no reason to end.
            sys.stdin.reconfigure(errors="replace")
        readline.set_auto_history(False)
        # Nothing but text is to be written: no marks around pastes, no switching of the keys.
        for setting in ("enable-bracketed-paste off", "enable-meta-key off", "bell-style none"):
            readline.parse_and_bind(f"set {setting}")
        readline.parse_and_bind("tab: complete")
        readline.set_completer_delims(" \n")
        readline.set_completer(self._complete)
        signal.signal(_WAKE, self._woken)
        signal.signal(signal.SIGCONT, self._gone_on)
        outlet.wake = self._wake

    @property
    def typed(self) -> str:
        """What stands in the line now."""
        return str(self._readline.get_line_buffer()) if self._is_waiting else ""

    def remember(self, messages: Iterable[str]) -> None:
        """Bring these back with arrow up, the last one first."""
        for text in list(messages)[-_MOST_REMEMBERED:]:
            # What this terminal's encoding does not have cannot stand in its line.
            with contextlib.suppress(UnicodeError):
                self._readline.add_history(typeable(text))

    def read(self, prompt: str, text: str = "") -> str:
        """A message, of one or several lines; `text` stands in the line at first.

        Raises `EOFError` for Ctrl+D on an empty line, and `Interrupted`.
        """
        lines = [self._line(prompt, text)]
        while lines[-1].endswith("\\") or _more_comes():
            try:
                line = self._line(CONTINUED, "")
            except EOFError:
                break
            lines[-1] = lines[-1].removesuffix("\\")
            lines.append(line)
        message = "\n".join(lines)
        if message.strip():
            self.remember([message])
        return message

    def _line(self, prompt: str, text: str) -> str:
        self._prompt = prompt
        text = typeable(text)
        self._readline.set_startup_hook(lambda: self._readline.insert_text(text) if text else None)
        self._readline.set_pre_input_hook(self._begin_waiting)
        try:
            self.is_reading = True
            return input(prompt)
        finally:
            self.is_reading = self._is_waiting = False

    def _begin_waiting(self) -> None:
        self._is_waiting = True
        # What was said since the prompt was asked for rang when nobody listened.
        self._say_above()

    def _wake(self) -> None:
        if self._is_waiting:
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(self._main, _WAKE)

    def _woken(self, number: int, frame: FrameType | None) -> None:
        self._say_above()

    def _gone_on(self, number: int, frame: FrameType | None) -> None:
        # The shell has written below the prompt meanwhile.
        if self._is_waiting:
            self._page.append(f"{self._prompt}{self.typed}")

    def _say_above(self) -> None:
        if self._is_waiting and not self._readline.get_line_buffer():
            said = self._outlet.take()
            if said:
                self._page.append(f"\n{said}{self._prompt}")

    def _complete(self, beginning: str, place: int) -> str | None:
        if not beginning.startswith("/") or self._readline.get_begidx():
            return None
        found = [f"/{name} " for name in self._names if name.startswith(beginning[1:])]
        return found[place] if place < len(found) else None


def line_editor(outlet: Outlet, page: Page, names: Iterable[str]) -> LineEditor | None:
    """The editor; `None` where Python was built without readline."""
    try:
        import readline
    except ImportError:
        return None
    return LineEditor(readline, outlet, page, names)


def typeable(text: str) -> str:
    """A text as it may stand in a line: readline sends some control characters as they are."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in whole if c in "\n\t" or unicodedata.category(c) != "Cc")


def _more_comes() -> bool:
    return bool(select.select([0], [], [], PASTE_SECONDS)[0])
