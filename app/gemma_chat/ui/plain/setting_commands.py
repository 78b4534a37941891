"""Commands about what a tab sets for itself, its summary and its context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from gemma_chat.config.sampling import SAMPLING_FIELDS, SessionSettings
from gemma_chat.config.tools import MCP_PREFIX, ON_BOARD_TOOLS
from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.quantities import counted
from gemma_chat.ui.context_words import heading_of
from gemma_chat.ui.plain.words import explained
from gemma_chat.ui.setting_changes import SettingChanges
from gemma_chat.ui.settings_fields import CANNOT_THINK, SWITCHES, text_of
from gemma_chat.ui.text import NAME_CELLS, NOTICE_CELLS, SENTENCE_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.terminal import PlainTerminal

_SWITCHED: Final = {"": None, "on": True, "off": False}
_PARTS: Final = {
    "system": "Beginning, with system instruction and tools",
    "summary": "Summary",
    "pinned": "Pinned",
    "exchange": "Exchange",
    "opening": "Where the next message goes",
}


class SettingCommands:
    """Carries these out for the terminal that owns it."""

    def __init__(self, terminal: PlainTerminal) -> None:
        self._terminal = terminal
        self._changes = SettingChanges(terminal, terminal.change_settings)
        self.by_id: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "tab.system": self.system,
            "tab.role": self.role,
            "tab.preset": self.preset,
            "tab.reset": self.reset,
            "panel.settings": self.show,
            "panel.summary": self.summary,
            "context.show": self.context,
            "plain.thinking": self.thinking,
            "plain.tools": self.tools,
        }

    async def change(self, name: str, text: str) -> None:
        """Set one sampling setting, or say what it is."""
        self._changes.change(name, text)
        await self._terminal.settled()

    async def reset(self, name: str) -> None:
        """Give one setting, or all, the value of a new tab."""
        self._changes.reset(name)
        await self._terminal.settled()

    async def system(self, text: str) -> None:
        """Set the system instruction, or read it."""
        if text:
            self._changes.set_system(text)
            await self._terminal.settled()
        elif instruction := self._changes.now.system_instruction.strip():
            self._terminal.speech.say_whole("System instruction", instruction)
        else:
            self._terminal.say("This tab has no system instruction. /system TEXT sets one.")

    async def role(self, words: str) -> None:
        """Apply, keep or take in a role, or say which there are."""
        if words:
            self._changes.role(words)
            await self._terminal.settled()
            return
        for role in self._changes.told(self._terminal.library.roles()).items:
            self._terminal.say(explained(role.name, role.explanation))
        self._terminal.say("/role NAME applies one.")

    async def preset(self, words: str) -> None:
        """Apply, keep or take in a preset, or say which there are."""
        if words:
            self._changes.preset(words)
            await self._terminal.settled()
            return
        for preset in self._changes.presets().items:
            self._terminal.say(explained(preset.name, preset.explanation))
        self._terminal.say("/preset NAME applies one.")

    async def show(self, argument: str) -> None:
        """Say all settings of the tab."""
        now = self._changes.now
        await self.system("")
        for field in SAMPLING_FIELDS:
            self._terminal.say(f"{field.label}: {text_of(now, field.name) or 'none'}.")
        for name, (label, _) in SWITCHES.items():
            self._terminal.say(f"{label}: {'on' if getattr(now, name) else 'off'}.")
        for name, label in (("grammar", "Grammar"), ("json_schema", "JSON schema")):
            given = text_of(now, name)
            self._terminal.say(f"{label}: {counted(len(given), 'character') if given else 'none'}.")
        if now.lora_path:
            self._terminal.say(f"LoRA adapter: {one_line(now.lora_path, SENTENCE_CELLS)}.")
        self._terminal.say(
            f"Tools: {one_line(', '.join(now.tools.sources), SENTENCE_CELLS) or 'none'}."
        )

    async def thinking(self, wish: str) -> None:
        """Let the model think before it answers, or no more; else say how it is."""
        wish = wish.strip().lower()
        now = self._changes.now
        if wish not in _SWITCHED:
            raise SettingsError(f"/thinking is on or off, not {one_line(wish, NAME_CELLS)}.")
        on = _SWITCHED[wish]
        if on is None:
            self._terminal.say(f"Thinking is {'on' if now.enable_thinking else 'off'}.")
        elif await self._hold(msgspec.structs.replace(now, enable_thinking=on)):
            known = self._terminal.state.model
            cannot = on and known.phase == "ready" and not known.thinks
            self._terminal.say(CANNOT_THINK if cannot else f"Thinking is {wish} from now on.")

    async def tools(self, words: str) -> None:
        """Turn a source of tools on or off; without a name say which there are."""
        settings = self._changes.now
        name, _, folder = words.strip().partition(" ")
        servers = self._terminal.options.settings.mcp_servers
        sources = [*ON_BOARD_TOOLS, *(f"{MCP_PREFIX}{server.name}" for server in servers)]
        on = list(settings.tools.sources)
        if not name:
            for source in sources:
                about = ON_BOARD_TOOLS.get(source, "The tools of a server of the settings file.")
                state = "on" if source in on else "off"
                self._terminal.say(f"{one_line(source, NOTICE_CELLS)}, {state}: {about}")
            self._terminal.say("/tools NAME turns one on or off; files takes its folder too.")
            return
        if name not in sources:
            raise SettingsError(f"There are no tools {name[:40]!r}. /tools lists them.")
        changed = [one for one in on if one != name] if name in on else [*on, name]
        tools = msgspec.structs.replace(settings.tools, sources=tuple(changed))
        if folder:
            tools = msgspec.structs.replace(tools, folder=folder.strip())
        if await self._hold(msgspec.structs.replace(settings, tools=tools.validated())):
            self._terminal.say(
                f"{one_line(name, NOTICE_CELLS)} is {'on' if name in changed else 'off'}."
            )

    async def _hold(self, settings: SessionSettings) -> bool:
        session = self._terminal.state.active
        return await self._terminal.calls.change_settings(session, settings.validated())

    async def summary(self, argument: str) -> None:
        """Read the summary of the tab."""
        tab = self._terminal.state.active_tab
        if tab is None or not tab.view.summary.text.strip():
            self._terminal.say("There is no summary of this tab yet.")
        else:
            self._terminal.speech.say_whole("Summary", tab.view.summary.text)

    async def context(self, argument: str) -> None:
        """Say what the model sees of the tab, part by part with its tokens."""
        state = self._terminal.state
        answering = state.is_answering(state.active)
        found = await self._terminal.calls.context(state.active)
        if found is None:
            return
        for line in heading_of(found, answering=answering).splitlines():
            self._terminal.say(line)
        for part in found.parts:
            self._terminal.say(_part_words(part))


def _part_words(part: p.ContextPart) -> str:
    title = one_line(part.title, NOTICE_CELLS)
    named = f"{_PARTS[part.kind]}, “{title}”" if title else _PARTS[part.kind]
    return f"{named}: {counted(part.tokens, 'token')}."
