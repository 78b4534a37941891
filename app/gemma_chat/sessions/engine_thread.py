"""The thread on which a model computes, and the decision who runs its next step.

Orders come from any thread and take one short mutex. Between two steps the engine thread looks at
plain flags, so that it needs no answer from the event loop to go on, to give way or to stop.
A running micro-batch ends early through `TurnRun.interrupt`.

An engine with several slots (a server that computes several replies at once) has as many of these
threads, each with a turn of its own.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, perf_counter
from typing import Literal, Protocol

import msgspec

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import Ended, Engine, Generated, Prefill, ReplyPart, TurnRun
from gemma_chat.errors import EngineCrashedError, GemmaChatError, ModelClosedError
from gemma_chat.sessions.events import LockEvent, LockPicture
from gemma_chat.sessions.job import Report, TurnJob
from gemma_chat.sessions.turn_queue import TurnQueue
from gemma_chat.terms import FinishReason, Lane

log = logging.getLogger(__name__)

_SEEDS = 2**32 - 1
"""llama.cpp's seeds are smaller; this one means to it that it draws one itself."""
EXIT_SECONDS = 5.0
"""How long a program that ends without closing its model waits for the step under way."""


class Post(Protocol):
    """Takes reports from any thread; what is posted together arrives together."""

    def __call__(self, *reports: tuple[TurnJob, Report]) -> None:
        """Hand over these, in this order."""


