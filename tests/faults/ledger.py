"""What the host has promised to terminals, and whether a transcript keeps it.

A promise is made when something is shown: a question from the moment its request was answered or
an event told of it, a reply from the moment it was shown in a last state. What was sent without
an answer may be there or not, but never twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gemma_chat.host.protocol import MessageState, MessageView

UNFINISHED: Final = frozenset({"queued", "streaming"})
KEPT: Final[frozenset[MessageState]] = frozenset({"complete", "length", "stopped"})
"""States that were chosen by a person or the model, and hold for good."""


@dataclass
class Promises:
    """What one conversation must hold."""

    sent: list[str] = field(default_factory=list)
    """The questions of which somebody was told that they are stored."""
    in_turn: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The same for each sender, in the order in which that one was told."""
    unsure: set[str] = field(default_factory=set)
    """Questions whose request had no answer."""
    questions: dict[int, str] = field(default_factory=dict)
    replies: dict[int, MessageView] = field(default_factory=dict)
    heard: dict[int, str] = field(default_factory=dict)
    """Text of replies as it was streamed."""
    reopened: dict[int, int] = field(default_factory=dict)
    """Replies that somebody has asked to go on, each with the turn that had ended it before."""
    draft: str = ""
    other_drafts: set[str] = field(default_factory=set)
    """Drafts whose requests had no answer: the tab may have one of these instead."""

    def acknowledge(self, sender: str, text: str) -> None:
        """A sender was told that its question is stored."""
        self.sent.append(text)
        self.in_turn[sender].append(text)

    def show(self, view: MessageView) -> None:
        """A terminal was shown this message."""
        if view.role == "user":
            self.questions[view.message] = view.text
        elif view.state in KEPT:
            self.replies[view.message] = view
            # A terminal that is behind may still be shown how the reply ended before it went on.
            if view.turn > self.reopened.get(view.message, 0):
                self.reopened.pop(view.message, None)

    def hear(self, message: int, offset: int, text: str) -> None:
        """A terminal was shown this piece of a reply."""
        heard = self.heard.get(message, "")
        if offset <= len(heard):
            self.heard[message] = heard[:offset] + text

    def faults(self, transcript: Sequence[MessageView]) -> list[str]:
        """What is wrong with a whole transcript at a moment when nothing runs."""
        found = {view.message: view for view in transcript}
        return [
            *self._in_order(transcript),
            *self._questions_kept(found),
            *self._sent_once(transcript),
            *self._replies_kept(found),
            *self._words_kept(found),
            *(f"{view.message} is {view.state}" for view in transcript if view.state in UNFINISHED),
        ]

    def most_lost(self, transcript: Sequence[MessageView]) -> int:
        """The most characters of one reply that were shown as it streamed and are not stored."""
        return max(
            (len(self.heard.get(view.message, "")) - len(view.text) for view in transcript),
            default=0,
        )

    def _in_order(self, transcript: Sequence[MessageView]) -> list[str]:
        numbers = [view.message for view in transcript]
        return [] if numbers == sorted(set(numbers)) else [f"the order is {numbers}"]

    def _questions_kept(self, found: dict[int, MessageView]) -> list[str]:
        return [
            f"question {number} {text!r} is {_said(found.get(number))}"
            for number, text in self.questions.items()
            if number not in found or found[number].text != text
        ]

    def _sent_once(self, transcript: Sequence[MessageView]) -> list[str]:
        asked = [view.text for view in transcript if view.role == "user"]
        count = Counter(asked)
        faults = [
            f"{text!r} was acknowledged and is there {count[text]} times"
            for text in self.sent
            if count[text] != 1
        ]
        faults += [
            f"{text!r} was sent once and is there {count[text]} times"
            for text in self.unsure
            if count[text] > 1
        ]
        faults += [
            f"nobody sent {text!r}"
            for text in asked
            if text not in self.sent and text not in self.unsure
        ]
        for sender, sent in self.in_turn.items():
            stored = [text for text in asked if text in set(sent)]
            if not faults and stored != sent:
                faults.append(f"{sender} was told {sent}, stored is {stored}")
        return faults

    def _replies_kept(self, found: dict[int, MessageView]) -> list[str]:
        faults = []
        for number, shown in self.replies.items():
            there = found.get(number)
            if there is None:
                faults.append(f"reply {number} was shown as {shown.state} and is gone")
            elif number in self.reopened:
                if not there.text.startswith(shown.text):
                    faults.append(f"reply {number} went on and lost its beginning")
            elif (there.text, there.state) != (shown.text, shown.state):
                faults.append(f"reply {number} was shown as {_said(shown)}, is {_said(there)}")
        return faults

    def _words_kept(self, found: dict[int, MessageView]) -> list[str]:
        faults = []
        for number, heard in self.heard.items():
            there = found.get(number)
            if there is None:
                faults.append(f"reply {number} began with {heard[:40]!r} and is gone")
            elif not (heard.startswith(there.text) or there.text.startswith(heard)):
                faults.append(f"reply {number} was {heard!r} on the screen, is {there.text!r}")
        return faults


def _said(view: MessageView | None) -> str:
    return "gone" if view is None else f"{view.state} {view.text!r}"
