"""The typed settings. What each one means and allows stands in `fields.py`."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemma_chat.config.key_wishes import KeyWishes
from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.config.presets import BUILT_IN_PRESETS, TERMINAL_SAMPLING, Preset
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.summarizer import SUMMARY_INSTRUCTION, TITLE_QUESTION
from gemma_chat.terms import KvType

SwitchOrAuto = bool | Literal["auto"]
SlowLine = Literal["auto", "always", "never"]
Notification = Literal["none", "bell", "osc9"]
PlainPieces = Literal["words", "sentences", "lines"]


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which model is loaded, and how."""

    path: str = ""
    projector: str = ""
    context_size: int = 0
    threads: int = 0
    gpu_layers: int = -1
    use_extra_bufts: SwitchOrAuto = "auto"
    kv_type: KvType = "f16"
    micro_batch: int = 256
    prompt_lookup: bool = True
    memory_map: bool = True
    lock_memory: bool = False


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A chat server that computes instead of this machine; without a URL there is none."""

    url: str = ""
    model: str = ""
    api_key_env: str = ""
    max_parallel: int = 1
    context_size: int = 0
    connect_seconds: float = 10.0
    silence_seconds: float = 300.0


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine does by itself."""

    anticipate: bool = True
    """Whether there are warm-ups."""


class MemorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much memory is used beside the weights."""

    states_mb: int = 0
    disk_gb: float = 4.0


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The process that holds the model."""

    keep_alive: float = 300.0


class SummarizerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The background session that writes summaries and titles."""

    enabled: bool = True
    paused: bool = False
    delay: float = 1.5
    system_instruction: str = SUMMARY_INSTRUCTION
    title_instruction: str = TITLE_QUESTION
    max_tokens: int = 160
    title_max_tokens: int = 16
    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.05
    repeat_penalty: float = 1.1

    def sampling(self, *, max_tokens: int) -> SamplingSettings:
        """How the summarizer samples a text of at most `max_tokens` tokens."""
        return SamplingSettings(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repeat_penalty=self.repeat_penalty,
            random_seed=None,
            max_output_tokens=max_tokens,
        )


class TerminalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The screen."""

    theme: str = ""
    mouse: SwitchOrAuto = "auto"
    vi_keys: bool = False
    notify: Notification = "bell"
    slow_line: SlowLine = "auto"
    sent_history: int = 500
    plain_pieces: PlainPieces = "words"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the settings file sets. `presets` holds the person's own ones only."""

    model: ModelSettings = ModelSettings()
    server: ServerSettings = ServerSettings()
    engine: EngineSettings = EngineSettings()
    memory: MemorySettings = MemorySettings()
    host: HostSettings = HostSettings()
    summarizer: SummarizerSettings = SummarizerSettings()
    terminal: TerminalSettings = TerminalSettings()
    defaults: SessionSettings = SessionSettings(sampling=TERMINAL_SAMPLING)
    presets: tuple[Preset, ...] = ()
    keys: KeyWishes = ()
    mcp_servers: tuple[McpServerSettings, ...] = ()

    @property
    def all_presets(self) -> tuple[Preset, ...]:
        """The built-in presets and then the person's; one of the same name replaces a built-in."""
        named = {preset.name: preset for preset in (*BUILT_IN_PRESETS, *self.presets)}
        return tuple(named.values())
