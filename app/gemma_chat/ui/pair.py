"""Two tabs side by side in one window, and who gets what is sent there. Pure.

A pair is shown while one of its tabs is the active one; on another tab it waits. The active tab is
the one of the pair that commands are about.
"""

from __future__ import annotations

from collections.abc import Iterable

from gemma_chat.config.sampling import SAMPLING_FIELDS, SessionSettings
from gemma_chat.host.protocol import TabPair
from gemma_chat.ui.text import one_line

_INSTRUCTION_CELLS = 36


class Pair(TabPair, frozen=True):
    """Two sessions; without `to_both` a message goes to the active one."""

    @classmethod
    def kept(cls, pair: TabPair | None) -> Pair | None:
        """The pair that the host has kept."""
        return None if pair is None else cls(pair.left, pair.right, pair.to_both)

    def has(self, session: int) -> bool:
        """Whether this is one of the two."""
        return session in (self.left, self.right)

    def other(self, session: int) -> int:
        """The one beside `session`."""
        return self.right if session == self.left else self.left

    def within(self, sessions: Iterable[int]) -> Pair | None:
        """This pair while both are among `sessions`; else `None`."""
        return self if {self.left, self.right} <= set(sessions) else None


def differences(mine: SessionSettings, others: SessionSettings) -> tuple[str, ...]:
    """In what one tab of a pair is set otherwise than the other, in the fewest words."""
    found = []
    if mine.system_instruction != others.system_instruction:
        said = one_line(mine.system_instruction.strip(), _INSTRUCTION_CELLS)
        found.append(f"“{said}”" if said else "no instruction")
    for field in SAMPLING_FIELDS:
        value = getattr(mine.sampling, field.name)
        if value != getattr(others.sampling, field.name):
            found.append(f"{field.label.lower()} {'none' if value is None else f'{value:g}'}")
    for name in ("grammar", "json_schema", "stop", "logit_bias"):
        if getattr(mine.sampling, name) != getattr(others.sampling, name):
            found.append(f"other {name.replace('_', ' ')}")
    if mine.enable_thinking != others.enable_thinking:
        found.append("thinks" if mine.enable_thinking else "no thinking")
    if (mine.lora_path, mine.lora_scale) != (others.lora_path, others.lora_scale):
        found.append("other adapter" if mine.lora_path else "no adapter")
    if mine.tools != others.tools:
        found.append("other tools")
    return tuple(found)
