"""What the summarizer asks of a small model, and how its answers are cleaned. All pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.summarizer import SUMMARY_INSTRUCTION, TITLE_QUESTION

MAX_TITLE = 60
_SPEAKERS = {"user": "User", "assistant": "Assistant"}
_CUT = " […] "

TASK = 'Summarize this conversation in two sentences. Begin with "The user".'
TITLE_SOURCE_TOKENS = 120


@dataclass(frozen=True, slots=True)
class SummaryMessage:
    """A message that is to be summarized; numbers grow with time.

    SummaryMessage(1, "user", "What is the sea?")
    """

    number: int
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What the summarizer has written about a conversation.

    `up_to` is the number of the last message it covers; `title` is set when one was asked for and
    the model gave one.

        print(summary.title or "New chat", summary.text)
    """

    key: Hashable
    text: str
    up_to: int
    title: str | None = None


@dataclass(frozen=True, slots=True)
class SummarizerSettings:
    """How summaries are written: the settings of the background session, and its limits.

    SummarizerSettings(summary_tokens=80)
    """

    session: SessionSettings = field(
        default_factory=lambda: SessionSettings(
            system_instruction=SUMMARY_INSTRUCTION,
            sampling=SamplingSettings(temperature=0.0, repeat_penalty=1.1),
        )
    )
    summary_tokens: int = 160
    title_tokens: int = 16
    title_question: str = TITLE_QUESTION
    """What is asked for a title; `{questions}` stands for what the user said."""

    @property
    def for_summary(self) -> SessionSettings:
        """The settings of a turn that writes a summary."""
        return self._limited(self.summary_tokens)

    @property
    def for_title(self) -> SessionSettings:
        """The settings of a turn that writes a title, which repeats words of the question."""
        return self._limited(self.title_tokens, repeat_penalty=1.0)

    def _limited(self, limit: int, **sampling: float) -> SessionSettings:
        own = self.session.sampling
        most = limit if own.max_output_tokens is None else min(own.max_output_tokens, limit)
        return SessionSettings(
            system_instruction=self.session.system_instruction,
            sampling=msgspec.structs.replace(own, max_output_tokens=most, **sampling),
        )


@dataclass(frozen=True, slots=True)
class SummaryJob:
    """One conversation that waits for its summary."""

    key: Hashable
    messages: tuple[SummaryMessage, ...]
    previous: str = ""
    needs_title: bool = False

    @property
    def up_to(self) -> int:
        """The number of the last message the summary will cover."""
        return self.messages[-1].number

    def after(self, summary: Summary) -> SummaryJob | None:
        """This job once `summary` of the same conversation is written; `None` when it is done."""
        rest = tuple(one for one in self.messages if one.number > summary.up_to)
        if not rest:
            return None
        needs_title = self.needs_title and summary.title is None
        return replace(self, messages=rest, previous=summary.text, needs_title=needs_title)


def question_for(job: SummaryJob, *, budget: int, count: Callable[[str], int]) -> str:
    """What is asked of the model: the task, the summary so far, the new messages.

    Fits `budget` tokens by `count`, give or take what joins its parts: the oldest messages are
    left out first, and a message that is too long alone loses its middle.
    """
    notes = fit_text(job.previous.strip(), budget // 3, count)
    head = f"{TASK}\n\n"
    if notes:
        head += f"Summary so far: {notes}\n\nThe conversation went on:\n"
    tail = "\n\nWrite the new summary of all of it now." if notes else "\n\nWrite the summary now."
    lines = newest_lines(job.messages, budget - count(head + tail), count)
    return f"{head}{lines}{tail}"


def title_question_for(job: SummaryJob, template: str, count: Callable[[str], int]) -> str:
    """What is asked for a title: what the user said, on one line, in the place of `{questions}`.

    A template without that place has it at its end.
    """
    if "{questions}" not in template:
        template += "\n\n{questions}"
    said = [message.text for message in job.messages if message.role == "user"]
    questions = " ".join(" ".join(said or [message.text for message in job.messages]).split())
    return template.replace("{questions}", fit_text(questions, TITLE_SOURCE_TOKENS, count))


def newest_lines(
    messages: Sequence[SummaryMessage], budget: int, count: Callable[[str], int]
) -> str:
    """As many of the newest messages as fit, oldest first; always a part of the last one."""
    lines: list[str] = []
    left = budget
    for message in reversed(messages):
        line = f"{_SPEAKERS[message.role]}: {message.text.strip()}\n"
        size = count(line) if len(line) <= left * 32 else left + 1
        if size > left:
            if not lines:
                lines.append(fit_text(line, left, count))
            break
        lines.append(line)
        left -= size
    return "".join(reversed(lines)).strip()


def fit_text(text: str, budget: int, count: Callable[[str], int]) -> str:
    """`text`, or its beginning and end around a mark, so that it has at most `budget` tokens."""
    budget = max(budget, 1)
    # A token is rarely longer than 32 characters: no need to tokenize what cannot fit.
    keep = min(len(text), budget * 32)
    while True:
        shorter = text if keep >= len(text) else f"{text[: keep // 2]}{_CUT}{text[-(keep // 2) :]}"
        tokens = count(shorter)
        if tokens <= budget or keep <= 2:
            return shorter
        keep = max(2, min(keep - 1, keep * budget // tokens))


def clean_summary(reply: str) -> str:
    """A reply as it is stored: no control characters, no heading that says it is a summary."""
    text = "\n".join(line.rstrip() for line in printable(reply).splitlines()).strip()
    return re.sub(r"\A[*#_\s]*(summary|notes)[*_]*\s*:[*_]*\s*", "", text, flags=re.I).strip()


def whole_sentences(text: str) -> str:
    """`text` without the sentence that was cut off at its end, if that leaves half of it."""
    ends = [match.end() for match in re.finditer(r"[.!?。！？…]['\")»”]*(?=\s|\Z)", text)]
    return text[: ends[-1]] if ends and ends[-1] * 2 >= len(text) else text


def clean_title(reply: str) -> str | None:
    """A reply as a tab's title: one line without quotes and markup, or `None` if none is left."""
    for line in printable(reply).splitlines():
        text = re.sub(r"[*_`#~]+", "", line)
        text = re.sub(r"\A\s*((conversation|title)\s*:\s*)+", "", text, flags=re.I)
        text = " ".join(text.split()).strip("\"'“”„‘’«»‹› .:-–—")
        if text:
            return _shortened(text)
    return None


def printable(text: str) -> str:
    """`text` without control and invisible formatting characters, line breaks excepted."""
    return "".join(
        one
        for one in text.replace("\r\n", "\n").replace("\t", " ")
        if one == "\n" or one == "\u200d" or unicodedata.category(one) not in {"Cc", "Cf", "Cs"}
    )


def newest(messages: Iterable[SummaryMessage]) -> tuple[SummaryMessage, ...]:
    """The messages that say something, in the order of their numbers."""
    return tuple(sorted((m for m in messages if m.text.strip()), key=lambda one: one.number))


def _shortened(text: str) -> str:
    if len(text) <= MAX_TITLE:
        return text
    head = text[: MAX_TITLE - 1]
    whole_words = head.rsplit(" ", 1)[0]
    return (whole_words if len(whole_words) > MAX_TITLE // 2 else head).rstrip(" ,;:-") + "…"
