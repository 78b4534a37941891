"""A reply as it streams: text, thoughts and calls set apart by the marks of the model's family.

What comes out is final. A mark that is split over tokens is held back until it is certain, and
never comes out as text. A mark may be a control token, which is no text by itself, or be spelled
out; spelled out it counts only where a model puts it, not where text speaks about it:

* a thought begins before the first word of the reply,
* a call begins at the beginning of a line and not within a code fence,
* a call ends outside the strings of its arguments,
* after calls nothing may follow but more calls; anything else ends the reply.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Literal

from gemma_chat.engine.call_text import CallText
from gemma_chat.engine.calls import CUT_OFF, TOO_LONG, failed_call, is_call, read_call
from gemma_chat.engine.interface import ReplyForm, ReplyPart
from gemma_chat.engine.marks import Marks
from gemma_chat.engine.text import TextStream

_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_BARE_CALL = re.compile(r'\s*\{\s*"(?:name|arguments|parameters)"\s*:')
_LINE = 120
"""Characters at the beginning of a line that are looked at."""
_BARE_BEGINNING = 120
"""Characters after which a reply in JSON must look like a call to be held back as one."""

_State = Literal["text", "thinking", "call", "after calls", "bare call"]


class ReplyReader:
    """Turns the tokens of one reply into its parts.

    Args:
        marks: how the model's family sets thoughts and calls apart.
        form: what the reply may hold.
        stop: strings that end the answer; they are not looked for in thoughts and calls.
        thinking_open: the prompt ends within a thought.
    """

    def __init__(
        self, marks: Marks, form: ReplyForm, stop: Sequence[str], *, thinking_open: bool
    ) -> None:
        self._marks = marks.calls
        self._thoughts = marks.thinking
        self._tools = form.tools if form.tool_choice != "none" else ()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._answer = TextStream(stop)
        self._thought = TextStream()
        self._state: _State = "thinking" if thinking_open else "text"
        self._held = ""
        """Text whose meaning is not certain yet."""
        self._space = ""
        """White space that is dropped when a mark follows it."""
        self._line = ""
        """The line of the answer that is being written, as far as it matters for marks."""
        self._fenced = False
        self._said = False
        """The answer has a visible character."""
        self._fresh = thinking_open
        """A thought or an answer begins: white space in front of it is no part of it."""
        self._header = marks.thinking.header if marks.thinking and thinking_open else ""
        self._call = CallText(marks.calls)
        self._called = False
        self._parts: list[ReplyPart] = []
        self._over = False

    @property
    def stopped(self) -> bool:
        """A stop string has appeared, or something follows the calls: the reply is complete."""
        return self._over or self._answer.stopped

    @property
    def thinks(self) -> bool:
        """The model is within a thought."""
        return self._state == "thinking"

    # ------------------------------------------------------------ tokens in

    def feed(self, spelled: bytes, mark: str = "") -> Sequence[ReplyPart]:
        """Take one token; returns what is final now.

        Args:
            spelled: its bytes, none for a control token.
            mark: the text of a control token that is one of the marks.
        """
        if self.stopped:
            return ()
        if mark:
            self._flush_held()
            self._take_mark(mark)
        else:
            self._held += self._decoder.decode(spelled)
            self._read()
        return self._take_parts()

    def flush(self, *, cut: bool) -> Sequence[ReplyPart]:
        """The reply has ended: all that was held back.

        Args:
            cut: it was ended by a limit and not by the model.
        """
        if self.stopped:
            return self._take_parts()
        self._held += self._decoder.decode(b"", True)
        self._flush_held()
        if self._state == "call":
            self._finish_cut_call(cut=cut)
        elif self._state == "bare call":
            self._finish_bare_call()
        elif self._state == "thinking":
            self._add("thinking", self._thought.flush())
        if self._state == "text":
            self._say(self._space)
            self._add("text", self._answer.flush())
        return self._take_parts()

    def drop(self) -> str:
        """The reply was given up: what was held back of the answer, nothing of a call."""
        if self._state == "call":
            return ""
        return "".join(part.text for part in self.flush(cut=True) if part.kind == "text")

    # ------------------------------------------------------------ parts out

    def _take_parts(self) -> Sequence[ReplyPart]:
        parts, self._parts = self._parts, []
        return parts

    def _add(self, kind: Literal["text", "thinking"], text: str) -> None:
        if not text:
            return
        if self._parts and self._parts[-1].kind == kind:
            text = self._parts.pop().text + text
        self._parts.append(ReplyPart(kind, text))

    def _say(self, text: str) -> None:
        """Text of the answer."""
        self._add("text", self._answer.feed(text))

    # ------------------------------------------------------------ marks that are control tokens

    def _take_mark(self, mark: str) -> None:
        calls, thoughts = self._marks, self._thoughts
        if self._state == "call":
            if mark == calls.closing:
                self._finish_call()
            elif mark == calls.string:
                self._grow_call(mark)
        elif thoughts is not None and mark == thoughts.opening:
            self._begin_thought()
        elif self._state == "thinking" and thoughts is not None and mark == thoughts.closing:
            self._end_thought()
        elif mark == calls.opening and self._tools:
            if self._state == "thinking":
                self._end_thought()
            self._begin_call()
        elif self._state == "after calls" or mark == calls.results:
            self._over = True

    # ------------------------------------------------------------ text

    def _read(self) -> None:
        """Read what is held as far as its meaning is certain."""
        while self._held and not self.stopped:
            before = self._state, len(self._held)
            match self._state:
                case "thinking":
                    self._read_thought()
                case "call":
                    self._read_call()
                case "after calls":
                    self._read_after_calls()
                case "bare call":
                    self._read_bare_call()
                case _:
                    self._read_answer()
            if before == (self._state, len(self._held)):
                return

    def _flush_held(self) -> None:
        """What is held begins no mark after all."""
        self._read()
        held, self._held = self._held, ""
        if held and not self.stopped:
            match self._state:
                case "thinking":
                    self._think(held)
                case "call":
                    self._grow_call(held)
                case "bare call":
                    self._call.add(held)
                case "after calls":
                    self._over = bool(held.strip())
                case _:
                    self._write(held)

    def _read_answer(self) -> None:
        text = self._held
        if self._fresh:
            text = self._held = text.lstrip()
            self._fresh = not text
        opening = self._thoughts.opening if self._thoughts and not self._said else ""
        marks = [mark for mark in (opening, self._call_opening) if mark]
        if not marks:
            self._held = ""
            self._write(text)
            return
        if self._may_be_bare(text):
            self._state = "bare call"
            return
        at, mark = _first(text, marks)
        if at < 0:
            keep = max(_started(text, mark) for mark in marks)
            self._held = text[len(text) - keep :]
            self._write(text[: len(text) - keep])
            return
        self._write(text[:at])
        if self.stopped:
            return
        if mark == opening and not self._said:
            self._held = text[at + len(mark) :]
            self._begin_thought()
        elif mark == self._call_opening and not self._fenced and not self._line.strip():
            self._held = text[at + len(mark) :]
            self._begin_call()
        else:
            self._held = text[at + 1 :]
            self._write(text[at])

    @property
    def _call_opening(self) -> str:
        return self._marks.opening if self._tools else ""

    def _write(self, text: str) -> None:
        """Text of the answer; white space at its end waits for what follows."""
        if not self._tools and (self._said or self._thoughts is None):
            self._say(self._space + text)
            self._space = ""
            return
        for line in text.splitlines(keepends=True):
            self._line = (self._line + line)[:_LINE]
            if line.endswith("\n"):
                self._fenced ^= bool(_FENCE.match(self._line))
                self._line = ""
        words = text.rstrip()
        if words:
            self._said = True
            self._say(self._space + words)
            self._space = ""
        self._space += text[len(words) :]

    # ------------------------------------------------------------ thoughts

    def _begin_thought(self) -> None:
        self._state = "thinking"
        self._fresh = True
        self._space = self._line = ""
        self._header = self._thoughts.header if self._thoughts else ""

    def _read_thought(self) -> None:
        closing = self._thoughts.closing if self._thoughts else ""
        text = self._held
        if self._header and (text.startswith(self._header) or self._header.startswith(text)):
            if len(text) >= len(self._header):
                self._held, self._header = text[len(self._header) :], ""
            return
        self._header = ""
        at = text.find(closing)
        if at < 0:
            keep = _started(text, closing)
            self._held = text[len(text) - keep :]
            self._think(text[: len(text) - keep])
            return
        self._think(text[:at])
        self._held = text[at + len(closing) :]
        self._end_thought()

    def _think(self, text: str) -> None:
        if self._fresh:
            text = text.lstrip()
            self._fresh = not text
        words = text.rstrip()
        if words:
            self._add("thinking", self._thought.feed(self._space + words))
            self._space = ""
        self._space += text[len(words) :]

    def _end_thought(self) -> None:
        self._add("thinking", self._thought.flush())
        self._state = "after calls" if self._called else "text"
        self._space = ""
        self._fresh = True

    # ------------------------------------------------------------ calls

    def _begin_call(self) -> None:
        self._add("text", self._answer.flush())
        self._state = "call"
        self._space = self._line = ""
        self._call = CallText(self._marks)

    def _read_call(self) -> None:
        text, closing = self._held, self._marks.closing
        at = text.find(closing)
        if at < 0:
            keep = _started(text, closing)
            self._held = text[len(text) - keep :]
            self._grow_call(text[: len(text) - keep])
            return
        self._held = text[at:]
        self._grow_call(text[:at])
        if self._state != "call":
            return
        if self._call.within_string:
            self._held = text[at + 1 :]
            self._grow_call(text[at])
        else:
            self._held = text[at + len(closing) :]
            self._finish_call()

    def _grow_call(self, text: str) -> None:
        self._call.add(text)
        if self._call.too_long:
            self._commit(ReplyPart("tool_call", call=failed_call(str(self._call), TOO_LONG)))
            self._over = True

    def _finish_call(self) -> None:
        call = read_call(str(self._call), self._marks, self._tools)
        self._commit(ReplyPart("tool_call", call=call))

    def _finish_cut_call(self, *, cut: bool) -> None:
        """The reply has ended within a call; some models leave the last mark out."""
        text = str(self._call)
        call = read_call(text, self._marks, self._tools)
        if cut and call.error:
            call = failed_call(text, CUT_OFF)
        self._commit(ReplyPart("tool_call", call=call))

    def _commit(self, part: ReplyPart) -> None:
        self._parts.append(part)
        self._called = True
        self._call = CallText(self._marks)
        self._state = "after calls"

    def _read_after_calls(self) -> None:
        text = self._held.lstrip()
        opening = self._marks.opening
        if text.startswith(opening):
            self._held = text[len(opening) :]
            self._begin_call()
        elif text and not opening.startswith(text):
            self._over = True
        else:
            self._held = text

    # ------------------------------------------------------------ a whole reply in JSON

    def _may_be_bare(self, text: str) -> bool:
        """A model that was told of calls in an instruction may leave the fence out."""
        return not self._said and not self._marks.native and text.startswith("{")

    def _read_bare_call(self) -> None:
        self._call.add(self._held)
        self._held = ""
        beginning = self._call.beginning(_BARE_BEGINNING)
        looks_so = _BARE_CALL.match(beginning) or len(beginning) < _BARE_BEGINNING
        if not looks_so or self._call.too_long:
            self._give_up_bare_call()

    def _finish_bare_call(self) -> None:
        text = str(self._call)
        if is_call(text, self._tools):
            self._finish_call()
        else:
            self._give_up_bare_call()

    def _give_up_bare_call(self) -> None:
        text = str(self._call)
        self._call = CallText(self._marks)
        self._state = "text"
        self._write(text)


def _first(text: str, marks: Sequence[str]) -> tuple[int, str]:
    """Where the first of the marks stands, and which it is; -1 when there is none."""
    found = [(at, mark) for mark in marks if (at := text.find(mark)) >= 0]
    return min(found) if found else (-1, "")


def _started(text: str, mark: str) -> int:
    """The length of the longest end of the text with which a mark begins."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:length]):
            return length
    return 0
