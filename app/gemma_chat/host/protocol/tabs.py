"""Tabs: what a terminal shows of one, opening, closing and changing it."""

from __future__ import annotations

from typing import Final, Literal

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host.protocol.turns import ToolQuestion
from gemma_chat.host.protocol.wire import Wire
from gemma_chat.terms import TabMark

UNTITLED: Final = "Untitled"
"""Stands for a title while there is none."""


class ScrollPosition(Wire, frozen=True):
    """Where a reader stands: rows below the top of a message, or at the end and following."""

    follow: bool = True
    message: int = 0
    row: int = 0


class SummaryView(Wire, frozen=True):
    """The running summary of a conversation. `up_to` is the last message it covers."""

    text: str = ""
    up_to: int = 0
    updated: float = 0.0


class ReplacedView(Wire, frozen=True):
    """What of a conversation the model is not given any more as it was said.

    Of the shown messages up to number `up_to`, `messages` are not in the prompt; what is pinned
    is. `summary` stands for `summarized` of them, and for none when it is empty.
    """

    up_to: int = 0
    messages: int = 0
    summarized: int = 0
    summary: str = ""
    decided: float = 0.0


class ContextPart(Wire, frozen=True):
    """A stretch of the prompt, with its control tokens written out; `title` is how it begins.

    `opening` is how the next question opens, and the reply to it.
    """

    kind: Literal["system", "summary", "pinned", "exchange", "opening"]
    tokens: int
    text: str
    title: str = ""


class SessionView(Wire, frozen=True):
    """One tab."""

    session: int
    title: str
    settings: SessionSettings
    position: int
    """Place in the tab bar, from 0."""
    title_by: Literal["nobody", "person", "summarizer"] = "nobody"
    draft: str = ""
    scroll: ScrollPosition = ScrollPosition()
    unread: bool = False
    failed: bool = False
    turn: int = 0
    """The newest turn of this session, running or not."""
    context_used: int = 0
    """Tokens of this session's context that are in use."""
    message_count: int = 0
    summary: SummaryView = SummaryView()
    asking: tuple[ToolQuestion, ...] = ()
    """What a person is asked in this tab, oldest first."""
    calling: tuple[str, ...] = ()
    """The tools whose calls run now, or wait for an answer."""
    replaced: ReplacedView = ReplacedView()
    pinned: bool = False
    """It stands first in its group."""
    mark: TabMark = ""
    group: str = ""
    """The name of its group; the tabs without one are a group too."""
    looked_at: float = 0.0
    """When a person looked at it last, as far as the snapshot knows."""


class OpenSession(Wire, frozen=True, tag="open_session"):
    """Open a new tab. Answer: `Opened`.

    A session that is opened `aside` is shown in no tab, and closing it leaves a closed
    conversation. One that is `passing` is shown in no tab either, and deleted as soon as the
    client that opened it closes it or has gone.
    """

    id: int
    title: str = ""
    settings: SessionSettings | None = None
    place: Literal["tab", "aside", "passing"] = "tab"
    group: str = ""
    """The group in which its tab stands."""


class CloseSession(Wire, frozen=True, tag="close_session"):
    """Close a tab; its conversation stays in the store. Answer: `Done`."""

    id: int
    session: int


class ReopenSession(Wire, frozen=True, tag="reopen_session"):
    """Open the tab of a stored conversation again (undo of a close). Answer: `Opened`."""

    id: int
    session: int


class RenameSession(Wire, frozen=True, tag="rename_session"):
    """Give a conversation a title; an empty one lets the summarizer choose again. Answer: `Done`.

    The conversation may be closed.
    """

    id: int
    session: int
    title: str


class ChangeSettings(Wire, frozen=True, tag="change_settings"):
    """Set a tab's settings; they hold from its next turn on. Answer: `Done`."""

    id: int
    session: int
    settings: SessionSettings


DraftBegun = Literal["from_the_hosts", "here"]


class SaveDraft(Wire, frozen=True, tag="save_draft"):
    """Keep what stands in this terminal's input box of a tab. Answer: `Done`.

    Each terminal has a draft of its own; `SessionView.draft` holds all of them, so that nothing is
    lost whoever goes. `begun`: the first one that was made of that text takes the place of what
    terminals that have gone left there; any other leaves it.
    """

    id: int
    session: int
    text: str
    begun: DraftBegun = "from_the_hosts"


class SaveScroll(Wire, frozen=True, tag="save_scroll"):
    """Keep where the reader of a tab stands. Answer: `Done`."""

    id: int
    session: int
    scroll: ScrollPosition


class MarkRead(Wire, frozen=True, tag="mark_read"):
    """The tab has been looked at. Answer: `Done`."""

    id: int
    session: int


class Summarize(Wire, frozen=True, tag="summarize"):
    """Bring a conversation's summary and title up to date now. Answer: `Done` at once."""

    id: int
    session: int


class ShowContext(Wire, frozen=True, tag="show_context"):
    """What the model sees of a tab. Answer: `Context`."""

    id: int
    session: int


class Opened(Wire, frozen=True, tag="opened"):
    """The tab is open; a `SessionChanged` for it was sent before."""

    id: int
    session: int


class Context(Wire, frozen=True, tag="context"):
    """The prompt that the next question of a tab is put behind: all its parts, in order.

    Lengths are in tokens. Up to `room` are kept free for the reply. On a server, which renders
    prompts itself, the texts of the parts are empty and their lengths estimates.
    """

    id: int
    session: int
    parts: tuple[ContextPart, ...]
    context_size: int
    room: int
    replaced: ReplacedView = ReplacedView()


class SessionChanged(Wire, frozen=True, tag="session_changed"):
    """A tab is new, or something of it changed. `origin` is the client (its pid) that asked."""

    view: SessionView
    origin: int = 0


class SessionClosed(Wire, frozen=True, tag="session_closed"):
    """A tab is gone."""

    session: int
