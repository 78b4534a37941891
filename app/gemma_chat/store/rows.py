"""Between rows and records. The order of columns is known here only."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import GemmaChatError
from gemma_chat.store.records import Aside, Conversation, Message, Scroll, Summary, TurnMetrics
from gemma_chat.store.text import storable
from gemma_chat.terms import TabMark

_log = logging.getLogger(__name__)

_MARKS: Final = frozenset(get_args(TabMark))

SELECT_CONVERSATION = """
    SELECT id, title, settings, position, title_by, draft, scroll_follow, scroll_message,
        scroll_row, unread, failed, turn, context_used,
        (SELECT count(*) FROM messages WHERE conversation = conversations.id AND shown = 1),
        summary_text, summary_up_to, summary_updated, created, updated, pinned, mark, tab_group,
        looked_at
    FROM conversations
"""

SELECT_MESSAGE = """
    SELECT id, conversation, turn, role, text, state, created, error, metrics, asides, parent,
        pinned,
        (SELECT count(*) FROM messages AS beside WHERE beside.conversation = messages.conversation
            AND beside.parent = messages.parent AND beside.id <= messages.id),
        (SELECT count(*) FROM messages AS beside WHERE beside.conversation = messages.conversation
            AND beside.parent = messages.parent),
        model, chosen
    FROM messages
"""


def conversation(row: tuple[Any, ...]) -> Conversation:
    """The record of one row of `SELECT_CONVERSATION`."""
    session, title, settings, position, title_by, draft = row[:6]
    follow, message, line, unread, failed, turn, context_used, count = row[6:14]
    text, up_to, summarized, created, updated, pinned, mark, group, looked_at = row[14:]
    return Conversation(
        session=session,
        title=title,
        settings=_settings(session, settings),
        position=position,
        title_by=title_by,
        draft=draft,
        scroll=Scroll(follow=bool(follow), message=message, row=line),
        unread=bool(unread),
        failed=bool(failed),
        turn=turn,
        context_used=context_used,
        message_count=count,
        summary=Summary(text=text, up_to=up_to, updated=summarized),
        created=created,
        updated=updated,
        pinned=bool(pinned),
        mark=mark if mark in _MARKS else "",
        group=group,
        looked_at=looked_at,
    )


def message(row: tuple[Any, ...]) -> Message:
    """The record of one row of `SELECT_MESSAGE`."""
    number, session, turn, role, text, state, created, error, metrics, asides = row[:10]
    parent, pinned, branch, branches, model, chosen = row[10:]
    return Message(
        message=number,
        session=session,
        turn=turn,
        role=role,
        text=text,
        state=state,
        created=created,
        error=error,
        metrics=_metrics(number, metrics),
        asides=_asides(number, asides),
        parent=parent,
        branch=branch,
        branches=branches,
        pinned=bool(pinned),
        model=model,
        chosen=bool(chosen),
    )


def settings_json(settings: SessionSettings) -> str:
    """A session's settings as they are stored."""
    return storable(json.dumps(msgspec.to_builtins(settings), ensure_ascii=False))


def metrics_json(metrics: TurnMetrics | None) -> str | None:
    """A turn's figures as they are stored."""
    return None if metrics is None else msgspec.json.encode(metrics).decode()


def asides_json(asides: Iterable[Aside]) -> str:
    """Thoughts and calls as they are stored."""
    return storable(json.dumps(msgspec.to_builtins(tuple(asides)), ensure_ascii=False))


def _asides(number: int, stored: str) -> tuple[Aside, ...]:
    try:
        return msgspec.json.decode(stored, type=tuple[Aside, ...])
    except msgspec.MsgspecError as error:
        _log.warning("The thoughts and calls of message %d are not valid (%s).", number, error)
        return ()


def _settings(session: int, stored: str) -> SessionSettings:
    try:
        return msgspec.json.decode(stored, type=SessionSettings).validated()
    except (msgspec.MsgspecError, GemmaChatError) as error:
        # A conversation must stay readable whatever its settings say; the row is not changed.
        _log.warning(
            "The settings of conversation %d are not valid (%s); the defaults stand in.",
            session,
            error,
        )
        return SessionSettings()


def _metrics(number: int, stored: str | None) -> TurnMetrics | None:
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored, type=TurnMetrics)
    except msgspec.MsgspecError as error:
        _log.warning("The figures of message %d are not valid (%s).", number, error)
        return None
