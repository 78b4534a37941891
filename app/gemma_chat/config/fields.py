"""The one table of settings: validation, `config show`, help and completion are made from it."""

from __future__ import annotations

from gemma_chat.config.sampling import (
    LORA_SCALE_FIELD,
    MAX_GRAMMAR_LENGTH,
    MAX_LORA_PATH,
    MAX_SCHEMA_LENGTH,
    MAX_STOP_LENGTH,
    MAX_SYSTEM_INSTRUCTION,
    OVERFLOWS,
    SAMPLING_FIELDS,
)
from gemma_chat.config.setting_field import SettingField


def sampling_fields(section: str) -> tuple[SettingField, ...]:
    """The fields of a section that sets up a session: `defaults`, or one of the presets."""
    numbers = tuple(
        SettingField(
            section=section,
            name=field.name,
            kind="whole" if field.whole else "number",
            explanation=field.explanation,
            minimum=field.minimum,
            maximum=field.maximum,
            optional=field.optional,
        )
        for field in SAMPLING_FIELDS
    )
    return (
        SettingField(
            section=section,
            name="system_instruction",
            kind="text",
            explanation="What the model is told before the conversation begins.",
            maximum=MAX_SYSTEM_INSTRUCTION,
        ),
        *numbers,
        SettingField(
            section=section,
            name="stop",
            kind="texts",
            explanation="A reply ends before any of these texts.",
            maximum=MAX_STOP_LENGTH,
        ),
        SettingField(
            section=section,
            name="grammar",
            kind="text",
            explanation="A GBNF grammar that every reply follows; empty allows any text.",
            maximum=MAX_GRAMMAR_LENGTH,
            optional=True,
        ),
        SettingField(
            section=section,
            name="json_schema",
            kind="text",
            explanation="A JSON schema; every reply is JSON that fits it. Empty allows any text.",
            maximum=MAX_SCHEMA_LENGTH,
            optional=True,
        ),
        SettingField(
            section=section,
            name="logit_bias",
            kind="biases",
            explanation="Tokens, or texts, that become likelier or less likely, or never come.",
        ),
        SettingField(
            section=section,
            name="lora_path",
            kind="text",
            explanation="The GGUF file of a LoRA adapter for the model; empty uses none.",
            maximum=MAX_LORA_PATH,
        ),
        SettingField(
            section=section,
            name="lora_scale",
            kind="number",
            explanation=LORA_SCALE_FIELD.explanation,
            minimum=LORA_SCALE_FIELD.minimum,
            maximum=LORA_SCALE_FIELD.maximum,
        ),
    )


SESSION_KEYS = ("system_instruction", "lora_path", "lora_scale")
"""The keys of such a section that belong to the session and not to its sampling."""

DEFAULTS_KEYS = (*SESSION_KEYS, "overflow")
"""Those of `defaults`: what becomes of a full context is no matter of a preset."""


def _model_fields() -> tuple[SettingField, ...]:
    section = "model"
    return (
        SettingField(
            section=section,
            name="path",
            kind="text",
            explanation="The GGUF file to load; empty takes the first one that is found.",
            maximum=4096,
        ),
        SettingField(
            section=section,
            name="projector",
            kind="text",
            explanation="The mmproj file with which the model takes images or audio; empty takes "
            "the one beside the model, none takes none.",
            maximum=4096,
        ),
        SettingField(
            section=section,
            name="context_size",
            kind="whole",
            explanation="Tokens of one tab's context, prompt and reply together; "
            "0 takes what the model was trained with, at most 8192.",
            maximum=16_777_216,
        ),
        SettingField(
            section=section,
            name="threads",
            kind="whole",
            explanation="Threads that compute; 0 follows what is measured on this machine.",
            maximum=1024,
        ),
        SettingField(
            section=section,
            name="gpu_layers",
            kind="whole",
            explanation="Layers of the model that are put on a GPU; -1 all, 0 none.",
            minimum=-1,
            maximum=100_000,
        ),
        SettingField(
            section=section,
            name="use_extra_bufts",
            kind="switch_or_auto",
            explanation="Faster weight formats of this CPU; auto switches them off where they "
            "crash.",
        ),
        SettingField(
            section=section,
            name="kv_type",
            kind="choice",
            explanation="How the KV cache is stored: q8_0 takes half the memory of f16, q4_0 a "
            "quarter, at some loss.",
            choices=("f16", "q8_0", "q4_0"),
        ),
        SettingField(
            section=section,
            name="micro_batch",
            kind="whole",
            explanation="Tokens evaluated at once while a prompt is read; fewer give way sooner.",
            minimum=16,
            maximum=512,
        ),
        SettingField(
            section=section,
            name="prompt_lookup",
            kind="switch",
            explanation="Guess what a reply quotes from its conversation and verify several tokens "
            "at once.",
        ),
        SettingField(
            section=section,
            name="memory_map",
            kind="switch",
            explanation="Read the weights through the page cache, so that the next start is quick.",
        ),
        SettingField(
            section=section,
            name="lock_memory",
            kind="switch",
            explanation="Keep the weights from being swapped out.",
        ),
    )


