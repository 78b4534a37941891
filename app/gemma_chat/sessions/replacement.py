"""What stands in the prompt for the oldest exchanges of a long conversation.

A conversation keeps all its exchanges. When they no longer fit the window, a `Replacement` says
how many of the oldest are not rendered any more, and which summary is rendered in their place. It
is decided once, in large steps, and holds for all turns after it, so that prompts begin with the
same tokens from turn to turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gemma_chat.engine.interface import ChatMessage
from gemma_chat.sessions.history import Exchange

OPENING = "This is a summary of our conversation so far:"
ACCEPTED = "I have read it. Let us go on from there."
"""What the model seems to have said to the summary: most chat templates insist on a reply."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A summary of the first `exchanges` of a conversation.

    session.digest = Digest("The user is Ann and sails.", 12)
    """

    text: str = ""
    exchanges: int = 0


NO_DIGEST = Digest()


@dataclass(frozen=True, slots=True)
class Replacement:
    """From the end of exchange number `since` on, the first `exchanges` are not in the prompt.

    `summary` stands for the first `covered` of them, an empty one for none. Exchanges that are
    pinned stay where they are, behind the summary.

        print(session.replacements[-1].summary)
    """

    exchanges: int = 0
    since: int = 0
    summary: str = ""
    covered: int = 0

    def replaces(self, exchanges: Sequence[Exchange]) -> int:
        """How many of `exchanges` are not in the prompt."""
        return sum(not one.pinned for one in exchanges[: self.exchanges])

    def kept(self, exchanges: Sequence[Exchange]) -> list[Exchange]:
        """Which of `exchanges` are in the prompt."""
        pinned = [one for one in exchanges[: self.exchanges] if one.pinned]
        return [*pinned, *exchanges[self.exchanges :]]

    def messages(self) -> tuple[ChatMessage, ...]:
        """The summary as the chat template sees it.

        It is told in the place of the exchanges and not in the system instruction: what people
        and tools have said must not become an instruction by being summed up.
        """
        if not self.summary:
            return ()
        return (
            ChatMessage("user", f"{OPENING}\n\n{self.summary}"),
            ChatMessage("assistant", ACCEPTED),
        )


NOTHING_REPLACED = Replacement()


def in_force(replacements: Iterable[Replacement], exchanges: int) -> Replacement:
    """The newest one that holds for a conversation of so many exchanges."""
    holding = [one for one in replacements if one.since <= exchanges]
    return max(holding, key=lambda one: one.since, default=NOTHING_REPLACED)


def until(replacements: Iterable[Replacement], exchanges: int) -> tuple[Replacement, ...]:
    """Those that were decided before a conversation had more than so many exchanges."""
    return tuple(one for one in replacements if one.since <= exchanges)


def decided(replacements: Iterable[Replacement], new: Replacement) -> tuple[Replacement, ...]:
    """All of them and `new`, which takes the place of one that was decided at the same time."""
    return (*(one for one in replacements if one.since != new.since), new)
