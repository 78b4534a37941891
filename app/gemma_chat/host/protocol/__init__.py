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

from gemma_chat.host.protocol.host import (
    Done,
    Failed,
    GetStatus,
    Goodbye,
    Hello,
    Leaving,
    Notice,
    Refused,
    SetSummarizer,
    Snapshot,
    Status,
    StopHost,
    SummarizerChanged,
    SummarizerView,
    Welcome,
)
from gemma_chat.host.protocol.library import (
    BackUp,
    Conversation,
    Conversations,
    ConversationView,
    DeleteConversations,
    FetchConversation,
    Found,
    HitView,
    ImportConversation,
    Imported,
    ListConversations,
    SearchMessages,
    TabLook,
)
from gemma_chat.host.protocol.messages import (
    Aside,
    AsideChanged,
    AttachmentView,
    FetchMessages,
    FetchPreview,
    ImportedMessage,
    MessageChanged,
    MessageRemoved,
    Messages,
    MessageUpdated,
    MessageView,
    Preview,
    Thought,
    ToolUse,
    TranscriptChanged,
    TurnMetrics,
    Upload,
)
from gemma_chat.host.protocol.models import (
    ChangeDownload,
    DescribeModel,
    DownloadsChanged,
    DownloadState,
    DownloadView,
    HubToken,
    ListModels,
    LoadModel,
    MemoryFit,
    ModelChanged,
    ModelFacts,
    ModelFileView,
    Models,
    ModelView,
    OfferView,
    RemoveModel,
    StartDownload,
)
from gemma_chat.host.protocol.tab_bar import (
    MAX_GROUP_CHARACTERS,
    GroupTabs,
    LookAtTab,
    MarkTab,
    MoveTab,
    PairTabs,
    PinTab,
    RenameGroup,
    TabPair,
    TabsArranged,
)
from gemma_chat.host.protocol.tabs import (
    UNTITLED,
    ChangeSettings,
    CloseSession,
    Context,
    ContextPart,
    DraftBegun,
    MarkRead,
    Opened,
    OpenSession,
    RenameSession,
    ReopenSession,
    ReplacedView,
    SaveDraft,
    SaveScroll,
    ScrollPosition,
    SessionChanged,
    SessionClosed,
    SessionView,
    ShowContext,
    Summarize,
    SummaryView,
)
from gemma_chat.host.protocol.turns import (
    AnswerTool,
    ChangeQueue,
    ContinueReply,
    DeleteMessage,
    EditMessage,
    ForkFrom,
    LockChanged,
    LockEntry,
    LockView,
    PinMessage,
    Queued,
    Regenerate,
    ReorderQueue,
    SelectBranch,
    SendMessage,
    StopTurn,
    ToolAnswer,
    ToolQuestion,
    TurnFinished,
    TurnPhase,
    TurnText,
)
from gemma_chat.host.protocol.wire import (
    MAX_FRAME_BYTES,
    MAX_MESSAGE_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    PROTOCOL_VERSION,
)
from gemma_chat.terms import FinishReason, MessageState, ModelPlace, TabMark, UseOutcome

__all__ = [
    "MAX_FRAME_BYTES",
    "MAX_GROUP_CHARACTERS",
    "MAX_MESSAGE_CHARACTERS",
    "MAX_MODEL_CHARACTERS",
    "MAX_TITLE_CHARACTERS",
    "PROTOCOL_VERSION",
    "UNTITLED",
    "Answer",
    "AnswerTool",
    "Aside",
    "AsideChanged",
    "AttachmentView",
    "BackUp",
    "ChangeDownload",
    "ChangeQueue",
    "ChangeSettings",
    "CloseSession",
    "Context",
    "ContextPart",
    "ContinueReply",
    "Conversation",
    "ConversationView",
    "Conversations",
    "DeleteConversations",
    "DeleteMessage",
    "DescribeModel",
    "Done",
    "DownloadState",
    "DownloadView",
    "DownloadsChanged",
    "DraftBegun",
    "EditMessage",
    "Event",
    "Failed",
    "FetchConversation",
    "FetchMessages",
    "FetchPreview",
    "FinishReason",
    "ForkFrom",
    "Found",
    "FromClient",
    "FromHost",
    "GetStatus",
    "Goodbye",
    "GroupTabs",
    "Hello",
    "HitView",
    "HubToken",
    "ImportConversation",
    "Imported",
    "ImportedMessage",
    "Leaving",
    "ListConversations",
    "ListModels",
    "LoadModel",
    "LockChanged",
    "LockEntry",
    "LockView",
    "LookAtTab",
    "MarkRead",
    "MarkTab",
    "MemoryFit",
    "MessageChanged",
    "MessageRemoved",
    "MessageState",
    "MessageUpdated",
    "MessageView",
    "Messages",
    "ModelChanged",
    "ModelFacts",
    "ModelFileView",
    "ModelPlace",
    "ModelView",
    "Models",
    "MoveTab",
    "Notice",
    "OfferView",
    "OpenSession",
    "Opened",
    "PairTabs",
    "PinMessage",
    "PinTab",
    "Preview",
    "Queued",
    "Refused",
    "Regenerate",
    "RemoveModel",
    "RenameGroup",
    "RenameSession",
    "ReopenSession",
    "ReorderQueue",
    "ReplacedView",
    "Reply",
    "Request",
    "SaveDraft",
    "SaveScroll",
    "ScrollPosition",
    "SearchMessages",
    "SelectBranch",
    "SendMessage",
    "SessionChanged",
    "SessionClosed",
    "SessionView",
    "SetSummarizer",
    "ShowContext",
    "Snapshot",
    "StartDownload",
    "Status",
    "StopHost",
    "StopTurn",
    "Summarize",
    "SummarizerChanged",
    "SummarizerView",
    "SummaryView",
    "TabLook",
    "TabMark",
    "TabPair",
    "TabsArranged",
    "Thought",
    "ToolAnswer",
    "ToolQuestion",
    "ToolUse",
    "TranscriptChanged",
    "TurnFinished",
    "TurnMetrics",
    "TurnPhase",
    "TurnText",
    "Upload",
    "UseOutcome",
    "Welcome",
]

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
    | PairTabs
)

Answer = (
    Done
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
"""What comes of a request that was carried out."""

Reply = Answer | Failed

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
