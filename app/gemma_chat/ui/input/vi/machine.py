"""The state machine of vi's keys: normal, insert and visual mode, operators, counts and repeat.

It keeps no text. Each key is given with the text and the cursor as they are, and the answer says
what to change and where the cursor goes. Left out on purpose: registers, marks, macros, search and
the command line, which a message of a few lines does not need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gemma_chat.ui.input.vi import motions as m
from gemma_chat.ui.input.vi.objects import text_object

Mode = Literal["insert", "normal", "visual", "visual line"]
Beside = Literal["", "undo", "redo"]

_ARROWS = {
    "left": "h", "right": "l", "up": "k", "down": "j", "home": "0", "end": "$",
    "backspace": "h", "space": "l", "ctrl+h": "h", "delete": "x",
}  # fmt: skip
_SYNONYMS = {"D": "d$", "C": "c$", "Y": "yy", "S": "cc", "s": "cl", "x": "dl", "X": "dh"}
_VISUAL_SYNONYMS = {"x": "d", "s": "c", "X": "d", "S": "c", "Y": "y", "D": "d", "C": "c"}
_OPERATORS = "dcy<>"
_INDENT = "  "
_MOST_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a key means for the text. Without `start`, nothing is replaced."""

    cursor: int
    start: int | None = None
    end: int = 0
    text: str = ""
    """What takes the place of `start` to `end`."""
    beside: Beside = ""
    """What the editor does itself."""


