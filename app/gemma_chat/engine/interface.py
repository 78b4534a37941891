"""What the sessions ask of an engine: the one seam between `sessions` and llama.cpp.

`gemma_chat.engine.llama.LlamaEngine` is the real one. Tests that need exact timing put a scripted
one in its place. Two kinds of call are kept apart:

* *from any thread, never waiting*: `description`, `count_tokens`, `prompt`, `spelled`,
  `figures`, `check_lora`, `open_sequence`, `fork`, `release`, and `TurnRun.interrupt`;
* *from at most `slots` threads at a time* (the engine threads of the sessions room), and never two
  of them for one sequence: `begin`, `TurnRun.step`, `TurnRun.give_way`, `TurnRun.finish`; and
  `close`, after all of them. These are where the model computes. llama.cpp has one slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.terms import KvType, Lane

Role = Literal["system", "user", "assistant", "tool"]
EndReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it. `parameters` is a JSON schema of an object, as text.

    ToolSpec("clock", "Tell the time.", '{"type": "object", "properties": {}}')
    """

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model made. `arguments` is a JSON object, as text.

    `error` is set when the call cannot be carried out: it is cut off, malformed, names no tool or
    breaks its schema. `arguments` is then what the model wrote, or `{}`.

        arguments = json.loads(call.arguments)
    """

    id: str
    name: str
    arguments: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a recording within a message: the bytes of its file, and their SHA-256 in hex.

    picture = Path("cat.png").read_bytes()
    Media("image", picture, hashlib.sha256(picture).hexdigest())
    """

    kind: Literal["image", "audio"]
    data: bytes = field(repr=False)
    digest: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message as the chat template sees it.

    `thinking` and `tool_calls` belong to a message of the model, `media` to one of a person, who
    gave it before the text. A message of the role `tool` is the result of the call `tool_call_id`
    of the tool `tool_name`.
    """

    role: Role
    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""
    media: tuple[Media, ...] = ()


ToolChoice = Literal["auto", "required", "none"]
"""Whether the model may call tools, must call at least one, or must answer without."""


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """What a reply may hold besides text, and what the model is told of it.

    With `tool_choice` "none" the tools stay in the prompt, so that it begins as those before it;
    what the model writes is text, whatever it looks like. "required" constrains the reply to calls
    by a grammar, in place of the one of the sampling settings, and leaves no room for thinking.
    """

    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    thinking: bool = False
    """Ask for thinking, where the chat template has a switch for it."""
    thinking_budget: int | None = None
    """Tokens of thinking after which it is closed by force; `None` is no limit but the reply's."""


PLAIN_REPLY = ReplyForm()
"""Text alone."""

PartKind = Literal["text", "thinking", "tool_call"]


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """A stretch of a reply that is final. `call` is set for a tool call, whose `text` is empty.

    The id of a call may be empty; the session gives it one.
    """

    kind: PartKind
    text: str = ""
    call: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What is known of the loaded model; sizes in bytes, lengths in tokens.

    print(model.description.name, model.description.context_size)
    """

    path: str
    name: str
    architecture: str
    family: Literal["gemma3", "gemma4", "chatml", "other"]
    parameters: int
    weights_bytes: int
    context_size: int
    trained_context_size: int
    vocabulary_size: int
    sliding_window: int
    template_source: Literal["file", "built-in", "server"]
    thinks: bool = False
    """The chat template can switch thinking on and off."""
    native_tools: bool = False
    """The chat template has a form of its own for tools; else they are told as an instruction."""
    safe_mode: str = ""
    """What had to be switched off for this machine to survive, or an empty string."""
    server: str = ""
    """The address of the server that computes, or an empty string: this machine does."""
    token_counts: Literal["exact", "estimated"] = "exact"
    """Whether `count_tokens` is the model's own tokenizer; some servers offer none."""
    modalities: tuple[Literal["image", "audio"], ...] = ()
    """What it takes beside text, through its projector."""
    projector_path: str = ""


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """Where the bytes are.

    print(model.figures().kv_resident_bytes / 1e6, "MB")
    """

    weights_bytes: int
    kv_resident_bytes: int
    kv_saved_bytes: int
    """Saved states in RAM."""
    projector_bytes: int = 0
    kv_disk_bytes: int = 0
    """Saved states in files."""


