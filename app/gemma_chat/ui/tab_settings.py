"""Commands that change what a tab sets for itself: system instruction, role, preset, sampling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from gemma_chat.config.sampling import SamplingField, SessionSettings
from gemma_chat.errors import SettingsError
from gemma_chat.ui.settings_fields import explanation_of, field_named, text_of, with_text

if TYPE_CHECKING:
    from gemma_chat.config.library import Found
    from gemma_chat.config.presets import Preset
    from gemma_chat.config.roles import Role
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands

ItemT = TypeVar("ItemT", "Role", "Preset")


class TabSettings:
    """Changes the settings of the active tab. What is refused is raised as `SettingsError`."""

    def __init__(self, app: ChatApp, commands: Commands) -> None:
        self._app = app
        self._commands = commands
        self.by_id: dict[str, Callable[[], None]] = {
            "tab.system": lambda: commands.toggle_panel("settings"),
            "tab.role": self.choose_role,
            "tab.preset": self.choose_preset,
            "tab.reset": lambda: self.reset(""),
        }

    @property
    def _now(self) -> SessionSettings:
        tab = self._app.state.active_tab
        if tab is None:
            raise SettingsError("No tab is open whose settings could change.")
        return tab.view.settings

    def _change(self, settings: SessionSettings, said: str) -> None:
        session = self._app.state.active
        self._commands.change_settings(session, settings, said=said)

    # ------------------------------------------------------------ one setting

    def set_system(self, text: str) -> None:
        """Set the system instruction."""
        changed = msgspec.structs.replace(self._now, system_instruction=text).validated()
        self._change(changed, "The system instruction holds from the next message on.")

    def change(self, name: str, text: str) -> None:
        """Set one sampling setting; without a value, say what it is."""
        field = _field(name)
        if not text:
            value = text_of(self._now, name) or "empty"
            self._app.say(f"{field.label} is {value}. {explanation_of(name)}", "information")
            return
        typed = "" if field.optional and text.lower() == "none" else text
        changed = with_text(self._now, name, typed)
        self._change(changed, f"{field.label} is {text_of(changed, name) or 'empty'} from now on.")

    def reset(self, name: str) -> None:
        """Give one sampling setting, or all of them, the value of a new tab."""
        defaults = self._app.defaults
        if name:
            field = _field(name)
            value = getattr(defaults.sampling, field.name)
            sampling = msgspec.structs.replace(self._now.sampling, **{field.name: value})
            changed = msgspec.structs.replace(self._now, sampling=sampling)
            said = f"{field.label} is {text_of(changed, field.name) or 'empty'} again."
        else:
            changed = msgspec.structs.replace(self._now, sampling=defaults.sampling)
            said = "The sampling settings are those of a new tab again."
        self._change(changed, said)

    # ------------------------------------------------------------ roles and presets

    def role(self, words: str) -> None:
        """`NAME` applies a role, `save NAME` keeps the tab's, `import FILE` takes somebody's."""
        if not self._share("role", words, self._app.library.save_role):
            found = self._told(self._app.library.roles())
            self._apply_role(_named(found, words, "role"))

    def preset(self, words: str) -> None:
        """`NAME` applies a preset, `save NAME` keeps the tab's, `import FILE` takes somebody's."""
        if not self._share("preset", words, self._app.library.save_preset):
            self._apply_preset(_named(self._presets(), words, "preset"))

    def _share(
        self,
        kind: Literal["role", "preset"],
        words: str,
        save: Callable[[str, SessionSettings], Path],
    ) -> bool:
        """Save the tab's or take somebody's in; `False` when the words name one to be applied."""
        verb, rest = _verb(words)
        if verb == "save":
            file = save(rest, self._now)
            self._app.say(
                f"The {kind} {rest} is in {file}; give that file to share it.", "information"
            )
        elif verb == "import":
            name = self._app.library.take_in(kind, Path(rest))
            self._app.say(f"The {kind} {name} is yours now: /{kind} {name}", "information")
        return bool(verb)

    def choose_role(self) -> None:
        """Let the person choose among the roles."""
        found = self._told(self._app.library.roles())

        def body(role: Role) -> str:
            values = "".join(f"\n{name} = {value}" for name, value in role.values.items())
            return role.system_instruction.strip() + (f"\n{values}" if values else "")

        self._choose("Roles", found, body, self._apply_role)

    def choose_preset(self) -> None:
        """Let the person choose among the presets."""

        def body(preset: Preset) -> str:
            return "\n".join(f"{name} = {value}" for name, value in preset.values.items())

        self._choose("Presets", self._presets(), body, self._apply_preset)

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

    def _presets(self) -> Found[Preset]:
        return self._told(self._app.library.presets(self._app.presets))

    def _told(self, found: Found[ItemT]) -> Found[ItemT]:
        for problem in found.problems:
            self._app.say(problem, "warning")
        return found

    def _apply_role(self, role: Role) -> None:
        self._change(role.applied_to(self._now), f"{role.name}: {role.explanation}")

    def _apply_preset(self, preset: Preset) -> None:
        self._change(preset.applied_to(self._now), f"{preset.name}: {preset.explanation}")


def _field(name: str) -> SamplingField:
    field = field_named(name.lower().replace("-", "_"))
    if field is None:
        raise SettingsError(f"There is no sampling setting {name[:40]!r}. f3 shows them all.")
    return field


def _verb(words: str) -> tuple[str, str]:
    """`save NAME` or `import FILE` as verb and rest; else no verb."""
    verb, _, rest = words.partition(" ")
    rest = rest.strip()
    if verb in ("save", "import"):
        if not rest:
            what = "the name" if verb == "save" else "the file"
            raise SettingsError(f"{what.capitalize()} is missing after {verb}.")
        return verb, rest
    return "", words


def _named(found: Found[ItemT], name: str, kind: str) -> ItemT:
    item = found.named(name)
    if item is None:
        raise SettingsError(f"There is no {kind} {name[:40]!r}. /{kind} shows them all.")
    return item
