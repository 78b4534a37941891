"""The messages that were sent from this machine, for bringing them back into the input.

They are kept in a file, one JSON string a line, the newest last. Several terminals append to it;
each reads it once, when it is asked for the first time. A line that is damaged is left out.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

MAX_CHARACTERS = 20_000
"""A longer message is not remembered: it was pasted, and its source is elsewhere."""
MAX_FILE_BYTES = 4 * 1024 * 1024


class SentMessages:
    """Remembers at most `limit` messages, each of them once. `file` `None` keeps nothing."""

    def __init__(self, file: Path | None = None, limit: int = 500) -> None:
        self._file = file
        self._limit = limit
        self._messages: list[str] | None = None

    @property
    def newest_first(self) -> tuple[str, ...]:
        """All messages."""
        return tuple(reversed(self._read()))

    def add(self, text: str) -> None:
        """Remember a message; what was said before in the same words moves to the end."""
        text = text.strip("\n")
        if not text.strip() or len(text) > MAX_CHARACTERS or not self._limit:
            return
        messages = self._read()
        if text in messages:
            messages.remove(text)
        messages.append(text)
        del messages[: -self._limit]
        self._append(text)

    def _read(self) -> list[str]:
        if self._messages is None:
            once = dict.fromkeys(reversed(list(self._stored())))
            self._messages = list(reversed(list(once)[: self._limit]))
        return self._messages

    def _stored(self) -> Iterator[str]:
        if self._file is None or not self._limit:
            return
        try:
            with self._file.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_FILE_BYTES))
                lines = file.read(MAX_FILE_BYTES).split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("The sent messages in %s cannot be read: %s", self._file, error)
            return
        for line in lines:
            try:
                text = json.loads(line) if line.strip() else ""
            except (ValueError, RecursionError):
                continue
            if isinstance(text, str) and text.strip() and len(text) <= MAX_CHARACTERS:
                yield text

    def _append(self, text: str) -> None:
        if self._file is None:
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            with os.fdopen(os.open(self._file, flags, 0o600), "a", encoding="utf-8") as file:
                file.write(json.dumps(text) + "\n")
                too_long = file.tell() > MAX_FILE_BYTES
            if too_long:
                self._shorten()
        except OSError as error:
            # The message is sent and stored by the host; only bringing it back is lost.
            _log.warning("The sent message cannot be kept in %s: %s", self._file, error)

    def _shorten(self) -> None:
        assert self._file is not None
        fresh = self._file.with_suffix(".new")
        text = "".join(json.dumps(message) + "\n" for message in self._messages or ())
        fresh.write_text(text, "utf-8")
        fresh.chmod(0o600)
        fresh.replace(self._file)


class Recall:
    """One walk back through the sent messages: those that begin as the text did.

    It begins with what stands in the input, and comes back to it at the newer end.
    """

    def __init__(self, messages: Sequence[str], typed: str) -> None:
        """`messages` has the newest first."""
        self._found = [text for text in messages if text.startswith(typed) and text != typed]
        self._typed = typed
        self._at = -1

    def older(self) -> str | None:
        """The next older message; `None` at the oldest one."""
        if self._at + 1 >= len(self._found):
            return None
        self._at += 1
        return self._found[self._at]

    def newer(self) -> str | None:
        """The next newer message, at last what was typed; `None` after that."""
        if self._at < 0:
            return None
        self._at -= 1
        return self._found[self._at] if self._at >= 0 else self._typed
