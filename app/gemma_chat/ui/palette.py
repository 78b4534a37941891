"""The command palette: every action, every group and every tab, found by a few letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from textual.app import ComposeResult, SystemCommand
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gemma_chat.ui.actions import TAB_NUMBERS
from gemma_chat.ui.commands import Commands
from gemma_chat.ui.dialog import DialogBox
from gemma_chat.ui.find_dialog import FindDialog
from gemma_chat.ui.keymap import Keymap
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.tab_groups import groups_of, has_groups
from gemma_chat.ui.text import NAME_CELLS, one_line

_NOT_OFFERED = {"program.palette", "message.send", "message.new_line", TAB_NUMBERS}


def commands_for(
    state: TerminalState, commands: Commands, keymap: Keymap
) -> Iterator[SystemCommand]:
    """The commands, with the keys and the slash command that do the same."""
    for action in keymap.actions:
        if action.id in _NOT_OFFERED or action.where in ("history", "models"):
            continue
        keys = f"  {action.key_names}" if action.keys else ""
        keys += f"  /{action.slash[0]}" if action.slash else ""
        run: Callable[[], None] = partial(commands.run, action.id)
        yield SystemCommand(action.label, f"{action.explanation}{keys}", run)
    for group in groups_of(state) if has_groups(state) else ():
        title = f"Switch to group {one_line(group.title, NAME_CELLS)}"
        yield SystemCommand(title, "", partial(commands.tabs.show_group, group.name))
    for number, tab in enumerate(state.tabs, 1):
        title = f"Switch to tab {number} {one_line(tab.title, NAME_CELLS)}"
        yield SystemCommand(title, "", partial(commands.select, tab.session))


def matching(commands: Iterable[SystemCommand], wanted: str) -> list[SystemCommand]:
    """The commands that fit what was typed, the best first.

    Those come first whose label begins with it, then those of whose words it is one, in the plural
    too, then those with a word that begins with it, the shorter label first, for it has less else
    in it; then those with its letters in their order; at last those of which only the explanation,
    the keys or the slash command have it.
    """
    if not wanted:
        return list(commands)
    typed = wanted.lower()
    words = {f" {typed} ", f" {typed.removesuffix('s')} "}
    search = FuzzySearch(cache_size=1)
    ranked = []
    for number, command in enumerate(commands):
        label = command.title.lower()
        if label.startswith(typed):
            rank: tuple[float, ...] = (0, 0)
        elif any(word in f" {label} " for word in words):
            rank = (1, len(label))
        elif f" {typed}" in label:
            rank = (2, len(label))
        elif score := search.match(wanted, command.title)[0]:
            rank = (3, -score)
        elif typed in command.help.lower():
            rank = (4, 0)
        else:
            continue
        ranked.append((rank, number, command))
    ranked.sort(key=lambda one: one[:2])
    return [command for _, _, command in ranked]


class Palette(FindDialog[int]):
    """Answers with the place of the chosen command in the list that it was given."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette DialogBox { width: 100; max-height: 100%; margin: 1 0; }
    Palette.-low DialogBox { height: 100%; margin: 0; }
    Palette OptionList, Palette OptionList:focus {
        height: auto; max-height: 1fr; border: none; padding: 0; margin-top: 1;
        background: transparent; scrollbar-size-vertical: 1;
    }
    Palette.-low OptionList { margin-top: 0; height: 1fr; }
    """

    def __init__(self, commands: Iterable[SystemCommand]) -> None:
        super().__init__(OptionList(compact=True))
        self._commands = tuple(commands)
        self._found: list[SystemCommand] = []

    def compose(self) -> ComposeResult:
        with DialogBox("Commands", "enter does it · esc closes"):
            yield Input(placeholder="a few letters", compact=True)
            yield self._list

    def choose(self, place: int) -> None:
        if place < len(self._found):
            self.dismiss(self._commands.index(self._found[place]))

    def fill(self, typed: str) -> None:
        self._found = matching(self._commands, typed)
        self._list.clear_options()
        self._list.add_options(Option(self._line(command, typed)) for command in self._found)
        if self._found:
            self._list.highlighted = 0
        else:
            self._list.add_option(Option("no command has these letters", disabled=True))

    def _line(self, command: SystemCommand, typed: str) -> Content:
        label = Content(command.title).stylize("bold")
        for place in FuzzySearch(cache_size=1).match(typed, command.title)[1] if typed else ():
            label = label.stylize("underline", place, place + 1)
        # In a low window there is room for the names of a few.
        if not command.help or self.has_class("-low"):
            return label
        return Content.assemble(label, "\n", (command.help, "$ink-quiet"))
