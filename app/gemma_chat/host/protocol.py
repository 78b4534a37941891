"""The typed messages between a terminal and the host.

One message is a frame: four bytes of length, big-endian, then a MessagePack map with a `type`.
The first frame of a client is `Hello`; the host answers `Welcome` and a `Snapshot`, or `Refused`,
and closes. After that the client sends requests, each with an `id` of its own, and the host sends
one reply to each and events in between.

Every event about a turn carries `session` and `turn`. Turn numbers of a session only grow: an
event for a session that is closed, or for an older turn, is out of date and dropped.

A *session* here is one open conversation, named by the conversation's number in the store, which
is never used again.
"""

from __future__ import annotations

from typing import Literal

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host.tab_protocol import MAX_GROUP_CHARACTERS as MAX_GROUP_CHARACTERS
from gemma_chat.host.tab_protocol import GroupTabs as GroupTabs
from gemma_chat.host.tab_protocol import LookAtTab as LookAtTab
from gemma_chat.host.tab_protocol import MarkTab as MarkTab
from gemma_chat.host.tab_protocol import MoveTab as MoveTab
from gemma_chat.host.tab_protocol import PinTab as PinTab
from gemma_chat.host.tab_protocol import RenameGroup as RenameGroup
from gemma_chat.host.tab_protocol import TabMark as TabMark
from gemma_chat.host.tab_protocol import TabsArranged as TabsArranged
from gemma_chat.host.wire import Wire as _Wire

PROTOCOL_VERSION = 3
MAX_FRAME_BYTES = 32 * 1024 * 1024
MAX_MESSAGE_CHARACTERS = 4_000_000
MAX_TITLE_CHARACTERS = 200

MessageState = Literal[
    "complete", "queued", "streaming", "stopped", "length", "interrupted", "failed"
]
"""`interrupted`: the host died in the middle; `stopped`: a person ended it; `queued`: not begun."""

ToolAnswer = Literal["once", "always", "never"]
"""`always` and `never` hold for this tool in this tab from now on."""

TurnPhase = Literal["idle", "queued", "prefill", "generating"]
FinishReason = Literal["stop", "length", "stopped", "tool_call", "closed", "failed"]


# ---------------------------------------------------------------- what is shown


class TurnMetrics(_Wire, frozen=True):
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


class AttachmentView(_Wire, frozen=True):
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


UseOutcome = Literal["waiting", "answered", "refused", "failed", "stopped"]


class Thought(_Wire, frozen=True, tag="thought"):
    """What the model thought before it went on at character `at` of the reply.

    `step` counts the replies of one turn, from 0: another one begins after the results of calls.
    `seconds` is 0 while it is being thought.
    """

    at: int
    step: int = 0
    text: str = ""
    seconds: float = 0.0


class ToolUse(_Wire, frozen=True, tag="tool_use"):
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


class MessageView(_Wire, frozen=True):
    """One message of a transcript.

    `message` is its number in the store. Numbers grow in reading order: a reply has its number
    from the moment its question is asked, so it stands before the questions asked after it.
    """

    message: int
    turn: int
    role: Literal["user", "assistant"]
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


class ScrollPosition(_Wire, frozen=True):
    """Where a reader stands: rows below the top of a message, or at the end and following."""

    follow: bool = True
    message: int = 0
    row: int = 0


class SummaryView(_Wire, frozen=True):
    """The running summary of a conversation. `up_to` is the last message it covers."""

    text: str = ""
    up_to: int = 0
    updated: float = 0.0


class ReplacedView(_Wire, frozen=True):
    """What of a conversation the model is not given any more as it was said.

    Of the shown messages up to number `up_to`, `messages` are not in the prompt; what is pinned
    is. `summary` stands for `summarized` of them, and for none when it is empty.
    """

    up_to: int = 0
    messages: int = 0
    summarized: int = 0
    summary: str = ""
    decided: float = 0.0


