"""One conversation on the shared weights."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Engine, Media, SequenceHandle, ToolChoice, ToolSpec
from gemma_chat.errors import (
    GemmaChatError,
    ModelClosedError,
    SessionClosedError,
    SettingsError,
)
from gemma_chat.sessions.attachments import (
    MediaSource,
    Modality,
    check_count,
    each,
    read_media,
    refusal,
)
from gemma_chat.sessions.context_view import ContextView, context_of
from gemma_chat.sessions.continuation import Continuation
from gemma_chat.sessions.conversation import Anticipation, Conversation
from gemma_chat.sessions.engine_thread import EngineThread
from gemma_chat.sessions.events import Piece, TurnResult, TurnsDropped
from gemma_chat.sessions.history import (
    Exchange,
    HistoryMessage,
    ToolResult,
    flatten,
    restore,
    well_formed,
)
from gemma_chat.sessions.job import Report, TurnJob
from gemma_chat.sessions.metrics import SessionTotals, TurnMetrics
from gemma_chat.sessions.options import ReplyRules, check_settings, following
from gemma_chat.sessions.replacement import NO_DIGEST, Digest, Replacement
from gemma_chat.sessions.tool_specs import checked_tools
from gemma_chat.sessions.turn import EndOf, Turn, stopped_on_the_way_out

log = logging.getLogger(__name__)

OverflowListener = Callable[[TurnsDropped], None]


@dataclass(frozen=True, slots=True)
class Message:
    """A part of the next question: text, images and recordings.

        await session.add_query_chunk(Message("What is this?", images=["cat.png"]))

    `images` are PNG, JPEG or WebP, `audio` is WAV, MP3 or FLAC; each is the path of a file or its
    bytes, one or several. Whatever the order of the parts, media stand before the text.
    """

    text: str = ""
    role: Literal["user"] = "user"
    images: MediaSource | Sequence[MediaSource] = ()
    audio: MediaSource | Sequence[MediaSource] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A whole question: its text, and the images and recordings before it."""

    text: str
    media: tuple[Media, ...] = ()


class SessionHome(Protocol):
    """The model a session lives in."""

    @property
    def engine(self) -> Engine:
        """What computes."""

    @property
    def engine_thread(self) -> EngineThread:
        """Where it computes."""

    @property
    def closed(self) -> bool:
        """Whether the engine is closed, or about to be."""

    def must_be_open(self) -> None:
        """Raise `ModelClosedError` when the model is closed."""

    def forget(self, session: Session) -> None:
        """The session is closed: it takes no place any more."""

    def open_fork(
        self, session: Session, sequence: SequenceHandle, conversation: Conversation
    ) -> Session:
        """Open a session that goes on from `conversation` and shares what `sequence` holds."""


