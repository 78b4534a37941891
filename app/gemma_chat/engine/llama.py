"""The real engine: one model file, one context with a few KV streams, one sampler a turn."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine import prefix, safety
from gemma_chat.engine.adapters import Adapters
from gemma_chat.engine.call_grammar import required_call
from gemma_chat.engine.context import (
    LARGEST_MICRO_BATCH,
    STREAMS,
    Context,
)
from gemma_chat.engine.evaluation import Evaluation
from gemma_chat.engine.fingerprint import states_on_disk
from gemma_chat.engine.fit import check_fit
from gemma_chat.engine.interface import (
    PLAIN_REPLY,
    ChatMessage,
    EngineOptions,
    LoadControl,
    LoraChoice,
    MemoryFigures,
    ModelDescription,
    Prompt,
    ReplyForm,
    SequenceHandle,
)
from gemma_chat.engine.lookup import Speculation
from gemma_chat.engine.media_marks import refuse_media
from gemma_chat.engine.memory import KVMemory
from gemma_chat.engine.projector import MEDIA_BATCH, Projector
from gemma_chat.engine.prompt import PromptWriter
from gemma_chat.engine.prompt_tokens import PromptTokens
from gemma_chat.engine.reply import ReplyReader
from gemma_chat.engine.reply_tokens import ReplyTokens, mark_tokens
from gemma_chat.engine.sampler import Sampler
from gemma_chat.engine.shelf import HeldSequence, SavedState, StateShelf
from gemma_chat.engine.sizing import (
    available_memory,
    context_size_of,
    counts_of_threads,
    states_budget,
)
from gemma_chat.engine.turn import LlamaTurn
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.engine.warm_up import LlamaWarmUp
from gemma_chat.engine.weights import Weights
from gemma_chat.errors import (
    ContextOverflowError,
    ModelLoadError,
    SettingsError,
    TemplateError,
)
from gemma_chat.models.projector_file import ProjectorHeader, check_projector_file
from gemma_chat.terms import Lane

SMALLEST_BATCH = 16
_WORTH_SEARCHING = 16
"""Tokens that another saved state must spare before it is looked for and taken."""
_CANDIDATES = 4


class LlamaEngine:
    """A loaded model with its KV memory; see `gemma_chat.engine.interface.Engine`."""

    @classmethod
    def load(
        cls, path: Path, options: EngineOptions, control: LoadControl | None = None
    ) -> LlamaEngine:
        """Load a model file.

        Blocks; `control.progress` goes from 0 to 1 and `control.cancelled` gives up.

        Raises:
            ModelLoadError: the file is missing, damaged, unknown or too large.
            LoadCancelledError: `control.cancelled` was set.
            SettingsError: an option is not allowed.
        """
        control = control or LoadControl()
        header = check_projector_file(options.projector_path) if options.projector_path else None
        mode = safety.safe_mode(path, options)
        if options.projector_path is not None and options.use_extra_bufts is None:
            safety.try_projector(options.projector_path, path, mode)
        weights = Weights(
            path,
            use_extra_bufts=mode.use_extra_bufts,
            gpu_layers=mode.gpu_layers,
            control=control,
            memory_map=options.memory_map,
            lock_memory=options.lock_memory,
        )
        try:
            return cls(weights, options, mode, header)
        except BaseException:
            weights.close()
            raise

    def __init__(
        self,
        weights: Weights,
        options: EngineOptions,
        mode: safety.Mode,
        projector: ProjectorHeader | None = None,
    ) -> None:
        _check_options(weights, options)
        context_size = context_size_of(options.context_size, weights.trained_context_size)
        available = available_memory()
        states = states_budget(options.states_mb, available)
        self.need = check_fit(
            weights.path.name,
            weights.kv_shape,
            weights=weights.bytes + (projector.tensor_bytes if projector else 0),
            states=states if options.states_mb else 0,
            context_size=context_size,
            kv_type=options.kv_type,
            streams=STREAMS,
            available=available,
        )
        self._weights = weights
        self._vocabulary = Vocabulary(weights.vocabulary)
        self._writer = PromptWriter(
            self._vocabulary,
            architecture=weights.metadata("general.architecture"),
            template=weights.chat_template,
        )
        counts = counts_of_threads(mode.threads or options.threads, options.kv_type)
        self._projector: Projector | None = None
        if projector is not None:
            self._projector = Projector(
                projector,
                weights.handle,
                width=weights.embedding_width,
                threads=max(counts),
                use_gpu=mode.uses_gpu,
            )
        self._mark_tokens = mark_tokens(self._writer.marks, self._vocabulary)
        self._prompts = PromptTokens(
            self._vocabulary,
            self._writer,
            refuse_media if self._projector is None else self._projector.pieces,
        )
        self._context = Context(
            weights.handle,
            context_size=context_size,
            thread_counts=counts,
            sliding_window=weights.sliding_window,
            micro_batch=options.micro_batch,
            kv_type=options.kv_type,
            media_batch=MEDIA_BATCH if projector else 0,
        )
        self._projector_bytes = projector.tensor_bytes if projector else 0
        self._adapters = Adapters(
            weights.handle, weights.metadata("general.architecture"), weights.tensors
        )
        self._shelf = StateShelf(states, states_on_disk(weights.path, context_size, options, mode))
        self._memory = KVMemory(self._context, self._shelf)
        # A recurrent state cannot be cut back behind a wrong guess.
        self._speculates = options.prompt_lookup and weights.rewindable
        self._closing = threading.Lock()
        self._description = self._described(context_size, mode, projector)

    def _described(
        self, context_size: int, mode: safety.Mode, projector: ProjectorHeader | None
    ) -> ModelDescription:
        weights = self._weights
        return ModelDescription(
            path=str(weights.path),
            name=weights.path.stem,
            architecture=weights.metadata("general.architecture"),
            family=self._writer.family,
            parameters=weights.parameters,
            weights_bytes=weights.bytes,
            context_size=context_size,
            trained_context_size=weights.trained_context_size,
            vocabulary_size=self._vocabulary.size,
            sliding_window=weights.sliding_window,
            thinks=self._writer.thinks,
            native_tools=self._writer.marks.calls.native,
            template_source=self._writer.source,
            safe_mode=mode.words,
            modalities=self._projector.modalities if self._projector else (),
            projector_path=str(projector.path) if projector else "",
        )

    # ------------------------------------------------------------ from any thread

    @property
    def slots(self) -> int:
        """One: the KV memory belongs to the turn that computes."""
        return 1

    @property
    def description(self) -> ModelDescription:
        """What is loaded."""
        return self._description

    def figures(self) -> MemoryFigures:
        """Current memory use."""
        return MemoryFigures(
            weights_bytes=self._description.weights_bytes,
            kv_resident_bytes=self._context.kv_bytes,
            kv_saved_bytes=self._shelf.bytes,
            projector_bytes=self._projector_bytes,
            kv_disk_bytes=self._shelf.disk_bytes,
        )

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text` by itself."""
        return self._vocabulary.count(text)

    def prompt(
        self,
        messages: Sequence[ChatMessage],
        form: ReplyForm = PLAIN_REPLY,
        *,
        written: str = "",
    ) -> Prompt:
        """Render a conversation; see the interface."""
        return self._prompts.prompt(messages, form, written=written)

    def spelled(self, prompt: Prompt) -> tuple[bytes, ...]:
        """A prompt token by token; see the interface."""
        return self._prompts.spelled(prompt)

    def check_lora(self, lora: LoraChoice) -> None:
        """Raise `AdapterError` when this adapter cannot be applied to this model."""
        self._adapters.check(lora)

    def open_sequence(self) -> SequenceHandle:
        """A new, empty sequence."""
        return HeldSequence()

    def fork(self, sequence: SequenceHandle) -> SequenceHandle:
        """A new sequence that shares what the other has saved."""
        parent = cast(HeldSequence, sequence)
        child = HeldSequence(adapter=parent.adapter)
        self._shelf.share(parent.saved, child)
        return child

    def release(self, sequence: SequenceHandle) -> None:
        """Give back the sequence's memory; its stream is taken over by whoever needs it next."""
        self._shelf.remove(cast(HeldSequence, sequence))

    # ------------------------------------------------------------ engine thread

    def begin(
        self,
        sequence: SequenceHandle,
        prompt: Prompt,
        sampling: SamplingSettings,
        lane: Lane,
    ) -> LlamaTurn:
        """Prepare one turn; see the interface."""
        self._must_fit(prompt.token_count)
        form, marks = prompt.form, self._writer.marks
        if form.tool_choice == "required" and form.tools:
            grammar = required_call(form.tools, marks.calls)
            sampling = msgspec.structs.replace(sampling, grammar=grammar, json_schema=None)
        if sampling.grammar is not None or sampling.json_schema is not None:
            prompt = self._prompts.without_thought(prompt)
        held = cast(HeldSequence, sequence)
        self._adapt(held, prompt)
        matched, tokens = self._match(held, prompt)
        if len(tokens) >= self._context.context_size:
            matched, tokens = self._match_as_counted(held, prompt)
        # The logits of the last prompt token are needed, so it is evaluated in any case.
        matched = min(matched, len(tokens) - 1)
        if tokens[-1] < 0:
            raise TemplateError(
                "The chat template puts nothing behind an image or recording. Use another model "
                "file, or write a text with it."
            )
        said = [token for token in tokens if token >= 0]
        sampler = Sampler(self._vocabulary, sampling, said, held.adapter)
        return LlamaTurn(
            self._context,
            self._evaluation(held, tokens, matched, prompt, lane),
            prompt=tokens,
            tail=prompt.thought_tokens,
            sampler=sampler,
            # A reply with a schema ends when it is complete: a stop string would cut it.
            reply=self._reply_tokens(prompt, sampling.stop if sampling.json_schema is None else ()),
            limit=sampling.max_output_tokens or self._context.context_size,
            speculation=Speculation() if self._speculates else None,
        )

    def _must_fit(self, tokens: int) -> None:
        if tokens >= self._context.context_size:
            raise ContextOverflowError(
                f"The turn has {tokens} tokens and the context {self._context.context_size}: "
                "shorten it, or load the model with a larger context_size."
            )

    def _match_as_counted(self, held: HeldSequence, prompt: Prompt) -> tuple[int, list[int]]:
        """As `_match`, with the tokens that the tokenizer makes of the prompt and no others.

        A model may have spelled a reply in more tokens than its text needs. It was counted with
        those it needs, and only with those it fits.
        """
        tokens = self._prompts.tokens(prompt.pieces)
        self._must_fit(len(tokens))
        found = prefix.common_prefix(held.tokens, tokens)
        return self._settled(held, held.seams, found), tokens

    def _settled(self, held: HeldSequence | SavedState, seams: Sequence[int], found: int) -> int:
        """How many of `found` matching tokens are there to be taken over."""
        step = self._context.micro_batch
        reached = self._memory.reach(held, prefix.settled(seams, found, step))
        # The beginning that is remembered need not end at a seam.
        return prefix.settled(seams, reached, step)

    def _reply_tokens(self, prompt: Prompt, stop: Sequence[str]) -> ReplyTokens:
        marks, form = self._writer.marks, prompt.form
        budget = form.thinking_budget if marks.thinking is not None else None
        end = self._writer.pieces_of(marks.thinking.end) if marks.thinking is not None else ()
        return ReplyTokens(
            self._vocabulary,
            ReplyReader(marks, form, stop, thinking_open=prompt.thinking_open),
            marks=self._mark_tokens,
            thinking_budget=budget,
            thinking_end=self._prompts.tokens(end) if budget is not None else [],
        )

    def warm_up(
        self, sequence: SequenceHandle, left: Prompt, right: Prompt, lane: Lane
    ) -> LlamaWarmUp:
        """Prepare to evaluate what two possible prompts begin with; see the interface."""
        held = cast(HeldSequence, sequence)
        self._adapt(held, left)
        matched, tokens = self._match(held, left)
        common = prefix.common_prefix(tokens, self._prompts.plan(tokens, right)[1])
        end = min(common, self._context.context_size - 1)
        for span in prefix.media_spans(tokens, left.pieces):
            end = span.start if span.start < end < span.end else end
        tokens = tokens[:end]
        return LlamaWarmUp(
            self._evaluation(held, tokens, min(matched, len(tokens)), left, lane),
            tokens=tokens,
            micro_batch=self._context.micro_batch,
            lasting=bool(left.seam),
        )

    def _evaluation(
        self, held: HeldSequence, tokens: list[int], matched: int, prompt: Prompt, lane: Lane
    ) -> Evaluation:
        form = ReplyForm(tools=prompt.form.tools, thinking=prompt.form.thinking)
        return Evaluation(
            self._context,
            self._memory,
            held,
            held=matched,
            boundaries=(
                prefix.common_prefix(tokens, self._prompts.opening(prompt.system, form)),
                self._prompts.length(prompt.pieces[: prompt.seam]),
            ),
            lane=lane,
            spans=prefix.media_spans(tokens, prompt.pieces),
            projector=self._projector,
        )

    def _adapt(self, held: HeldSequence, prompt: Prompt) -> None:
        """Use the prompt's adapter; what another one evaluated stays behind, on the shelf."""
        adapter = self._adapters.get(prompt.lora)
        if adapter != held.adapter:
            self._memory.save(held, "memory")
            self._memory.leave(held)
            self._shelf.part(held)
            held.adapter = adapter

    def _match(self, held: HeldSequence, prompt: Prompt) -> tuple[int, list[int]]:
        """How many tokens of a prompt are evaluated already, and all its tokens.

        When another state on the shelf holds more of it than the session does (the same system
        instruction, an earlier branch, the conversation before a restart), the session takes that.
        """
        self._memory.find_losses(held)
        found, tokens = self._prompts.plan(held.tokens, prompt)
        matched = self._settled(held, held.seams, found)
        if len(tokens) - matched < _WORTH_SEARCHING:
            return matched, tokens
        best: SavedState | None = None
        whole = self._prompts.tokens(prompt.pieces)
        for state in self._shelf.longest(whole, _CANDIDATES, held.adapter_key):
            found, its_tokens = self._prompts.plan(state.tokens.tolist(), prompt)
            found = self._settled(state, state.seams, found)
            if found >= matched + _WORTH_SEARCHING:
                best, matched, tokens = state, found, its_tokens
        if best is not None:
            self._memory.leave(held)
            self._shelf.share(best, held)
        return matched, tokens

    def close(self) -> None:
        """Write what waits for the disk and free all native memory; twice is fine."""
        with self._closing:
            self._shelf.close()
            self._context.close()
            if self._projector is not None:
                self._projector.close()
            self._weights.close()


def _check_options(weights: Weights, options: EngineOptions) -> None:
    """Raise `ModelLoadError` or `SettingsError` for what no memory or time need be spent on."""
    if not weights.generates:
        raise ModelLoadError(f"{weights.path} is not a text generation model. Choose a chat model.")
    if not SMALLEST_BATCH <= options.micro_batch <= LARGEST_MICRO_BATCH:
        raise SettingsError(
            f"micro_batch = {options.micro_batch} is not allowed: {SMALLEST_BATCH} to "
            f"{LARGEST_MICRO_BATCH} tokens."
        )
