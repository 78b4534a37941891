"""The list of themes: the marked one is shown at once, escape goes back to the old one."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.themes import OWN_THEMES


class ThemeList(Dialog[str]):
    """Answers with the name of the chosen theme."""

    DEFAULT_CSS = """
    ThemeList { align: right middle; background: transparent; }
    ThemeList DialogBox { width: 34; margin: 0 2; }
    ThemeList OptionList, ThemeList OptionList:focus {
        height: auto; max-height: 20; border: none; background: transparent; padding: 0;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._before = ""
        self._list = OptionList(compact=True)

    def compose(self) -> ComposeResult:
        with DialogBox("Theme", "enter keeps · esc goes back"):
            yield self._list

    def on_mount(self) -> None:
        self._before = self.app.theme
        names = self._names()
        self._list.add_options(Option(name, id=name) for name in names)
        self._list.highlighted = names.index(self._before) if self._before in names else 0
        self._list.focus()

    def _names(self) -> list[str]:
        """The program's own and the person's first, then Textual's."""
        names = list(self.app.available_themes)
        own = [name for name in OWN_THEMES if name in names]
        return own + sorted(name for name in names if name not in own)

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        if message.option_id:
            self.app.theme = message.option_id

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(message.option_id)

    def action_give_up(self) -> None:
        """Go back to the theme from before."""
        self.app.theme = self._before
        self.dismiss(None)
