"""Messages of a conversation: how a terminal shows them, fetches them, and hears of changes."""

from __future__ import annotations

from typing import Literal

from gemma_chat.host.protocol.wire import Wire
from gemma_chat.terms import FinishReason, MessageRole, MessageState, UseOutcome


class TurnMetrics(Wire, frozen=True):
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
    """Tokens that prompt lookup put forward, and how many of them were right."""
    guessed_right_tokens: int = 0
    seed: int | None = None
    """What it was sampled with, drawn or set; `None` without chance."""
    model: str = ""
    """The name of the model that answered; empty where that was not noted."""


class AttachmentView(Wire, frozen=True):
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


class Thought(Wire, frozen=True, tag="thought"):
    """What the model thought before it went on at character `at` of the reply.

    `step` counts the replies of one turn, from 0: another one begins after the results of calls.
    `seconds` is 0 while it is being thought.
    """

    at: int
    step: int = 0
    text: str = ""
    seconds: float = 0.0


class ToolUse(Wire, frozen=True, tag="tool_use"):
    """A call the model made at character `at` of the reply, and its result once there is one.

    `arguments` is a JSON object, as text; `error` tells why the call could not be carried out as
    it was written.
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


class MessageView(Wire, frozen=True):
    """One message of a transcript.

    `message` is its number in the store. Numbers grow in reading order: a reply has its number
    from the moment its question is asked, so it stands before the questions asked after it.
    """

    message: int
    turn: int
    role: MessageRole
    text: str
    state: MessageState
    created: float
    error: str = ""
    metrics: TurnMetrics | None = None
    asides: tuple[Aside, ...] = ()
    """Thoughts and tool calls of a reply, in their order."""
    branch: int = 1
    """Which of the `branches` that begin in its place it is, from 1."""
    branches: int = 1
    pinned: bool = False
    attachments: tuple[AttachmentView, ...] = ()
    model: str = ""
    """The name of the model that answered, where that is known."""
    parent: int = 0
    """The message that it follows, 0 for a first one."""
    chosen: bool = True
    """It is the one of its branches that is shown where its parent is."""


class ImportedMessage(Wire, frozen=True):
    """A finished message from elsewhere; `created` 0 is now.

    `parent` is the place, from 1, of the message of the same import that it follows, which stands
    before it; 0 for a first one, `None` for the message right before. Exactly one of those that
    follow the same message is `chosen`.
    """

    role: MessageRole
    text: str
    created: float = 0.0
    state: Literal["complete", "stopped", "length", "interrupted", "failed"] = "complete"
    model: str = ""
    """The name of the model that answered, where that is known."""
    pinned: bool = False
    parent: int | None = None
    chosen: bool = True
    asides: tuple[Aside, ...] = ()
    """Thoughts and tool calls of a reply, in their order."""


class Upload(Wire, frozen=True):
    """A file to be attached: what it is called, and all its bytes.

    All files of one message must fit into its frame with its text.
    """

    name: str
    data: bytes


class FetchMessages(Wire, frozen=True, tag="fetch_messages"):
    """The messages of a conversation before message number `before` (0: from the end).

    Only those from number `since` on; `branches` tells whether also those that are not shown.
    Answer: `Messages`, oldest first.
    """

    id: int
    session: int
    before: int = 0
    limit: int = 500
    since: int = 0
    branches: Literal["shown", "all"] = "shown"


class FetchPreview(Wire, frozen=True, tag="fetch_preview"):
    """The pixels of an attached picture, fitted into a size. Answer: `Preview`."""

    id: int
    digest: str
    width: int
    height: int


class Messages(Wire, frozen=True, tag="messages"):
    """A stretch of a transcript, oldest first; `more` tells whether older ones exist."""

    id: int
    session: int
    messages: tuple[MessageView, ...]
    more: bool = False


class Preview(Wire, frozen=True, tag="preview"):
    """A picture scaled down: three bytes a pixel, red, green and blue, row by row."""

    id: int
    digest: str
    width: int
    height: int
    rgb: bytes


class MessageChanged(Wire, frozen=True, tag="message_changed"):
    """A message is new, or its state or text changed as a whole."""

    session: int
    turn: int
    view: MessageView


class MessageRemoved(Wire, frozen=True, tag="message_removed"):
    """A message is gone (an empty reply, or a withdrawn question)."""

    session: int
    turn: int
    message: int


class AsideChanged(Wire, frozen=True, tag="aside_changed"):
    """A thought or a tool call of a reply that streams is new, or is another now.

    `place` is its place among the asides of the reply. A growing thought is sent as a whole, at
    most four times a second.
    """

    session: int
    turn: int
    message: int
    place: int
    aside: Aside


class MessageUpdated(Wire, frozen=True, tag="message_updated"):
    """A message changed, and not through its turn: it was pinned, for instance."""

    session: int
    view: MessageView


class TranscriptChanged(Wire, frozen=True, tag="transcript_changed"):
    """From message number `since` on others are shown now: `messages`, or fetch them again."""

    session: int
    since: int
    messages: tuple[MessageView, ...] | None = None
    """All from `since` on; `None` when they are too many to be told."""