def _server_fields() -> tuple[SettingField, ...]:
    section = "server"
    return (
        SettingField(
            section=section,
            name="url",
            kind="text",
            explanation="A chat server with OpenAI's interface (llama-server, vLLM, Ollama) that "
            "computes instead of this machine, such as http://localhost:8080; empty for none.",
            maximum=2000,
        ),
        SettingField(
            section=section,
            name="model",
            kind="text",
            explanation="The name by which the server knows its model; empty takes the first.",
            maximum=1000,
        ),
        SettingField(
            section=section,
            name="api_key_env",
            kind="text",
            explanation="The environment variable that holds the server's API key. The key itself "
            "is never stored, and sent to no other server.",
            maximum=200,
        ),
        SettingField(
            section=section,
            name="max_parallel",
            kind="whole",
            explanation="How many replies the server computes at once: as many as it has slots.",
            minimum=1,
            maximum=64,
        ),
        SettingField(
            section=section,
            name="context_size",
            kind="whole",
            explanation="Tokens of one tab's context; 0 takes what the server says, or 4096 when "
            "it does not.",
            maximum=16_777_216,
        ),
        SettingField(
            section=section,
            name="connect_seconds",
            kind="number",
            explanation="Seconds the server may take to accept a connection.",
            minimum=0.1,
            maximum=86_400,
        ),
        SettingField(
            section=section,
            name="silence_seconds",
            kind="number",
            explanation="Seconds the server may say nothing, while it reads a prompt too; a reply "
            "may take any time.",
            minimum=0.1,
            maximum=86_400,
        ),
    )


def _process_fields() -> tuple[SettingField, ...]:
    return (
        SettingField(
            section="engine",
            name="anticipate",
            kind="switch",
            explanation="Warm-ups: evaluate, while nobody waits, system instructions, long drafts, "
            "and a context whose older turns are about to be replaced.",
        ),
        SettingField(
            section="memory",
            name="states_mb",
            kind="whole",
            explanation="Megabytes of RAM for the saved states of tabs; what is over goes to "
            "files in the cache folder. 0 takes a quarter of free memory, at most 2000.",
            maximum=1_000_000,
        ),
        SettingField(
            section="memory",
            name="disk_gb",
            kind="number",
            explanation="Gigabytes of files for saved states in the cache folder, so that tabs go "
            "on at once after a restart; 0 writes none.",
            maximum=100_000,
        ),
        SettingField(
            section="host",
            name="keep_alive",
            kind="number",
            explanation="Seconds the model stays loaded after the last terminal has gone; "
            "-1 keeps it until it is stopped.",
            minimum=-1,
            maximum=31_536_000,
        ),
    )


def _summarizer_fields() -> tuple[SettingField, ...]:
    section = "summarizer"
    sampling = {field.name: field for field in sampling_fields(section)}
    return (
        SettingField(
            section=section,
            name="enabled",
            kind="switch",
            explanation="Whether summaries and titles are written at all.",
        ),
        SettingField(
            section=section,
            name="paused",
            kind="switch",
            explanation="Whether it starts paused, and writes nothing until it is resumed.",
        ),
        SettingField(
            section=section,
            name="delay",
            kind="number",
            explanation="Seconds without a turn before it begins.",
            maximum=86_400,
        ),
        SettingField(
            section=section,
            name="system_instruction",
            kind="text",
            explanation="What it is told when it writes a summary.",
            maximum=MAX_SYSTEM_INSTRUCTION,
        ),
        SettingField(
            section=section,
            name="title_instruction",
            kind="text",
            explanation="What it is told when it writes a title; {questions} is what you said.",
            maximum=MAX_SYSTEM_INSTRUCTION,
        ),
        SettingField(
            section=section,
            name="max_tokens",
            kind="whole",
            explanation="The most tokens a summary may have.",
            minimum=1,
            maximum=100_000,
        ),
        SettingField(
            section=section,
            name="title_max_tokens",
            kind="whole",
            explanation="The most tokens a title may have.",
            minimum=1,
            maximum=1000,
        ),
        *(sampling[name] for name in ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")),
    )


def _terminal_fields() -> tuple[SettingField, ...]:
    section = "terminal"
    return (
        SettingField(
            section=section,
            name="theme",
            kind="text",
            explanation="The name of a theme; empty takes the program's own.",
            maximum=100,
        ),
        SettingField(
            section=section,
            name="mouse",
            kind="switch_or_auto",
            explanation="Whether the program takes the mouse; without it, the terminal's own "
            "selection works. auto leaves it in GNU screen, which holds the escape key back else.",
        ),
        SettingField(
            section=section,
            name="vi_keys",
            kind="switch",
            explanation="Whether the input has vi's modes and keys.",
        ),
        SettingField(
            section=section,
            name="notify",
            kind="choice",
            explanation="What tells that a reply has ended which nobody looks at: the bell, a "
            "message of the desktop (OSC 9, in the terminals that know it), or nothing.",
            choices=("none", "bell", "osc9"),
        ),
        SettingField(
            section=section,
            name="slow_line",
            kind="choice",
            explanation="Whether as few bytes as possible are sent to the terminal: auto does it "
            "over SSH.",
            choices=("auto", "always", "never"),
        ),
        SettingField(
            section=section,
            name="sent_history",
            kind="whole",
            explanation="How many sent messages the input remembers for the next start; "
            "0 remembers none.",
            maximum=10_000,
        ),
        SettingField(
            section=section,
            name="plain_pieces",
            kind="choice",
            explanation="In what pieces the plain line mode (--plain) writes a reply while it "
            "grows: a screen reader may speak whole sentences or lines better than words.",
            choices=("words", "sentences", "lines"),
        ),
    )


SETTING_FIELDS: tuple[SettingField, ...] = (
    *_model_fields(),
    *_server_fields(),
    *_process_fields(),
    *_summarizer_fields(),
    *_terminal_fields(),
    *sampling_fields("defaults"),
    SettingField(
        section="defaults",
        name="overflow",
        kind="choice",
        explanation="When the context is full, older turns are replaced by their summary, dropped "
        "from it, or nothing more is answered (stop).",
        choices=OVERFLOWS,
    ),
)

PRESETS_SECTION = "presets"
KEYS_SECTION = "keys"
