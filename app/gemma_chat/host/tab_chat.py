"""The chat of one tab on a loaded model; it follows what the store has of the tab."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host.context import history_of
from gemma_chat.host.replacing import (
    digest_of,
    keep_replacement,
    replies_of,
    stored_replacements,
)
from gemma_chat.host.uploads import media_of
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.replacement import Replacement
from gemma_chat.sessions.tool_policy import Permit, ToolPolicy
from gemma_chat.store.store import Store


class TabChat:
    """Opened with the first turn that needs it; another model needs another chat."""

    def __init__(
        self,
        session: int,
        store: Store,
        permit: Permit,
        on_dropped: Callable[[TurnsDropped], None],
    ) -> None:
        """`permit` says whether a call of the model may be carried out.

        `on_dropped` hears what is left out of a full context.
        """
        self.session = session
        """The conversation."""
        self._store = store
        self._permit = permit
        self._on_dropped = on_dropped
        self._model: InferenceModel | None = None
        self._chat: Chat | None = None
        self._is_elsewhere = False
        """Its history is of another branch than the one that is shown now."""
        self._has_other_pins = False
        """Messages were pinned while it had a turn."""
        self._replies: list[int] = []
        """The messages with which the exchanges of the chat end, oldest first."""

    @property
    def chat(self) -> Chat | None:
        """The chat as it is; `None` before it was needed."""
        return self._chat

    def computes_in(self, engine_session: int, model: InferenceModel | None) -> bool:
        """Whether it computes in this session of `model`."""
        chat = self._chat if self._model is model else None
        return chat is not None and chat.session.id == engine_session

    def take_branch(self) -> None:
        """Another branch is shown: the chat goes on from there with its next turn."""
        self._is_elsewhere = True

    def take_pins(self, *, has_turns: bool) -> None:
        """Other messages are pinned: the chat follows as soon as it has no turns."""
        if has_turns:
            self._has_other_pins = True
        else:
            self.take_branch()

    def turns_ended(self) -> None:
        """The last of its turns has ended."""
        if self._has_other_pins:
            self._has_other_pins = False
            self.take_branch()

    def set_settings(self, settings: SessionSettings) -> None:
        """The settings of the tab are others, from its next turn on."""
        if self._chat is not None and self._model is not None:
            self._chat.settings = possible_on(self._model, settings)

    async def on(self, model: InferenceModel) -> Chat:
        """The chat on `model` and on the branch that is shown, opened when it is first needed."""
        chat = self._chat
        # The history is read before anybody is waited for; what is chosen after that comes next.
        elsewhere, self._is_elsewhere = self._is_elsewhere, False
        if chat is None or self._model is not model:
            chat = self._chat = await self._open(model)
            self._model = model
        elif elsewhere:
            try:
                await chat.go_to(*self._history())
            except BaseException:
                self._is_elsewhere = True
                raise
        chat.digest = digest_of(self._store.conversation(self.session).summary, self._replies)
        return chat

    def add_exchange(self, reply: int) -> None:
        """The chat has one more exchange, which ends with this message."""
        self._replies.append(reply)

    def keep_replacement(self) -> None:
        """Store what the chat has decided about its oldest exchanges; raises `StoreError`."""
        if self._chat is not None:
            keep_replacement(self._store, self.session, self._replies, self._chat.replacements)

    async def close(self) -> None:
        """End what the chat does, and let go of it."""
        if self._chat is not None:
            await self._chat.close()

    async def _open(self, model: InferenceModel) -> Chat:
        history, replacements = self._history()
        chat = await model.open_chat(
            history=history,
            replacements=replacements,
            settings=possible_on(model, self._store.conversation(self.session).settings),
            tool_policy=ToolPolicy(permission=self._permit),
        )
        chat.subscribe(self._on_dropped)
        return chat

    def _history(self) -> tuple[tuple[HistoryMessage, ...], tuple[Replacement, ...]]:
        messages = self._store.messages(self.session)
        self._replies = replies_of(messages)
        replacements = stored_replacements(self._store, self.session, self._replies)
        history = history_of(messages, lambda message: media_of(message, self._store.file_of))
        return history, replacements


def possible_on(model: InferenceModel, settings: SessionSettings) -> SessionSettings:
    """The settings of a tab without the wish for thinking, when `model` has no switch for it.

    Tabs outlive models, and each must be able to ask the one that is loaded now.
    """
    if settings.enable_thinking and not model.description.thinks:
        return msgspec.structs.replace(settings, enable_thinking=False)
    return settings
