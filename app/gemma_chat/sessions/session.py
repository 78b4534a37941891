"""One conversation on the shared weights."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from copy import copy
from functools import partial
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Media, SequenceHandle, ToolChoice, ToolSpec
from gemma_chat.errors import GemmaChatError, ModelClosedError, SessionClosedError, SettingsError
from gemma_chat.sessions.answering import Answering
from gemma_chat.sessions.context_use import ContextUse
from gemma_chat.sessions.context_view import ContextView, context_of
from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.history import (
    Exchange,
    HistoryMessage,
    ToolResult,
    flatten,
    restore,
    well_formed,
)
from gemma_chat.sessions.metrics import SessionTotals, TurnMetrics
from gemma_chat.sessions.options import ReplyRules, check_settings, following
from gemma_chat.sessions.overflow import OverflowListener, OverflowListeners
from gemma_chat.sessions.question import Message as Message
from gemma_chat.sessions.question import Question, QuestionParts, reply_text
from gemma_chat.sessions.replacement import NO_DIGEST, Digest, Replacement
from gemma_chat.sessions.session_home import SessionHome
from gemma_chat.sessions.session_turns import SessionTurns
from gemma_chat.sessions.tool_specs import checked_tools
from gemma_chat.sessions.turn import Turn
from gemma_chat.sessions.warm_ups import WarmUps
from gemma_chat.terms import MediaKind


class Session(Answering):
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
        modalities: tuple[MediaKind, ...] = (),
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
        self._parts = QuestionParts(home.engine, number, modalities)
        self._context_use = ContextUse(number, self._conversation, home.engine_thread)
        self._overflow = OverflowListeners(number)
        self._warm_ups = WarmUps(
            number,
            sequence,
            self._conversation,
            home.engine_thread,
            may_begin=self._may_warm_up,
            on_prepared=self._adopt,
            on_end=self._settle,
        )
        self._turns = SessionTurns(
            number,
            sequence,
            self._conversation,
            home.engine_thread,
            background=background,
            warm_ups=self._warm_ups,
            context_use=self._context_use,
            on_overflow=self._overflow.tell,
            on_end=self._settle,
        )
        self._close_listeners: list[Callable[[], None]] = []
        self._closed = False
        self._settled = asyncio.Event()
        """Set when the last thing that computed or waited has ended."""

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

        Raises:
            SessionClosedError, ModelClosedError: Nothing can be asked any more.
        """
        self.must_be_open()
        with self._home.engine_thread.reading():
            # A copy: the conversation may go on, or become another one, between two looks.
            return context_of(copy(self._conversation), self._home.engine)

    @property
    def metrics(self) -> TurnMetrics:
        """The figures of the last finished turn."""
        return self._turns.metrics

    @property
    def totals(self) -> SessionTotals:
        """The sums over all turns."""
        return self._turns.totals

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that are not finished, oldest first."""
        return self._turns.unfinished

    @property
    def closed(self) -> bool:
        """Whether `close` was called, on it or on the model."""
        return self._closed

    @property
    def context_used(self) -> int:
        """Tokens of the window this conversation takes, a running reply included."""
        for turn in self._turns.unfinished:
            progress = turn.progress
            if progress.prompt_total:
                return progress.prompt_total + progress.generated
        return self._context_use.tokens

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`, by the model's tokenizer; never waits for the lock.

        left = model.description.context_size - session.size_in_tokens(text)
        """
        self.must_be_open()
        with self._home.engine_thread.reading():
            return self._home.engine.count_tokens(well_formed(text))

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener` when exchanges are left out; returns the way to stop that.

        unsubscribe = session.subscribe(lambda event: print(event.left_out, "left out"))
        """
        return self._overflow.subscribe(listener)

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
            SettingsError: The chunk has another role than `user` and `assistant`, or a reply says
                nothing.
            GemmaChatError: A reply is told and nothing was collected before it, or a turn of this
                session is unfinished.
        """
        self.must_be_open()
        if isinstance(chunk, Message) and chunk.role == "assistant":
            self._take_reply(reply_text(chunk))
            return
        part = await self._parts.read(chunk)
        self.must_be_open()
        self._parts.add(part)

    def _take_reply(self, text: str) -> None:
        self._must_be_idle("be told of a reply")
        question = self._parts.whole(None, ())
        self._turns.tell(question, text)
        self._parts.clear()
        self._context_use.forget()

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
            if text is not None:
                raise GemmaChatError(
                    f"Session {self.id} cannot take results and a question in one turn; "
                    "give the results first."
                )
            return self._turns.go_on(results, tool_choice, sampling, rules)
        question = self._parts.whole(text, media)
        turn = self.ask(question, tool_choice=tool_choice, sampling=sampling, **rules)
        self._parts.clear()
        return turn

    def take_question(self, text: str | None = None, media: Sequence[Media] = ()) -> Question:
        """What `add_query_chunk` collected, with `text` behind it, to be given to `ask` later.

        Raises:
            GemmaChatError: As `start_turn`.
        """
        self.must_be_open()
        question = self._parts.whole(text, media)
        self._parts.clear()
        return question

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
        return self._turns.ask(question, tool_choice, sampling, rules)

    def answer_calls(self, results: Sequence[ToolResult]) -> None:
        """Put the results of the newest calls into the history without going on from them.

        As the `results` of `start_turn`; also when the session or its model is closed.

            session.answer_calls([ToolResult(call.id, "given up", "stopped")])
        """
        self._conversation.answer(results)

    def cut_result(self, text: str, *, others: int) -> str:
        """The result of a call as its model is told it, beside those of `others` in one reply.

        Together they take a quarter of the window at most; the middle of a longer one is cut.
        """
        cut = partial(self._conversation.cut_result, text, others=others)
        try:
            with self._home.engine_thread.reading():
                return cut(count=self._home.engine.count_tokens)
        except ModelClosedError:
            # It goes into the history still, where the next model finds it.
            return cut(count=_about)

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
        return self._turns.continue_reply(sampling)

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns, by number, ask something else; `False` when one has begun.

        All of them change or none does. Their places in the queue stay, so exchanging the
        questions of two turns exchanges the turns.

            session.rephrase({turn.number: "What is a ship?"})
        """
        return self._turns.rephrase(questions)

    def warm_up(self, draft: str = "") -> None:
        """Evaluate, while nobody waits, what the next turn is going to begin with.

        That is the system instruction and the history, and of a long `draft` of the question
        whole micro-batches. It is given up at once when any turn is asked. The reply is the same
        as without; it only begins sooner. Does nothing while a turn of this session is unfinished.

            session.warm_up("Please explain the following text: ")

        Raises:
            SessionClosedError, ModelClosedError: Nothing can be asked any more.
        """
        self.must_be_open()
        self._warm_ups.begin(draft)

    async def make_room(self) -> bool:
        """While nobody waits, see whether the window is nearly full, and prepare for that.

        Decides which exchanges the `digest` is going to replace and warms up what prompts
        begin with then. It is in force once that is done, which `subscribe` tells; a turn that is
        asked before ends the warm-up, and uses the decision only if it does not fit otherwise.
        Returns whether there is something to prepare.

            session.digest = Digest(summary, exchanges=len(session.history) // 2)
            await session.make_room()
        """
        self.must_be_open()
        return await self._warm_ups.make_room()

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
        self._warm_ups.give_up()
        if self._conversation.rewind(turn):
            self._context_use.forget()

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
        self._warm_ups.give_up()
        self._conversation.go_to(restore(history), tuple(replacements))
        self._context_use.forget()
        self._turns.skip_numbers()

    async def close(self) -> None:
        """Stop the running turn, withdraw the queued ones, give the memory back.

        Twice is fine, and so is giving up the wait: the rest happens by itself.

            async with await model.open_session() as session:
                print(await session.get_response("What is the sea?"))
        """
        if not self._closed:
            self._closed = True
            self._warm_ups.give_up()
            self._home.forget(self)
            self._turns.close(self._closed_error())
            self._tell_closed()
            self._settle()
        if not self._is_settled:
            self._settled.clear()
            await self._settled.wait()

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

    # ------------------------------------------------------------ its state

    def _may_warm_up(self) -> bool:
        return not (self._turns.unfinished or self._closed or self._home.closed)

    def _adopt(self) -> None:
        """All is evaluated that prompts begin with from now on: let them."""
        plan = self._conversation.prepared
        if plan is None or self._closed:
            return
        event = self._conversation.adopt(self.id, plan)
        self._context_use.note(event.prompt_tokens)
        self._overflow.tell(event)

    @property
    def _is_settled(self) -> bool:
        return not (self._turns.unfinished or self._warm_ups.unfinished)

    def _settle(self) -> None:
        """When nothing of this session computes or waits any more, it can be let go."""
        if self._is_settled:
            self._settled.set()
            if self._closed:
                self._release()

    def _release(self) -> None:
        """Give the KV memory back, unless the engine takes it all with it."""
        if not self._home.closed:
            self._home.engine.release(self._sequence)

    def _must_be_idle(self, what: str) -> None:
        self.must_be_open()
        self._turns.must_be_finished(what)

    def must_be_open(self) -> None:
        """Raise `SessionClosedError` or `ModelClosedError` when nothing can be asked any more."""
        self._home.must_be_open()
        if self._closed:
            raise self._closed_error()

    def _closed_error(self) -> SessionClosedError:
        return SessionClosedError(
            f"Session {self.id} has been closed; open another one to go on asking."
        )


def _about(text: str) -> int:
    """The tokens of a text when there is no tokenizer to ask: four bytes each, as in English."""
    return len(text.encode("utf-8", "replace")) // 4
