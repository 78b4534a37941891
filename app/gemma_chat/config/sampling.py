"""The settings of a session: its system instruction and how its tokens are sampled.

`SAMPLING_FIELDS` is the one table from which validation, the settings panel, the help page and
the completion of the shell command are made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from gemma_chat.config.logit_bias import LogitBias, check_biases
from gemma_chat.config.tools import ToolSettings
from gemma_chat.errors import SettingsError

MAX_STOP_STRINGS = 16
MAX_STOP_LENGTH = 200
MAX_GRAMMAR_LENGTH = 200_000
MAX_SCHEMA_LENGTH = 200_000
MAX_SYSTEM_INSTRUCTION = 1_000_000
MAX_THINKING_BUDGET = 100_000
MAX_LORA_PATH = 4096
MAX_LORA_SCALE = 10.0


Overflow = Literal["summary", "drop", "stop"]
"""What becomes of the oldest turns when the context is full: their summary takes their place, they
are left out, or nothing more is answered."""

OVERFLOWS: Final[tuple[Overflow, ...]] = ("summary", "drop", "stop")


class SamplingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the next token is chosen; the defaults are those of the session API.

    The order in which they act is llama.cpp's: logit bias, penalties, DRY, top-k, typical-p, top-p,
    min-p, XTC, temperature, and then the draw with `random_seed`. `grammar` is GBNF; `json_schema`
    is the text of a JSON schema, and a reply that has one ends when it is complete, not at a stop
    string. At most one of the two is set.

        SamplingSettings(temperature=1.0, top_k=64, top_p=0.95, stop=("\\n\\n",))
    """

    temperature: float = 0.8
    top_k: int = 1
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    random_seed: int | None = 1
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    json_schema: str | None = None
    logit_bias: tuple[LogitBias, ...] = ()

    def validated(self) -> SamplingSettings:
        """Return self, or raise `SettingsError` that names the setting and its allowed range."""
        for field in SAMPLING_FIELDS:
            field.check(getattr(self, field.name))
        if len(self.stop) > MAX_STOP_STRINGS:
            raise SettingsError(
                f"stop has {len(self.stop)} strings; at most {MAX_STOP_STRINGS} are allowed."
            )
        for text in self.stop:
            if not text or len(text) > MAX_STOP_LENGTH:
                raise SettingsError(
                    f"A stop string must have 1 to {MAX_STOP_LENGTH} characters; "
                    f"this one has {len(text)}."
                )
        if self.grammar is not None and len(self.grammar) > MAX_GRAMMAR_LENGTH:
            raise SettingsError(
                f"The grammar has {len(self.grammar)} characters; "
                f"at most {MAX_GRAMMAR_LENGTH} are allowed."
            )
        if self.json_schema is not None and len(self.json_schema) > MAX_SCHEMA_LENGTH:
            raise SettingsError(
                f"The JSON schema has {len(self.json_schema)} characters; "
                f"at most {MAX_SCHEMA_LENGTH} are allowed."
            )
        if self.json_schema is not None and self.grammar is not None:
            raise SettingsError(
                "grammar and json_schema are both set, and a reply can follow one only: leave one "
                "of them out."
            )
        check_biases(self.logit_bias)
        return self


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything one tab sets for itself.

    pirate = SessionSettings(system_instruction="Answer as a pirate.", thinking_budget=256)
    session = await model.open_session(settings=pirate)
    """

    system_instruction: str = ""
    sampling: SamplingSettings = SamplingSettings()
    enable_thinking: bool = False
    """Let the model think before it answers, where its chat template has a switch for it."""
    thinking_budget: int | None = None
    """Tokens of thinking after which it is closed and the answer begins; `None`: no limit."""
    keep_thinking: bool = False
    """Let the model see in later turns what it thought; else it is cut out of the context.

    Cutting it out costs the next turn the answer once more: what follows the thought is evaluated
    again, and nothing before it.
    """
    lora_path: str = ""
    """The file of a LoRA adapter; an empty string is the model as it is."""
    lora_scale: float = 1.0
    """How strongly the adapter acts: 1 as it was trained, 0 not at all."""
    overflow: Overflow = "summary"
    """What becomes of the oldest turns when the context is full: "summary" lets a summary take
    their place, as far as there is one; "drop" leaves them out; "stop" refuses the question."""
    tools: ToolSettings = ToolSettings()
    """The tools of a tab of the terminal. A program gives a session its tools itself."""

    def validated(self) -> SessionSettings:
        """Return self, or raise `SettingsError`."""
        if len(self.system_instruction) > MAX_SYSTEM_INSTRUCTION:
            raise SettingsError(
                f"The system instruction has {len(self.system_instruction)} characters; "
                f"at most {MAX_SYSTEM_INSTRUCTION} are allowed."
            )
        THINKING_BUDGET.check(self.thinking_budget)
        if self.overflow not in OVERFLOWS:
            raise SettingsError(
                f"overflow = {self.overflow!r} is not allowed: {' or '.join(OVERFLOWS)}."
            )
        if len(self.lora_path) > MAX_LORA_PATH:
            raise SettingsError(
                f"lora_path is not allowed: a path of at most {MAX_LORA_PATH} characters, or empty."
            )
        LORA_SCALE_FIELD.check(self.lora_scale)
        self.sampling.validated()
        self.tools.validated()
        return self


@dataclass(frozen=True, slots=True)
class SamplingField:
    """One number of the settings: its range, and a line that explains it."""

    name: str
    label: str
    minimum: float
    maximum: float
    step: float
    explanation: str
    optional: bool = False
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The allowed range in words, as it stands in every message about it."""
        unit = "a whole number" if self.whole else "a number"
        empty = ", or empty" if self.optional else ""
        return f"{unit} from {self.minimum:,.10g} to {self.maximum:,.10g}{empty}"

    def check(self, value: Any) -> None:
        """Raise `SettingsError` when `value` is not allowed."""
        if value is None and self.optional:
            return
        kinds = (int,) if self.whole else (int, float)
        right_kind = isinstance(value, kinds) and not isinstance(value, bool)
        if not right_kind or not math.isfinite(value) or not self.minimum <= value <= self.maximum:
            raise SettingsError(f"{self.name} = {value!r} is not allowed: {self.allowed}.")

    def parse(self, text: str) -> int | float | None:
        """Read what a person typed into a field; raises `SettingsError`."""
        text = text.strip()
        if not text and self.optional:
            return None
        try:
            value: int | float = int(text) if self.whole else float(text.replace(",", "."))
        except ValueError:
            raise SettingsError(f"{self.name} = {text!r} is not allowed: {self.allowed}.") from None
        self.check(value)
        return value


