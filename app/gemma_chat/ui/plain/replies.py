"""Says what becomes of turns: replies of the tab that is shown as they grow, others in one line.

A turn that was asked for here, or found running in the tab that is gone to, is *followed*: its
reply is said while it is written. One that somebody else asked for at another terminal is said as
a whole when it has ended. Of a turn in another tab it is only said that it has ended.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import msgspec

from gemma_chat.host import protocol as p
from gemma_chat.terms import SPEAKERS
from gemma_chat.ui.plain.speech import Speech
from gemma_chat.ui.plain.words import end_elsewhere, end_of, progress_of, question_of
from gemma_chat.ui.state import TabState, TerminalState
from gemma_chat.ui.text import LINE_CELLS, SENTENCE_CELLS, one_line

YOU, ASSISTANT = SPEAKERS["user"], SPEAKERS["assistant"]

Turn = tuple[int, int]
"""Session and turn."""


class _Said(msgspec.Struct):
    """How much of a reply was said."""

    characters: int = 0
    asides: list[p.Aside] = []


class Replies:
    """Knows which turns are followed, and how far their replies were said."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._followed: set[Turn] = set()
        self._ended: dict[Turn, p.TurnFinished] = {}
        """Turns that have ended and of which that is still to be said."""
        self._asking: Counter[int] = Counter()
        """Sessions in which something is being asked: whose turn it is, is known in a moment."""
        self._said: dict[int, _Said] = {}
        """By message."""
        self._speaking = 0
        """The message whose reply is open."""
        self._progress = ""
        self._asked: set[int] = set()
        """Questions about tools that were said."""

    # ------------------------------------------------------------ which turns

    @contextlib.contextmanager
    def asking(self, session: int) -> Iterator[None]:
        """While this lasts a turn of the session may be one's own and not be known as such."""
        self._asking[session] += 1
        try:
            yield
        finally:
            self._asking[session] -= 1

    def follow_turn(self, session: int, turn: int, *, known: p.MessageView | None = None) -> None:
        """Say the reply of this turn as it is written; of `known`, only what comes to it."""
        self._followed.add((session, turn))
        if known is not None:
            self._said[known.message] = _Said(len(known.text), list(known.asides))

    def follow_running(self, state: TerminalState) -> None:
        """Follow what runs or waits in the tab that is shown."""
        for entry in (*state.lock.holders, *state.lock.waiting):
            if entry.session == state.active and not entry.background:
                self._followed.add((entry.session, entry.turn))

    def is_following(self, session: int) -> bool:
        """Whether a reply of this session is to come."""
        return any(one == session for one, _ in self._followed)

    def forget(self) -> None:
        """Nothing more is to come: the host is gone for good."""
        self._speech.end()
        self._speaking = 0
        self._followed.clear()

    # ------------------------------------------------------------ what happens

    def take(self, state: TerminalState, event: object) -> None:
        """Say what this event, which `state` has taken in, means for the turns."""
        match event:
            case p.TurnFinished():
                self._ended[event.session, event.turn] = event
            case p.SessionClosed():
                self._drop(event.session)
            case p.Snapshot():
                self._miss(state)
        if self._speaking and not self._is_of_active(state):
            # The person went to another tab: the rest is there when they come back.
            self._speech.end()
            self._speaking = 0
        self.say_news(state)

    def say_news(self, state: TerminalState) -> None:
        """Say what there is to say about all turns now."""
        tab = state.active_tab
        if tab is not None and tab.conversation.reading == "loaded":
            for message in tab.conversation.messages:
                if message.role == "assistant" and (tab.session, message.turn) in self._followed:
                    self._say_growth(message)
        for turn, event in list(self._ended.items()):
            if self._can_be_told(state, event):
                del self._ended[turn]
                self._say_end(state, event, followed=turn in self._followed)
                self._followed.discard(turn)
        self._say_progress(state)
        self._say_questions(state)

    def _drop(self, session: int) -> None:
        self._followed = {turn for turn in self._followed if turn[0] != session}
        self._ended = {turn: end for turn, end in self._ended.items() if turn[0] != session}

    def _miss(self, state: TerminalState) -> None:
        """The whole state was told anew: the end of what runs no more was not heard here."""
        entries = (*state.lock.holders, *state.lock.waiting)
        running = {(entry.session, entry.turn) for entry in entries}
        for session, turn in self._followed - running:
            tab = state.tab(session)
            if tab is None or not (tab.view.calling or tab.view.asking):
                metrics = p.TurnMetrics()
                self._ended.setdefault(
                    (session, turn), p.TurnFinished(session, turn, "closed", metrics, _MISSED)
                )

    def _is_of_active(self, state: TerminalState) -> bool:
        tab = state.active_tab
        # While the messages are fetched again it is the same tab all the same.
        return tab is not None and (
            tab.conversation.reading != "loaded" or tab.message(self._speaking) is not None
        )

    def _can_be_told(self, state: TerminalState, event: p.TurnFinished) -> bool:
        if self._asking[event.session]:
            return False
        tab = state.active_tab
        if tab is None or tab.session != event.session:
            return True
        # Its reply may be among the messages that are being fetched.
        return tab.conversation.reading != "loading"

    # ------------------------------------------------------------ what is said

    def _say_growth(self, message: p.MessageView) -> None:
        said = self._said.setdefault(message.message, _Said())
        if len(message.text) < said.characters:
            said.characters = 0
        for place, aside in enumerate(message.asides):
            before = said.asides[place] if place < len(said.asides) else None
            if aside != before:
                self._say_text(message, min(aside.at, len(message.text)), said)
                self._say_aside(before, aside)
        said.asides = list(message.asides)
        self._say_text(message, len(message.text), said)

    def _say_text(self, message: p.MessageView, end: int, said: _Said) -> None:
        if end <= said.characters:
            return
        if self._speaking != message.message:
            self._speech.begin(ASSISTANT)
            self._speaking = message.message
            self._progress = ""
        self._speech.more(message.text[said.characters : end])
        said.characters = end

    def _say_aside(self, before: p.Aside | None, aside: p.Aside) -> None:
        sentence = aside_words(before, aside)
        if sentence and self._speaking:
            self._speech.aside(sentence)
        elif sentence:
            self._speech.say(sentence)

    def _say_end(self, state: TerminalState, event: p.TurnFinished, *, followed: bool) -> None:
        if event.session != state.active:
            if sentence := end_elsewhere(state, event):
                self._speech.say(sentence)
            return
        tab = state.active_tab
        reply = None if tab is None else _reply_of(tab, event.turn)
        if followed:
            self._speech.end()
        elif tab is not None and event.reason not in ("stopped", "closed"):
            self._say_exchange(tab, event.turn, reply)
        self._speaking, self._progress = 0, ""
        self._speech.say(end_of(event, has_text=reply is not None))
        if reply is not None:
            self._said.pop(reply.message, None)

    def _say_exchange(self, tab: TabState, turn: int, reply: p.MessageView | None) -> None:
        place = tab.place_of(reply.message) if reply is not None else 0
        question = tab.conversation.messages[place - 1] if place > 0 else None
        if question is not None and question.role == "user" and question.turn == turn:
            self._speech.say_whole(f"{YOU}, at another terminal", question.text)
        if reply is not None:
            self._speech.say_whole(ASSISTANT, reply.text)

    def _say_progress(self, state: TerminalState) -> None:
        if self._speaking or not self.is_following(state.active):
            return
        progress = progress_of(state, state.active)
        if progress and progress != self._progress:
            self._progress = progress
            self._speech.say(progress)

    def _say_questions(self, state: TerminalState) -> None:
        open_now: set[int] = set()
        for tab in state.tabs:
            for question in tab.view.asking:
                open_now.add(question.question)
            if tab.view.asking and tab.view.asking[0].question not in self._asked:
                self._asked.add(tab.view.asking[0].question)
                self._say_question(state, tab)
        self._asked &= open_now

    def _say_question(self, state: TerminalState, tab: TabState) -> None:
        if tab.session == state.active:
            self._speech.aside(question_of(tab.view.asking[0]))
            return
        number = state.number(tab.session)
        self._speech.say(
            f"Tab {number} asks whether a tool may be called. /tab {number} goes there."
        )


_MISSED = "The end of the reply was not heard here; /show reads it."


def aside_words(before: p.Aside | None, aside: p.Aside) -> str:
    """What is said of a thought or a call that is new or went on; mostly nothing."""
    match aside:
        case p.Thought():
            if before is None and not aside.seconds:
                return "Thinking."
            was_open = before is None or (isinstance(before, p.Thought) and not before.seconds)
            if aside.seconds and was_open:
                return f"Thought for {aside.seconds:.0f} s; /show thoughts reads it."
            return ""
        case p.ToolUse():
            name = one_line(aside.name, LINE_CELLS)
            was = before.outcome if isinstance(before, p.ToolUse) else ""
            if aside.outcome == was:
                return ""
            return {
                "waiting": f"Calling {name}.",
                "answered": f"{name} answered: {one_line(aside.result, SENTENCE_CELLS)}",
                "refused": f"{name} was not called.",
                "failed": f"{name} failed: {one_line(aside.error or aside.result, SENTENCE_CELLS)}",
                "stopped": f"{name} was stopped.",
            }[aside.outcome]


def _reply_of(tab: TabState, turn: int) -> p.MessageView | None:
    for message in reversed(tab.conversation.messages):
        if message.turn == turn and message.role == "assistant":
            return message
    return None
