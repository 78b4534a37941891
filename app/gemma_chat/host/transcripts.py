"""Stretches of stored transcripts, never larger than a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import MAX_FRAME_BYTES, MessageView, TranscriptChanged
from gemma_chat.host.unfinished_turns import UnfinishedTurns
from gemma_chat.host.unstored import Unstored
from gemma_chat.host.views import message_view
from gemma_chat.store.records import Message, Thought
from gemma_chat.store.store import Store

MAX_PAGE: Final = 2000
"""The most messages of one stretch."""
_BYTES_PER_CHARACTER: Final = 4
_ROOM: Final = MAX_FRAME_BYTES // 2
MOST_TOLD: Final = 40
"""So many messages are told at once when others are shown; more have to be fetched."""
MOST_TOLD_BYTES: Final = 128 * 1024
"""Everybody is told, whether the conversation is on their screen or not."""


class Transcripts:
    """What is shown of the open conversations, the store and the unfinished turns together."""

    def __init__(self, store: Store, turns: UnfinishedTurns, unstored: Unstored) -> None:
        self._store = store
        self._turns = turns
        self._unstored = unstored

    def page(
        self,
        session: int,
        *,
        before: int = 0,
        limit: int,
        since: int = 0,
        branches: Literal["shown", "all"] = "shown",
        room: int = _ROOM,
    ) -> tuple[tuple[MessageView, ...], bool]:
        """A stretch of a conversation as it stands now, see `page`."""
        return page(
            self._store,
            session,
            before=before,
            limit=limit,
            unfinished=self._turns.replies(session),
            since=since,
            branches=branches,
            shown=self._unstored.view,
            room=room,
        )

    def changed(self, session: int, since: int) -> TranscriptChanged:
        """What to tell when other messages are shown from number `since` on."""
        messages, more = self.page(session, limit=MOST_TOLD, since=since, room=MOST_TOLD_BYTES)
        return TranscriptChanged(session, since, None if more else messages)


def _beside(message: Message) -> int:
    """Characters of thoughts and calls."""
    return sum(
        len(one.text) if isinstance(one, Thought) else len(one.arguments) + len(one.result)
        for one in message.asides
    )


def page(
    store: Store,
    session: int,
    *,
    before: int,
    limit: int,
    unfinished: Mapping[int, str | None],
    since: int = 0,
    branches: Literal["shown", "all"] = "shown",
    shown: Callable[[MessageView], MessageView | None] = lambda view: view,
    room: int = _ROOM,
) -> tuple[tuple[MessageView, ...], bool]:
    """At most `limit` messages before number `before` (0: from the end), and whether more exist.

    Only messages from number `since` on are looked at, of the branches named by `branches`.

    There may be fewer than `limit` when they are long; the newest is always among them.
    `unfinished` has, for each reply that is not finished, all its text so far, or `None` when it
    has not begun. The store has only a part of it, and a client that fetched less than was said
    would ask for ever. `shown` tells what is shown of a message, `None` when it is not. `room` is
    for all of them, in bytes.
    """
    if not 1 <= limit <= MAX_PAGE or before < 0:
        raise HostError(f"From 1 to {MAX_PAGE} messages can be fetched at once.")
    store.conversation(session)
    stored = store.messages(
        session, before=before, limit=limit + 1 + len(unfinished), branches=branches
    )
    spoken = [one for one in stored if one.role == "user" or one.state != "queued"]
    found = [one for one in spoken if one.message >= since]
    taken: list[MessageView] = []
    left_out = 0
    for message in reversed(found[-limit:]):
        room -= 1024 + _BYTES_PER_CHARACTER * (len(message.text) + _beside(message))
        if taken and room < 0:
            break
        text = unfinished.get(message.message) or message.text
        view = shown(msgspec.structs.replace(message_view(message), text=text))
        if view is None:
            left_out += 1
        else:
            taken.append(view)
    return tuple(reversed(taken)), len(taken) + left_out < len(found)
