"""What a tab sets for itself, chosen from lists: roles and presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gemma_chat.ui.setting_changes import ItemT, SettingChanges

if TYPE_CHECKING:
    from gemma_chat.config.library import Found
    from gemma_chat.config.presets import Preset
    from gemma_chat.config.roles import Role
    from gemma_chat.config.sampling import SessionSettings
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands


class TabSettings(SettingChanges):
    """The same changes, and lists to choose from."""

    def __init__(self, app: ChatApp, commands: Commands) -> None:
        def change(session: int, settings: SessionSettings, said: str) -> None:
            commands.change_settings(session, settings, said=said)

        super().__init__(app, change)
        self._app = app
        self.by_id: dict[str, Callable[[], None]] = {
            "tab.system": lambda: commands.toggle_panel("settings"),
            "tab.role": self.choose_role,
            "tab.preset": self.choose_preset,
            "tab.reset": lambda: self.reset(""),
        }

    def choose_role(self) -> None:
        """Let the person choose among the roles."""
        found = self.told(self._app.library.roles())

        def body(role: Role) -> str:
            values = "".join(f"\n{name} = {value}" for name, value in role.values.items())
            return role.system_instruction.strip() + (f"\n{values}" if values else "")

        self._choose("Roles", found, body, self.apply_role)

    def choose_preset(self) -> None:
        """Let the person choose among the presets."""

        def body(preset: Preset) -> str:
            return "\n".join(f"{name} = {value}" for name, value in preset.values.items())

        self._choose("Presets", self.presets(), body, self.apply_preset)

    def _choose(
        self,
        title: str,
        found: Found[ItemT],
        body: Callable[[ItemT], str],
        apply: Callable[[ItemT], None],
    ) -> None:
        from gemma_chat.ui.chooser import Choice, Chooser

        choices = [Choice(item.name, item.explanation, body(item)) for item in found.items]

        def chosen(number: int | None) -> None:
            if number is not None and self._app.state.active:
                apply(found.items[number])

        self._app.push_screen(
            Chooser(title, choices, advice="enter applies it", nothing="none has these words"),
            chosen,
        )