class ContextPart(_Wire, frozen=True):
    """A stretch of the prompt, with its control tokens written out; `title` is how it begins.

    `opening` is how the next question opens, and the reply to it.
    """

    kind: Literal["system", "summary", "pinned", "exchange", "opening"]
    tokens: int
    text: str
    title: str = ""


class ToolQuestion(_Wire, frozen=True):
    """The model of a tab wants to call a tool, and a person has to allow it."""

    question: int
    """Its number, never used again by this host."""
    name: str
    arguments: str
    """A JSON object, as text, cut when it is long."""


class SessionView(_Wire, frozen=True):
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


class LockEntry(_Wire, frozen=True):
    """One turn that holds the generation lock or waits for it."""

    session: int
    turn: int
    name: str
    background: bool = False
    phase: TurnPhase = "queued"
    prompt_done: int = 0
    prompt_total: int = 0
    generated: int = 0
    tokens_per_second: float = 0.0
    elapsed: float = 0.0
    """Seconds since it began to hold or to wait."""
    ticket: int = 0
    """What `ChangeQueue` knows it by; 0 while it waits for a model and is in no queue yet."""
    moved: int = 0
    """Places it was moved up by hand; less than 0 where others were moved before it."""
    about: int = 0
    """The tab that background work is done for; 0 when it is none."""


class LockView(_Wire, frozen=True):
    """The generation lock: who holds it and who waits, in the order in which they will run.

    On a server with several slots others run `beside` the holder that began first.
    """

    holder: LockEntry | None = None
    waiting: tuple[LockEntry, ...] = ()
    beside: tuple[LockEntry, ...] = ()

    @property
    def holders(self) -> tuple[LockEntry, ...]:
        """All that run now, in the order in which they began."""
        return () if self.holder is None else (self.holder, *self.beside)


class ModelView(_Wire, frozen=True):
    """The model of this host; sizes in bytes."""

    phase: Literal["none", "loading", "ready", "failed"] = "none"
    name: str = ""
    path: str = ""
    progress: float = 0.0
    error: str = ""
    safe_mode: str = ""
    context_size: int = 0
    weights_bytes: int = 0
    kv_resident_bytes: int = 0
    kv_saved_bytes: int = 0
    process_bytes: int = 0
    server: str = ""
    """The address of the chat server that computes; empty when this machine does."""
    token_counts: Literal["exact", "estimated"] = "exact"
    """Whether tokens are counted by the model's own tokenizer."""
    recommended: SamplingSettings | None = None
    """How its makers recommend to sample; `None` while no model is loaded."""
    modalities: tuple[Literal["image", "audio"], ...] = ()
    """What it takes beside text."""
    kv_disk_bytes: int = 0
    """Saved states in files."""
    thinks: bool = True
    """Whether it can be told to think; false only of a model that is loaded and cannot."""
    next: str = ""
    """The name of the one that takes its place when the replies under way have ended."""


MemoryFit = Literal["fits", "tight", "too_large"]
"""`tight`: it fits the machine, but not into what is free at the moment."""
ModelPlace = Literal["own", "board", "hub", "lmstudio", "ollama"]
"""Whose file it is: see `models.places`. Only files of our own are ever removed."""


class ModelFileView(_Wire, frozen=True):
    """A model file on this machine; `source` is what it is called where it was found."""

    path: str
    name: str
    bytes: int
    place: ModelPlace = "own"
    source: str = ""
    fit: MemoryFit = "fits"
    """By its size alone; `ModelFacts` knows it better."""


class OfferView(_Wire, frozen=True):
    """A model of the catalogue that can be downloaded; sizes in bytes."""

    name: str
    repository: str
    licence: str
    download_bytes: int
    needed_bytes: int
    modalities: tuple[Literal["text", "image", "audio"], ...] = ("text",)
    abilities: tuple[Literal["thinking", "tools"], ...] = ()
    explanation: str = ""
    fit: MemoryFit = "fits"


