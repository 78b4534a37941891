"""How much of the window a conversation takes between its turns."""

from __future__ import annotations

import logging

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
        self._known: int | None = None
        self.forget()

    @property
    def tokens(self) -> int:
        """Tokens of the conversation as it stands; counting renders it once."""
        if self._known is None:
            self._known = self._count()
        return self._known

    def note(self, tokens: int) -> None:
        """The engine has told how long the conversation is now."""
        self._known = tokens

    def forget(self) -> None:
        """The conversation is another one: its length is counted when somebody asks."""
        self._known = None if self._conversation.exchanges else 0

    def _count(self) -> int:
        try:
            with self._engine_thread.reading():
                return self._conversation.count_tokens()
        except ModelClosedError:
            return 0
        except GemmaChatError:
            log.warning("the history of session %d cannot be counted", self._session, exc_info=True)
            return 0