@dataclass
class ViMachine:
    """One input's vi. Begins in insert mode, as a message box should."""

    mode: Mode = "insert"
    anchor: int = 0
    """Where the selection of a visual mode began."""
    register: str = ""
    """What was deleted or yanked last; whole lines end with a line end."""
    _pending: str = ""
    _column: int | None = None
    _found: tuple[str, str] = ("", "")
    _change: list[str] = field(default_factory=list)
    """The keys of the last change, without what was typed after it."""
    _typed: str = ""
    _inserted_from: int | None = None
    _repeating: bool = False

    @property
    def busy(self) -> bool:
        """Escape still has something to do."""
        return self.mode != "normal" or bool(self._pending)

    @property
    def pending(self) -> str:
        """The keys of a command that is not complete yet."""
        return self._pending

    # ------------------------------------------------------------ keys

    def press(self, key: str, text: str, cursor: int) -> Outcome:
        """One key outside insert mode: a character as such, other keys by name."""
        if key == "escape":
            return self.escape(text, cursor)
        if key == "ctrl+r":
            self._pending = ""
            return Outcome(cursor, beside="redo")
        if len(key) > 1:
            key = _ARROWS.get(key, "")
            if not key or self._awaits_character:
                self._pending = ""
                return Outcome(cursor)
        self._pending += key
        outcome = self._command(text, cursor)
        if outcome is None:
            return Outcome(cursor)
        self._pending = ""
        return self._settled(outcome, text)

    def escape(self, text: str, cursor: int) -> Outcome:
        """Back to normal mode."""
        was = self.mode
        self._pending = ""
        self.mode = "normal"
        if was != "insert":
            return Outcome(min(cursor, m.last_in_line(text, cursor)))
        if self._inserted_from is not None:
            if cursor >= self._inserted_from:
                self._typed = text[self._inserted_from : cursor]
            self._inserted_from = None
        return Outcome(max(m.line_start(text, cursor), cursor - 1))

    def begin(self) -> None:
        """An empty message is there: type."""
        self.mode = "insert"
        self._pending = ""
        self._inserted_from = None

    @property
    def _awaits_character(self) -> bool:
        command = self._pending.lstrip("0123456789")
        return command[-1:] in ("f", "F", "t", "T", "r") or command[-1:] in ("i", "a")

    def _settled(self, outcome: Outcome, text: str) -> Outcome:
        """Keep the cursor of normal mode on a character."""
        if self.mode != "normal":
            return outcome
        changed = text
        if outcome.start is not None:
            changed = text[: outcome.start] + outcome.text + text[outcome.end :]
        at = max(0, min(outcome.cursor, len(changed)))
        at = min(at, m.last_in_line(changed, at))
        return Outcome(at, outcome.start, outcome.end, outcome.text, outcome.beside)

    # ------------------------------------------------------------ reading a command

    def _command(self, text: str, at: int) -> Outcome | None:
        """Carry out what is pending; `None` while it is not complete."""
        count, rest = _number(self._pending)
        if not rest:
            return None
        key = rest[0]
        if self.mode in ("visual", "visual line"):
            rest = _VISUAL_SYNONYMS.get(key, key) + rest[1:]
            key = rest[0]
            if key in _OPERATORS:
                return self._on_selection(key, text, at)
            if (outcome := self._visual_key(rest, text, at)) is not None:
                return outcome
        elif key in _SYNONYMS:
            rest = _SYNONYMS[key]
            key = rest[0]
        if key in _OPERATORS:
            return self._operator(count, rest, text, at)
        if self.mode == "normal" and (outcome := self._plain(count or 1, rest, text, at)):
            return outcome
        if rest in ("r", "g", "f", "F", "t", "T") or (self.mode != "normal" and rest in "ia"):
            return None
        target = self._motion(count, rest, text, at)
        return Outcome(at if target is None else target.at)

    def _plain(self, count: int, rest: str, text: str, at: int) -> Outcome | None:
        """The keys of normal mode that are neither motion nor operator."""
        key = rest[0]
        match key:
            case "i" | "a" | "I" | "A" | "o" | "O":
                return self._insert(key, text, at)
            case "v" | "V":
                self.mode = "visual" if key == "v" else "visual line"
                self.anchor = at
                return Outcome(at)
            case "u":
                return Outcome(at, beside="undo")
            case "p" | "P":
                return self._put(key, count, text, at)
            case "J":
                return self._join(text, at)
            case "~":
                return self._swap_case(count, text, at)
            case "r" if len(rest) == 2:
                end = min(at + count, m.line_end(text, at))
                self._remember()
                return Outcome(max(at, end - 1), at, end, rest[1] * (end - at))
            case ".":
                return self._repeat(text, at)
        return None

    def _visual_key(self, rest: str, text: str, at: int) -> Outcome | None:
        match rest[0]:
            case "v" | "V":
                wanted: Mode = "visual" if rest[0] == "v" else "visual line"
                self.mode = "normal" if self.mode == wanted else wanted
                return Outcome(at)
            case "o":
                self.anchor, at = at, self.anchor
                return Outcome(at)
            case "~":
                start, end = self.selected(text, at)
                self.mode = "normal"
                return Outcome(start, start, end, text[start:end].swapcase())
            case "p" | "P":
                start, end = self.selected(text, at)
                put, self.register = self.register, text[start:end]
                self.mode = "normal"
                return Outcome(start, start, end, put)
            case "i" | "a" if len(rest) == 2:
                span = text_object(text, at, rest[0], rest[1])
                if span is None:
                    return Outcome(at)
                self.anchor = span[0]
                return Outcome(max(span[0], span[1] - 1))
        return None

    # ------------------------------------------------------------ motions

    def _motion(self, count: int | None, keys: str, text: str, at: int) -> m.Target | None:
        key, times = keys[0], count or 1
        if key in "jk":
            if self._column is None:
                self._column = at - m.line_start(text, at)
            lines = times if key == "j" else -times
            return m.Target(m.vertical(text, at, lines, self._column), "lines")
        self._column = None
        if key in "fFtT" and len(keys) == 2:
            self._found = (key, keys[1])
            return self._find(key, keys[1], times, text, at)
        if key in ";," and self._found[0]:
            before, character = self._found
            return self._find(
                before if key == ";" else before.swapcase(), character, times, text, at
            )
        if key == "%":
            place = m.matching_bracket(text, at)
            return None if place is None else m.Target(place, "inclusive")
        if key == "G" or keys == "gg":
            last = text.count("\n") + 1
            line = min(count or (1 if keys == "gg" else last), last)
            return m.Target(m.first_word_in_line(text, m.vertical(text, 0, line - 1, 0)), "lines")
        simple = m.SIMPLE.get(key)
        return simple(text, at, times) if simple else None

    def _find(self, key: str, character: str, count: int, text: str, at: int) -> m.Target | None:
        place = m.find(text, at, key, character, count)
        if place is None:
            return None
        return m.Target(place, "inclusive" if key in "ft" else "exclusive")

    # ------------------------------------------------------------ operators

    def _operator(self, count: int | None, rest: str, text: str, at: int) -> Outcome | None:
        operator, after = rest[0], rest[1:]
        second, motion = _number(after)
        if not motion or motion in ("i", "a", "g", "f", "F", "t", "T"):
            return None
        if second:
            count = (count or 1) * second
        if motion == operator:
            end = m.vertical(text, at, (count or 1) - 1, 0)
            return self._apply(operator, *_lines(text, at, end), text, at, lines=True)
        if motion[0] in "ia" and len(motion) == 2:
            span = text_object(text, at, motion[0], motion[1])
            return Outcome(at) if span is None else self._apply(operator, *span, text, at)
        if operator == "c" and motion in "wW" and text[at : at + 1].strip():
            motion = "e" if motion == "w" else "E"
            # `cw` on the last letter of a word changes that letter only.
            word = text_object(text, at, "i", "W" if motion == "E" else "w")
            if word and at == word[1] - 1 and (count or 1) == 1:
                return self._apply("c", at, at + 1, text, at)
        target = self._motion(count, motion, text, at)
        if target is None:
            return Outcome(at)
        start, end = sorted((at, target.at))
        if target.reach == "lines":
            return self._apply(operator, *_lines(text, start, end), text, at, lines=True)
        if motion[0] in "wW" and "\n" in text[start:end] and not text[start:end].isspace():
            # The last word of a line: its line end is not a part of it.
            end = min(end, m.line_end(text, start))
        if target.reach == "inclusive":
            end = min(end + 1, len(text))
        return self._apply(operator, start, end, text, at)

    def _on_selection(self, operator: str, text: str, at: int) -> Outcome:
        lines = self.mode == "visual line"
        start, end = self.selected(text, at)
        self.mode = "normal"
        return self._apply(operator, start, end, text, start, lines=lines)

    def selected(self, text: str, at: int) -> tuple[int, int]:
        """The start and end of what a visual mode has selected."""
        start, end = sorted((self.anchor, at))
        if self.mode == "visual line":
            return _lines(text, start, end)
        return start, min(end + 1, len(text))

    def _apply(
        self, operator: str, start: int, end: int, text: str, at: int, *, lines: bool = False
    ) -> Outcome:
        taken = text[start:end]
        if operator in "<>":
            return self._shift(operator, *_lines(text, start, max(start, end - 1)), text)
        self.register = taken if not lines or taken.endswith("\n") else f"{taken}\n"
        if operator == "y":
            return Outcome(min(at, start) if not lines else at)
        self._remember()
        if operator == "c":
            if lines and taken.endswith("\n"):
                end -= 1
            self._to_insert(start)
            return Outcome(start, start, end, self._again())
        if lines and end == len(text) and start and not taken.endswith("\n"):
            start -= 1
            before = m.line_start(text, start)
            return Outcome(m.first_word_in_line(text[:start], before), start, end)
        return Outcome(start, start, end)

    def _shift(self, operator: str, start: int, end: int, text: str) -> Outcome:
        self._remember()
        lines = text[start:end].split("\n")
        if operator == ">":
            lines = [_INDENT + line if line else line for line in lines]
        else:
            lines = [
                line[len(_INDENT) :] if line.startswith(_INDENT) else line.lstrip(" ")
                for line in lines
            ]
        return Outcome(start, start, end, "\n".join(lines))

    # ------------------------------------------------------------ other changes

    def _insert(self, key: str, text: str, at: int) -> Outcome:
        self._remember()
        if key in "oO":
            place = m.line_end(text, at) if key == "o" else m.line_start(text, at)
            cursor = place + 1 if key == "o" else place
            self._to_insert(cursor)
            again = self._again()
            put = f"\n{again}" if key == "o" else f"{again}\n"
            return Outcome(cursor + len(again), place, place, put)
        place = {
            "i": at,
            "a": min(at + 1, m.line_end(text, at)),
            "I": m.first_word_in_line(text, at),
            "A": m.line_end(text, at),
        }[key]
        self._to_insert(place)
        again = self._again()
        if again:
            return Outcome(place + len(again) - 1, place, place, again)
        return Outcome(place)

    def _to_insert(self, place: int) -> None:
        if not self._repeating:
            self.mode = "insert"
            self._inserted_from = place
            self._typed = ""

    def _again(self) -> str:
        """What is typed once more by a repeat."""
        return self._typed if self._repeating else ""

    def _put(self, key: str, count: int, text: str, at: int) -> Outcome:
        if not self.register:
            return Outcome(at)
        self._remember()
        put = self.register * min(count, _MOST_COUNT // max(1, len(self.register)) + 1)
        if put.endswith("\n"):
            place = m.line_end(text, at) + 1 if key == "p" else m.line_start(text, at)
            if place > len(text):
                return Outcome(place, len(text), len(text), "\n" + put[:-1])
            return Outcome(place, place, place, put)
        place = min(at + 1, m.line_end(text, at)) if key == "p" else at
        return Outcome(place + len(put) - 1, place, place, put)

    def _join(self, text: str, at: int) -> Outcome:
        end = m.line_end(text, at)
        if end == len(text):
            return Outcome(at)
        self._remember()
        following = m.first_word_in_line(text, end + 1)
        return Outcome(end, end, following, " ")

    def _swap_case(self, count: int, text: str, at: int) -> Outcome:
        self._remember()
        end = min(at + count, m.line_end(text, at))
        return Outcome(end, at, end, text[at:end].swapcase())

    # ------------------------------------------------------------ repeat

    def _remember(self) -> None:
        if not self._repeating and self.mode == "normal":
            self._change = list(self._pending)

    def _repeat(self, text: str, at: int) -> Outcome:
        if not self._change:
            return Outcome(at)
        self._repeating = True
        try:
            self._pending = "".join(self._change)
            return self._command(text, at) or Outcome(at)
        finally:
            self._repeating = False


def _number(keys: str) -> tuple[int | None, str]:
    """The count at the beginning, if there is one, and the rest. A zero alone is a motion."""
    digits = 0
    while digits < len(keys) and keys[digits].isdecimal() and (digits or keys[digits] != "0"):
        digits += 1
    return (min(int(keys[:digits]), _MOST_COUNT), keys[digits:]) if digits else (None, keys)


def _lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole lines from one place to another, with the line end of the last."""
    return m.line_start(text, start), min(m.line_end(text, end) + 1, len(text))
