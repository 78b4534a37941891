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
        self._found: dict[int, str] = {}
        """What an earlier host has kept, all in one; for tabs in which somebody has typed here."""
        self._left: dict[int, tuple[str, ...]] = {}
        """What those have typed who have gone."""

    def save(self, session: int, client: int, text: str, begun: DraftBegun) -> bool:
        """Keep the draft of `client` in a tab; whether the tab's draft is another now.

        Raises `StoreError`.
        """
        before = self._store.conversation(session).draft
        found, left = self._found.get(session, before), self._left.get(session, ())
        if begun == "from_the_hosts":
            found, left = "", ()
        elif client not in self._typed.get(session, {}):
            # A terminal that lost its line, or its host, tells again what is kept already.
            found = _without(found, text)
            left = tuple(draft for draft in left if draft != text)
        typed = self._typed.get(session, {}) | {client: text}
        together = joined([found, *left, *typed.values()])
        if together != before:
            self._store.set_draft(session, together)
        self._found[session], self._left[session] = found, left
        self._typed[session] = typed
        return together != before

    def leave(self, client: int) -> None:
        """A client has gone: what it typed is left behind."""
        for session, typed in self._typed.items():
            if client in typed:
                self._left[session] += (typed.pop(client),)

    def forget(self, session: int) -> None:
        """The tab is closed: what stands in the store is all there is."""
        for drafts in (self._typed, self._found, self._left):
            drafts.pop(session, None)


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
    """What was left behind without one of its parts.

    Where more line ends stand around that part than lie between two drafts, they may belong to a
    longer one: then nothing is taken away, and at worst something stands there twice.
    """
    if not draft.strip():
        return left
    before, found, behind = f"{BETWEEN}{left}{BETWEEN}".partition(f"{BETWEEN}{draft}{BETWEEN}")
    if not found or before.endswith("\n") or behind.startswith("\n"):
        return left
    return joined([before.removeprefix(BETWEEN), behind.removesuffix(BETWEEN)])