DownloadState = Literal["starting", "running", "checking", "paused", "failed"]


class DownloadView(_Wire, frozen=True):
    """A download that is not finished. `name` is what was asked for; sizes are of all its files.

    `page` is where the terms of a gated model are accepted, when that is why it failed.
    """

    download: int
    name: str
    state: DownloadState
    file: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_second: float = 0.0
    error: str = ""
    page: str = ""


class SummarizerView(_Wire, frozen=True):
    """The background session that writes summaries and titles."""

    enabled: bool = True
    paused: bool = False
    session: int = 0
    """The conversation it works on now, or 0."""
    pending: tuple[int, ...] = ()


class ConversationView(_Wire, frozen=True):
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


class HitView(_Wire, frozen=True):
    """A message that was found. `marks` are the ranges of `snippet` to highlight, in characters."""

    message: int
    session: int
    title: str
    role: str
    created: float
    snippet: str
    marks: tuple[tuple[int, int], ...] = ()


class ImportedMessage(_Wire, frozen=True):
    """A finished message from elsewhere; `created` 0 is now."""

    role: Literal["user", "assistant"]
    text: str
    created: float = 0.0
    state: Literal["complete", "stopped", "length", "interrupted", "failed"] = "complete"


# ---------------------------------------------------------------- handshake


class Hello(_Wire, frozen=True, tag="hello"):
    """The first frame of a client."""

    version: int
    program: str
    pid: int


class Welcome(_Wire, frozen=True, tag="welcome"):
    """The host's answer to a client it accepts."""

    version: int
    program: str
    pid: int


class Refused(_Wire, frozen=True, tag="refused"):
    """The host's answer to a client of another version, or while it is leaving."""

    version: int
    reason: str
    leaving: bool = False
    """The host is on its way out: try again, there will be another one."""


# ---------------------------------------------------------------- requests


class OpenSession(_Wire, frozen=True, tag="open_session"):
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


class CloseSession(_Wire, frozen=True, tag="close_session"):
    """Close a tab; its conversation stays in the store. Answer: `Done`."""

    id: int
    session: int


class ReopenSession(_Wire, frozen=True, tag="reopen_session"):
    """Open the tab of a stored conversation again (undo of a close). Answer: `Opened`."""

    id: int
    session: int


class RenameSession(_Wire, frozen=True, tag="rename_session"):
    """Give a conversation a title; an empty one lets the summarizer choose again. Answer: `Done`.

    The conversation may be closed.
    """

    id: int
    session: int
    title: str


class ChangeSettings(_Wire, frozen=True, tag="change_settings"):
    """Set a tab's settings; they hold from its next turn on. Answer: `Done`."""

    id: int
    session: int
    settings: SessionSettings


class Upload(_Wire, frozen=True):
    """A file to be attached: what it is called, and all its bytes.

    All files of one message must fit into its frame with its text.
    """

    name: str
    data: bytes


class SendMessage(_Wire, frozen=True, tag="send_message"):
    """Ask: queues a turn. Answer: `Queued` with its number.

    With `after`, the last message that is seen, it is refused when that one is no longer on the
    branch that is shown: nothing is said into a conversation that nobody sees.
    """

    id: int
    session: int
    text: str
    after: int = 0
    attachments: tuple[Upload, ...] = ()


class StopTurn(_Wire, frozen=True, tag="stop_turn"):
    """End the running turn of a tab, keeping what there is of the reply. Answer: `Done`.

    With `turn`, that turn only, also when it waits in the queue; 0 is the oldest unfinished one.
    """

    id: int
    session: int
    turn: int = 0


DraftBegun = Literal["from_the_hosts", "here"]


class SaveDraft(_Wire, frozen=True, tag="save_draft"):
    """Keep what stands in this terminal's input box of a tab. Answer: `Done`.

    Each terminal has a draft of its own; `SessionView.draft` holds all of them, so that nothing is
    lost whoever goes. `begun`: the first one that was made of that text takes the place of what
    terminals that have gone left there; any other leaves it.
    """

    id: int
    session: int
    text: str
    begun: DraftBegun = "from_the_hosts"


