"""The keyboard's side of the plain line mode: prompts, what is typed, Ctrl+C, the editor.

All of it runs on the main thread, which alone reads from and writes to the terminal. While nothing
is to be waited for it asks for a line; while a reply comes it writes that down, and takes lines all
the same: the kernel edits those, and they are carried out at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import Any, Final

from gemma_chat.ui.edited_file import Edited, editor_command, read_back
from gemma_chat.ui.input.slash import escaped
from gemma_chat.ui.plain.line_editor import CONTINUED, PASTE_SECONDS, Interrupted, LineEditor
from gemma_chat.ui.plain.outlet import Outlet, Page
from gemma_chat.ui.plain.terminal import PlainTerminal
from gemma_chat.ui.text import shown

_INPUT: Final = 0
_READ_BYTES: Final = 65_536
_EDIT: Final = "/edit"
_LARGEST_IN_LINE: Final = 4_000
"""Characters of a draft that a line takes; more is for an editor."""
TERMINATED: Final = (signal.SIGTERM, signal.SIGHUP)


class Console:
    """Reads for one terminal, and writes what it says, until the person leaves."""

    def __init__(
        self,
        terminal: PlainTerminal,
        loop: asyncio.AbstractEventLoop,
        outlet: Outlet,
        page: Page,
        editor: LineEditor | None,
    ) -> None:
        self._terminal = terminal
        self._loop = loop
        self._outlet = outlet
        self._page = page
        self._editor = editor
        self._is_tty = os.isatty(_INPUT)
        self._work: set[Future[Any]] = set()
        self._read = b""
        """Bytes that were read and make no whole line yet."""
        self._at_end = False
        """There is nothing more to read."""
        self._was_interrupted = False
        self._has_prompt = False
        """A prompt without an editor stands there."""
        self.typed = ""
        """What stood in the line when the program was told to end."""

    def run(self) -> int:
        """Converse until the end; the exit code. `SystemExit` when the program is told to end."""
        signal.signal(signal.SIGINT, self._interrupted)
        for number in TERMINATED:
            signal.signal(number, self._terminated)
        self._begin(self._terminal.begin())
        try:
            while not self._terminal.left:
                # What was typed while a reply came may have been read after its end.
                if self._is_busy or self._editor is None or b"\n" in self._read:
                    self._attend()
                else:
                    self._ask(self._editor)
        except OSError:
            # Whoever read what is said here is gone, or the terminal is.
            return 1
        self._write_out()
        return 1 if self._terminal.has_refused and not self._is_tty else 0

    # ------------------------------------------------------------ at rest

    def _ask(self, editor: LineEditor) -> None:
        self._write_out()
        text, self._terminal.to_edit = self._terminal.to_edit, ""
        if len(text) > _LARGEST_IN_LINE:
            self._edit(text)
            return
        try:
            message = editor.read(self._terminal.prompt, text)
        except EOFError:
            self._page.append("\n")
            self._begin(self._terminal.quit())
        except Interrupted as gave_up:
            self._page.append("\n")
            if not gave_up.typed:
                self._begin(self._terminal.interrupt())
        else:
            self._take(message)

    def _take(self, message: str) -> None:
        if message.strip() == _EDIT and self._is_tty:
            tab = self._terminal.state.active_tab
            if tab is not None:
                self._terminal.drafting = tab.session
            self._edit("" if tab is None else tab.draft.full)
        elif message.strip():
            self._begin(self._terminal.typed(message))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._work.add(future)
        future.add_done_callback(lambda _: self._outlet.ring())

    @property
    def _is_busy(self) -> bool:
        for future in [each for each in self._work if each.done()]:
            self._work.discard(future)
            future.result()
        return bool(self._work)

    # ------------------------------------------------------------ while something comes

    def _attend(self) -> None:
        """Wait for something to write, for a line, or for Ctrl+C; and deal with it."""
        line = self._next_line() if self._takes_lines else None
        if line is not None:
            self._take(self._with_more(line))
            return
        if self._at_end and not self._is_busy:
            self._begin(self._terminal.quit())
        sources: list[Any] = [self._outlet]
        if self._takes_lines and not self._at_end:
            sources.append(_INPUT)
            self._show_prompt()
        ready, _, _ = select.select(sources, [], [])
        if self._was_interrupted:
            self._was_interrupted = False
            self._page.append("\n")
            self._begin(self._terminal.interrupt())
        self._write_out()
        if _INPUT in ready:
            self._read_more()

    @property
    def _takes_lines(self) -> bool:
        # A person can type ahead; a pipe is asked for its next line when the reply is there.
        return self._is_tty or not self._is_busy

    def _show_prompt(self) -> None:
        """Where no editor does it; once, until something else is written."""
        if self._is_tty and not self._is_busy and not self._has_prompt:
            self._write_out()
            if text := shown(self._terminal.to_edit, _LARGEST_IN_LINE):
                # There is no line to put it into; it can be copied, or opened by /edit.
                self._page.append(f"{text}\n")
                self._terminal.to_edit = ""
            self._page.append(self._terminal.prompt)
            self._has_prompt = True

    def _read_more(self) -> None:
        read = os.read(_INPUT, _READ_BYTES)
        self._read += read
        if read:
            return
        if self._read:
            # The last line of a file need not have an end.
            self._read += b"\n"
        self._at_end = True
        if self._is_tty:
            self._begin(self._terminal.quit())

    def _next_line(self) -> str | None:
        line, end, rest = self._read.partition(b"\n")
        if not end:
            return None
        self._read = rest
        return line.decode(sys.stdin.encoding or "utf-8", "replace").rstrip("\r")

    def _with_more(self, line: str) -> str:
        """The line, and those that belong to it."""
        self._has_prompt = False
        lines = [line]
        while lines[-1].endswith("\\") or (self._is_tty and self._more_comes()):
            following = self._line_after()
            if following is None:
                break
            lines[-1] = lines[-1].removesuffix("\\")
            lines.append(following)
        return "\n".join(lines)

    def _line_after(self) -> str | None:
        if self._is_tty and not self._more_comes():
            self._page.append(CONTINUED)
        while (line := self._next_line()) is None:
            if self._at_end:
                return None
            self._read_more()
        return line

    def _more_comes(self) -> bool:
        return b"\n" in self._read or bool(select.select([_INPUT], [], [], PASTE_SECONDS)[0])

    def _write_out(self) -> None:
        if said := self._outlet.take():
            self._page.append(f"\n{said}" if self._has_prompt else said)
            self._has_prompt = False

    # ------------------------------------------------------------ the person's own editor

    def _edit(self, text: str) -> None:
        """Let a message be written in an editor; what is saved there is sent."""
        edited = self._edited(text)
        if edited.text is not None and edited.text.strip() and edited.text != text:
            self._begin(self._terminal.typed(escaped(edited.text)))
            return
        self._terminal.drafting = 0
        self._page.append(f"{edited.sentence or 'Nothing was written there.'} Nothing is sent.\n")

    def _edited(self, text: str) -> Edited:
        try:
            command = editor_command(os.environ)
        except ValueError as error:
            return Edited(sentence=f"VISUAL or EDITOR cannot be understood ({error}).")
        with tempfile.TemporaryDirectory(prefix="gemma-chat-") as folder:
            file = Path(folder) / "message.md"
            file.write_text(f"{text}\n" if text else "", "utf-8")
            try:
                code = subprocess.run([*command, str(file)], check=False).returncode
            except OSError as error:
                return Edited(
                    sentence=f"The editor {command[0]!r} cannot be started ({error.strerror}). "
                    "Set VISUAL or EDITOR."
                )
            # Ctrl+C was meant for the editor.
            self._was_interrupted = False
            if code:
                return Edited(sentence=f"The editor ended with code {code}.")
            return read_back(file)

    # ------------------------------------------------------------ signals

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._editor is not None and self._editor.is_reading:
            raise Interrupted(self._editor.typed)
        self._was_interrupted = True
        self._outlet.ring()

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        if self._editor is not None:
            self.typed = self._editor.typed
        self._terminal.last_words = None
        with contextlib.suppress(OSError):
            self._page.append("\n")
        raise SystemExit(128 + number)
