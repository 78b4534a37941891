"""The part of the settings panel that turns tools on and off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Static

from gemma_chat.config.tools import (
    MAX_FOLDER_CHARACTERS,
    MCP_PREFIX,
    ON_BOARD_TOOLS,
    ToolSettings,
)
from gemma_chat.errors import SettingsError
from gemma_chat.ui.text import PATH_CELLS, one_line
from gemma_chat.ui.tick_box import TickBox

MCP_EXPLANATION = "The tools of a server of the settings file; it is started when they are needed."
FOLDER_EXPLANATION = (
    "The folder that files may read: a whole path. Links out of it are not followed."
)


class SourceSwitch(TickBox):
    """One source of tools: on or off."""

    def __init__(self, source: str) -> None:
        # The identifier of a widget cannot hold the colon of `mcp:NAME`.
        super().__init__(source, id=f"tool-source-{source.replace(':', '-')}")
        self.source = source

    @property
    def explanation(self) -> str:
        """One line about it."""
        return ON_BOARD_TOOLS.get(self.source, MCP_EXPLANATION)


class ToolSwitches(Vertical):
    """A switch for each source, the folder that is shared, and the answers that last."""

    DEFAULT_CSS = """
    ToolSwitches { height: auto; }
    ToolSwitches #tool-folder, ToolSwitches #tool-folder:focus {
        width: 1fr; height: 1; border: none; padding: 0 1; background: $panel;
    }
    ToolSwitches #tool-answers { height: auto; color: $ink-quiet; }
    ToolSwitches Button { margin-top: 0; }
    """

    @dataclass
    class Changed(Message):
        """These are the tools from now on."""

        tools: ToolSettings

    @dataclass
    class Said(Message):
        """A line about what has the focus, or about what is not allowed."""

        text: str
        wrong: bool = False

    def __init__(self, servers: Sequence[str]) -> None:
        super().__init__(id="tool-switches")
        sources = (*ON_BOARD_TOOLS, *(f"{MCP_PREFIX}{name}" for name in servers))
        self._switches = {source: SourceSwitch(source) for source in sources}
        self._folder = Input(
            compact=True,
            id="tool-folder",
            placeholder="folder for files",
            max_length=MAX_FOLDER_CHARACTERS,
        )
        self._answers = Static(id="tool-answers", markup=False)
        self._forget = Button("Ask again about all tools", id="tool-forget", compact=True)
        self._tools = ToolSettings()
        self._remembered: list[str] | None = None
        """The lines about lasting answers that are shown."""

    def compose(self) -> ComposeResult:
        for source, switch in self._switches.items():
            yield switch
            if source == "files":
                yield self._folder
        yield self._answers
        yield self._forget

    def show(self, tools: ToolSettings) -> None:
        """Show these settings."""
        self._tools = tools
        for source, switch in self._switches.items():
            switch.set(on=source in tools.sources)
        if not self._folder.has_focus and self._folder.value != tools.folder:
            self._folder.value = tools.folder
        lines = [
            f"{word}: {one_line(', '.join(names), PATH_CELLS)}"
            for word, names in (("always", tools.allowed), ("never", tools.denied))
            if names
        ]
        if lines != self._remembered:
            self._remembered = lines
            self._answers.update(Content("\n".join(lines)))
            self._answers.display = self._forget.display = bool(lines)

    def on_tick_box_toggled(self, message: TickBox.Toggled) -> None:
        message.stop()
        # What is on and cannot be shown (a server that is not configured any more) goes off.
        sources = tuple(source for source, switch in self._switches.items() if switch.value)
        self._take_over(msgspec.structs.replace(self._typed(), sources=sources))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._take_over(self._typed())

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()

    def on_descendant_blur(self) -> None:
        if self._folder.value != self._tools.folder:
            self._take_over(self._typed())

    def on_descendant_focus(self) -> None:
        focused = self.screen.focused
        if isinstance(focused, SourceSwitch):
            self.post_message(self.Said(focused.explanation))
        elif focused is self._folder:
            self.post_message(self.Said(FOLDER_EXPLANATION))

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self._take_over(msgspec.structs.replace(self._tools, allowed=(), denied=()))

    def _typed(self) -> ToolSettings:
        return msgspec.structs.replace(self._tools, folder=self._folder.value.strip())

    def _take_over(self, tools: ToolSettings) -> None:
        if tools == self._tools:
            return
        try:
            tools.validated()
        except SettingsError as error:
            self.show(self._tools)
            self.post_message(self.Said(str(error), wrong=True))
            return
        self.show(tools)
        self.post_message(self.Changed(tools))