class SaveScroll(_Wire, frozen=True, tag="save_scroll"):
    """Keep where the reader of a tab stands. Answer: `Done`."""

    id: int
    session: int
    scroll: ScrollPosition


class MarkRead(_Wire, frozen=True, tag="mark_read"):
    """The tab has been looked at. Answer: `Done`."""

    id: int
    session: int


class FetchMessages(_Wire, frozen=True, tag="fetch_messages"):
    """The messages of a conversation before message number `before` (0: from the end).

    Only those from number `since` on. Answer: `Messages`, oldest first.
    """

    id: int
    session: int
    before: int = 0
    limit: int = 500
    since: int = 0


class Summarize(_Wire, frozen=True, tag="summarize"):
    """Bring a conversation's summary and title up to date now. Answer: `Done` at once."""

    id: int
    session: int


class SetSummarizer(_Wire, frozen=True, tag="set_summarizer"):
    """Pause the summarizer or let it go on. Answer: `Done`."""

    id: int
    paused: bool


class LoadModel(_Wire, frozen=True, tag="load_model"):
    """Load another model file, or use that of a `server`; tabs stay.

    A file that cannot be one is refused, and nothing happens. One that turns out to be none while
    it is loaded gives way again to the one that was there. `now` interrupts the reply under way,
    which keeps its text; `idle` waits until it has ended. What waits in the queue is answered by
    the new model. Answer: `Done`, then `ModelChanged`.
    """

    id: int
    path: str = ""
    server: str = ""
    server_model: str = ""
    when: Literal["now", "idle"] = "now"


class GetStatus(_Wire, frozen=True, tag="get_status"):
    """Answer: `Status`."""

    id: int


class StopHost(_Wire, frozen=True, tag="stop_host"):
    """Finish writing and leave. Answer: `Done`, then the host closes every connection."""

    id: int


class AnswerTool(_Wire, frozen=True, tag="answer_tool"):
    """Answer a `ToolQuestion`; the first answer counts, later ones do nothing. Answer: `Done`."""

    id: int
    session: int
    question: int
    answer: ToolAnswer


class ListConversations(_Wire, frozen=True, tag="list_conversations"):
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


class FetchConversation(_Wire, frozen=True, tag="fetch_conversation"):
    """One conversation, open or closed. Answer: `Conversation`."""

    id: int
    session: int


class SearchMessages(_Wire, frozen=True, tag="search_messages"):
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


class DeleteConversations(_Wire, frozen=True, tag="delete_conversations"):
    """Delete conversations for good, all of them or none; their tabs close. Answer: `Done`."""

    id: int
    sessions: tuple[int, ...]


class ImportConversation(_Wire, frozen=True, tag="import_conversation"):
    """Put in a conversation from elsewhere, closed. Answer: `Imported`."""

    id: int
    title: str
    messages: tuple[ImportedMessage, ...]
    settings: SessionSettings | None = None
    created: float = 0.0


class BackUp(_Wire, frozen=True, tag="back_up"):
    """Copy the database into the new file `path` while it is in use. Answer: `Done`."""

    id: int
    path: str


class EditMessage(_Wire, frozen=True, tag="edit_message"):
    """Ask a question in other words, in its place; what followed it stays as another branch.

    One that still waits is changed where it waits. Answer: `Queued`.
    """

    id: int
    session: int
    message: int
    text: str


class Regenerate(_Wire, frozen=True, tag="regenerate"):
    """Have a question answered once more; the reply so far stays as another branch.

    `message` is the reply or its question; `sampling` holds for this turn only. Answer: `Queued`.
    """

    id: int
    session: int
    message: int
    sampling: SamplingSettings | None = None


