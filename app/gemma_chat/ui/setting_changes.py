"""Changes of what a tab sets for itself, as they are typed: `/temp 0.2`, `/role Tutor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

import msgspec

from gemma_chat.config.sampling import SamplingField, SamplingSettings, SessionSettings
from gemma_chat.errors import SettingsError
from gemma_chat.ui.host_calls import Severity
from gemma_chat.ui.settings_fields import explanation_of, field_named, text_of, with_text
from gemma_chat.ui.state import TerminalState

if TYPE_CHECKING:
    from gemma_chat.config.library import Found, Library
    from gemma_chat.config.presets import Preset
    from gemma_chat.config.roles import Role

ItemT = TypeVar("ItemT", "Role", "Preset")
_NONE: Final = "none"


class Terminal(Protocol):
    """What is asked of the terminal whose active tab is changed."""

    state: TerminalState

    @property
    def library(self) -> Library:
        """Roles, presets and prompts."""

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The presets on board and of the settings file."""

    @property
    def defaults(self) -> SessionSettings:
        """The settings of a new tab."""

    def say(self, text: str, severity: Severity) -> None:
        """Tell the person something."""


class SettingChanges:
    """Changes the settings of the active tab. What is refused is raised as `SettingsError`."""

    def __init__(
        self, terminal: Terminal, change: Callable[[int, SessionSettings, str], None]
    ) -> None:
        """`change` lets settings hold for a session, and says a sentence when they do."""
        self._terminal = terminal
        self._change_session = change

    @property
    def now(self) -> SessionSettings:
        """Those of the active tab; raises `SettingsError` when there is none."""
        tab = self._terminal.state.active_tab
        if tab is None:
            raise SettingsError("No tab is open whose settings could change.")
        return tab.view.settings

    def _change(self, settings: SessionSettings, said: str) -> None:
        self._change_session(self._terminal.state.active, settings, said)

    # ------------------------------------------------------------ one setting

    def set_system(self, text: str) -> None:
        """Set the system instruction; `none` takes it away."""
        text = "" if text.strip().lower() == _NONE else text
        changed = msgspec.structs.replace(self.now, system_instruction=text).validated()
        self._change(changed, "The system instruction holds from the next message on.")

    def change(self, name: str, text: str) -> None:
        """Set one sampling setting; without a value, say what it is."""
        field = _field(name)
        if not text:
            value = text_of(self.now, name) or "empty"
            self._terminal.say(f"{field.label} is {value}. {explanation_of(name)}", "information")
            return
        typed = "" if field.optional and text.lower() == _NONE else text
        changed = with_text(self.now, name, typed)
        self._change(changed, f"{field.label} is {text_of(changed, name) or 'empty'} from now on.")

    def reset(self, name: str) -> None:
        """Give one sampling setting, or all of them, the value of a new tab."""
        defaults = self._terminal.defaults
        if name:
            field = _field(name)
            value = getattr(defaults.sampling, field.name)
            sampling = msgspec.structs.replace(self.now.sampling, **{field.name: value})
            changed = msgspec.structs.replace(self.now, sampling=sampling)
            said = f"{field.label} is {text_of(changed, field.name) or 'empty'} again."
        else:
            changed = msgspec.structs.replace(self.now, sampling=defaults.sampling)
            said = "The sampling settings are those of a new tab again."
        self._change(changed, said)

    # ------------------------------------------------------------ roles and presets

    def role(self, words: str) -> None:
        """`NAME` applies a role, `save NAME` keeps the tab's, `import FILE` takes somebody's."""
        if not self._share("role", words, self._terminal.library.save_role):
            found = self.told(self._terminal.library.roles())
            self.apply_role(_named(found, words, "role"))

    def preset(self, words: str) -> None:
        """`NAME` applies a preset, `save NAME` keeps the tab's, `import FILE` takes somebody's."""
        if not self._share("preset", words, self._terminal.library.save_preset):
            self.apply_preset(self.preset_named(words))

    def preset_named(self, name: str) -> Preset:
        """The preset with this name; raises `SettingsError` when there is none."""
        return _named(self.presets(), name, "preset")

    def _share(
        self,
        kind: Literal["role", "preset"],
        words: str,
        save: Callable[[str, SessionSettings], Path],
    ) -> bool:
        """Save the tab's or take somebody's in; `False` when the words name one to be applied."""
        verb, rest = _verb(words)
        if verb == "save":
            file = save(rest, self.now)
            self._terminal.say(
                f"The {kind} {rest} is in {file}; give that file to share it.", "information"
            )
        elif verb == "import":
            name = self._terminal.library.take_in(kind, Path(rest))
            self._terminal.say(f"The {kind} {name} is yours now: /{kind} {name}", "information")
        return bool(verb)

    def presets(self) -> Found[Preset]:
        """All presets, those of the files among them."""
        return self.told(self._terminal.library.presets(self._terminal.presets))

    def told(self, found: Found[ItemT]) -> Found[ItemT]:
        """The same; what is wrong with the files is said."""
        for problem in found.problems:
            self._terminal.say(problem, "warning")
        return found

    def apply_role(self, role: Role) -> None:
        """Set the tab as a role says."""
        self._change(role.applied_to(self.now), f"{role.name}: {role.explanation}")

    def apply_preset(self, preset: Preset) -> None:
        """Sample as a preset says."""
        self._change(preset.applied_to(self.now), f"{preset.name}: {preset.explanation}")


def another_seed(sampling: SamplingSettings, branches: int) -> SamplingSettings | None:
    """With a fixed seed the same settings would give the same reply: the next seed is taken."""
    if sampling.random_seed is None:
        return None
    return msgspec.structs.replace(sampling, random_seed=sampling.random_seed + branches)


def _field(name: str) -> SamplingField:
    field = field_named(name.lower().replace("-", "_"))
    if field is None:
        raise SettingsError(
            f"There is no sampling setting {name[:40]!r}. /settings shows them all."
        )
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
