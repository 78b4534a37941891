"""What sessions and chats without `await` have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from typing import Generic, Self, TypeVar, Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.sessions.chat import Chat as AsyncChat
from gemma_chat.sessions.context_view import ContextView
from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.metrics import SessionTotals, TurnMetrics
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.overflow import OverflowListener
from gemma_chat.sessions.question import Message
from gemma_chat.sessions.replacement import Digest, Replacement
from gemma_chat.sessions.session import Session as AsyncSession
from gemma_chat.sync.loop import LoopThread
from gemma_chat.sync.turn import Turn, next_piece
from gemma_chat.terms import MediaKind

Asked = TypeVar("Asked", AsyncSession, AsyncChat)


class Conversation(Generic[Asked]):
    """The calls of `Asked`, made on the loop of its model while the caller waits."""

    def __init__(self, asked: Asked, loop: LoopThread) -> None:
        self._asked: Asked = asked
        self._loop = loop

    # ------------------------------------------------------------ reading

    @property
    def id(self) -> int:
        """Its number, never used again by this model."""
        return self._asked.id

    @property
    def background(self) -> bool:
        """Whether its turns run only while no other session waits."""
        return self._asked.background

    @property
    def modalities(self) -> tuple[MediaKind, ...]:
        """What it takes beside text."""
        return self._asked.modalities

    @property
    def settings(self) -> SessionSettings:
        """What holds for the turns that begin from now on; can be set at any time."""
        return self._asked.settings

    @settings.setter
    def settings(self, settings: SessionSettings) -> None:
        self._asked.settings = settings

    @property
    def history(self) -> tuple[HistoryMessage, ...]:
        """All whole exchanges, oldest first, those that no longer fit the window too."""
        return self._asked.history

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges are not in the prompt any more."""
        return self._asked.left_out

    @property
    def replacements(self) -> tuple[Replacement, ...]:
        """What was decided whenever the window was full, oldest first."""
        return self._asked.replacements

    @property
    def digest(self) -> Digest:
        """The summary that takes the place of the oldest exchanges when the window is full."""
        return self._asked.digest

    @digest.setter
    def digest(self, digest: Digest) -> None:
        self._asked.digest = digest

    def context(self) -> ContextView:
        """What the model sees, part by part."""
        return self._asked.context()

    @property
    def metrics(self) -> TurnMetrics:
        """The figures of the last finished turn."""
        return self._asked.metrics

    @property
    def totals(self) -> SessionTotals:
        """The sums over all turns."""
        return self._asked.totals

    @property
    def closed(self) -> bool:
        """Whether `close` was called, on it or on the model."""
        return self._asked.closed

    @property
    def context_used(self) -> int:
        """Tokens of the window this conversation takes, a running reply included."""
        return self._loop.call(lambda: self._asked.context_used)

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`, by the model's tokenizer; never waits for the lock."""
        return self._asked.size_in_tokens(text)

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener`, on the loop's thread, when exchanges are left out."""
        return self._asked.subscribe(listener)

    # ------------------------------------------------------------ asking

    def add_query_chunk(self, chunk: str | Message) -> None:
        """Collect a part of the next question: text, images, recordings."""
        self._loop.run(self._asked.add_query_chunk(chunk))

    def get_response(self, text: str | None = None, **rules: Unpack[ReplyRules]) -> str:
        """Ask, wait for the lock and for the whole reply.

        `grammar` or `json_schema` hold for this reply. Control-c stops the turn.
        """
        return self._loop.run(self._asked.get_response(text, **rules))

    def get_response_async(
        self, text: str | None = None, **rules: Unpack[ReplyRules]
    ) -> Generator[Piece, None, None]:
        """Ask, and give the reply in pieces as they become final; giving it up stops the turn.

        for piece in session.get_response_async("What is the sea?"):
            print(piece, end="")
        """
        return self._pieces(self._asked.get_response_async(text, **rules))

    def _pieces(self, stream: AsyncGenerator[Piece, None]) -> Generator[Piece, None, None]:
        try:
            while (piece := self._loop.run(next_piece(stream))) is not None:
                yield piece
        finally:
            if not self._asked.closed:
                self._loop.run(stream.aclose())

    def continue_response(self, *, sampling: SamplingSettings | None = None) -> Turn:
        """Queue a turn that writes on at the end of the last reply."""
        turn = self._loop.call(lambda: self._asked.continue_response(sampling=sampling))
        return Turn(turn, self._loop)

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns, by number, ask something else; `False` when one has begun."""
        return self._loop.call(lambda: self._asked.rephrase(questions))

    def warm_up(self, draft: str = "") -> None:
        """Evaluate, while nobody waits, what the next turn is going to begin with."""
        self._loop.call(lambda: self._asked.warm_up(draft))

    def make_room(self) -> bool:
        """While nobody waits, see whether the window is nearly full, and prepare for that."""
        return self._loop.run(self._asked.make_room())

    def stop_generation(self) -> None:
        """End the oldest unfinished turn, from another thread or a signal; idle: nothing."""
        if not self._asked.closed:
            self._loop.call(self._asked.stop_generation)

    # ------------------------------------------------------------ going back, closing

    def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; 0 is the empty conversation."""
        self._loop.run(self._asked.rewind(turn))

    def go_to(
        self, history: Iterable[HistoryMessage], replacements: Iterable[Replacement] = ()
    ) -> None:
        """Go on from another history: an earlier or another branch of this conversation."""
        self._loop.run(self._asked.go_to(history, replacements))

    def close(self) -> None:
        """Stop its turns and give the memory back; twice is fine."""
        if not self._asked.closed:
            self._loop.run(self._asked.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
