"""The settings panel: everything the active tab sets for itself, in effect from its next turn."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from gemma_chat.config.presets import Preset, begun_with, presets_for
from gemma_chat.config.sampling import (
    LORA_SCALE_FIELD,
    SAMPLING_FIELDS,
    THINKING_BUDGET,
    SamplingField,
    SamplingSettings,
    SessionSettings,
)
from gemma_chat.errors import SettingsError
from gemma_chat.ui.overflow_choice import OverflowChoice
from gemma_chat.ui.setting_inputs import NumberField, PathField, TextField
from gemma_chat.ui.settings_fields import (
    CANNOT_THINK,
    GRAMMAR,
    JSON_SCHEMA,
    LOGIT_BIAS,
    LORA_PATH,
    STOP,
    SWITCHES,
    SYSTEM_INSTRUCTION,
    explanation_of,
    field_named,
    text_of,
    with_text,
)
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import HEADING_CELLS, SENTENCE_CELLS, one_line
from gemma_chat.ui.tick_box import TickBox
from gemma_chat.ui.tool_switches import ToolSwitches
from gemma_chat.ui.window import SidePanel


class SettingsPanel(SidePanel):
    """System instruction, presets, every number, adapter, what replies follow and never say."""

    DEFAULT_CSS = """
    SettingsPanel VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    SettingsPanel .heading { color: $ink-title; text-style: bold; margin-top: 1; }
    SettingsPanel #settings-title { padding: 0 1; color: $ink-title; text-style: bold; }
    SettingsPanel PathField, SettingsPanel PathField:focus {
        height: 1; border: none; padding: 0 1 !important; background: $panel;
    }
    SettingsPanel PathField:focus { background: $cursor-ground; }
    SettingsPanel TextField, SettingsPanel TextField:focus {
        height: auto; min-height: 2; max-height: 8; border: none; padding: 0 1; background: $panel;
    }
    SettingsPanel #setting-system_instruction { min-height: 4; }
    SettingsPanel Select { width: 1fr; }
    SettingsPanel #settings-advice {
        height: 4; padding: 0 1; color: $ink-quiet; border-top: solid $foreground 15%;
    }
    SettingsPanel #settings-advice.-wrong { color: $ink-bad; }
    SettingsPanel #settings-reset { margin-top: 1; }
    """

    def __init__(
        self, presets: tuple[Preset, ...], defaults: SessionSettings, servers: Sequence[str] = ()
    ) -> None:
        """`servers` are the names of the tool servers that can be turned on."""
        super().__init__()
        self._presets = {preset.name: preset for preset in presets}
        self._defaults = defaults
        self._recommended: SamplingSettings | None = None
        self._thinks = True
        self._session = 0
        self._titled = ""
        self._settings = SessionSettings()
        self._unsettled = 0
        """Changes that the host has not answered yet; until then it is behind this panel."""
        self._title = Static(id="settings-title", markup=False)
        self._tools = ToolSwitches(servers)
        self._overflow = OverflowChoice()
        self._advice = Static(id="settings-advice", markup=False)
        self._numbers = {
            field.name: NumberField(field.name, field.label, marked=True)
            for field in SAMPLING_FIELDS
        }
        self._fields: dict[str, Input | TextArea] = {
            SYSTEM_INSTRUCTION: TextField(SYSTEM_INSTRUCTION, "You are …"),
            **self._numbers,
            THINKING_BUDGET.name: _number(THINKING_BUDGET),
            STOP: TextField(STOP, "none"),
            GRAMMAR: TextField(GRAMMAR, "none"),
            JSON_SCHEMA: TextField(JSON_SCHEMA, "none"),
            LOGIT_BIAS: TextField(LOGIT_BIAS, "none"),
            LORA_PATH: PathField(LORA_PATH),
            LORA_SCALE_FIELD.name: _number(LORA_SCALE_FIELD),
        }
        self._switches = {
            name: TickBox(label, id=f"setting-{name}", name=name)
            for name, (label, _) in SWITCHES.items()
        }

    def compose(self) -> ComposeResult:
        yield self._title
        with VerticalScroll(can_focus=False):
            yield Label("System instruction", classes="heading")
            yield self._fields[SYSTEM_INSTRUCTION]
            yield Label("Thinking", classes="heading")
            yield self._switches["enable_thinking"]
            yield self._fields[THINKING_BUDGET.name]
            yield self._switches["keep_thinking"]
            yield Label("Tools", classes="heading")
            yield self._tools
            yield Label("When the context is full", classes="heading")
            yield self._overflow
            yield Label("Sampling", classes="heading")
            yield Select(
                [(name, name) for name in self._presets],
                prompt="apply a preset …",
                compact=True,
                id="settings-preset",
            )
            yield from self._numbers.values()
            yield Label("Stop strings", classes="heading")
            yield self._fields[STOP]
            yield Label("Logit bias", classes="heading")
            yield self._fields[LOGIT_BIAS]
            yield Label("JSON schema", classes="heading")
            yield self._fields[JSON_SCHEMA]
            yield Label("Grammar (GBNF)", classes="heading")
            yield self._fields[GRAMMAR]
            yield Label("LoRA adapter", classes="heading")
            yield self._fields[LORA_PATH]
            yield self._fields[LORA_SCALE_FIELD.name]
            yield Button("Reset sampling", id="settings-reset", compact=True)
        yield self._advice

    def on_mount(self) -> None:
        self._fields[SYSTEM_INSTRUCTION].focus()

    # ------------------------------------------------------------ what is shown

    def show(self, state: TerminalState) -> None:
        self._recommended = state.model.recommended
        self._show_whether_it_thinks(thinks=state.model.thinks)
        tab = state.active_tab
        if tab is None:
            return
        if tab.session != self._session:
            self._take_over_focused()
            self._session = tab.session
            self._unsettled = 0
        elif self._unsettled or tab.view.settings == self._settings:
            return
        title = f"Settings · {one_line(tab.title, HEADING_CELLS)}"
        if title != self._titled:
            self._titled = title
            self._title.update(Content(title))
        self._fill(tab.view.settings)

    def _show_whether_it_thinks(self, *, thinks: bool) -> None:
        if thinks != self._thinks:
            self._thinks = thinks
            label = SWITCHES["enable_thinking"][0]
            self._switches["enable_thinking"].call(
                label if thinks else f"{label} (not with this model)"
            )

    def unsaved(self) -> SidePanel.SettingsApplied | None:
        for name, widget in self._fields.items():
            if widget.has_focus and self._session:
                with contextlib.suppress(SettingsError):
                    changed = with_text(self._settings, name, _text(widget))
                    if changed != self._settings:
                        return self.SettingsApplied(self._session, changed)
        return None

    def settled(self, state: TerminalState) -> None:
        """The host has answered one change."""
        self._unsettled = max(0, self._unsettled - 1)
        self.show(state)

    def _fill(self, settings: SessionSettings) -> None:
        before, self._settings = self._settings, settings
        for name, widget in self._fields.items():
            text = text_of(settings, name)
            if widget.has_focus and text_of(before, name) == text:
                continue
            _set_text(widget, text)
        self._tools.show(settings.tools)
        self._overflow.set(settings.overflow)
        for name, switch in self._switches.items():
            switch.set(on=getattr(settings, name))
        fresh = self._of_new_tab
        for name, number in self._numbers.items():
            number.mark(changed=text_of(settings, name) != text_of(fresh, name))

    # ------------------------------------------------------------ what the person does

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget.name in self._fields or event.widget.name in self._switches:
            self._explain(event.widget.name)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if event.widget.name in self._fields:
            self._take_over(event.widget.name)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if message.input.name:
            self._take_over(message.input.name)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Say at once what is wrong; it is taken over only when the field is left."""
        message.stop()
        name = message.input.name or ""
        field = field_named(name)
        if field is None or not message.input.has_focus:
            return
        try:
            field.parse(message.value)
        except SettingsError as error:
            self._complain(message.input, str(error))
        else:
            message.input.remove_class("-wrong")
            self._explain(name)

    def on_tick_box_toggled(self, message: TickBox.Toggled) -> None:
        message.stop()
        name = message.box.name or ""
        self._change(msgspec.structs.replace(self._settings, **{name: message.box.value}))
        self._explain(name)

    def on_select_changed(self, message: Select.Changed) -> None:
        message.stop()
        preset = self._presets.get(str(message.value))
        if preset is None:
            return
        message.select.clear()
        preset = presets_for((preset,), self._recommended)[0]
        try:
            self._change(preset.applied_to(self._settings))
        except SettingsError as error:
            self._complain(message.select, str(error))
        else:
            self._say(f"{preset.name}: {preset.explanation}")

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self._change(msgspec.structs.replace(self._settings, sampling=self._of_new_tab.sampling))
        self._say("The sampling settings are those of a new tab again.")

    @property
    def _of_new_tab(self) -> SessionSettings:
        if self._recommended is None:
            return self._defaults
        return begun_with(self._defaults, self._recommended)

    def on_number_field_mark_clicked(self, message: NumberField.MarkClicked) -> None:
        message.stop()
        self._reset(message.name)

    def reset_focused(self) -> None:
        for name, number in self._numbers.items():
            if number.has_focus:
                self._reset(name)

    def _reset(self, name: str) -> None:
        _set_text(self._fields[name], text_of(self._of_new_tab, name))
        self._take_over(name)
        self._explain(name)

    def on_tool_switches_changed(self, message: ToolSwitches.Changed) -> None:
        message.stop()
        self._change(msgspec.structs.replace(self._settings, tools=message.tools))

    def on_overflow_choice_chosen(self, message: OverflowChoice.Chosen) -> None:
        message.stop()
        self._change(msgspec.structs.replace(self._settings, overflow=message.overflow))
        self._say(message.explanation)

    def on_tool_switches_said(self, message: ToolSwitches.Said) -> None:
        message.stop()
        self._say(message.text)
        self._advice.set_class(message.wrong, "-wrong")

    # ------------------------------------------------------------ changing

    def _take_over_focused(self) -> None:
        for name, widget in self._fields.items():
            if widget.has_focus:
                self._take_over(name)

    def _take_over(self, name: str) -> None:
        widget = self._fields[name]
        try:
            changed = with_text(self._settings, name, _text(widget))
        except SettingsError as error:
            self._complain(widget, str(error))
            return
        widget.remove_class("-wrong")
        if changed != self._settings:
            self._change(changed)

    def _change(self, settings: SessionSettings) -> None:
        self._fill(settings)
        if self._session:
            self._unsettled += 1
            self.post_message(self.SettingsApplied(self._session, settings))

    def _explain(self, name: str) -> None:
        cannot = name == "enable_thinking" and not self._thinks
        self._say(CANNOT_THINK if cannot else explanation_of(name))

    def _say(self, text: str) -> None:
        self._advice.remove_class("-wrong")
        self._advice.update(Content(text))

    def _complain(self, widget: Widget, sentence: str) -> None:
        widget.add_class("-wrong")
        self._advice.add_class("-wrong")
        self._advice.update(Content(one_line(sentence, SENTENCE_CELLS)))


def _number(field: SamplingField) -> NumberField:
    return NumberField(field.name, field.label, marked=False)


def _text(widget: Input | TextArea) -> str:
    return widget.value if isinstance(widget, Input) else widget.text


def _set_text(widget: Input | TextArea, text: str) -> None:
    widget.remove_class("-wrong")
    if _text(widget) == text:
        return
    if isinstance(widget, Input):
        widget.value = text
    else:
        widget.load_text(text)