class ContinueReply(_Wire, frozen=True, tag="continue_reply"):
    """Let the newest reply of a tab, which was stopped or cut, go on. Answer: `Queued`."""

    id: int
    session: int
    message: int


class SelectBranch(_Wire, frozen=True, tag="select_branch"):
    """Show branch number `branch`, from 1, in the place of `message`. Answer: `Done`."""

    id: int
    session: int
    message: int
    branch: int


class DeleteMessage(_Wire, frozen=True, tag="delete_message"):
    """Delete an exchange, or a message and all that was said after it on any branch.

    `newest` is the newest message the asker knows of: what came later is not deleted unseen.
    A waiting question is withdrawn. Answer: `Done`.
    """

    id: int
    session: int
    message: int
    newest: int
    scope: Literal["exchange", "following"] = "exchange"


class ForkFrom(_Wire, frozen=True, tag="fork_from"):
    """Open a tab with the conversation up to a reply, or up to before a question.

    The question stands in the input of the new tab. Answer: `Opened`.
    """

    id: int
    session: int
    message: int


class PinMessage(_Wire, frozen=True, tag="pin_message"):
    """Pin a message, so that it stays in the context, or take the pin away. Answer: `Done`."""

    id: int
    session: int
    message: int
    pinned: bool


class ReorderQueue(_Wire, frozen=True, tag="reorder_queue"):
    """Answer a tab's waiting questions in this order; names each of their turns once.

    The turns keep their places in the queue and exchange their questions. Answer: `Done`.
    """

    id: int
    session: int
    turns: tuple[int, ...]


class ChangeQueue(_Wire, frozen=True, tag="change_queue"):
    """Move an entry of the generation lock's queue by one place, or end it. Answer: `Done`.

    It exchanges its place with its neighbour: persons' turns come before background work, and a
    tab's questions stay in their order (`ReorderQueue` exchanges those).
    """

    id: int
    ticket: int
    change: Literal["sooner", "later", "cancel"]


class FetchPreview(_Wire, frozen=True, tag="fetch_preview"):
    """The pixels of an attached picture, fitted into a size. Answer: `Preview`."""

    id: int
    digest: str
    width: int
    height: int


class ShowContext(_Wire, frozen=True, tag="show_context"):
    """What the model sees of a tab. Answer: `Context`."""

    id: int
    session: int


class Goodbye(_Wire, frozen=True, tag="goodbye"):
    """This terminal is about to end. Answer: `Done`.

    `stays`: the host does not leave by itself, until it is stopped or a terminal that is the last
    one attached says `as_set`, by which `host.keep_alive` counts again.
    """

    id: int
    host: Literal["as_set", "stays"] = "as_set"


class ListModels(_Wire, frozen=True, tag="list_models"):
    """The model files on this machine, and what can be downloaded. Answer: `Models`."""

    id: int


class DescribeModel(_Wire, frozen=True, tag="describe_model"):
    """What a model file says of itself, and whether it fits into memory. Answer: `ModelFacts`."""

    id: int
    path: str


class StartDownload(_Wire, frozen=True, tag="start_download"):
    """Download a model: its name in the catalogue, or OWNER/NAME[:PATTERN] on the hub.

    The host goes on with it when terminals leave. One that is there goes on. Answer: `Done`.
    """

    id: int
    name: str


class ChangeDownload(_Wire, frozen=True, tag="change_download"):
    """Pause a download, go on with it, or give it up with all that has come. Answer: `Done`."""

    id: int
    download: int
    wish: Literal["pause", "resume", "drop"]


class RemoveModel(_Wire, frozen=True, tag="remove_model"):
    """Delete a model file of the program's own folder, which is not loaded. Answer: `Done`."""

    id: int
    path: str


