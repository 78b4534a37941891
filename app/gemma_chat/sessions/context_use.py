"""How much of the window a conversation takes between its turns."""

from __future__ import annotations

import logging
import threading

from gemma_chat.errors import GemmaChatError, ModelClosedError
from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.engine_thread import EngineThread

log = logging.getLogger(__name__)


class ContextUse:
    """The length of a conversation in tokens: known from its last turn, or counted when asked."""

    def __init__(
        self, session: int, conversation: Conversation, engine_thread: EngineThread
    ) -> None:
        self._session = session
        self._conversation = conversation
        self._engine_thread = engine_thread
        self._knowing = threading.Lock()
        self._known: int | None = None
        self._changes = 0
        """How often the conversation has become another one, or longer."""
        self.forget()

    @property
    def tokens(self) -> int:
        """Tokens of the conversation as it stands; counting renders it once. From any thread."""
        with self._knowing:
            known, changes = self._known, self._changes
        if known is not None:
            return known
        counted = self._count()
        with self._knowing:
            # Of a conversation that went on meanwhile the older length must not be remembered.
            if changes == self._changes:
                self._known = counted
            return counted if self._known is None else self._known

    def note(self, tokens: int) -> None:
        """The engine has told how long the conversation is now."""
        self._know(tokens)

    def forget(self) -> None:
        """The conversation is another one: its length is counted when somebody asks."""
        self._know(None if self._conversation.exchanges else 0)

    def _know(self, tokens: int | None) -> None:
        with self._knowing:
            self._known = tokens
            self._changes += 1

    def _count(self) -> int:
        try:
            with self._engine_thread.reading():
                return self._conversation.count_tokens()
        except ModelClosedError:
            return 0
        except GemmaChatError:
            log.warning("the history of session %d cannot be counted", self._session, exc_info=True)
            return 0