class Session:
    """A conversation with its own history, settings and place in the KV memory.

    Sessions come from `InferenceModel.open_session`. All calls are made on the loop of the model.

        session = await model.open_session(temperature=0, max_output_tokens=200)
        print(await session.get_response("What is the sea?"))
        print(session.metrics.time_to_first_token, session.history)
    """

    def __init__(
        self,
        home: SessionHome,
        number: int,
        sequence: SequenceHandle,
        settings: SessionSettings,
        *,
        background: bool,
        exchanges: tuple[Exchange, ...] = (),
        tools: tuple[ToolSpec, ...] = (),
        modalities: tuple[Modality, ...] = (),
        replacements: tuple[Replacement, ...] = (),
        digest: Digest = NO_DIGEST,
    ) -> None:
        """Open sessions with `InferenceModel.open_session`, not with this."""
        self.id = number
        """Its number, never used again by this model."""
        self.background = background
        """Whether its turns run only while no other session waits."""
        self.modalities = modalities
        """What it takes beside text."""
        self._home = home
        self._sequence = sequence
        self._conversation = Conversation(
            home.engine, settings, exchanges, tools, replacements, digest
        )
        self._chunks: list[str] = []
        self._media: list[Media] = []
        self._turns: list[Turn] = []
        self._last_turn = exchanges[-1].turn if exchanges else 0
        self._metrics = TurnMetrics()
        self._totals = SessionTotals()
        self._context_used: int | None = None if exchanges else 0
        self._overflow_listeners: list[OverflowListener] = []
        self._anticipation: TurnJob | None = None
        self._ahead: set[TurnJob] = set()
        """Anticipations that have not ended, the given up ones too."""
        self._close_listeners: list[Callable[[], None]] = []
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    # ------------------------------------------------------------ reading

    @property
    def settings(self) -> SessionSettings:
        """What holds for the turns that begin from now on; can be set at any time."""
        return self._conversation.settings

    @settings.setter
    def settings(self, settings: SessionSettings) -> None:
        if settings.validated() != self._conversation.settings:
            check_settings(self._home.engine, settings)
        self._conversation.settings = settings

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools the model is told of in turns that begin from now on; can be set at any time.

        The session tells the model of them and reads its calls; whoever asks carries them out and
        gives their results to `start_turn`.
        """
        return self._conversation.tools

    @tools.setter
    def tools(self, tools: Sequence[ToolSpec]) -> None:
        self._conversation.tools = checked_tools(tools)

    @property
    def history(self) -> tuple[HistoryMessage, ...]:
        """All whole exchanges, oldest first, those that no longer fit the window too."""
        return flatten(self._conversation.exchanges)

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges are not in the prompt any more."""
        return self._conversation.left_out

    @property
    def replacements(self) -> tuple[Replacement, ...]:
        """What was decided about the oldest exchanges whenever the window was full, oldest first.

        Stored with the history and given to `go_to` or `open_chat`, they make the same prompts.
        """
        return self._conversation.replacements

    @property
    def digest(self) -> Digest:
        """The summary that takes the place of the oldest exchanges when the window is full.

        Set it whenever a newer one is written; what is in the prompt already stays as it is.

            session.digest = Digest("The user is Ann and sails.", exchanges=12)
        """
        return self._conversation.digest

    @digest.setter
    def digest(self, digest: Digest) -> None:
        self._conversation.digest = Digest(well_formed(digest.text), digest.exchanges)

    def context(self) -> ContextView:
        """What the model sees: the prompt as a next question would find it, part by part.

        Renders the conversation once for each part. When it is long, call this from another
        thread, which is safe.

            for part in session.context().parts:
                print(part.kind, part.tokens, part.text)
        """
        self.must_be_open()
        with self._home.engine_thread.reading():
            return context_of(self._conversation, self._home.engine)

    @property
    def metrics(self) -> TurnMetrics:
        """The figures of the last finished turn."""
        return self._metrics

    @property
    def totals(self) -> SessionTotals:
        """The sums over all turns."""
        return self._totals

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that are not finished, oldest first."""
        return tuple(self._turns)

    @property
    def closed(self) -> bool:
        """Whether `close` was called, on it or on the model."""
        return self._closed

    @property
    def context_used(self) -> int:
        """Tokens of the window this conversation takes, a running reply included."""
        for turn in self._turns:
            progress = turn.progress
            if progress.prompt_total:
                return progress.prompt_total + progress.generated
        if self._context_used is None:
            self._context_used = self._count_history()
        return self._context_used

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`, by the model's tokenizer; never waits for the lock.

        left = model.description.context_size - session.size_in_tokens(text)
        """
        self.must_be_open()
        return self._home.engine.count_tokens(well_formed(text))

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener` when exchanges are left out; returns the way to stop that.

        unsubscribe = session.subscribe(lambda event: print(event.left_out, "left out"))
        """
        self._overflow_listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._overflow_listeners:
                self._overflow_listeners.remove(listener)

        return unsubscribe

    # ------------------------------------------------------------ asking

    async def add_query_chunk(self, chunk: str | Message) -> None:
        """Collect a part of the next question. Evaluates nothing and takes no lock.

        Files of images and audio are read and decoded once, off the loop, to see that they are
        whole.

            await session.add_query_chunk(Message("What is this?", images=["cat.png"]))
            reply = await session.get_response()

        Raises:
            ModalityError: The chunk carries an image or audio that this session or its model
                does not take, too many of them, or one that is damaged or too large.
            SettingsError: The chunk has another role than `user`.
        """
        self.must_be_open()
        message = chunk if isinstance(chunk, Message) else Message(chunk)
        if message.role != "user":
            raise SettingsError(
                f"A part of a question has the role 'user', not {message.role!r}; "
                "the system instruction is a setting of the session."
            )
        text = _text(message.text)
        media = await self._read(message)
        check_count(len(self._media) + len(media))
        self.must_be_open()
        self._chunks.append(text)
        self._media += media

    async def _read(self, message: Message) -> list[Media]:
        sources: list[tuple[Modality, MediaSource]]
        sources = [("image", one) for one in each(message.images)]
        sources += [("audio", one) for one in each(message.audio)]
        check_count(len(sources))
        for kind, _ in sources:
            self._must_take(kind)
        return [
            await asyncio.to_thread(read_media, source, kind, place)
            for place, (kind, source) in enumerate(sources, 1)
        ]

    def _must_take(self, kind: Modality) -> None:
        if kind not in self.modalities:
            model_can = kind in self._home.engine.description.modalities
            raise refusal(kind, self.id, model_can=model_can)

    def start_turn(
        self,
        text: str | None = None,
        *,
        results: Sequence[ToolResult] | None = None,
        tool_choice: ToolChoice = "auto",
        sampling: SamplingSettings | None = None,
        media: Sequence[Media] = (),
        **rules: Unpack[ReplyRules],
    ) -> Turn:
        """Queue a turn and return at once; several may be queued.

        The question is what `add_query_chunk` collected, with `text` behind it. `media` are images
        and recordings beside those, read and checked already.

        After a turn that ended with the reason "tool_call", `results` answers its calls instead of
        asking something, and the model goes on from there: with text, or with more calls. The new
        turn has the same number and belongs to the same exchange. A call left without a result is
        said to be not carried out; of one with an `error`, that error is the result. Results are
        in the history from this call on, whatever becomes of the turn.

            turn = session.start_turn("What time is it?")
            result = await turn.finished()
            while result.reason == "tool_call":
                answers = [ToolResult(call.id, run(call)) for call in result.tool_calls]
                turn = session.start_turn(results=answers)
                result = await turn.finished()

        `tool_choice` says whether this turn may call the session's `tools` ("auto"), must call
        at least one ("required", by a grammar: any model produces a valid call), or must answer
        without ("none"). `sampling` holds for this turn instead of the session's settings. A
        `grammar` (GBNF) or a `json_schema` holds for this turn alone, in place of its own.

        Raises:
            SessionClosedError, ModelClosedError, EngineCrashedError: Nothing can be asked.
            GemmaChatError: There is no question, or there are results and no calls wait for them,
                a question is given beside them, or a turn of this session is unfinished.
            SettingsError: A call is required and the session has no tools, or the grammar or the
                schema cannot be followed.
            ModalityError: This session or its model does not take these `media`.
        """
        self.must_be_open()
        if tool_choice == "required" and not self.tools:
            raise SettingsError(
                f"tool_choice = 'required' is not possible: session {self.id} has no tools. "
                "Give it some, or choose 'auto'."
            )
        following(self.settings.sampling if sampling is None else sampling, rules)
        if results is not None:
            return self._go_on(text, results, tool_choice, sampling, rules)
        question = self._question(text, media)
        turn = self.ask(question, tool_choice=tool_choice, sampling=sampling, **rules)
        self._chunks.clear()
        self._media.clear()
        return turn

    def take_question(self, text: str | None = None, media: Sequence[Media] = ()) -> Question:
        """What `add_query_chunk` collected, with `text` behind it, to be given to `ask` later.

        Raises as `start_turn`.
        """
        self.must_be_open()
        question = self._question(text, media)
        self._chunks.clear()
        self._media.clear()
        return question

    def _question(self, text: str | None, media: Sequence[Media]) -> Question:
        question = "".join(self._chunks) + (_text(text) if text is not None else "")
        everything = (*self._media, *media)
        for one in media:
            self._must_take(one.kind)
        check_count(len(everything))
        if not question and not everything:
            raise GemmaChatError(
                f"Session {self.id} has nothing to answer; give a text or add a chunk first."
            )
        return Question(question, everything)

    def ask(
        self,
        question: Question,
        *,
        tool_choice: ToolChoice = "auto",
        sampling: SamplingSettings | None = None,
        **rules: Unpack[ReplyRules],
    ) -> Turn:
        """Queue a turn with this question; what is being collected stays for another one."""
        self.must_be_open()
        turn = self._submit(
            TurnJob(
                owner=self._conversation,
                session=self.id,
                number=self._last_turn + 1,
                background=self.background,
                sequence=self._sequence,
                question=question.text,
                media=question.media,
                tool_choice=tool_choice,
                sampling=None if sampling is None else sampling.validated(),
                rules=rules,
            )
        )
        self._last_turn = turn.number
        return turn

    def answer_calls(self, results: Sequence[ToolResult]) -> None:
        """Put the results of the newest calls into the history without going on from them.

        As the `results` of `start_turn`; also when the session or its model is closed.

            session.answer_calls([ToolResult(call.id, "given up", "stopped")])
        """
        self._conversation.answer(results)

    def _go_on(
        self,
        text: str | None,
        results: Sequence[ToolResult],
        tool_choice: ToolChoice,
        sampling: SamplingSettings | None,
        rules: ReplyRules,
    ) -> Turn:
        """Queue the turn that goes on after the results of calls."""
        if text is not None:
            raise GemmaChatError(
                f"Session {self.id} cannot take results and a question in one turn; "
                "give the results first."
            )
        if self._turns:
            raise GemmaChatError(
                f"Session {self.id} cannot take results while its turn {self._turns[0].number} is "
                "not finished; wait for its end."
            )
        return self._submit(
            TurnJob(
                owner=self._conversation,
                session=self.id,
                number=self._conversation.answer(results),
                background=self.background,
                sequence=self._sequence,
                question="",
                continues=True,
                sampling=None if sampling is None else sampling.validated(),
                tool_choice=tool_choice,
                rules=rules,
            )
        )

    def continue_response(self, *, sampling: SamplingSettings | None = None) -> Turn:
        """Queue a turn that writes on at the end of the last reply, from that reply's own tokens.

        For a reply that was stopped or cut off at its limit. The turn's pieces and its text are
        what is new; in the history it is one reply. A model that had ended its reply by itself
        mostly ends it again at once, and then nothing changes.

            print(await session.get_response("Tell me a long story."))
            print((await session.continue_response().finished()).text)

        Raises:
            SessionClosedError, ModelClosedError, EngineCrashedError: Nothing can be asked.
            GemmaChatError: There is no reply to go on from, it ended with tool calls, or a turn of
                this session is unfinished.
        """
        self._must_be_idle("continue a reply")
        exchanges = self._conversation.exchanges
        if not exchanges or exchanges[-1].steps[-1].calls:
            raise GemmaChatError(
                f"Session {self.id} has no reply that can go on: its last exchange is "
                f"{'waiting for the results of tools' if exchanges else 'not there'}. Ask first."
            )
        turn = self._submit(
            TurnJob(
                owner=Continuation(self._conversation),
                session=self.id,
                number=self._last_turn + 1,
                background=self.background,
                sequence=self._sequence,
                question=exchanges[-1].question,
                sampling=None if sampling is None else sampling.validated(),
            )
        )
        self._last_turn = turn.number
        return turn

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns, by number, ask something else; `False` when one has begun.

        All of them change or none does. Their places in the queue stay, so exchanging the
        questions of two turns exchanges the turns.

            session.rephrase({turn.number: "What is a ship?"})
        """
        jobs = {turn.number: turn.job for turn in self._turns}
        if not all(number in jobs for number in questions):
            return False
        changes = {jobs[number]: _text(text) for number, text in questions.items()}
        return self._home.engine_thread.rephrase(changes)

    def _submit(self, job: TurnJob) -> Turn:
        self._give_up_anticipation()
        engine_thread = self._home.engine_thread
        turn = Turn(job, engine_thread.stop)
        job.receive = partial(self._receive, turn)
        engine_thread.submit(job)
        self._turns.append(turn)
        self._idle.clear()
        return turn

    def anticipate(self, draft: str = "") -> None:
        """Evaluate ahead, while nobody waits, what the next turn is going to begin with.

        That is the system instruction and the history, and of a long `draft` of the question
        whole micro-batches. It is given up at once when any turn is asked. The reply is the same
        as without; it only begins sooner. Does nothing while a turn of this session is unfinished.

            session.anticipate("Please explain the following text: ")
        """
        self.must_be_open()
        self._give_up_anticipation()
        if self._turns:
            return
        job = TurnJob(
            owner=Anticipation(self._conversation),
            session=self.id,
            number=0,
            background=True,
            sequence=self._sequence,
            question=_text(draft),
            purpose="anticipation",
        )
        job.receive = partial(self._receive_ahead, job)
        self._home.engine_thread.submit(job)
        self._anticipation = job
        self._ahead.add(job)
        self._idle.clear()

    async def make_room(self) -> bool:
        """While nobody waits, see whether the window is nearly full, and prepare for that.

        Decides which exchanges the `digest` is going to replace and evaluates ahead what prompts
        begin with then. It is in force once that is done, which `subscribe` tells; a turn that is
        asked before ends the evaluation, and uses the decision only if it does not fit otherwise.
        Returns whether there is something to prepare.

            session.digest = Digest(summary, exchanges=len(session.history) // 2)
            await session.make_room()
        """
        self.must_be_open()
        conversation = self._conversation
        before = (conversation.exchanges, conversation.replacements)
        if self._turns:
            return False
        plan = await asyncio.to_thread(self._plan)
        unchanged = before == (conversation.exchanges, conversation.replacements)
        if self._turns or self._closed or self._home.closed or not unchanged:
            return False
        conversation.prepared = plan
        if plan is not None:
            self.anticipate()
        return plan is not None

    def _plan(self) -> Replacement | None:
        with self._home.engine_thread.reading():
            return self._conversation.plan()

    def _give_up_anticipation(self) -> None:
        job, self._anticipation = self._anticipation, None
        if job is not None:
            self._home.engine_thread.stop(job, "stopped")

    async def get_response(self, text: str | None = None, **rules: Unpack[ReplyRules]) -> str:
        """Ask, wait for the lock and for the whole reply.

        A stopped turn gives its partial text. Cancelling the wait stops the turn. With a
        `json_schema` the text parses and fits it, unless the turn ended with the reason `length`
        or was stopped; `metrics.finish_reason` tells.

            reply = await session.get_response("Name a colour.", json_schema={"enum": ["red"]})
        """
        with stopped_on_the_way_out(self.start_turn(text, **rules)) as turn:
            return (await turn.finished()).text_or_raise()

    async def get_response_async(
        self, text: str | None = None, **rules: Unpack[ReplyRules]
    ) -> AsyncGenerator[Piece, None]:
        """Ask, and give the reply in pieces as they become final.

        The turn is queued by the first step of the iteration, and stopped when the iteration is
        given up. A stopped turn ends normally.

            async for piece in session.get_response_async("What is the sea?"):
                if piece.kind == "text":
                    print(piece, end="")
        """
        with stopped_on_the_way_out(self.start_turn(text, **rules)) as turn:
            async for piece in turn:
                yield piece
            (await turn.finished()).text_or_raise()

    def stop_generation(self) -> Awaitable[None]:
        """End this session's oldest unfinished turn, queued or running; nothing else.

        Acts at once; awaiting the answer waits until the turn has ended. Idle or closed: nothing.

            turn = session.start_turn("Count to a thousand.")
            await session.stop_generation()
            print(turn.result.reason, turn.text)
        """
        turn = self._turns[0] if self._turns else None
        if turn is not None:
            turn.stop()
        return EndOf(turn)

    # ------------------------------------------------------------ going back, branching, closing

    async def fork(self) -> Session:
        """Open a session with the same history and settings that shares the evaluated prefix.

            branch = await session.fork()
            print(await branch.get_response("And if not?"))

        Raises:
            SessionLimitError: As many sessions are open as the model allows.
        """
        self.must_be_open()
        return self._home.open_fork(self, self._sequence, self._conversation)

    async def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; 0 is the empty conversation.

        Nothing is evaluated again. Raises `GemmaChatError` while a turn runs or waits.

            await session.rewind(1)
        """
        self._must_be_idle("go back")
        self._give_up_anticipation()
        if self._conversation.rewind(turn):
            self._context_used = None if self._conversation.exchanges else 0

    async def go_to(
        self, history: Iterable[HistoryMessage], replacements: Iterable[Replacement] = ()
    ) -> None:
        """Go on from another history: an earlier or another branch of this conversation.

        `replacements` are those that were decided on that branch, see `replacements`.
        Nothing is evaluated now. The next turn evaluates what neither this session nor any saved
        state holds of it, so a branch that was evaluated before costs its new question only.
        Raises `GemmaChatError` while a turn runs or waits.

            await session.go_to(session.history[:2])
        """
        self._must_be_idle("take another branch")
        self._give_up_anticipation()
        exchanges = restore(history)
        self._conversation.exchanges = exchanges
        self._conversation.replacements = tuple(replacements)
        self._conversation.prepared = None
        self._context_used = None if exchanges else 0
        if exchanges:
            self._last_turn = max(self._last_turn, exchanges[-1].turn)

    async def close(self) -> None:
        """Stop the running turn, withdraw the queued ones, give the memory back.

        Twice is fine, and so is giving up the wait: the rest happens by itself.

            async with await model.open_session() as session:
                print(await session.get_response("What is the sea?"))
        """
        if not self._closed:
            self._closed = True
            self._give_up_anticipation()
            self._home.forget(self)
            for turn in self._turns:
                turn.close(self._closed_error())
            self._tell_closed()
            self._settle()
        await self._idle.wait()

    def model_closed(self) -> None:
        """The model is being closed, and all memory with it."""
        self._closed = True
        self._tell_closed()

    def when_closed(self, listener: Callable[[], None]) -> None:
        """Call `listener`, once, when this session or its model is closed."""
        self._close_listeners.append(listener)

    def _tell_closed(self) -> None:
        listeners, self._close_listeners = self._close_listeners, []
        for listener in listeners:
            listener()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ------------------------------------------------------------ what the engine thread reports

    def _receive(self, turn: Turn, report: Report) -> None:
        match report:
            case Piece():
                turn.add(report)
            case TurnsDropped():
                self._tell_overflow(report)
            case TurnResult():
                self._turn_ended(turn, report)

    def _turn_ended(self, turn: Turn, result: TurnResult) -> None:
        self._metrics = result.metrics
        self._totals = self._totals.plus(result.metrics)
        if result.kept:
            self._context_used = turn.progress.prompt_total + turn.progress.generated
        self._turns.remove(turn)
        turn.end(result)
        self._settle()

    def _receive_ahead(self, job: TurnJob, report: Report) -> None:
        if isinstance(report, TurnResult):
            self._ahead.discard(job)
            if job is self._anticipation and report.reason == "stop":
                self._anticipation = None
                self._adopt()
            self._settle()

    def _adopt(self) -> None:
        """All is evaluated that prompts begin with from now on: let them."""
        plan = self._conversation.prepared
        if plan is None or self._closed:
            return
        event = self._conversation.adopt(self.id, plan)
        self._context_used = event.prompt_tokens
        self._tell_overflow(event)

    def _settle(self) -> None:
        """When nothing of this session computes or waits any more, it can be let go."""
        if not self._turns and not self._ahead:
            self._idle.set()
            if self._closed:
                self._release()

    def _tell_overflow(self, event: TurnsDropped) -> None:
        for listener in tuple(self._overflow_listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener of session %d failed", self.id)

    def _release(self) -> None:
        """Give the KV memory back, unless the engine takes it all with it."""
        if not self._home.closed:
            self._home.engine.release(self._sequence)

    def _count_history(self) -> int:
        try:
            with self._home.engine_thread.reading():
                return self._conversation.count_tokens()
        except ModelClosedError:
            return 0
        except GemmaChatError:
            log.warning("the history of session %d cannot be counted", self.id, exc_info=True)
            return 0

    def _must_be_idle(self, what: str) -> None:
        self.must_be_open()
        if self._turns:
            raise GemmaChatError(
                f"Session {self.id} cannot {what} while its turn {self._turns[0].number} is "
                "not finished; stop it first."
            )

    def must_be_open(self) -> None:
        """Raise `SessionClosedError` or `ModelClosedError` when nothing can be asked any more."""
        self._home.must_be_open()
        if self._closed:
            raise self._closed_error()

    def _closed_error(self) -> SessionClosedError:
        return SessionClosedError(
            f"Session {self.id} has been closed; open another one to go on asking."
        )


def _text(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a question is text, not {type(text).__name__}")
    return well_formed(text)
