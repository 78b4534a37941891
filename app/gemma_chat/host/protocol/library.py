"""All conversations together: listed, searched, taken in and out."""

from __future__ import annotations

from typing import Literal

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host.protocol.messages import ImportedMessage
from gemma_chat.host.protocol.tabs import SummaryView
from gemma_chat.host.protocol.wire import Wire
from gemma_chat.terms import MessageRole, TabMark


class TabLook(Wire, frozen=True):
    """How a person has arranged a tab, which counts again when it is opened again."""

    group: str = ""
    mark: TabMark = ""
    pinned: bool = False


class ConversationView(Wire, frozen=True):
    """A conversation in a list, whether a tab shows it or not."""

    session: int
    title: str
    """Empty when it has none."""
    open: bool
    created: float
    updated: float
    message_count: int
    preview: str = ""
    """How its newest message begins."""


class HitView(Wire, frozen=True):
    """A message that was found. `marks` are the ranges of `snippet` to highlight, in characters."""

    message: int
    session: int
    title: str
    role: MessageRole
    created: float
    snippet: str
    marks: tuple[tuple[int, int], ...] = ()


class ListConversations(Wire, frozen=True, tag="list_conversations"):
    """Conversations after the first `offset`, most recently used first. Answer: `Conversations`.

    `containing` narrows them to those whose title holds it, in any case; `words` to those whose
    title holds them or that have a message which `SearchMessages` finds with them.
    """

    id: int
    which: Literal["all", "open", "closed"] = "all"
    containing: str = ""
    offset: int = 0
    limit: int = 100
    words: str = ""


class FetchConversation(Wire, frozen=True, tag="fetch_conversation"):
    """One conversation, open or closed. Answer: `Conversation`."""

    id: int
    session: int


class SearchMessages(Wire, frozen=True, tag="search_messages"):
    """Finished messages that hold all words of `query`, newest first. Answer: `Found`.

    The last word stands for all that begin with it, words within quotation marks must follow each
    other, and nothing is an operator. `session` and `role` narrow the search; `before` goes on
    with messages older than that number.
    """

    id: int
    query: str
    session: int = 0
    role: Literal["", "user", "assistant"] = ""
    before: int = 0
    limit: int = 50


class DeleteConversations(Wire, frozen=True, tag="delete_conversations"):
    """Delete conversations for good, all of them or none; their tabs close. Answer: `Done`."""

    id: int
    sessions: tuple[int, ...]


class ImportConversation(Wire, frozen=True, tag="import_conversation"):
    """Put in a conversation from elsewhere, closed. Answer: `Imported`."""

    id: int
    title: str
    messages: tuple[ImportedMessage, ...]
    settings: SessionSettings | None = None
    created: float = 0.0
    tab: TabLook = TabLook()


class BackUp(Wire, frozen=True, tag="back_up"):
    """Copy the database into the new file `path` while it is in use. Answer: `Done`."""

    id: int
    path: str


class Conversations(Wire, frozen=True, tag="conversations"):
    """A stretch of the list of conversations; `more` tells whether others follow."""

    id: int
    conversations: tuple[ConversationView, ...]
    more: bool = False


class Conversation(Wire, frozen=True, tag="conversation"):
    """One conversation, without its messages."""

    id: int
    view: ConversationView
    settings: SessionSettings
    summary: SummaryView = SummaryView()
    tab: TabLook = TabLook()


class Found(Wire, frozen=True, tag="found"):
    """What a search found; `more` tells whether there are older hits."""

    id: int
    hits: tuple[HitView, ...]
    more: bool = False


class Imported(Wire, frozen=True, tag="imported"):
    """The conversation is in the store, under this number."""

    id: int
    session: int
