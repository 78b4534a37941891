"""The seam to the sessions: an `Engine` whose model another machine computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    PLAIN_REPLY,
    ChatMessage,
    LoraChoice,
    MemoryFigures,
    ModelDescription,
    Prompt,
    ReplyForm,
    SequenceHandle,
)
from gemma_chat.errors import AdapterError, ContextOverflowError
from gemma_chat.remote.address import ServerAddress
from gemma_chat.remote.discovery import Discovery, Found
from gemma_chat.remote.faults import Faults
from gemma_chat.remote.options import ServerOptions
from gemma_chat.remote.request import RequestWriter
from gemma_chat.remote.tokens import TokenCounter, TokenEstimate
from gemma_chat.remote.turn import NoWarmUp, RemoteTurn
from gemma_chat.remote.wire import Exchange, Patience, Question
from gemma_chat.terms import Lane

_COMPLETIONS = "/v1/chat/completions"


@dataclass(slots=True, eq=False)
class RemoteSequence:
    """A session's place: the server finds by itself what it has evaluated of a prompt."""

    token_count: int = 0


class RemoteEngine:
    """Turns on a chat server; see `gemma_chat.engine.interface.Engine`."""

    @classmethod
    def connect(cls, url: str, options: ServerOptions) -> RemoteEngine:
        """Ask the server at `url` what it offers. Blocks, half a minute at the most.

        Raises:
            ServerError: The server cannot be reached or used, or has no such model.
            SettingsError: The address or an option is not allowed.
        """
        address = ServerAddress.parse(url)
        options.validated()
        return cls(address, options, Discovery(address, options).find())

    def __init__(self, address: ServerAddress, options: ServerOptions, found: Found) -> None:
        self._address = address
        self._options = options
        self._faults = Faults(address, model=found.model, key=options.api_key)
        self._writer = RequestWriter(address.url, found.model, found.dialect)
        self._patience = Patience(options.connect_seconds, options.silence_seconds)
        self._estimate = TokenEstimate()
        self._counter = TokenCounter(address, options, found.dialect, found.model, self._estimate)
        self.models = found.models
        """The names of all models the server offers."""
        self._description = ModelDescription(
            path="",
            name=found.name,
            architecture="",
            family="other",
            parameters=0,
            weights_bytes=0,
            context_size=found.context_size,
            trained_context_size=found.context_size,
            vocabulary_size=0,
            sliding_window=0,
            template_source="server",
            thinks=found.dialect in ("llama-server", "vllm"),
            native_tools=True,
            modalities=found.modalities,
            server=address.url,
            token_counts="exact" if self._counter.exact else "estimated",
        )

    # ------------------------------------------------------------ from any thread

    @property
    def slots(self) -> int:
        """As many as the server has, by the settings."""
        return self._options.max_parallel

    @property
    def description(self) -> ModelDescription:
        """What the server offers."""
        return self._description

    def figures(self) -> MemoryFigures:
        """Nothing: the memory is the server's."""
        return MemoryFigures(weights_bytes=0, kv_resident_bytes=0, kv_saved_bytes=0)

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text`, by the server's tokenizer where it lends it."""
        return self._counter.count(text)

    def prompt(
        self,
        messages: Sequence[ChatMessage],
        form: ReplyForm = PLAIN_REPLY,
        *,
        written: str = "",
    ) -> Prompt:
        """Keep the messages: the server renders them. Its length is estimated.

        What is `written` of the reply already becomes the last message, from the model.
        """
        if written:
            messages = (*messages, ChatMessage("assistant", written))
        count = self._estimate.of_messages(messages)
        return Prompt((), count, form=form, messages=tuple(messages))

    def spelled(self, prompt: Prompt) -> tuple[bytes, ...]:
        """Nothing: only the server knows."""
        return ()

    def check_lora(self, lora: LoraChoice) -> None:
        """Refuse every adapter: a server applies its own."""
        raise AdapterError(
            f"The adapter {lora.path} cannot be applied: the model runs on the server "
            f"{self._address.url}, which has adapters of its own. Leave lora_path empty."
        )

    def open_sequence(self) -> SequenceHandle:
        """A new sequence."""
        return RemoteSequence()

    def fork(self, sequence: SequenceHandle) -> SequenceHandle:
        """A new sequence; the server finds the common prefix by itself."""
        return RemoteSequence()

    def release(self, sequence: SequenceHandle) -> None:
        """Nothing is held here."""

    # ------------------------------------------------------------ engine threads

    def begin(
        self,
        sequence: SequenceHandle,
        prompt: Prompt,
        sampling: SamplingSettings,
        lane: Lane,
    ) -> RemoteTurn:
        """Prepare one turn; see the interface. The request goes out with the first step."""
        size = self._description.context_size
        if prompt.token_count >= size:
            raise ContextOverflowError(
                f"The turn has about {prompt.token_count} tokens and the context of "
                f"{self._address.url} {size}: shorten it, or start the server with a larger "
                "context and set server.context_size."
            )
        question = Question(
            self._address,
            "POST",
            _COMPLETIONS,
            self._options.api_key,
            self._writer.body(prompt.messages, prompt.form, sampling),
        )
        return RemoteTurn(
            lambda: Exchange(question, self._patience),
            self._faults,
            prompt_tokens=prompt.token_count,
            limit=sampling.max_output_tokens or size,
            background=lane == "background",
            on_usage=lambda usage: self._estimate.learn(prompt.messages, usage.prompt),
        )

    def warm_up(
        self, sequence: SequenceHandle, left: Prompt, right: Prompt, lane: Lane
    ) -> NoWarmUp:
        """Nothing is warmed up: that would take a slot of the server's."""
        return NoWarmUp()

    def close(self) -> None:
        """Nothing is open: each turn has a connection of its own."""