LORA_SCALE_FIELD = SamplingField(
    "lora_scale",
    "Adapter strength",
    -MAX_LORA_SCALE,
    MAX_LORA_SCALE,
    0.1,
    "How strongly the LoRA adapter acts: 1 as it was trained, 0 not at all.",
)

SAMPLING_FIELDS: tuple[SamplingField, ...] = (
    SamplingField(
        "temperature",
        "Temperature",
        0.0,
        5.0,
        0.1,
        "0 always takes the likeliest token; higher is more varied.",
    ),
    SamplingField(
        "top_k",
        "Top-k",
        0,
        100_000,
        1,
        "Keep the k likeliest tokens; 0 keeps all.",
        whole=True,
    ),
    SamplingField(
        "top_p",
        "Top-p",
        0.0,
        1.0,
        0.05,
        "Keep the likeliest tokens that together reach this probability; 1 keeps all.",
    ),
    SamplingField(
        "min_p",
        "Min-p",
        0.0,
        1.0,
        0.01,
        "Drop tokens less likely than this share of the likeliest one; 0 is off.",
    ),
    SamplingField(
        "typical_p",
        "Typical-p",
        0.0,
        1.0,
        0.05,
        "Keep tokens of typical surprise up to this probability; 1 is off.",
    ),
    SamplingField(
        "repeat_penalty",
        "Repeat penalty",
        0.0,
        5.0,
        0.05,
        "Above 1, tokens already used become less likely; 1 is off.",
    ),
    SamplingField(
        "repeat_last_n",
        "Repeat window",
        -1,
        1_000_000,
        16,
        "How many last tokens the penalties look at; 0 none, -1 the whole context.",
        whole=True,
    ),
    SamplingField(
        "presence_penalty",
        "Presence penalty",
        -2.0,
        2.0,
        0.1,
        "Taken once from every token already used; 0 is off.",
    ),
    SamplingField(
        "frequency_penalty",
        "Frequency penalty",
        -2.0,
        2.0,
        0.1,
        "Taken from a token for each time it was used; 0 is off.",
    ),
    SamplingField(
        "dry_multiplier",
        "DRY strength",
        0.0,
        10.0,
        0.1,
        "Penalises repeating whole phrases; 0 is off.",
    ),
    SamplingField(
        "dry_base",
        "DRY base",
        1.0,
        10.0,
        0.05,
        "How fast the DRY penalty grows with the phrase's length.",
    ),
    SamplingField(
        "dry_allowed_length",
        "DRY allowed length",
        0,
        1_000,
        1,
        "Phrases up to this many tokens may repeat freely.",
        whole=True,
    ),
    SamplingField(
        "dry_penalty_last_n",
        "DRY window",
        -1,
        1_000_000,
        64,
        "How many last tokens DRY looks at; 0 none, -1 the whole context.",
        whole=True,
    ),
    SamplingField(
        "xtc_probability",
        "XTC probability",
        0.0,
        1.0,
        0.05,
        "Chance that the likeliest tokens are set aside for a less obvious one; 0 is off.",
    ),
    SamplingField(
        "xtc_threshold",
        "XTC threshold",
        0.0,
        1.0,
        0.05,
        "Only tokens above this probability are set aside; above 0.5 XTC does nothing.",
    ),
    SamplingField(
        "random_seed",
        "Random seed",
        0,
        4_294_967_294,
        1,
        "The same seed gives the same text; empty draws a new one for each turn.",
        optional=True,
        whole=True,
    ),
    SamplingField(
        "max_output_tokens",
        "Reply limit",
        1,
        10_000_000,
        64,
        "The most tokens one reply may have; empty leaves it to the context.",
        optional=True,
        whole=True,
    ),
)

THINKING_BUDGET = SamplingField(
    "thinking_budget",
    "Thinking budget",
    1,
    MAX_THINKING_BUDGET,
    64,
    "Tokens of thinking after which the answer begins; empty leaves it to the model.",
    optional=True,
    whole=True,
)
