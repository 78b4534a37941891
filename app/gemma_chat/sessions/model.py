"""A loaded model and its sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Unpack

from gemma_chat.config.presets import recommended_sampling
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import (
    Engine,
    MemoryFigures,
    ModelDescription,
    SequenceHandle,
    ToolSpec,
)
from gemma_chat.errors import (
    EngineCrashedError,
    ModelClosedError,
    SessionLimitError,
    SettingsError,
)
from gemma_chat.sessions.attachments import modalities_of
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.engine_thread import EngineThread
from gemma_chat.sessions.events import LockEvent, Piece
from gemma_chat.sessions.history import Exchange, HistoryMessage, restore, well_formed
from gemma_chat.sessions.job import Report, TurnJob
from gemma_chat.sessions.lock import GenerationLock
from gemma_chat.sessions.one_lane import OneLane
from gemma_chat.sessions.options import (
    SessionOptions,
    check_settings,
    modalities_asked,
    settings_from,
    specs_from,
    tools_from,
)
from gemma_chat.sessions.outbox import Outbox
from gemma_chat.sessions.replacement import NO_DIGEST, Digest, Replacement
from gemma_chat.sessions.session import Session
from gemma_chat.sessions.tool_policy import DEFAULT_POLICY, ToolPolicy
from gemma_chat.terms import MediaKind

log = logging.getLogger(__name__)


class InferenceModel:
    """One model in memory; any number of sessions on it, one of which generates at a time.

    Belongs to the event loop on which its first session is opened. Close it, or use it in
    `async with`.

        async with await gemma_chat.load_model("model.gguf") as model:
            first, second = await model.open_session(), await model.open_session()
            print(model.sessions, model.lock.holder, model.figures())
    """

    def __init__(self, engine: Engine, *, max_concurrent_sessions: int | None = None) -> None:
        """Take over `engine`, which is closed with the model; `load_model` loads one.

        Raises:
            SettingsError: `max_concurrent_sessions` is less than 1.
        """
        check_limit(max_concurrent_sessions)
        self._engine = engine
        self._limit = max_concurrent_sessions
        self._outbox: Outbox[tuple[TurnJob, Report]] = Outbox(self._deliver)
        self._engine_thread = EngineThread(engine, self._outbox.post, self._engine_closed)
        self._lock = GenerationLock(self._engine_thread)
        self._sessions: list[Session] = []
        self._last_session = 0
        self._one_lane = OneLane(self._read, self._open)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._all_closed = asyncio.Event()

    # ------------------------------------------------------------ reading

    @property
    def lock(self) -> GenerationLock:
        """Who generates and who waits."""
        return self._lock

    @property
    def description(self) -> ModelDescription:
        """What is loaded."""
        return self._engine.description

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All open sessions, oldest first, the one-lane session and background ones included."""
        return tuple(self._sessions)

    @property
    def session(self) -> Session | None:
        """The one-lane session of `create_session`, while it is open."""
        return self._one_lane.session

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def failure(self) -> EngineCrashedError | None:
        """Why nothing can be asked any more, when native code failed; load the model again."""
        return self._engine_thread.failure

    @property
    def engine(self) -> Engine:
        """What computes."""
        return self._engine

    @property
    def engine_thread(self) -> EngineThread:
        """Where it computes."""
        return self._engine_thread

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`, by the model's tokenizer; never waits for the lock.

        print(model.size_in_tokens("What is the sea?"))
        """
        self.must_be_open()
        with self._engine_thread.reading():
            return self._engine.count_tokens(well_formed(text))

    @property
    def recommended_settings(self) -> SamplingSettings:
        """How the makers of this family of models recommend to sample.

        The defaults of `open_session` are others, and the same for every model; pass
        `settings=SessionSettings(sampling=model.recommended_settings)` to use these.
        """
        return recommended_sampling(self.description.family)

    def check(self, settings: SessionSettings) -> None:
        """Raise what a session with these settings would: `SettingsError` or `AdapterError`.

        model.check(SessionSettings(lora_path="pirate.gguf"))
        """
        self.must_be_open()
        check_settings(self._engine, settings)

    def figures(self) -> MemoryFigures:
        """Current memory use, in bytes.

        print(model.figures().kv_resident_bytes)
        """
        self.must_be_open()
        return self._engine.figures()

    # ------------------------------------------------------------ opening

    async def open_session(self, **options: Unpack[SessionOptions]) -> Session:
        """Open a session: no KV memory and no waiting until its first turn.

            session = await model.open_session(
                system_instruction="Answer as a pirate.", temperature=1.0, top_k=64, top_p=0.95
            )

        Args:
            temperature: 0 always takes the likeliest token, 5 is the most varied (default 0.8).
            random_seed: The same seed and settings give the same text; `None` draws one for each
                turn (default 1).
            top_k: Keep the k likeliest tokens, 0 all (default 1).
            top_p: Keep the likeliest tokens that together reach this probability, 0 to 1; `None`
                and 1 keep all.
            lora_path: The GGUF file of a LoRA adapter, of this session alone.
            lora_scale: How strongly it acts, -10 to 10; 1 is as it was trained.
            enable_vision_modality: Whether the session takes images; `None`: if the model does.
            enable_audio_modality: Whether it takes recordings; `None`: if the model does.
            system_instruction: Role, manner, language.
            enable_thinking: Let the model think before it answers; its chat template must have a
                switch for it (`model.description.thinks`).
            thinking_budget: Tokens of thinking after which the answer begins; `None` is no limit.
            keep_thinking: Let later turns see the thoughts; else they leave the context.
            overflow: What becomes of the oldest turns when the window is full: "summary" lets a
                summary given to the session take their place and leaves out what none covers,
                "drop" leaves them out, "stop" refuses the question.
            tools: What the model may call: `ToolSpec`, and for a chat functions and `Tool`.
            min_p: Drop tokens less likely than this share of the likeliest one; 0 is off.
            typical_p: Keep tokens of typical surprise up to this probability; 1 is off.
            repeat_penalty: Above 1, tokens already used become less likely; 1 is off.
            repeat_last_n: How many last tokens the penalties look at, -1 all (default 64).
            presence_penalty: Taken once from every token already used, -2 to 2; 0 is off.
            frequency_penalty: Taken for each time it was used, -2 to 2; 0 is off.
            dry: `Dry(…)`, the penalty against repeated phrases; `None` is off.
            xtc: `Xtc(…)` sets the likeliest tokens aside now and then; `None` is off.
            max_output_tokens: The most tokens of one reply; `None` leaves it to the window.
            stop: Strings before which a reply ends, at most 16.
            grammar: A GBNF grammar that replies follow.
            json_schema: A JSON schema that replies fit, as a mapping or as text.
            logit_bias: What is added to the logit of a token (by number) or a text, -100 to 100;
                `-inf` forbids it.
            background: Its turns run only while no other session waits.
            settings: All of the above that are settings, in place of the keywords.

        Raises:
            SessionLimitError: `max_concurrent_sessions` are open.
            SettingsError, AdapterError, ModalityError: `options` ask for what is not possible.
            ModelClosedError: The model is closed.
        """
        return self._open(options, ())

    async def open_chat(
        self,
        *,
        history: Iterable[HistoryMessage] = (),
        replacements: Iterable[Replacement] = (),
        tool_policy: ToolPolicy = DEFAULT_POLICY,
        **options: Unpack[SessionOptions],
    ) -> Chat:
        """Open a chat over a session of its own, as `open_session`.

        `history` goes on from a stored conversation, with the `replacements` that were decided in
        it; nothing of it is evaluated before the next turn. The chat carries out the calls of its
        `tools` as `tool_policy` says:

            def add(a: int, b: int) -> int:
                '''Add two whole numbers.'''
                return a + b

            chat = await model.open_chat(tools=[add])

        Raises:
            ToolError: A tool cannot be told to the model, or not be carried out.
        """
        tools = tools_from(options)
        session = self._open(options, restore(history), tuple(replacements))
        return Chat(session, tools, tool_policy)

    async def create_session(self, **options: Unpack[SessionOptions]) -> Session:
        """The one-lane way: closes the session of the call before and opens a fresh one.

        Takes what `open_session` takes. The new session shares nothing with the one before, which
        stays open when the options are refused. Calls that overlap give the same session.

            session = await model.create_session(temperature=0)
            assert model.session is session

        Raises:
            GemmaChatError: As `open_session`.
        """
        return await self._one_lane.replace(options)

    async def create_chat(
        self,
        *,
        history: Iterable[HistoryMessage] = (),
        replacements: Iterable[Replacement] = (),
        tool_policy: ToolPolicy = DEFAULT_POLICY,
        **options: Unpack[SessionOptions],
    ) -> Chat:
        """A chat over the one-lane session, as `create_session` and `open_chat`.

            chat = await model.create_chat(system_instruction="Answer as a pirate.")

        Raises:
            GemmaChatError: As `open_chat`.
        """
        tools = tools_from(options)
        session = await self._one_lane.replace(options, restore(history), tuple(replacements))
        return Chat(session, tools, tool_policy)

    def _open(
        self,
        options: SessionOptions,
        exchanges: tuple[Exchange, ...],
        replacements: tuple[Replacement, ...] = (),
    ) -> Session:
        settings, tools, modalities = self._read(options)
        self._must_have_place()
        return self._add(
            self._engine.open_sequence(),
            settings,
            background=bool(options.get("background")),
            exchanges=exchanges,
            tools=tools,
            modalities=modalities,
            replacements=replacements,
        )

    def _read(
        self, options: SessionOptions
    ) -> tuple[SessionSettings, tuple[ToolSpec, ...], tuple[MediaKind, ...]]:
        """What options ask for; raises when that is not possible on this model."""
        self.must_be_open()
        settings = settings_from(options)
        check_settings(self._engine, settings)
        tools = specs_from(options)
        modalities = modalities_of(modalities_asked(options), self._engine.description.modalities)
        return settings, tools, modalities

    def open_fork(
        self, session: Session, sequence: SequenceHandle, conversation: Conversation
    ) -> Session:
        """Open a session that goes on from `conversation` and shares what `sequence` holds."""
        self._must_have_place()
        return self._add(
            self._engine.fork(sequence),
            conversation.settings,
            background=session.background,
            exchanges=conversation.exchanges,
            tools=conversation.tools,
            modalities=session.modalities,
            replacements=conversation.replacements,
            digest=conversation.digest,
        )

    def _add(
        self,
        sequence: SequenceHandle,
        settings: SessionSettings,
        *,
        background: bool,
        exchanges: tuple[Exchange, ...],
        tools: tuple[ToolSpec, ...] = (),
        modalities: tuple[MediaKind, ...] = (),
        replacements: tuple[Replacement, ...] = (),
        digest: Digest = NO_DIGEST,
    ) -> Session:
        self._bind(asyncio.get_running_loop())
        self._last_session += 1
        session = Session(
            self,
            self._last_session,
            sequence,
            settings,
            background=background,
            exchanges=exchanges,
            tools=tools,
            modalities=modalities,
            replacements=replacements,
            digest=digest,
        )
        self._sessions.append(session)
        return session

    def _must_have_place(self) -> None:
        if self._limit is not None and len(self._sessions) >= self._limit:
            raise SessionLimitError(
                f"{len(self._sessions)} sessions are open and max_concurrent_sessions is "
                f"{self._limit}; close one, or load the model with a higher limit."
            )

    def must_be_open(self) -> None:
        """Raise `ModelClosedError` when the model is closed."""
        if self._closed:
            raise _closed_error()

    def forget(self, session: Session) -> None:
        """The session is closed: it takes no place any more."""
        if session in self._sessions:
            self._sessions.remove(session)
        if session is self._one_lane.session:
            self._one_lane.forget()

    # ------------------------------------------------------------ closing

    async def close(self) -> None:
        """Stop what runs within a token, fail what waits, free all memory.

        Twice is fine, and so is giving up the wait: the rest happens by itself.

            await model.close()
        """
        self._bind(asyncio.get_running_loop())
        if not self._closed:
            self._closed = True
            for session in self.sessions:
                session.model_closed()
            self._sessions.clear()
            self._one_lane.forget()
            self._engine_thread.shut_down(_closed_error())
        await self._all_closed.wait()

    async def __aenter__(self) -> InferenceModel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ------------------------------------------------------------ from the engine thread

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            self._loop = loop
            self._outbox.bind(loop)

    def _engine_closed(self) -> None:
        """The engine is closed; called by the engine thread as its last act."""
        if self._loop is not None:
            # A loop that was closed before its model has nobody left to be told.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._all_closed.set)

    def _deliver(self, batch: list[tuple[TurnJob, Report]]) -> None:
        """Hand reports to their turns; text that follows its like of the same turn is joined."""
        text: list[str] = []
        for place, (job, report) in enumerate(batch):
            if isinstance(report, Piece):
                text.append(report)
                following = batch[place + 1] if place + 1 < len(batch) else None
                if following and following[0] is job and _goes_on(report, following[1]):
                    continue
                _hand_over(job, Piece("".join(text), report.kind, report.call))
                text.clear()
                # One look: the turn goes on meanwhile, and may end or give way.
                entry = job.entry()
                if entry.phase == "generating":
                    self._lock.publish(LockEvent(entry))
            elif isinstance(report, LockEvent):
                self._lock.publish(report)
            else:
                _hand_over(job, report)


def _hand_over(job: TurnJob, report: Report) -> None:
    """One that cannot take its report is logged: others wait for theirs, which come behind it."""
    try:
        job.receive(report)
    except Exception:
        log.exception("a report to session %d was not taken", job.session)


def _goes_on(piece: Piece, following: Report) -> bool:
    """Whether both are stretches of the same text."""
    return isinstance(following, Piece) and piece.call is None and piece.kind == following.kind


def check_limit(max_concurrent_sessions: int | None) -> None:
    """Raise `SettingsError` when no session could ever be opened."""
    if max_concurrent_sessions is not None and max_concurrent_sessions < 1:
        raise SettingsError(
            f"max_concurrent_sessions = {max_concurrent_sessions} is not allowed: "
            "1 or more, or None for no limit."
        )


def _closed_error() -> ModelClosedError:
    return ModelClosedError("The model has been closed; load it again to ask something.")
