"""What the command palette offers: every action, every tab, every theme."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from textual.app import SystemCommand

from gemma_chat.ui.actions import TAB_NUMBERS
from gemma_chat.ui.commands import Commands
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