Request = (
    OpenSession
    | CloseSession
    | ReopenSession
    | RenameSession
    | ChangeSettings
    | SendMessage
    | StopTurn
    | SaveDraft
    | SaveScroll
    | MarkRead
    | FetchMessages
    | Summarize
    | SetSummarizer
    | LoadModel
    | GetStatus
    | StopHost
    | AnswerTool
    | ListConversations
    | FetchConversation
    | SearchMessages
    | DeleteConversations
    | ImportConversation
    | BackUp
    | EditMessage
    | Regenerate
    | ContinueReply
    | SelectBranch
    | DeleteMessage
    | ForkFrom
    | PinMessage
    | ReorderQueue
    | FetchPreview
    | ShowContext
    | Goodbye
    | ChangeQueue
    | ListModels
    | DescribeModel
    | StartDownload
    | ChangeDownload
    | RemoveModel
    | MoveTab
    | PinTab
    | MarkTab
    | GroupTabs
    | RenameGroup
    | LookAtTab
)


# ---------------------------------------------------------------- replies


class Done(_Wire, frozen=True, tag="done"):
    """The request with this `id` was carried out."""

    id: int


class Failed(_Wire, frozen=True, tag="failed"):
    """The request was not carried out; `error` is for the person."""

    id: int
    error: str


class Opened(_Wire, frozen=True, tag="opened"):
    """The tab is open; a `SessionChanged` for it was sent before."""

    id: int
    session: int


class Queued(_Wire, frozen=True, tag="queued"):
    """The message is stored and its turn waits for the lock."""

    id: int
    session: int
    turn: int


class Messages(_Wire, frozen=True, tag="messages"):
    """A stretch of a transcript, oldest first; `more` tells whether older ones exist."""

    id: int
    session: int
    messages: tuple[MessageView, ...]
    more: bool = False


class Status(_Wire, frozen=True, tag="status"):
    """What `gemma-chat host status` prints."""

    id: int
    pid: int
    program: str
    started: float
    clients: int
    """Connections besides the one that asks."""
    sessions: int
    model: ModelView
    lock: LockView
    summarizer: SummarizerView
    stays: bool = False
    """A terminal has detached: with nobody attached the host waits for somebody."""


class Conversations(_Wire, frozen=True, tag="conversations"):
    """A stretch of the list of conversations; `more` tells whether others follow."""

    id: int
    conversations: tuple[ConversationView, ...]
    more: bool = False


class Conversation(_Wire, frozen=True, tag="conversation"):
    """One conversation, without its messages."""

    id: int
    view: ConversationView
    settings: SessionSettings
    summary: SummaryView = SummaryView()


class Found(_Wire, frozen=True, tag="found"):
    """What a search found; `more` tells whether there are older hits."""

    id: int
    hits: tuple[HitView, ...]
    more: bool = False


class Imported(_Wire, frozen=True, tag="imported"):
    """The conversation is in the store, under this number."""

    id: int
    session: int


class Preview(_Wire, frozen=True, tag="preview"):
    """A picture scaled down: three bytes a pixel, red, green and blue, row by row."""

    id: int
    digest: str
    width: int
    height: int
    rgb: bytes


class Context(_Wire, frozen=True, tag="context"):
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


class Models(_Wire, frozen=True, tag="models"):
    """What there is to load and to download; sizes in bytes.

    `chosen` is the path of the file that is loaded at the next start, or empty.
    """

    id: int
    files: tuple[ModelFileView, ...]
    offers: tuple[OfferView, ...]
    chosen: str = ""
    memory_bytes: int = 0
    disk_bytes: int = 0
    """Free where downloads go."""
    folder: str = ""


class ModelFacts(_Wire, frozen=True, tag="model_facts"):
    """What stands in the head of a model file. `fault` says why it cannot be loaded."""

    id: int
    path: str
    name: str = ""
    architecture: str = ""
    quantisation: str = ""
    parameters: int = 0
    context_length: int = 0
    has_template: bool = True
    modalities: tuple[Literal["image", "audio"], ...] = ()
    needed_bytes: int = 0
    fit: MemoryFit = "fits"
    fault: str = ""


