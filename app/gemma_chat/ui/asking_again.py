"""Another reply to a question, and the cursor that goes along to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from gemma_chat.config.presets import Preset
from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.setting_changes import another_seed
from gemma_chat.ui.state import TabState

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp

_SAME: Final = "="


class About(Protocol):
    """Tells which message an action is about."""

    def __call__(
        self, newest: Literal["user", "assistant", "any"] = "any"
    ) -> tuple[TabState, p.MessageView] | None:
        """The selected message, else the newest one of this role."""


class _Awaited(msgspec.Struct):
    """Another reply, asked for with the cursor on the one before: at the question it waits."""

    session: int
    question: int
    before: int
    """The message on which the cursor stood."""
    turn: int = 0
    """That writes it, when the host has said so."""


class AskingAgain:
    """Has questions answered once more.

    The reply that the cursor stands on goes to another branch. The cursor waits at the question
    then, and goes on to the new reply: whoever asks again and again, or compares the replies, need
    not move it.
    """

    def __init__(self, app: ChatApp, about: About) -> None:
        self._app = app
        self._about = about
        self._awaited: _Awaited | None = None
        self.by_id: Mapping[str, Callable[[], None]] = {
            "message.regenerate": self.regenerate,
            "message.regenerate_with": self.regenerate_with,
        }

    # ------------------------------------------------------------ asking

    def regenerate(self) -> None:
        """Have the question answered once more."""
        found = self._about("assistant")
        if found is not None:
            tab, message = found
            sampling = another_seed(tab.view.settings.sampling, message.branches)
            self._ask(tab, message.message, sampling)

    def regenerate_with(self) -> None:
        """The same, with settings that hold for this reply only."""
        found = self._about("assistant")
        if found is None:
            return
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        tab, message = found
        presets = {preset.name: preset for preset in self._app.presets}

        def chosen(name: str | None) -> None:
            if name == _SAME:
                self.regenerate()
            elif name is not None:
                self._ask_as(tab, message.message, presets[name])

        choices = [Choice(_SAME, "as this tab", "its own settings once more")]
        choices += [Choice(one.name, one.name, one.explanation) for one in presets.values()]
        self._app.push_screen(ChoiceDialog("Another reply", choices), chosen)

    def regenerate_as(self, preset: Preset) -> None:
        """The same, with the sampling settings of a preset for this reply only."""
        found = self._about("assistant")
        if found is not None:
            self._ask_as(found[0], found[1].message, preset)

    def _ask_as(self, tab: TabState, message: int, preset: Preset) -> None:
        try:
            sampling = preset.applied_to(tab.view.settings).sampling
        except SettingsError as error:
            self._app.say(str(error), "error")
            return
        self._ask(tab, message, sampling)

    def _ask(self, tab: TabState, message: int, sampling: SamplingSettings | None) -> None:
        self._awaited = self._awaited_at(tab, message)
        self._app.switch(self._answered(tab, message, sampling, self._awaited))

    async def _answered(
        self,
        tab: TabState,
        message: int,
        sampling: SamplingSettings | None,
        awaited: _Awaited | None,
    ) -> None:
        newest = tab.last_message
        turn = await self._app.calls.regenerate(tab.session, message, sampling, newest=newest)
        if awaited is None or awaited is not self._awaited:
            return
        if turn:
            awaited.turn = turn
            self._app.take_events()
            self.arrived(tab.session)
        else:
            self._awaited = None

    # ------------------------------------------------------------ the cursor

    @property
    def _selected(self) -> int:
        transcript = self._app.window.transcript
        return 0 if transcript is None else transcript.selected

    def _awaited_at(self, tab: TabState, message: int) -> _Awaited | None:
        """What the cursor waits for when it stands on this message, a reply or its question."""
        if self._selected != message:
            return None
        if self._awaited is not None and self._awaited.question == message:
            return _Awaited(tab.session, message, message)
        place = tab.place_of(message)
        above = tab.conversation.messages[place - 1] if place > 0 else None
        if above is None or above.role != "user":
            return None
        return _Awaited(tab.session, above.message, message)

    def question_of(self, session: int, message: int) -> int:
        """Where the cursor waits that has lost this message to another reply; 0 when it has not."""
        awaited = self._awaited
        if awaited is None or (awaited.session, awaited.before) != (session, message):
            return 0
        return awaited.question

    def arrived(self, session: int) -> None:
        """Messages of a tab may be here: the cursor that waits goes on to the reply among them."""
        awaited, tab = self._awaited, self._app.state.tab(session)
        if awaited is None or awaited.session != session or tab is None:
            return
        transcript = self._app.window.transcript
        if transcript is None or transcript.selected != awaited.question or not awaited.turn:
            return
        after = tab.conversation.messages[tab.place_of(awaited.question) + 1 :]
        if after and after[0].turn == awaited.turn:
            self._awaited = None
            transcript.select_message(after[0].message)
