"""Turns and models that end the host: after three deaths within a minute they are not run again.

Everything that enters native code on somebody's request is written down before and taken away
after. A host that starts finds what the one before it died of, and counts.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gemma_chat.errors import EngineCrashedError, ModelLoadError, StoreError
from gemma_chat.host.model_source import ModelLoader, ModelSource, ServerModel
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.attempts import REMEMBERED_SECONDS
from gemma_chat.store.records import Message
from gemma_chat.store.store import Store

DEATHS_ALLOWED: Final = 3
DEATHS_WITHIN: Final = 60.0
_LOADING: Final = "load "

_log = logging.getLogger(__name__)


class RestingModelError(ModelLoadError):
    """Loading a model has ended the host too often; in `seconds` it may be tried again."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"Loading {name} ended the host {DEATHS_ALLOWED} times within a minute. It is tried "
            f"again in {seconds:.0f} seconds; `gemma-chat doctor` says what this machine can run, "
            "and a smaller model or context needs less memory."
        )
        self.seconds = seconds


class Crashes:
    """Counts what the host died of, and refuses to run it once more."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        """Find out what the host before this one died of. Once, at start."""
        self._attempts = store.attempts
        self._clock = clock
        self._turns: dict[tuple[int, int], int] = {}
        self._running: set[tuple[int, int]] = set()
        subjects = self._attempts.settle()
        for subject in subjects:
            _log.error("the host before this one died of: %s", subject)
        self.news = tuple(_died_loading(one) for one in subjects if one.startswith(_LOADING))
        """Sentences for the person."""

    # ------------------------------------------------------------ turns

    def begin_turn(self, key: tuple[int, int], question: Message, model: str) -> None:
        """The turn `key` (session, turn) is about to be queued on the model of this name.

        Again is fine: a turn that never began goes to the next model.
        Raises `EngineCrashedError` when the same question has ended the host too often on it.
        """
        self.end_turn(key, crashed=False)
        subject = _subject(question, model)
        if _too_often(self._attempts.deaths(subject)):
            raise EngineCrashedError(
                f"This message ended the engine {DEATHS_ALLOWED} times within a minute and is not "
                f"run again on {model} for {REMEMBERED_SECONDS / 60:.0f} minutes. Ask in other "
                "words, or load another model."
            )
        self._turns[key] = self._attempts.begin(subject)

    def run_turn(self, key: tuple[int, int]) -> None:
        """The turn has the lock. Again is fine."""
        attempt = self._turns.get(key)
        if attempt is not None and key not in self._running:
            self._running.add(key)
            self._tolerate(self._attempts.run, attempt)

    def end_turn(self, key: tuple[int, int], *, crashed: bool) -> None:
        """The turn has ended and the host lives. One that was never begun is no error.

        `crashed`: native code reported a failure that it cannot go on after; the model is dead.
        """
        self._running.discard(key)
        attempt = self._turns.pop(key, None)
        if attempt is not None:
            self._tolerate(self._attempts.die if crashed else self._attempts.end, attempt)

    # ------------------------------------------------------------ models

    def watched(self, load: ModelLoader) -> ModelLoader:
        """`load`, which raises `RestingModelError` for a model that ends the host by loading."""

        async def loading(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
            if isinstance(source, ServerModel):
                return await load(source, progress)
            subject = f"{_LOADING}{source}"
            now = self._clock()
            recent = [died for died in self._attempts.deaths(subject) if died > now - DEATHS_WITHIN]
            if len(recent) >= DEATHS_ALLOWED:
                raise RestingModelError(source.name, recent[-DEATHS_ALLOWED] + DEATHS_WITHIN - now)
            attempt = self._attempts.begin(subject)
            self._attempts.run(attempt)
            try:
                return await load(source, progress)
            finally:
                self._tolerate(self._attempts.end, attempt)

        return loading

    def _tolerate(self, write: Callable[[int], None], attempt: int) -> None:
        """At worst a death is put down to the wrong turn; nobody is kept waiting for that."""
        try:
            write(attempt)
        except StoreError as error:
            _log.error("attempt %d: %s", attempt, error)


def _died_loading(subject: str) -> str:
    name = Path(subject.removeprefix(_LOADING)).name
    return (
        f"The host ended while it loaded {name}. `gemma-chat doctor` says what this machine can "
        "run, and a smaller model or context needs less memory."
    )


def _subject(question: Message, model: str) -> str:
    """The same for the same question in the same conversation, however often it is sent."""
    said = hashlib.sha256(question.text.encode(errors="replace"))
    for attachment in question.attachments:
        said.update(attachment.digest.encode())
    return f"turn {question.session} {said.hexdigest()[:16]} {model}"


def _too_often(deaths: Sequence[float]) -> bool:
    """Whether `DEATHS_ALLOWED` of them, oldest first, lie within `DEATHS_WITHIN`."""
    last = DEATHS_ALLOWED - 1
    return any(
        after - before <= DEATHS_WITHIN
        for before, after in zip(deaths, deaths[last:], strict=False)
    )
