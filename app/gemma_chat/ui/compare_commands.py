"""Two tabs side by side: how that begins and ends, and who gets the next message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import SettingsError
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.own_events import PairShown, TabSelected
from gemma_chat.ui.pair import Pair
from gemma_chat.ui.state import TabState

if TYPE_CHECKING:
    from gemma_chat.config.roles import Role
    from gemma_chat.ui.app import ChatApp

_NO_PAIR: Final = "No two tabs stand side by side."


class CompareCommands:
    """Carries out these actions for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.by_id: Mapping[str, Callable[[], None]] = {
            "tab.compare": self.toggle,
            "compare.target": self.change_target,
        }

    # ------------------------------------------------------------ beginning and ending

    def toggle(self) -> None:
        """End the pair that is shown; without one, ask what to put beside the active tab."""
        if self._app.state.shown_pair is not None:
            self._end()
        elif (tab := self._app.state.active_tab) is not None:
            self._ask(tab)

    def _end(self) -> None:
        app = self._app
        app.store_draft()
        self._show(None, app.state.active)

    def _ask(self, tab: TabState) -> None:
        from gemma_chat.ui.chooser import Choice, Chooser

        app = self._app
        others = [other for other in app.state.tabs if other.session != tab.session]
        offers: list[tuple[Choice, Callable[[], None]]] = [
            (
                Choice("a fork of this tab", "The same history; each goes on by itself.", _FORK),
                lambda: app.switch(self._beside_fork(tab)),
            ),
            (
                Choice("a new tab with a role", "Two roles, one question.", _ROLE),
                lambda: self._choose_role(tab),
            ),
            (
                Choice("a new tab like this one", "The same settings, nothing said yet.", _NEW),
                lambda: app.switch(self._beside_new(tab, tab.view.settings)),
            ),
        ]
        for other in others:
            name = f"{app.state.number(other.session)} {other.title}"
            choice = Choice(name, "A tab that is open.", other.view.settings.system_instruction)
            offers.append((choice, partial(self._pair, tab, other.session)))

        def chosen(number: int | None) -> None:
            if number is not None:
                offers[number][1]()

        app.push_screen(
            Chooser(
                "Put beside this tab",
                [choice for choice, _ in offers],
                advice="enter puts it there",
                nothing="nothing has these letters",
            ),
            chosen,
        )

    def compare_with(self, words: str) -> None:
        """`/compare 2`, `/compare Pirate`: a tab by number or title, or a new tab with a role."""
        app = self._app
        tab = app.state.active_tab
        if tab is None:
            raise SettingsError("No tab is open to be compared.")
        for number, other in enumerate(app.state.tabs, 1):
            if words in (str(number), other.title) and other.session != tab.session:
                self._pair(tab, other.session)
                return
        role = app.library.roles().named(words)
        if role is None:
            raise SettingsError(
                f"There is no other tab and no role {words[:40]!r}. /compare alone offers all."
            )
        app.switch(self._beside_new(tab, role.applied_to(tab.view.settings)))

    def _choose_role(self, tab: TabState) -> None:
        from gemma_chat.ui.chooser import Choice, Chooser

        app = self._app
        roles: tuple[Role, ...] = app.library.roles().items
        choices = [Choice(role.name, role.explanation, role.system_instruction) for role in roles]

        def chosen(number: int | None) -> None:
            if number is not None:
                settings = roles[number].applied_to(tab.view.settings)
                app.switch(self._beside_new(tab, settings))

        app.push_screen(
            Chooser(
                "The role beside this tab",
                choices,
                advice="enter opens it",
                nothing="none has these words",
            ),
            chosen,
        )

    async def _beside_fork(self, tab: TabState) -> None:
        calls = self._app.calls
        newest = next((one.message for one in reversed(tab.conversation.messages) if one.text), 0)
        if newest:
            session = await calls.fork(tab.session, newest)
        else:
            session = await calls.open_tab(tab.view.settings, tab.view.group)
        self._pair_when_known(tab, session)

    async def _beside_new(self, tab: TabState, settings: SessionSettings) -> None:
        session = await self._app.calls.open_tab(settings, tab.view.group)
        self._pair_when_known(tab, session)

    def _pair_when_known(self, tab: TabState, session: int) -> None:
        if session:
            # The host sends the tab before the answer, but events are taken in bundles.
            self._app.take_events()
            self._pair(tab, session)

    def _pair(self, tab: TabState, session: int) -> None:
        app = self._app
        if app.state.tab(tab.session) is None or app.state.tab(session) is None:
            return
        app.store_draft()
        self._show(Pair(tab.session, session), session)
        keys = app.keymap
        app.say(
            f"Both get what you send. {keys.shown('compare.target')}: only one · "
            f"{keys.shown('panel.settings')}: settings · {keys.shown('tab.compare')}: end",
            "information",
        )

    # ------------------------------------------------------------ who gets the message

    def change_target(self) -> None:
        """From both to the left one only, then to the right one only, and to both again."""
        pair = self._app.state.shown_pair
        if pair is None:
            self._app.say(_NO_PAIR, "information")
        elif pair.to_both:
            self._aim(msgspec.structs.replace(pair, to_both=False), pair.left)
        elif self._app.state.active == pair.left:
            self._aim(pair, pair.right)
        else:
            self._aim(msgspec.structs.replace(pair, to_both=True), pair.left)

    def press_head(self, session: int) -> None:
        """A head was clicked: to this one only, and when it is so already, to both."""
        pair = self._app.state.shown_pair
        if pair is None or not pair.has(session):
            return
        alone = not pair.to_both and self._app.state.active == session
        self._aim(msgspec.structs.replace(pair, to_both=alone), session)

    def _aim(self, pair: Pair, active: int) -> None:
        """Let messages go there from now on; what is typed goes along to an empty draft."""
        app = self._app
        app.store_draft()
        before = app.state.writing
        self._show(pair, active)
        old, new = app.state.tab(before), app.state.tab(app.state.writing)
        if old is None or new is None or old is new or old.draft.empty or not new.draft.empty:
            return
        app.put_draft(new.session, old.draft)
        app.put_draft(old.session, Draft())

    def _show(self, pair: Pair | None, active: int) -> None:
        if pair != self._app.state.pair:
            self._app.spawn(self._app.calls.pair(pair))
        self._app.change(PairShown(pair))
        self._app.change(TabSelected(active))


_FORK: Final = "Change the settings of one of them (f3), then ask both."
_ROLE: Final = "The other settings stay those of this tab. Next comes the list of roles."
_NEW: Final = "Change its settings (f3), then ask both."