class EngineThread:
    """Runs turns of one engine, one a slot and each a step at a time, in the queue's order."""

    def __init__(
        self,
        engine: Engine,
        post: Post,
        closed: Callable[[], None],
    ) -> None:
        """`post` takes every report, `closed` is called once the engine is closed."""
        self._engine = engine
        self._post = post
        self._closed = closed
        self._queue: TurnQueue[TurnJob] = TurnQueue()
        self._holders: list[TurnJob] = []
        """The turns that compute, in the order in which they began; at most one a slot."""
        self._tickets = itertools.count(1)
        self._leaving: list[tuple[TurnJob, GemmaChatError | None]] = []
        self._failure: EngineCrashedError | None = None
        self._closing = False
        self._reading = 0
        """Other threads that use the engine now, see `reading`."""
        self._changed = threading.Condition()
        self._threads = tuple(
            threading.Thread(target=self._main, name=f"gemma-chat engine {slot}", daemon=True)
            for slot in range(engine.slots)
        )
        self._started = False
        self._running = len(self._threads)
        """Threads that have not ended; the last one closes the engine."""

    # ------------------------------------------------------------ orders, from any thread

    def submit(self, job: TurnJob) -> None:
        """Put `job` into the queue; a background turn that computes is told to give way.

        Raises `ModelClosedError` or, after a crash, `EngineCrashedError`.
        """
        with self._changed:
            self._must_accept()
            job.ticket = next(self._tickets)
            position = self._queue.add(job)
            self._post((job, LockEvent(job.entry(), position=position)))
            for holder in self._giving_way():
                if holder.run is not None:
                    holder.run.interrupt()
            self._start()
            self._changed.notify_all()

    def stop(self, job: TurnJob, reason: FinishReason, error: GemmaChatError | None = None) -> None:
        """End `job`, queued or running; does nothing when it has ended.

        A running turn ends with `reason` and what it has; `error` is what a waiting one gets.
        """
        with self._changed:
            if self._queue.remove(job):
                self._withdraw(job, reason, error)
            elif job in self._holders and job.stop_reason is None:
                job.stop_reason = reason
                if job.run is not None:
                    job.run.interrupt()

    def move(self, ticket: int, step: Literal[-1, 1]) -> bool:
        """Exchange a waiting turn with its neighbour; see `TurnQueue.move`."""
        with self._changed:
            job = self._with_ticket(ticket)
            other = None if job is None else self._queue.move(job, step)
            if job is None or other is None:
                return False
            job.moved -= step
            other.moved += step
            order = self._queue.order
            for one in (job, other):
                self._post((one, LockEvent(one.entry(), position=order.index(one) + 1)))
            return True

    def withdraw(self, ticket: int) -> bool:
        """End the turn with this ticket, as `stop`; `False` when there is none any more."""
        with self._changed:
            job = self._with_ticket(ticket)
            if job is None:
                return False
            self.stop(job, "stopped")
            return True

    def _with_ticket(self, ticket: int) -> TurnJob | None:
        """The turn that waits or computes under this ticket. The mutex is held."""
        jobs = (*self._queue.order, *self._holders)
        return next((job for job in jobs if job.ticket == ticket), None)

    def rephrase(self, questions: Mapping[TurnJob, str]) -> bool:
        """Let jobs that wait ask something else: all of them, or none when one has begun."""
        with self._changed:
            waiting = set(self._queue.order)
            if not all(job in waiting and job.run is None for job in questions):
                return False
            for job, question in questions.items():
                job.question = question
            return True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Use the engine from another thread: it is not closed before the end of this.

        Raises `ModelClosedError`.
        """
        with self._changed:
            if self._closing:
                raise ModelClosedError("The model has been closed; load it again to ask something.")
            self._reading += 1
        try:
            yield
        finally:
            with self._changed:
                self._reading -= 1
                self._changed.notify_all()

    def shut_down(self, error: ModelClosedError) -> None:
        """Stop what runs, fail what waits with `error`, close the engine, end the thread."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            for job in self._queue.clear():
                self._withdraw(job, "closed", ModelClosedError(str(error)))
            for holder in self._holders:
                if holder.stop_reason is None:
                    holder.stop_reason = "closed"
                    if holder.run is not None:
                        holder.run.interrupt()
            self._start()
            self._changed.notify_all()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the threads to end, after `shut_down`."""
        end = None if seconds is None else monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - monotonic()))

    @property
    def failure(self) -> EngineCrashedError | None:
        """The error the engine died of, if it did."""
        return self._failure

    def picture(self) -> LockPicture:
        """Who holds the lock and who waits now."""
        with self._changed:
            return LockPicture(
                holders=tuple(job.entry() for job in self._holders),
                waiting=tuple(job.entry() for job in self._queue.order),
            )

    def _giving_way(self) -> tuple[TurnJob, ...]:
        """The turns that have to let a person's turn in. The mutex is held."""
        return self._queue.giving_way(self._holders, slots=len(self._threads))

    def _must_accept(self) -> None:
        if self._closing:
            raise ModelClosedError("The model has been closed; load it again to ask something.")
        if self._failure is not None:
            raise EngineCrashedError(str(self._failure))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            atexit.register(self._end_with_program)
            for thread in self._threads:
                thread.start()

    def _end_with_program(self) -> None:
        # A daemon thread inside native code while the interpreter is taken down can crash it.
        self.shut_down(ModelClosedError("The program is ending."))
        self.join(EXIT_SECONDS)

    def _withdraw(self, job: TurnJob, reason: FinishReason, error: GemmaChatError | None) -> None:
        """End a job that was just taken out of the queue. The mutex is held."""
        if job.run is None:
            job.clock.withdrawn()
            self._report_end(job, reason, error, kept=False)
        else:
            # It began and gave way: only the engine thread may finish its run.
            job.stop_reason = reason
            self._leaving.append((job, error))
            self._changed.notify_all()

    # ------------------------------------------------------------ the engine threads

    def _main(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                self._run(job)
        finally:
            with self._changed:
                self._running -= 1
                last = self._running == 0
            if last:
                self._close_engine()

    def _close_engine(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._reading)
        try:
            self._engine.close()
        except Exception:
            log.exception("closing the engine failed")
        atexit.unregister(self._end_with_program)
        self._closed()

    def _next_job(self) -> TurnJob | None:
        """The job that holds the lock from now on; `None` when the model is being closed."""
        while True:
            self._finish_leaving()
            with self._changed:
                if self._leaving:
                    continue
                if self._closing:
                    return None
                job = self._queue.take(self._holders)
                if job is not None:
                    self._holders.append(job)
                    job.clock.got_lock()
                    job.phase = "generating" if job.counts.generated else "prefill"
                    return job
                self._changed.wait()

    def _run(self, job: TurnJob) -> None:
        """Compute until `job` ends or gives way."""
        if job.run is None and job.stop_reason is not None:
            self._end(job, job.stop_reason)
            return
        try:
            run = job.run if job.run is not None else self._begin(job)
            self._post((job, LockEvent(job.entry())))
            reason = self._drive(job, run)
        except EngineCrashedError as error:
            self._crash(job, error)
        except GemmaChatError as error:
            self._end(job, "failed", error)
        except Exception as error:
            log.exception("a turn of session %d failed unexpectedly", job.session)
            self._end(job, "failed", _unexpected(error))
        else:
            if reason is not None:
                self._end(job, reason)

    def _begin(self, job: TurnJob) -> TurnRun:
        prepared = job.owner.prepare(job)
        if prepared.dropped is not None:
            self._post((job, prepared.dropped))
        lane: Lane = "background" if job.background else "foreground"
        run: TurnRun
        if prepared.alternative is None:
            sampling = _seeded(prepared.sampling)
            job.seed = sampling.random_seed if sampling.temperature else None
            run = self._engine.begin(job.sequence, prepared.prompt, sampling, lane)
        else:
            run = self._engine.warm_up(job.sequence, prepared.prompt, prepared.alternative, lane)
        job.counts = run.counts
        job.prompt_total = run.prompt_tokens
        job.prompt_done = run.counts.reused + run.counts.restored
        with self._changed:
            job.run = run
        return run

    def _drive(self, job: TurnJob, run: TurnRun) -> FinishReason | None:
        """Step until the turn ends (its reason) or has given way (`None`)."""
        while True:
            if job.stop_reason is not None:
                return job.stop_reason
            if self._must_give_way(job):
                run.give_way()
                if self._put_back(job):
                    return None
                continue
            if self._leaving:
                self._finish_leaving()
            reason = self._step(job, run)
            if reason is not None:
                return reason

    def _must_give_way(self, job: TurnJob) -> bool:
        if not job.background:
            return False
        with self._changed:
            return job in self._giving_way()

    def _step(self, job: TurnJob, run: TurnRun) -> FinishReason | None:
        began = perf_counter()
        step = run.step()
        seconds = perf_counter() - began
        match step:
            case Generated(text, parts):
                job.clock.decode += seconds
                if job.phase != "generating":
                    self._enter_generating(job)
                self._take(job, text, parts)
            case Prefill(done, total):
                job.clock.prefill += seconds
                job.prompt_done, job.prompt_total = done, total
                self._post((job, LockEvent(job.entry())))
            case Ended(reason, text, parts):
                self._take(job, text, parts)
                return "tool_call" if reason == "stop" and job.reply.calls else reason
            case _:
                if job.phase == "prefill":
                    job.clock.prefill += seconds
                else:
                    job.clock.decode += seconds
        return None

    def _enter_generating(self, job: TurnJob) -> None:
        job.clock.first_token()
        job.phase = "generating"
        job.prompt_done = job.prompt_total
        self._post((job, LockEvent(job.entry())))

    def _take(self, job: TurnJob, text: str, parts: tuple[ReplyPart, ...] = ()) -> None:
        if text or parts:
            for piece in job.reply.take(parts or (ReplyPart("text", text),)):
                self._post((job, piece))

    def _put_back(self, job: TurnJob) -> bool:
        """Return a turn that gave way to the queue; `False` when it was stopped meanwhile."""
        with self._changed:
            if job.stop_reason is not None:
                return False
            self._leave(job)
            job.phase = "queued"
            job.clock.gave_way()
            position = self._queue.put_back(job)
            self._post((job, LockEvent(job.entry(), position=position)))
            return True

    def _finish_leaving(self) -> None:
        """End the turns that gave way and were stopped while they waited."""
        with self._changed:
            leaving, self._leaving = self._leaving, []
        for job, error in leaving:
            job.clock.withdrawn()
            self._end(job, job.stop_reason or "stopped", error)

    def _end(self, job: TurnJob, reason: FinishReason, error: GemmaChatError | None = None) -> None:
        """Finish the run, put the exchange into the history, release the lock, tell the loop."""
        with self._changed:
            run, job.run = job.run, None
        kept = False
        try:
            if run is not None:
                self._take(job, run.finish())
                # A server tells the true length of a prompt at the end of its reply.
                job.prompt_total = run.prompt_tokens
            job.reply.end()
            kept = job.owner.keep(job)
        except Exception as failure:
            log.exception("a turn of session %d could not be finished", job.session)
            if error is None:
                reason, error = "failed", _unexpected(failure)
        with self._changed:
            if job in self._holders:
                self._leave(job)
            self._report_end(job, reason, error, kept=kept)

    def _leave(self, job: TurnJob) -> None:
        """`job` holds the lock no longer. The mutex is held."""
        self._holders.remove(job)
        # Another thread may wait for a turn of the same session to be over.
        self._changed.notify_all()

    def _crash(self, job: TurnJob, error: EngineCrashedError) -> None:
        """Fail this turn and everyone who waits: native code that failed is not called again."""
        log.error("the engine failed: %s", error)
        with self._changed:
            self._failure = error
            for waiting in self._queue.clear():
                self._withdraw(waiting, "failed", EngineCrashedError(str(error)))
        self._end(job, "failed", error)

    def _report_end(
        self, job: TurnJob, reason: FinishReason, error: GemmaChatError | None, *, kept: bool
    ) -> None:
        job.phase = "finished"
        # Whoever waited for the result finds the lock's listeners told of it.
        ended = LockEvent(job.entry(), reason=reason)
        self._post((job, job.result(reason, error, kept=kept)), (job, ended))


def _seeded(sampling: SamplingSettings) -> SamplingSettings:
    """With a seed drawn where none is set, so that a reply can be had once more."""
    if sampling.random_seed is not None or not sampling.temperature:
        return sampling
    return msgspec.structs.replace(sampling, random_seed=random.SystemRandom().randrange(_SEEDS))


def _unexpected(error: Exception) -> EngineCrashedError:
    return EngineCrashedError(
        f"The engine failed unexpectedly ({type(error).__name__}: {error}). "
        "The conversation is kept; ask again, and report this if it comes back."
    )
