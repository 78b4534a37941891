"""What the host answers about conversations that no tab needs to show."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import HostError
from gemma_chat.exchange.message_tree import check_branches
from gemma_chat.host.limits import (
    checked_asides,
    checked_draft,
    checked_group,
    checked_model_name,
    checked_title,
    whole_path,
)
from gemma_chat.host.protocol import (
    BackUp,
    Conversation,
    Conversations,
    ConversationView,
    FetchConversation,
    Found,
    HitView,
    ImportConversation,
    Imported,
    ListConversations,
    SearchMessages,
    SummaryView,
    TabLook,
)
from gemma_chat.host.views import stored_aside
from gemma_chat.store.copies import back_up
from gemma_chat.store.records import NewMessage, NewTab
from gemma_chat.store.store import Store

MAX_PAGE: Final = 1000
"""The most conversations or hits of one answer."""
MAX_QUERY_CHARACTERS: Final = 10_000


def listed(store: Store, request: ListConversations) -> Conversations:
    """One page of the list."""
    _check_page(request.limit, request.offset)
    _check_query(request.words)
    found = store.library.page(
        request.which,
        containing=request.containing,
        words=request.words,
        offset=request.offset,
        limit=request.limit + 1,
    )
    views = tuple(_same_fields(one) for one in found[: request.limit])
    return Conversations(request.id, views, len(found) > request.limit)


def fetched(store: Store, request: FetchConversation) -> Conversation:
    """One conversation."""
    found = store.conversation(request.session)
    view = ConversationView(
        session=found.session,
        title=found.title,
        open=found.position is not None,
        created=found.created,
        updated=found.updated,
        message_count=found.message_count,
    )
    summary = msgspec.convert(found.summary, SummaryView, from_attributes=True)
    tab = msgspec.convert(found, TabLook, from_attributes=True)
    return Conversation(request.id, view, found.settings, summary, tab)


def searched(store: Store, request: SearchMessages) -> Found:
    """One page of hits."""
    _check_page(request.limit, request.before)
    _check_query(request.query)
    found = store.library.search(
        request.query,
        session=request.session,
        role=request.role,
        before=request.before,
        limit=request.limit + 1,
    )
    hits = tuple(
        msgspec.convert(hit, HitView, from_attributes=True) for hit in found[: request.limit]
    )
    return Found(request.id, hits, len(found) > request.limit)


def imported(store: Store, request: ImportConversation) -> Imported:
    """The number of a conversation that was put in."""
    if not request.messages:
        raise HostError("A conversation without messages is not imported.")
    check_branches([(message.parent, message.chosen) for message in request.messages])
    settings = (request.settings or SessionSettings()).validated()
    messages = [
        NewMessage(
            role=message.role,
            text=checked_draft(message.text),
            state=message.state,
            created=message.created or None,
            model=checked_model_name(message.model),
            pinned=message.pinned,
            parent=message.parent,
            chosen=message.chosen,
            asides=tuple(map(stored_aside, checked_asides(message))),
        )
        for message in request.messages
    ]
    look = request.tab
    session = store.library.add(
        checked_title(request.title),
        settings,
        messages,
        created=request.created or None,
        tab=NewTab(checked_group(look.group), look.mark, look.pinned),
    )
    return Imported(request.id, session)


async def backed_up(store: Store, request: BackUp) -> None:
    """Copy the database; turns and terminals go on meanwhile."""
    await asyncio.to_thread(back_up, store.path, whole_path(request.path))


def _check_page(limit: int, start: int) -> None:
    if not 1 <= limit <= MAX_PAGE or start < 0:
        raise HostError(f"From 1 to {MAX_PAGE} entries can be asked for at once.")


def _check_query(query: str) -> None:
    if len(query) > MAX_QUERY_CHARACTERS:
        raise HostError(
            f"The search has {len(query):,} characters; at most "
            f"{MAX_QUERY_CHARACTERS:,} are allowed. Search for fewer words."
        )


def _same_fields(record: object) -> ConversationView:
    return msgspec.convert(record, ConversationView, from_attributes=True)
