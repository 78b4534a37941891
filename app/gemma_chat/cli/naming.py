"""Which conversation a person means: its number, its title, or enough of the title."""

from __future__ import annotations

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import ConversationView, FetchConversation, ListConversations
from gemma_chat.host.requests import Requester

_SHOWN = 8
_LOOKED_AT = 1000


async def conversation_named(requester: Requester, name: str) -> ConversationView:
    """The conversation called `name`; raises `HostError` when it is none, or several.

    A title that is the same in any case comes before one that only holds the name.
    """
    if name.isdecimal() and len(name) <= 18:
        return (await requester.request(FetchConversation(0, int(name)))).view
    found = await requester.request(ListConversations(0, containing=name, limit=_LOOKED_AT))
    same = [one for one in found.conversations if one.title.casefold() == name.casefold()]
    candidates = same or list(found.conversations)
    if not candidates or not name.strip():
        raise HostError(
            f"There is no conversation called {name!r}. `gemma-chat list` shows them all."
        )
    if len(candidates) > 1:
        shown = ", ".join(f"{one.session} {one.title!r}" for one in candidates[:_SHOWN])
        more = ", …" if len(candidates) > _SHOWN else ""
        raise HostError(
            f"{len(candidates)} conversations are called {name!r}: {shown}{more}. Name one by its "
            "number."
        )
    return candidates[0]
