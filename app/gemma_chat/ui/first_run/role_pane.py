"""The roles, to choose one for the first chat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from gemma_chat.config.roles import Role
from gemma_chat.ui.text import NOTICE_CELLS, SENTENCE_CELLS, one_line, shown

_NARROW = 62
_MOST_SHOWN = 1_500
_PLAIN = "No role"
_PLAIN_EXPLANATION = "The model as its makers meant it, without a system instruction."


class RolePane(Horizontal):
    """A list of names, and what the one with the cursor says to the model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    RolePane { height: 1fr; margin: 1 0; }
    RolePane OptionList, RolePane OptionList:focus {
        width: 24; height: 1fr; border: none; padding: 0; background: transparent;
        scrollbar-size-vertical: 1;
    }
    RolePane OptionList:focus > .option-list--option-highlighted {
        background: $block-cursor-blurred-background; color: $foreground; text-style: none;
    }
    RolePane VerticalScroll {
        width: 1fr; height: 1fr; padding: 0 1; border-left: solid $foreground 15%;
        scrollbar-size-vertical: 1;
    }
    RolePane.-low { margin: 0; }
    RolePane.-narrow OptionList { width: 1fr; }
    RolePane.-narrow VerticalScroll { display: none; }
    """

    @dataclass
    class Chosen(Message):
        """This role is to be that of the first chat; `None`: none."""

        role: Role | None

    def __init__(self, roles: Sequence[Role]) -> None:
        super().__init__()
        self._roles: tuple[Role | None, ...] = (None, *roles)
        self._list = OptionList(
            *(Option(Content(one_line(_name(role), NOTICE_CELLS))) for role in self._roles),
            compact=True,
            markup=False,
        )
        self._page = Static(markup=False)

    def compose(self) -> ComposeResult:
        yield self._list
        with VerticalScroll(can_focus=False):
            yield self._page

    def on_mount(self) -> None:
        self._list.highlighted = 0
        self._list.focus()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < _NARROW, "-narrow")
        self.set_class(event.size.height < 10, "-low")

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self._page.update(_page(self._roles[message.option_index]))

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.post_message(self.Chosen(self._roles[message.option_index]))

    def action_choose(self) -> None:
        """Take the role with the cursor."""
        self._list.action_select()


def _name(role: Role | None) -> str:
    return _PLAIN if role is None else role.name


def _page(role: Role | None) -> Content:
    if role is None:
        return Content.styled(_PLAIN_EXPLANATION, "$ink-title")
    return Content.assemble(
        Content.styled(one_line(role.explanation, SENTENCE_CELLS), "$ink-title"),
        "\n\n",
        shown(role.system_instruction.strip(), _MOST_SHOWN),
    )
