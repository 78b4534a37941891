"""A turn that writes on at the last reply, instead of asking something."""

from __future__ import annotations

from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.job import PreparedTurn, TurnJob


class Continuation:
    """The owner of such a turn. What it brings becomes the end of the reply it goes on from."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def prepare(self, job: TurnJob) -> PreparedTurn:
        """Render the conversation with its last reply left open."""
        return self._conversation.reopen(job)

    def keep(self, job: TurnJob) -> bool:
        """Lengthen the reply. Question and reply stay in the history also when nothing came."""
        self._conversation.lengthen(job)
        return True
