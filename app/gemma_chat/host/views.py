"""From what the store keeps to what goes over the socket."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from gemma_chat.host.protocol import (
    UNTITLED,
    Aside,
    AttachmentView,
    MessageView,
    ScrollPosition,
    SessionView,
    SummaryView,
    TabPair,
    Thought,
    ToolUse,
    TurnMetrics,
)
from gemma_chat.store.records import Aside as StoredAside
from gemma_chat.store.records import Conversation, Message, Scroll
from gemma_chat.store.records import TabPair as StoredPair
from gemma_chat.store.records import Thought as StoredThought
from gemma_chat.store.records import ToolUse as StoredUse
from gemma_chat.store.records import TurnMetrics as StoredMetrics

T = TypeVar("T")


def session_view(conversation: Conversation) -> SessionView:
    """The tab of an open conversation."""
    return SessionView(
        session=conversation.session,
        title=conversation.title or UNTITLED,
        settings=conversation.settings,
        position=conversation.position or 0,
        title_by=conversation.title_by,
        draft=conversation.draft,
        scroll=_same_fields(conversation.scroll, ScrollPosition),
        unread=conversation.unread,
        failed=conversation.failed,
        turn=conversation.turn,
        context_used=conversation.context_used,
        message_count=conversation.message_count,
        summary=_same_fields(conversation.summary, SummaryView),
        pinned=conversation.pinned,
        mark=conversation.mark,
        group=conversation.group,
        looked_at=conversation.looked_at,
    )


def message_view(message: Message) -> MessageView:
    """One message of a transcript."""
    return MessageView(
        message=message.message,
        turn=message.turn,
        role=message.role,
        text=message.text,
        state=message.state,
        created=message.created,
        error=message.error,
        metrics=None if message.metrics is None else _same_fields(message.metrics, TurnMetrics),
        asides=tuple(map(aside_view, message.asides)),
        branch=message.branch,
        branches=message.branches,
        pinned=message.pinned,
        attachments=tuple(_same_fields(one, AttachmentView) for one in message.attachments),
        model=message.model,
        parent=message.parent,
        chosen=message.chosen,
    )


def aside_view(aside: StoredAside) -> Aside:
    """A thought or a tool call of a reply."""
    if isinstance(aside, StoredThought):
        return _same_fields(aside, Thought)
    return _same_fields(aside, ToolUse)


def stored_aside(aside: Aside) -> StoredAside:
    """A thought or a tool call of a reply as the store keeps it."""
    if isinstance(aside, Thought):
        return _same_fields(aside, StoredThought)
    return _same_fields(aside, StoredUse)


def stored_scroll(scroll: ScrollPosition) -> Scroll:
    """A reader's position as the store keeps it."""
    return _same_fields(scroll, Scroll)


def tab_pair(pair: StoredPair | None) -> TabPair | None:
    """Two tabs side by side."""
    return None if pair is None else _same_fields(pair, TabPair)


def stored_pair(pair: TabPair | None) -> StoredPair | None:
    """Two tabs side by side as the store keeps them."""
    return None if pair is None else _same_fields(pair, StoredPair)


def stored_metrics(metrics: TurnMetrics) -> StoredMetrics:
    """The figures of a turn as the store keeps them."""
    return _same_fields(metrics, StoredMetrics)


def turn_metrics(metrics: object) -> TurnMetrics:
    """The figures of a turn as the sessions report them."""
    return msgspec.convert(metrics, TurnMetrics, from_attributes=True)


def _same_fields(record: object, kind: type[T]) -> T:
    """A `kind` with the fields of `record`, which has the same names and types."""
    return msgspec.convert(record, kind, from_attributes=True)
