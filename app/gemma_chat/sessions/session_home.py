"""What a session needs of the model it lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gemma_chat.engine.interface import Engine, SequenceHandle
from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.engine_thread import EngineThread

if TYPE_CHECKING:
    from gemma_chat.sessions.session import Session


class SessionHome(Protocol):
    """The model a session lives in."""

    @property
    def engine(self) -> Engine:
        """What computes."""

    @property
    def engine_thread(self) -> EngineThread:
        """Where it computes."""

    @property
    def closed(self) -> bool:
        """Whether the engine is closed, or about to be."""

    def must_be_open(self) -> None:
        """Raise `ModelClosedError` when the model is closed."""

    def forget(self, session: Session) -> None:
        """The session is closed: it takes no place any more."""

    def open_fork(
        self, session: Session, sequence: SequenceHandle, conversation: Conversation
    ) -> Session:
        """Open a session that goes on from `conversation` and shares what `sequence` holds."""