Reply = (
    Done
    | Failed
    | Opened
    | Queued
    | Messages
    | Status
    | Conversations
    | Conversation
    | Found
    | Imported
    | Preview
    | Context
    | Models
    | ModelFacts
)


# ---------------------------------------------------------------- events


class Snapshot(_Wire, frozen=True, tag="snapshot"):
    """The whole state, sent after `Welcome` and whenever a client fell too far behind."""

    sessions: tuple[SessionView, ...]
    lock: LockView
    model: ModelView
    summarizer: SummarizerView
    downloads: tuple[DownloadView, ...] = ()


class SessionChanged(_Wire, frozen=True, tag="session_changed"):
    """A tab is new, or something of it changed. `origin` is the client (its pid) that asked."""

    view: SessionView
    origin: int = 0


class SessionClosed(_Wire, frozen=True, tag="session_closed"):
    """A tab is gone."""

    session: int


class MessageChanged(_Wire, frozen=True, tag="message_changed"):
    """A message is new, or its state or text changed as a whole."""

    session: int
    turn: int
    view: MessageView


class MessageRemoved(_Wire, frozen=True, tag="message_removed"):
    """A message is gone (an empty reply, or a withdrawn question)."""

    session: int
    turn: int
    message: int


class TurnText(_Wire, frozen=True, tag="turn_text"):
    """More text of a reply that streams. `offset` is its place in the reply, in characters."""

    session: int
    turn: int
    message: int
    offset: int
    text: str


class AsideChanged(_Wire, frozen=True, tag="aside_changed"):
    """A thought or a tool call of a reply that streams is new, or is another now.

    `place` is its place among the asides of the reply. A growing thought is sent as a whole, at
    most four times a second.
    """

    session: int
    turn: int
    message: int
    place: int
    aside: Aside


class TurnFinished(_Wire, frozen=True, tag="turn_finished"):
    """A turn has ended, whichever way."""

    session: int
    turn: int
    reason: FinishReason
    metrics: TurnMetrics
    error: str = ""


class LockChanged(_Wire, frozen=True, tag="lock_changed"):
    """The lock or its queue changed, or the holder's figures did (at most four times a second)."""

    lock: LockView


class ModelChanged(_Wire, frozen=True, tag="model_changed"):
    """Loading went on, ended or failed, or memory figures changed."""

    model: ModelView


class SummarizerChanged(_Wire, frozen=True, tag="summarizer_changed"):
    """The summarizer began, ended, was paused or goes on."""

    summarizer: SummarizerView


class Notice(_Wire, frozen=True, tag="notice"):
    """A sentence for the person, not tied to a request. `session` 0: about the whole host."""

    level: Literal["information", "warning", "error"]
    text: str
    session: int = 0


class Leaving(_Wire, frozen=True, tag="leaving"):
    """The host goes away on purpose: told to stop, or idle for `keep_alive`."""

    reason: str


class MessageUpdated(_Wire, frozen=True, tag="message_updated"):
    """A message changed, and not through its turn: it was pinned, for instance."""

    session: int
    view: MessageView


class TranscriptChanged(_Wire, frozen=True, tag="transcript_changed"):
    """From message number `since` on others are shown now: fetch them again."""

    session: int
    since: int


class DownloadsChanged(_Wire, frozen=True, tag="downloads_changed"):
    """The downloads as they are now; one that is no longer among them has ended."""

    downloads: tuple[DownloadView, ...]


Event = (
    Snapshot
    | SessionChanged
    | SessionClosed
    | MessageChanged
    | MessageRemoved
    | TurnText
    | TurnFinished
    | LockChanged
    | ModelChanged
    | SummarizerChanged
    | Notice
    | Leaving
    | AsideChanged
    | MessageUpdated
    | TranscriptChanged
    | DownloadsChanged
    | TabsArranged
)

FromClient = Hello | Request
FromHost = Welcome | Refused | Reply | Event
