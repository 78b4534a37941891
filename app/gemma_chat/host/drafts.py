"""What stands in the inputs of all attached terminals, and what those that have gone left there.

Two persons may write in the same tab at once, each in a terminal: neither text may disturb the
other, and none may be lost when its terminal goes. So each terminal has a draft of its own in
every tab, and the store keeps them as one text, from which the next terminal begins.
"""

from __future__ import annotations

from typing import Final

from gemma_chat.host.protocol import MAX_MESSAGE_CHARACTERS, DraftBegun
from gemma_chat.store.store import Store

BETWEEN: Final = "\n\n"
"""Stands between the drafts of several terminals."""


class Drafts:
    """The drafts of every tab, by the client that typed them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._typed: dict[int, dict[int, str]] = {}
        self._left: dict[int, str] = {}
        """What nobody attached has typed; for tabs in which somebody attached has."""

    def save(self, session: int, client: int, text: str, begun: DraftBegun) -> bool:
        """Keep the draft of `client` in a tab; whether the tab's draft is another now.

        Raises `StoreError`.
        """
        before = self._store.conversation(session).draft
        left = self._left.get(session, before)
        if begun == "from_the_hosts":
            left = ""
        elif client not in self._typed.get(session, {}):
            # After the host was gone its terminals tell again what it may have kept already.
            left = _without(left, text)
        typed = self._typed.get(session, {}) | {client: text}
        together = joined([left, *typed.values()])
        if together != before:
            self._store.set_draft(session, together)
        self._left[session] = left
        self._typed[session] = typed
        return together != before

    def leave(self, client: int) -> None:
        """A client has gone: what it typed is left behind."""
        for session, typed in self._typed.items():
            if client in typed:
                self._left[session] = joined([self._left[session], typed.pop(client)])

    def forget(self, session: int) -> None:
        """The tab is closed: what stands in the store is all there is."""
        self._typed.pop(session, None)
        self._left.pop(session, None)


def joined(drafts: list[str]) -> str:
    """All drafts as one, without those that another one begins with, as far as it may be long."""
    kept: list[str] = []
    for number, draft in enumerate(drafts):
        held = any(other.startswith(draft) for other in (*kept, *drafts[number + 1 :]))
        fits = len(BETWEEN.join((*kept, draft))) <= MAX_MESSAGE_CHARACTERS
        if draft.strip() and fits and not held:
            kept.append(draft)
    return BETWEEN.join(kept)


def _without(left: str, draft: str) -> str:
    """What was left behind without one of its parts."""
    if not draft.strip():
        return left
    around = f"{BETWEEN}{left}{BETWEEN}".partition(f"{BETWEEN}{draft}{BETWEEN}")
    if not around[1]:
        return left
    return joined([around[0].removeprefix(BETWEEN), around[2].removesuffix(BETWEEN)])
