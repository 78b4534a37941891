"""The tokens of one reply: what each of them adds to it, and which are put in by force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemma_chat.engine.interface import ReplyPart
from gemma_chat.engine.marks import Marks
from gemma_chat.engine.reply import ReplyReader
from gemma_chat.engine.vocabulary import Vocabulary


class ReplyTokens:
    """Feeds a reply's tokens to its reader, and counts those of its thoughts.

    Args:
        vocabulary: of the model.
        reader: takes the tokens.
        marks: tokens that are marks of the model's family, with their text.
        thinking_budget: tokens of thinking after which it is closed; `None` is no limit.
        thinking_end: the tokens that close a thought.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        reader: ReplyReader,
        *,
        marks: Mapping[int, str],
        thinking_budget: int | None,
        thinking_end: Sequence[int],
    ) -> None:
        self._vocabulary = vocabulary
        self._reader = reader
        self._marks = marks
        self._budget = thinking_budget
        self._thinking_end = thinking_end
        self._thought = 0

    @property
    def stopped(self) -> bool:
        """The reply is complete, although the model did not say so."""
        return self._reader.stopped

    def is_ended_by(self, token: int) -> bool:
        """Whether the model says with this token that its reply is complete."""
        return self._vocabulary.ends_generation(token)

    def feed(self, token: int) -> Sequence[ReplyPart]:
        """Take a token; returns what is final with it."""
        mark = self._marks.get(token, "")
        parts = self._reader.feed(b"" if mark else self._vocabulary.spoken(token), mark)
        self._thought += self._reader.thinks
        return parts

    def forced(self, room: int) -> Sequence[int]:
        """The tokens that have to come next; none when the model may go on as it likes.

        Args:
            room: how many tokens fit.
        """
        if self._budget is None or not self._reader.thinks or self._thought < self._budget:
            return ()
        return self._thinking_end if len(self._thinking_end) <= room else ()

    def flush(self, *, cut: bool) -> Sequence[ReplyPart]:
        """The reply has ended; see `ReplyReader.flush`."""
        return self._reader.flush(cut=cut)

    def drop(self) -> str:
        """The reply was given up; see `ReplyReader.drop`."""
        return self._reader.drop()


def mark_tokens(marks: Marks, vocabulary: Vocabulary) -> dict[int, str]:
    """The marks that are one token each and mean nothing else wherever they stand."""
    controls = vocabulary.control_tokens
    found = {controls[name]: name for name in marks.names if name in controls}
    if marks.calls.syntax == "gemma":
        for name in marks.names - found.keys():
            tokens = vocabulary.tokenize(name.encode())
            if len(tokens) == 1:
                found[tokens[0]] = name
    return found


def said(parts: Sequence[ReplyPart]) -> tuple[str, tuple[ReplyPart, ...]]:
    """Parts as a step carries them: the text when there is nothing else, or all of them."""
    if len(parts) == 1 and parts[0].kind == "text":  # as nearly always
        return parts[0].text, ()
    if all(part.kind == "text" for part in parts):
        return "".join(part.text for part in parts), ()
    return "", tuple(parts)