@dataclass(frozen=True, slots=True)
class MediaPiece:
    """A stretch of embeddings within a prompt: one part of an image or a recording.

    Among the tokens of a session it stands as `tokens`, one number for each position. They are
    negative, as no token of a vocabulary is, and made from the digest of the media: two stretches
    have the same numbers when they have the same embeddings, and share none of them otherwise.
    """

    media: Media
    part: int
    """Which of the stretches that its projector makes of the media, from 0."""
    tokens: tuple[int, ...] = field(repr=False)
    whole: bool = False
    """Its positions look at each other, so all of them are evaluated at once."""


@dataclass(frozen=True, slots=True)
class LoraChoice:
    """A LoRA adapter's file and the strength it is applied with, 1 as it was trained."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered conversation, ready to be evaluated.

    `pieces` alternates freely between control tokens (`int`), runs of plain text (`bytes`, UTF-8)
    and media. Text is tokenized without looking for control tokens in it, so that nothing a person
    types can forge a turn. `token_count` is the length when nothing can be reused. `system` is the
    system instruction, whose tokens are evaluated by themselves so that sessions can share them.
    `form` is what the reply may hold; `thinking_open` tells that the prompt ends within thinking.
    Its last `thought_tokens` tokens open a thought, or stand for an empty one: prompts of later
    turns do not have them in this place.

    An engine whose server renders the conversation has no pieces: it keeps the `messages`, and
    `token_count` is an estimate.
    """

    pieces: tuple[int | bytes | MediaPiece, ...]
    token_count: int
    system: str = ""
    form: ReplyForm = PLAIN_REPLY
    thinking_open: bool = False
    thought_tokens: int = 0
    lora: LoraChoice | None = None
    """The adapter it is evaluated with: what another one evaluated cannot be reused."""
    seam: int = 0
    """Where it is evaluated anew, a batch ends behind this many of its pieces, whether or not a
    warm-up evaluated them."""
    messages: tuple[ChatMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class Prefill:
    """A micro-batch was evaluated: `done` of `total` prompt tokens are in the KV cache."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Generated:
    """One more token was sampled, or several. `text` is what became final, often empty.

    When anything else than text became final, all of it is in `parts`, in order, and `text` is
    empty.
    """

    text: str
    parts: tuple[ReplyPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The model ended its reply (`stop`), or the reply limit or the context is full (`length`).

    `text` and `parts`, as in `Generated`, are what was held back and is final now: of a call that
    was cut off by the limit, the failed call.
    """

    reason: EndReason
    text: str
    parts: tuple[ReplyPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Interrupted:
    """`TurnRun.interrupt` took effect: nothing was evaluated in this step."""


Step = Prefill | Generated | Ended | Interrupted


@dataclass(slots=True)
class TokenCounts:
    """Where the tokens of one turn came from."""

    reused: int = 0
    """Prompt tokens that were still resident in the KV cache."""
    restored: int = 0
    """Prompt tokens that came back from a saved state."""
    evaluated: int = 0
    """Prompt tokens decoded in this turn."""
    generated: int = 0
    """Tokens sampled in this turn, the end token not among them."""
    guessed: int = 0
    """Tokens that prompt lookup put forward and a batch verified."""
    guessed_right: int = 0
    """Those of them that were sampled."""


class SequenceHandle(Protocol):
    """One session's place in the KV memory. Costs nothing until its first turn."""

    @property
    def token_count(self) -> int:
        """How many tokens of this session are evaluated and can be reused."""


class TurnRun(Protocol):
    """One turn being computed, step by step."""

    @property
    def counts(self) -> TokenCounts:
        """Where the tokens came from, so far."""

    @property
    def prompt_tokens(self) -> int:
        """The length of the whole prompt, in tokens."""

    def step(self) -> Step:
        """Evaluate the next micro-batch of the prompt or one more token, or several at once
        where a guess proves right.

        Raises `EngineCrashedError` when llama.cpp reports a fatal error. After `Ended` it may not
        be called again.
        """

    def give_way(self) -> None:
        """Another session's turn comes in between: keep all state. `step` goes on from here."""

    def interrupt(self) -> None:
        """Make the running or the next step return `Interrupted` at once. From any thread."""

    def finish(self) -> str:
        """End the turn, at any point, exactly once; later calls do nothing and return "".

        Returns text that was held back (a half character becomes U+FFFD); half a call is dropped.
        The sequence keeps all that was evaluated, saved, so that the next turn evaluates only
        what is new.
        """


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a model is loaded. Zero or `None` means: decide for this machine."""

    context_size: int = 0
    """One session's whole window in tokens; 0 is what the model was trained on, at most 8192."""
    threads: int = 0
    """How many threads compute; 0 follows what is measured, up to the physical cores."""
    use_extra_bufts: bool | None = None
    """llama.cpp's repacked weights; `None` finds out in a child process whether they work."""
    states_mb: int = 0
    """Budget for saved states in RAM, in MB; 0 is a quarter of free memory, at most 2,000."""
    states_dir: Path | None = None
    """Where states are saved in files, for a later process to go on from; `None` saves none."""
    states_disk_mb: int = 4_000
    """Budget for these files, in MB."""
    gpu_layers: int = 0
    """Layers put on a GPU; -1 is all."""
    kv_type: KvType = "f16"
    """How the KV cache is stored; the smaller ones use flash attention."""
    micro_batch: int = 256
    """Tokens evaluated at once in prefill, 16 to 512."""
    prompt_lookup: bool = True
    """Guess what a reply quotes from its conversation and verify several tokens at once."""
    memory_map: bool = True
    """Read the weights through the page cache, so that a second start is quick."""
    lock_memory: bool = False
    """Keep the weights from being swapped out."""
    projector_path: Path | None = None
    """The file that turns images and audio into embeddings for this model."""


class Engine(Protocol):
    """A loaded model with its KV memory."""

    @property
    def slots(self) -> int:
        """How many turns it computes at once, at least 1."""

    @property
    def description(self) -> ModelDescription:
        """What is loaded."""

    def figures(self) -> MemoryFigures:
        """Current memory use."""

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text` by itself, by the model's own tokenizer."""

    def prompt(
        self,
        messages: Sequence[ChatMessage],
        form: ReplyForm = PLAIN_REPLY,
        *,
        written: str = "",
    ) -> Prompt:
        """Render `messages` with the chat template, with the opening of a reply at the end.

        `written` is what stands in that reply already; the model goes on behind it.

        The tools of `form` are told in the template's own way, or as an instruction. The thinking
        of a message is rendered when the message carries it, so whoever calls decides whether
        earlier thinking is kept. Raises `TemplateError`, and `ModalityError` for media that the
        model cannot take.
        """

    def spelled(self, prompt: Prompt) -> tuple[bytes, ...]:
        """A prompt token by token, as text with its control tokens written out.

        Media are one token, which says so. Empty when a server renders the conversation.
        """

    def check_lora(self, lora: LoraChoice) -> None:
        """Raise `AdapterError` when this adapter cannot be applied to this model."""

    def open_sequence(self) -> SequenceHandle:
        """A new, empty sequence."""

    def fork(self, sequence: SequenceHandle) -> SequenceHandle:
        """A new sequence that shares what `sequence` has evaluated up to its last finished turn."""

    def release(self, sequence: SequenceHandle) -> None:
        """Give back the memory of `sequence`; twice is fine."""

    def begin(
        self,
        sequence: SequenceHandle,
        prompt: Prompt,
        sampling: SamplingSettings,
        lane: Lane,
    ) -> TurnRun:
        """Prepare one turn; evaluates nothing yet.

        Raises `ContextOverflowError` when the prompt leaves no room for a single token,
        `SettingsError` when the grammar cannot be used, and `AdapterError` when the prompt's
        adapter cannot.
        """

    def warm_up(
        self,
        sequence: SequenceHandle,
        left: Prompt,
        right: Prompt,
        lane: Lane,
    ) -> TurnRun:
        """Prepare a warm-up: it evaluates what two possible prompts of the next turn begin with.

        The run samples nothing. It ends by itself when all is evaluated that the turn would
        evaluate in the same batches.
        """

    def close(self) -> None:
        """Free all native memory, exactly once; later calls do nothing."""


@dataclass(slots=True)
class LoadControl:
    """How the loading of a model is watched and given up, from another thread."""

    progress: float = 0.0
    cancelled: bool = False
