"""What the summarizer asks of a small model, and how its answers are cleaned. All pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.summarizer import SUMMARY_INSTRUCTION, TITLE_QUESTION
from gemma_chat.terms import MessageRole

MAX_TITLE = 60
_SPEAKERS = {"user": "User", "assistant": "Assistant"}
_CUT = " […] "

MOST_STRETCHES: Final = 8
"""One job is at most so many turns that write a summary, however long the conversation is."""
LEAST_TOLD: Final = 16
"""Tokens of a message below which it says nothing: others are left out rather."""

TASK = 'Summarize this conversation in two sentences. Begin with "The user".'
TITLE_SOURCE_TOKENS = 120


@dataclass(frozen=True, slots=True)
class SummaryMessage:
    """A message that is to be summarized; numbers grow with time.

    SummaryMessage(1, "user", "What is the sea?")
    """

    number: int
    role: MessageRole
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What the summarizer has written about a conversation.

    `up_to` is the number of the last message it covers; `title` is set when one was asked for and
    the model gave one. Of a long conversation the summaries come stretch by stretch, oldest first,
    and are not `whole` until the last one.

        print(summary.title or "Untitled", summary.text)
    """

    key: Hashable
    text: str
    up_to: int
    title: str | None = None
    whole: bool = True


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
    """One conversation that waits for its summary, in `stretches` turns at most."""

    key: Hashable
    messages: tuple[SummaryMessage, ...]
    previous: str = ""
    needs_title: bool = False
    stretches: int = MOST_STRETCHES

    def begins_with(self, other: SummaryJob) -> bool:
        """Whether nothing of `other` comes before what this job is about."""
        return self.messages[0].number <= other.messages[0].number

    def after(self, summary: Summary) -> SummaryJob | None:
        """This job once `summary` of the same conversation is written; `None` when it is done."""
        rest = tuple(one for one in self.messages if one.number > summary.up_to)
        if not rest:
            return None
        needs_title = self.needs_title and summary.title is None
        return replace(
            self,
            messages=rest,
            previous=summary.text,
            needs_title=needs_title,
            stretches=max(1, self.stretches - 1),
        )


@dataclass(frozen=True, slots=True)
class SummaryQuestion:
    """What is asked of the model about a stretch of a job, which ends with message `up_to`."""

    text: str
    up_to: int


def question_for(job: SummaryJob, *, budget: int, count: Callable[[str], int]) -> SummaryQuestion:
    """What is asked next: the task, the summary so far, the oldest of the messages.

    Fits `budget` tokens by `count`, give or take what joins its parts.
    """
    notes = fit_text(job.previous.strip(), budget // 3, count)
    head = f"{TASK}\n\n"
    if notes:
        head += f"Summary so far: {notes}\n\nThe conversation went on:\n"
    tail = "\n\nWrite the new summary of all of it now." if notes else "\n\nWrite the summary now."
    length = budget - count(head + tail)
    told = stretch_of(job.messages, length, count, stretches=job.stretches)
    return SummaryQuestion(f"{head}{told.text}{tail}", told.up_to)


def title_question_for(job: SummaryJob, template: str, count: Callable[[str], int]) -> str:
    """What is asked for a title: what the user said, on one line, in the place of `{questions}`.

    A template without that place has it at its end.
    """
    if "{questions}" not in template:
        template += "\n\n{questions}"
    questions = " ".join(" ".join(said_by_user(job)).split())
    return template.replace("{questions}", fit_text(questions, TITLE_SOURCE_TOKENS, count))


def said_by_user(job: SummaryJob) -> list[str]:
    """What a conversation is named after: what the user said, else all that was."""
    said = [message.text for message in job.messages if message.role == "user"]
    return said or [message.text for message in job.messages]


def stretch_of(
    messages: Sequence[SummaryMessage],
    budget: int,
    count: Callable[[str], int],
    *,
    stretches: int,
) -> SummaryQuestion:
    """The oldest messages, as many as fit: so many at least that `stretches` are enough for all.

    Where they do not fit as they are they share the room and long ones lose their middle; where
    even that leaves too little to say anything, some are left out, evenly.
    """
    whole = _whole_lines(messages, budget, count)
    share = -(-len(messages) // max(1, stretches))
    taken = messages[: max(len(whole), share)]
    if len(whole) < len(taken):
        whole = _cut_lines(evenly(taken, max(1, budget // LEAST_TOLD)), budget, count)
    return SummaryQuestion("\n".join(whole), taken[-1].number)


def _whole_lines(
    messages: Sequence[SummaryMessage], budget: int, count: Callable[[str], int]
) -> list[str]:
    """The oldest messages that fit as they are."""
    lines: list[str] = []
    for message in messages:
        line = _line(message)
        # A token is rarely longer than 32 characters: no need to tokenize what cannot fit.
        budget -= count(f"{line}\n") if len(line) <= budget * 32 else budget + 1
        if budget < 0:
            break
        lines.append(line)
    return lines


def _cut_lines(
    messages: Sequence[SummaryMessage], budget: int, count: Callable[[str], int]
) -> list[str]:
    """A part of each message; what a short one leaves is for those after it."""
    lines: list[str] = []
    for place, message in enumerate(messages):
        room = budget // (len(messages) - place) - 1
        lines.append(fit_text(_line(message), room, count))
        budget -= count(lines[-1]) + 1
    return lines


def _line(message: SummaryMessage) -> str:
    return f"{_SPEAKERS[message.role]}: {message.text.strip()}"


def evenly(messages: Sequence[SummaryMessage], most: int) -> tuple[SummaryMessage, ...]:
    """At most so many of the messages, at even distances; always the last one."""
    step = -(-len(messages) // most)
    return tuple(reversed(messages[::-1][::step]))


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
