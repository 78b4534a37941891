"""What this terminal asks of the host, one function for each wish.

Failure is told to the person by `say` and to the caller by the answer; nothing is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import HostError
from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.link import Link
from gemma_chat.ui.own_events import AnyEvent, FetchBegun, FetchFailed, MessagesFetched

if TYPE_CHECKING:
    from gemma_chat.exchange.transcript import Transcript

Severity = Literal["information", "warning", "error"]
Say = Callable[[str, Severity], None]

FIRST_FETCH = 500
OLDER_FETCH = 500
LARGEST_FETCH = 2000
"""The most messages the host gives at once."""
MOST_SEARCHED = 1000
"""Characters of a search; more than anybody types."""

_Answer = TypeVar("_Answer", bound=p.Reply)


class HostCalls:
    """Requests to the host. `changed` takes what the answers mean for the screen's state."""

    def __init__(self, link: Link, changed: Callable[[AnyEvent], None], say: Say) -> None:
        self._link = link
        self._changed = changed
        self._say = say

    async def open_tab(self, settings: SessionSettings | None = None, group: str = "") -> int:
        """A new tab, with the settings of the settings file unless given; its session, or 0."""
        answer = await self._ask(p.OpenSession(0, settings=settings, group=group), p.Opened)
        return answer.session if answer else 0

    async def reopen(self, session: int) -> int:
        """A closed tab again; its session, or 0."""
        answer = await self._ask(p.ReopenSession(0, session), p.Opened)
        return answer.session if answer else 0

    async def close_tab(self, session: int) -> bool:
        """Close a tab; its conversation is kept."""
        return await self._done(p.CloseSession(0, session))

    async def arrange(
        self, wish: p.MoveTab | p.PinTab | p.MarkTab | p.GroupTabs | p.RenameGroup
    ) -> bool:
        """Change the tab bar: order, pins, marks or groups."""
        return await self._done(wish)

    async def rename(self, session: int, title: str) -> bool:
        """Give a tab a title."""
        title = " ".join(title.split())[: p.MAX_TITLE_CHARACTERS]
        return await self._done(p.RenameSession(0, session, title))

    async def change_settings(self, session: int, settings: SessionSettings) -> bool:
        """Settings that hold from the next turn on."""
        return await self._done(p.ChangeSettings(0, session, settings))

    async def send(self, session: int, draft: Draft, *, after: int = 0) -> int:
        """Queue a turn, on the branch that message `after` belongs to; its number, or 0."""
        uploads = tuple(file.upload for file in draft.attachments)
        request = p.SendMessage(0, session, draft.full, after, uploads)
        answer = await self._ask(request, p.Queued)
        return answer.turn if answer else 0

    async def edit(self, session: int, message: int, draft: Draft, *, newest: int) -> int:
        """Ask in other words, on a branch of its own; the turn that answers it, or 0.

        `newest` is the last message seen here.
        """
        request = p.EditMessage(0, session, message, draft.full, newest)
        answer = await self._ask(request, p.Queued)
        return answer.turn if answer else 0

    async def regenerate(
        self, session: int, message: int, sampling: SamplingSettings | None, *, newest: int
    ) -> int:
        """Another reply, on a branch of its own; the turn that writes it, or 0.

        `sampling` holds for it only.
        """
        answer = await self._ask(p.Regenerate(0, session, message, sampling, newest), p.Queued)
        return answer.turn if answer else 0

    async def continue_reply(self, session: int, message: int) -> int:
        """Let the newest reply go on; the turn that does it, or 0."""
        answer = await self._ask(p.ContinueReply(0, session, message), p.Queued)
        return answer.turn if answer else 0

    async def select_branch(self, session: int, message: int, branch: int) -> bool:
        """Show another branch in the place of a message."""
        return await self._done(p.SelectBranch(0, session, message, branch))

    async def delete(
        self, session: int, message: int, newest: int, scope: Literal["exchange", "following"]
    ) -> bool:
        """Delete an exchange, or a message and all after it."""
        return await self._done(p.DeleteMessage(0, session, message, newest, scope))

    async def fork(self, session: int, message: int) -> int:
        """A new tab with the conversation up to a message; its session, or 0."""
        answer = await self._ask(p.ForkFrom(0, session, message), p.Opened)
        return answer.session if answer else 0

    async def pin(self, session: int, message: int, *, pinned: bool) -> bool:
        """Pin a message, or take the pin away."""
        return await self._done(p.PinMessage(0, session, message, pinned))

    async def reorder_queue(self, session: int, turns: tuple[int, ...]) -> bool:
        """Answer the waiting messages of a tab in this order."""
        return await self._done(p.ReorderQueue(0, session, turns))

    async def change_queue(self, ticket: int, change: Literal["sooner", "later", "cancel"]) -> bool:
        """Move an entry of the generation lock's queue by a place, or take it out."""
        return await self._done(p.ChangeQueue(0, ticket, change))

    async def stop(self, session: int, turn: int) -> bool:
        """End one turn, running or queued."""
        return await self._done(p.StopTurn(0, session, turn))

    async def answer_tool(self, session: int, question: int, answer: p.ToolAnswer) -> bool:
        """Answer a question about a call of a tab's model."""
        return await self._done(p.AnswerTool(0, session, question, answer))

    async def summarize(self, session: int) -> bool:
        """Bring the summary up to date now."""
        return await self._done(p.Summarize(0, session))

    async def context(self, session: int) -> p.Context | None:
        """What the model sees of a tab."""
        return await self._ask(p.ShowContext(0, session), p.Context)

    async def pause_summarizer(self, *, paused: bool) -> bool:
        """Pause the summarizer or let it go on."""
        return await self._done(p.SetSummarizer(0, paused))

    async def conversations(self, words: str, offset: int, limit: int) -> p.Conversations | None:
        """A page of all conversations that hold these words, the newest first."""
        request = p.ListConversations(0, "all", "", offset, limit, words[:MOST_SEARCHED])
        return await self._ask(request, p.Conversations)

    async def passages(self, session: int, words: str, limit: int) -> tuple[p.HitView, ...]:
        """Where these words stand in a conversation, the newest first."""
        request = p.SearchMessages(0, words[:MOST_SEARCHED], session, limit=limit)
        answer = await self._ask(request, p.Found)
        return answer.hits if answer else ()

    async def newest_messages(self, session: int, limit: int) -> tuple[p.MessageView, ...]:
        """The end of a conversation, oldest first."""
        answer = await self._ask(p.FetchMessages(0, session, limit=limit), p.Messages)
        return answer.messages if answer else ()

    async def delete_conversations(self, sessions: tuple[int, ...]) -> bool:
        """Delete conversations for good: all of them, or none."""
        return await self._done(p.DeleteConversations(0, sessions))

    async def whole_conversation(self, session: int) -> Transcript | None:
        """A conversation with the messages of all its branches."""
        from gemma_chat.host.portable import transcript_from

        found = await self._ask(p.FetchConversation(0, session), p.Conversation)
        messages = await self.all_messages(session) if found is not None else None
        if found is None or messages is None:
            return None
        return transcript_from(found, messages)

    async def put_in(self, transcript: Transcript, file: Path) -> int:
        """Store a conversation of a file, closed; its session, or 0."""
        from gemma_chat.host.portable import import_refusal, import_request

        def named(reason: str) -> str:
            return import_refusal(transcript, file, reason)

        answer = await self._ask(import_request(transcript), p.Imported, named)
        return answer.session if answer else 0

    async def load_model(
        self,
        path: str = "",
        *,
        server: str = "",
        server_model: str = "",
        when: Literal["now", "idle"] = "now",
    ) -> bool:
        """Another model in place of the loaded one; the tabs stay."""
        return await self._done(p.LoadModel(0, path, server, server_model, when))

    async def models(self) -> p.Models | None:
        """The model files on this machine, and what can be downloaded."""
        return await self._ask(p.ListModels(0), p.Models)

    async def describe_model(self, path: str) -> p.ModelFacts | None:
        """What a model file says of itself."""
        return await self._ask(p.DescribeModel(0, path), p.ModelFacts)

    async def download(self, name: str, token: p.HubToken) -> bool:
        """Download a model, in the host."""
        return await self._done(p.StartDownload(0, name, token))

    async def resume_download(self, download: int, token: p.HubToken) -> bool:
        """Go on with a download, or try again."""
        return await self._done(p.ChangeDownload(0, download, "resume", token))

    async def change_download(self, download: int, wish: Literal["pause", "drop"]) -> bool:
        """Pause a download, or give it up."""
        return await self._done(p.ChangeDownload(0, download, wish))

    async def remove_model(self, path: str) -> bool:
        """Delete a model file of the program's own folder."""
        return await self._done(p.RemoveModel(0, path))

    async def stop_host(self) -> bool:
        """Let the host leave."""
        return await self._done(p.StopHost(0))

    async def detach(self) -> bool:
        """Let the host stay when this terminal has gone."""
        return await self._done(p.Goodbye(0, "stays"))

    async def part(self, last_words: p.Goodbye) -> None:
        """Say this at the very end."""
        await self._quietly(last_words)

    async def other_terminals(self) -> int:
        """How many are attached beside this one; 0 when that cannot be known."""
        try:
            reply = await self._link.request(p.GetStatus(0))
        except HostError:
            return 0
        return reply.clients if isinstance(reply, p.Status) else 0

    async def save_draft(self, session: int, draft: Draft, begun: p.DraftBegun) -> None:
        """Keep what stands in a tab's input. Said again after a lost connection."""
        await self._quietly(p.SaveDraft(0, session, draft.full, begun))

    async def save_scroll(self, session: int, scroll: p.ScrollPosition) -> None:
        """Keep where the reader of a tab stands."""
        await self._quietly(p.SaveScroll(0, session, scroll))

    async def look_at(self, session: int) -> None:
        """This tab is shown now; a terminal that starts later begins with it."""
        await self._quietly(p.LookAtTab(0, session))

    async def pair(self, pair: p.TabPair | None) -> None:
        """These two stand side by side now; a terminal that starts later begins with them."""
        await self._quietly(p.PairTabs(0, pair))

    async def mark_read(self, session: int) -> None:
        """The tab has been looked at."""
        await self._quietly(p.MarkRead(0, session))

    async def fetch(self, begun: FetchBegun) -> None:
        """The newest messages of a tab, whose fetching has been noted in the state."""
        session, since = begun.session, begun.since
        limit = LARGEST_FETCH if since else FIRST_FETCH
        answer = await self._ask(p.FetchMessages(0, session, limit=limit, since=since), p.Messages)
        if answer is None:
            self._changed(FetchFailed(session, begun.fetch))
        else:
            self._changed(
                MessagesFetched(
                    session, answer.messages, answer.more, fetch=begun.fetch, since=since
                )
            )

    async def preview(self, digest: str, width: int, height: int) -> p.Preview | None:
        """A picture that was sent, fitted into a size; `None` when there is none."""
        try:
            reply = await self._link.request(p.FetchPreview(0, digest, width, height))
        except HostError:
            # A transcript without the picture says all that it says with it.
            return None
        whole = isinstance(reply, p.Preview) and len(reply.rgb) == 3 * reply.width * reply.height
        return reply if isinstance(reply, p.Preview) and whole and reply.rgb else None

    async def fetch_older(self, session: int, before: int, limit: int = OLDER_FETCH) -> None:
        """The messages before message number `before`."""
        request = p.FetchMessages(0, session, before=before, limit=limit)
        answer = await self._ask(request, p.Messages)
        if answer is not None:
            self._changed(MessagesFetched(session, answer.messages, answer.more, before))

    async def all_messages(self, session: int) -> tuple[p.MessageView, ...] | None:
        """Every message of all branches, oldest first; `None` when they could not be had."""
        messages: tuple[p.MessageView, ...] = ()
        more = True
        while more:
            before = messages[0].message if messages else 0
            request = p.FetchMessages(0, session, before=before, limit=OLDER_FETCH, branches="all")
            answer = await self._ask(request, p.Messages)
            if answer is None:
                return None
            messages = answer.messages + messages
            more = answer.more and bool(answer.messages)
        return messages

    async def _done(self, request: p.Request) -> bool:
        return await self._ask(request, p.Done) is not None

    async def _ask(
        self,
        request: p.Request,
        expected: type[_Answer],
        worded: Callable[[str], str] = str,
    ) -> _Answer | None:
        """The answer, or `None` when it is none; a refusal is told as it is `worded`."""
        try:
            reply = await self._link.request(request)
        except HostError as error:
            self._say(worded(str(error)), "error")
            return None
        if isinstance(reply, expected):
            return reply
        if isinstance(reply, p.Failed):
            self._say(worded(reply.error), "error")
        else:
            self._say(f"The host answered {type(reply).__name__} to a request.", "error")
        return None

    async def _quietly(self, request: p.Request) -> None:
        try:
            await self._link.request(request)
        except HostError:
            # The person did not ask for this; it is done again with the next change.
            return
