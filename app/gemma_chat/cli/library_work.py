"""What the commands about stored conversations do, once they have somebody to ask."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from gemma_chat.cli.naming import conversation_named
from gemma_chat.errors import HostError
from gemma_chat.exchange.transcript import Transcript
from gemma_chat.host.portable import import_refusal, import_request, transcript_from
from gemma_chat.host.protocol import (
    Conversation,
    ConversationView,
    FetchConversation,
    FetchMessages,
    HitView,
    ListConversations,
    MessageView,
    SearchMessages,
)
from gemma_chat.host.requests import Requester
from gemma_chat.terms import Openness

Role = Literal["", "user", "assistant"]

_PAGE = 500


async def listed(
    requester: Requester, which: Openness, containing: str, limit: int
) -> list[ConversationView]:
    """The `limit` most recently used conversations."""
    found: list[ConversationView] = []
    while len(found) < limit:
        page = await requester.request(
            ListConversations(0, which, containing, len(found), min(_PAGE, limit - len(found)))
        )
        found += page.conversations
        if not page.more:
            break
    return found


async def found(
    requester: Requester, query: str, name: str, role: Role, limit: int
) -> list[HitView]:
    """The `limit` newest messages that hold all words of `query`."""
    session = (await conversation_named(requester, name)).session if name else 0
    request = SearchMessages(0, query, session, role, 0, min(1000, limit))
    return list((await requester.request(request)).hits)


async def messages_of(requester: Requester, session: int) -> list[MessageView]:
    """The messages of all branches of a conversation, oldest first."""
    found: list[MessageView] = []
    before = 0
    while True:
        page = await requester.request(FetchMessages(0, session, before, _PAGE, branches="all"))
        found[:0] = page.messages
        if not page.more or not page.messages:
            return found
        before = page.messages[0].message


async def transcript_of(requester: Requester, name: str) -> tuple[Conversation, Transcript]:
    """A whole conversation, ready to be written."""
    view = await conversation_named(requester, name)
    conversation = await requester.request(FetchConversation(0, view.session))
    messages = await messages_of(requester, view.session)
    return conversation, transcript_from(conversation, messages)


async def put_in(requester: Requester, transcript: Transcript, file: Path) -> int:
    """Store a conversation of `file` under a new number, closed; returns the number.

    Raises `HostError` that names the file and the conversation in it.
    """
    try:
        return (await requester.request(import_request(transcript))).session
    except HostError as error:
        raise HostError(import_refusal(transcript, file, str(error))) from None
