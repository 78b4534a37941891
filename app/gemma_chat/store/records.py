"""What the store gives back: one frozen record for each row.

The fields have the names and meanings of the host's views, so that the host turns a record into
what goes over the socket by name alone. Times are seconds since the epoch.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.terms import (
    FinishedState,
    FinishReason,
    MessageRole,
    MessageState,
    TabMark,
    UseOutcome,
)

TitleAuthor = Literal["nobody", "person", "summarizer"]


class TurnMetrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one turn; times in seconds, rates in tokens per second."""

    reused_tokens: int = 0
    restored_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0
    queue_seconds: float = 0.0
    time_to_first_token: float = 0.0
    prefill_tokens_per_second: float = 0.0
    decode_tokens_per_second: float = 0.0
    finish_reason: FinishReason = "stop"
    guessed_tokens: int = 0
    guessed_right_tokens: int = 0
    seed: int | None = None
    model: str = ""
    """The name of the model that answered."""


class Attachment(msgspec.Struct, frozen=True):
    """A file of a message: `size` in bytes, `width` and `height` in pixels, or `seconds`."""

    name: str
    digest: str
    """The SHA-256 of its bytes, in hex."""
    kind: Literal["image", "audio"]
    format: str
    size: int
    width: int = 0
    height: int = 0
    seconds: float = 0.0


class NewAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be stored with a message."""

    facts: Attachment
    data: bytes


class Thought(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="thought"):
    """What the model thought before it went on at character `at` of the reply.

    `step` counts the replies of one turn, from 0: another one begins after the results of calls.
    `seconds` is 0 while it is being thought.
    """

    at: int
    step: int = 0
    text: str = ""
    seconds: float = 0.0


class ToolUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_use"):
    """A call the model made at character `at` of the reply, and its result once there is one.

    `error` tells why the call could not be carried out as it was written.
    """

    at: int
    step: int = 0
    call: str = ""
    name: str = ""
    arguments: str = "{}"
    error: str = ""
    outcome: UseOutcome = "waiting"
    result: str = ""


Aside = Thought | ToolUse
"""What belongs to a reply and is no text of it."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `message` is its number, which grows with time and is never used again.

    `parent` is the message it follows, 0 for a first one. It is branch number `branch`, from 1, of
    the `branches` messages that follow that parent.
    """

    message: int
    session: int
    turn: int
    role: MessageRole
    text: str
    state: MessageState
    created: float
    error: str = ""
    metrics: TurnMetrics | None = None
    asides: tuple[Aside, ...] = ()
    parent: int = 0
    branch: int = 1
    branches: int = 1
    pinned: bool = False
    attachments: tuple[Attachment, ...] = ()
    model: str = ""
    """The name of the model that answered, where that is known."""
    chosen: bool = True
    """It is the one of its branches that is shown where its parent is."""


class Scroll(msgspec.Struct, frozen=True, kw_only=True):
    """Where a reader stands: rows below the top of a message, or at the end and following."""

    follow: bool = True
    message: int = 0
    row: int = 0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The running summary of a conversation. `up_to` is the last message it covers."""

    text: str = ""
    up_to: int = 0
    updated: float = 0.0


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """From message `after` on, the messages up to number `up_to` are not in the prompt.

    `text` is the summary that stands for those up to number `covered_up_to`, which is 0 when there
    was none.
    """

    after: int
    up_to: int
    covered_up_to: int
    text: str
    created: float


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation, open in a tab or closed.

    `session` is its number, which is never used again, also after it was deleted. `position` is
    its place in the tab bar, from 0, or None when no tab shows it. `turn` is the number of its
    newest turn.
    """

    session: int
    title: str
    settings: SessionSettings
    position: int | None
    title_by: TitleAuthor
    draft: str
    scroll: Scroll
    unread: bool
    failed: bool
    turn: int
    context_used: int
    message_count: int
    summary: Summary
    created: float
    updated: float
    pinned: bool = False
    """Its tab stands first in its group."""
    mark: TabMark = ""
    group: str = ""
    looked_at: float = 0.0
    """When a person looked at its tab last."""


class TabPair(msgspec.Struct, frozen=True):
    """Two tabs that stand side by side; `to_both`: what is sent there goes to both."""

    left: int
    right: int
    to_both: bool = True


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it stands in a list. `preview` is how its newest message begins."""

    session: int
    title: str
    title_by: TitleAuthor
    open: bool
    created: float
    updated: float
    message_count: int
    preview: str


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A finished message that comes from elsewhere; without `created` it was made now.

    `parent` is the place, from 1, of the message of the same conversation that it follows, which
    stands before it; 0 for a first one, `None` for the message right before. Exactly one of those
    that follow the same message is `chosen`.
    """

    role: MessageRole
    text: str
    state: FinishedState = "complete"
    created: float | None = None
    model: str = ""
    pinned: bool = False
    parent: int | None = None
    chosen: bool = True
    asides: tuple[Aside, ...] = ()


class NewTab(msgspec.Struct, frozen=True):
    """How the tab of a conversation from elsewhere is arranged once it is opened."""

    group: str = ""
    mark: TabMark = ""
    pinned: bool = False
