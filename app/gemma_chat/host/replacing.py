"""Between what a chat decides when its context is full and what the store keeps of it.

A chat counts its exchanges; the store has messages on branches. `replies` are the numbers of the
messages with which the exchanges of a chat end, oldest first, and translate one into the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from gemma_chat.host.context import exchanges_of
from gemma_chat.host.protocol import Context, ContextPart, ReplacedView
from gemma_chat.sessions.context_view import ContextView
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.replacement import NO_DIGEST, Digest, Replacement
from gemma_chat.store.records import Message, Summary
from gemma_chat.store.store import Store


def replies_of(messages: Iterable[Message]) -> list[int]:
    """The messages with which the exchanges end that the model shall know."""
    return [exchange.reply.message for exchange in exchanges_of(messages)]


def stored_replacements(
    store: Store, session: int, replies: Sequence[int]
) -> tuple[Replacement, ...]:
    """What was decided on the branch of a conversation that is shown."""
    return tuple(
        Replacement(
            exchanges=bisect_right(replies, one.up_to),
            since=bisect_right(replies, one.after),
            summary=one.text,
            covered=bisect_right(replies, one.covered_up_to),
        )
        for one in store.replacements.of(session)
    )


def digest_of(summary: Summary, replies: Sequence[int]) -> Digest:
    """The running summary, and how many exchanges it tells of."""
    if not summary.text:
        return NO_DIGEST
    return Digest(summary.text, bisect_right(replies, summary.up_to))


def keep_replacement(
    store: Store, session: int, replies: Sequence[int], decided: Sequence[Replacement]
) -> bool:
    """Store the newest decision of a chat, unless it is stored already."""
    known = stored_replacements(store, session, replies)
    newest = decided[-1] if decided else None
    if newest is None or not 0 < newest.exchanges <= newest.since <= len(replies):
        return False
    covered = min(newest.covered, len(replies))
    if known and known[-1] == newest:
        return False
    store.replacements.keep(
        session,
        after=replies[newest.since - 1],
        up_to=replies[newest.exchanges - 1],
        covered_up_to=replies[covered - 1] if covered and newest.summary else 0,
        text=newest.summary,
    )
    return True


def replaced_view(store: Store, session: int) -> ReplacedView:
    """What of a conversation is not in the model's context, as a terminal shows it."""
    decided = store.replacements.of(session)
    if not decided:
        return ReplacedView()
    newest = decided[-1]
    covered = min(newest.covered_up_to, newest.up_to)
    return ReplacedView(
        up_to=newest.up_to,
        messages=store.replacements.count(session, newest.up_to),
        summarized=store.replacements.count(session, covered) if newest.text else 0,
        summary=newest.text,
        decided=newest.created,
    )


def overflow_notice(dropped: TurnsDropped) -> str:
    """What to tell about exchanges that nothing stands for; empty when a summary does."""
    unsaid = dropped.left_out - dropped.summarized
    if dropped.dropped <= 0 or unsaid <= 0:
        return ""
    told = ", the others as a summary" if dropped.summarized else ""
    return (
        f"The context is full: the model no longer sees the {unsaid} oldest questions with their "
        f"replies, which stay in the transcript{told}. A summary takes their place as soon as one "
        "is written, unless the tab is set to drop them."
    )


def context_view(number: int, store: Store, session: int, context: ContextView) -> Context:
    """The answer number `number`: what the model sees of a conversation."""
    return Context(
        id=number,
        session=session,
        parts=tuple(
            ContextPart(part.kind, part.tokens, part.text, part.title) for part in context.parts
        ),
        context_size=context.context_size,
        room=context.room,
        replaced=replaced_view(store, session),
    )
