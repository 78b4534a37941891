"""Which reply belongs to which request, so that asking is typed on both ends of the socket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, overload

from gemma_chat.errors import HostError, ProtocolError
from gemma_chat.host.protocol import (
    Answer,
    AnswerTool,
    BackUp,
    ChangeDownload,
    ChangeSettings,
    CloseSession,
    Context,
    ContinueReply,
    Conversation,
    Conversations,
    DeleteConversations,
    DeleteMessage,
    DescribeModel,
    Done,
    EditMessage,
    Failed,
    FetchConversation,
    FetchMessages,
    FetchPreview,
    ForkFrom,
    Found,
    GetStatus,
    Goodbye,
    GroupTabs,
    ImportConversation,
    Imported,
    ListConversations,
    ListModels,
    LoadModel,
    LookAtTab,
    MarkRead,
    MarkTab,
    Messages,
    ModelFacts,
    Models,
    MoveTab,
    Opened,
    OpenSession,
    PinMessage,
    PinTab,
    Preview,
    Queued,
    Regenerate,
    RemoveModel,
    RenameGroup,
    RenameSession,
    ReopenSession,
    ReorderQueue,
    Reply,
    Request,
    SaveDraft,
    SaveScroll,
    SearchMessages,
    SelectBranch,
    SendMessage,
    SetSummarizer,
    ShowContext,
    StartDownload,
    Status,
    StopHost,
    StopTurn,
    Summarize,
)

QueueingRequest = SendMessage | EditMessage | Regenerate | ContinueReply
"""A request that is answered with the number of a turn."""

PlainRequest = (
    CloseSession
    | RenameSession
    | ChangeSettings
    | StopTurn
    | SaveDraft
    | SaveScroll
    | MarkRead
    | Summarize
    | SetSummarizer
    | LoadModel
    | StopHost
    | AnswerTool
    | DeleteConversations
    | BackUp
    | SelectBranch
    | DeleteMessage
    | PinMessage
    | ReorderQueue
    | Goodbye
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
"""A request that is answered with a bare `Done`."""

_ANSWER_OF: Final[dict[type[Request], type[Answer]]] = {
    OpenSession: Opened,
    ReopenSession: Opened,
    ForkFrom: Opened,
    SendMessage: Queued,
    EditMessage: Queued,
    Regenerate: Queued,
    ContinueReply: Queued,
    FetchMessages: Messages,
    FetchPreview: Preview,
    GetStatus: Status,
    ListConversations: Conversations,
    FetchConversation: Conversation,
    SearchMessages: Found,
    ImportConversation: Imported,
    ShowContext: Context,
    ListModels: Models,
    DescribeModel: ModelFacts,
}


class Requester(ABC):
    """Something requests can be given to: a connection, or a link that keeps one up."""

    @overload
    async def request(self, request: OpenSession | ReopenSession | ForkFrom) -> Opened: ...
    @overload
    async def request(self, request: QueueingRequest) -> Queued: ...
    @overload
    async def request(self, request: FetchMessages) -> Messages: ...
    @overload
    async def request(self, request: FetchPreview) -> Preview: ...
    @overload
    async def request(self, request: GetStatus) -> Status: ...
    @overload
    async def request(self, request: ListConversations) -> Conversations: ...
    @overload
    async def request(self, request: FetchConversation) -> Conversation: ...
    @overload
    async def request(self, request: SearchMessages) -> Found: ...
    @overload
    async def request(self, request: ImportConversation) -> Imported: ...
    @overload
    async def request(self, request: ShowContext) -> Context: ...
    @overload
    async def request(self, request: ListModels) -> Models: ...
    @overload
    async def request(self, request: DescribeModel) -> ModelFacts: ...
    @overload
    async def request(self, request: PlainRequest) -> Done: ...
    @overload
    async def request(self, request: Request) -> Answer: ...

    async def request(self, request: Request) -> Answer:
        """Send `request`, whatever its `id` (use 0), and return the answer that belongs to it.

        Raises `HostError` with the host's own sentence when it refuses, and when there is no
        connection, or it breaks before the answer.
        """
        reply = await self._exchange(request)
        if isinstance(reply, Failed):
            raise HostError(reply.error)
        expected = _ANSWER_OF.get(type(request), Done)
        if not isinstance(reply, expected):
            raise ProtocolError(
                f"The host answered {type(request).__name__} with {type(reply).__name__} "
                f"instead of {expected.__name__}."
            )
        return reply

    @abstractmethod
    async def _exchange(self, request: Request) -> Reply:
        """Send `request` under a number of its own and wait for the reply to it."""
