"""A scripted host that has conversations in its store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from tests.ui.scripted import ScriptedLink, make_app, message, tab
from textual.pilot import Pilot

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.settings import Settings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp

SEA, BIRDS, CODE, TAB = 31, 32, 33, 1
TALKS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    TAB: ("Pirate", ("Ahoy!", "Arr, the sea is rough.")),
    SEA: ("The sea", ("How deep is the sea?", "Eleven kilometres.")),
    BIRDS: ("Birds", ("Sing!", "Tweet.")),
    CODE: ("Code", ("print", "```python\nprint(1)\n```", "thanks", "Welcome.")),
}


class StoringLink(ScriptedLink):
    """Lists, searches, deletes and imports as the host does, word by word."""

    def __init__(self, talks: Mapping[int, tuple[str, tuple[str, ...]]] = TALKS) -> None:
        super().__init__()
        self.open = {TAB}
        self.titles = {session: title for session, (title, _) in talks.items()}
        for session, (_, texts) in talks.items():
            first = 1000 * session
            self.stored[session] = tuple(
                msgspec.structs.replace(
                    message(first + at, text, role="assistant" if at % 2 else "user"),
                    parent=first + at - 1 if at else 0,
                )
                for at, text in enumerate(texts)
            )

    def _reply(self, request: p.Request) -> p.Reply:
        match request:
            case p.ListConversations():
                found = [self._view(one) for one in self.titles if self._holds(one, request.words)]
                page = found[request.offset : request.offset + request.limit]
                return p.Conversations(0, tuple(page), len(found) > request.offset + len(page))
            case p.SearchMessages():
                return p.Found(0, tuple(self._hits(request.session, request.query)))
            case p.FetchConversation():
                return p.Conversation(0, self._view(request.session), SessionSettings())
            case p.DeleteConversations():
                for session in request.sessions:
                    del self.titles[session]
            case p.ImportConversation():
                session = 70 + len(self.titles)
                self.titles[session] = request.title
                return p.Imported(0, session)
        return super()._reply(request)

    def _view(self, session: int) -> p.ConversationView:
        messages = self.stored.get(session, ())
        return p.ConversationView(
            session=session,
            title=self.titles[session],
            open=session in self.open,
            created=0.0,
            updated=4e9,
            message_count=len(messages),
            preview=messages[-1].text if messages else "",
        )

    def _holds(self, session: int, words: str) -> bool:
        in_title = words.casefold() in self.titles[session].casefold()
        return in_title or bool(self._hits(session, words))

    def _hits(self, session: int, words: str) -> list[p.HitView]:
        found = []
        for one in reversed(self.stored.get(session, ())):
            at = one.text.casefold().find(words.casefold())
            if words and at >= 0:
                marks = ((at, at + len(words)),)
                title = self.titles[session]
                hit = p.HitView(one.message, session, title, one.role, 0.0, one.text, marks)
                found.append(hit)
        return found


@asynccontextmanager
async def terminal(
    link: StoringLink, size: tuple[int, int] = (120, 40), settings: Settings | None = None
) -> AsyncIterator[tuple[ChatApp, Pilot[None]]]:
    """A terminal with one open tab."""
    app = make_app(link, settings=settings)
    async with app.run_test(size=size) as pilot:
        link.connect((tab(TAB, "Pirate", message_count=2),))
        await settle(pilot)
        yield app, pilot


async def settle(pilot: Pilot[None]) -> None:
    """Let what was asked of the host arrive and be drawn."""
    for _ in range(5):
        await pilot.pause()
