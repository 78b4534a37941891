"""The event loop behind the calls that have no `await`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from gemma_chat.errors import ModelClosedError

T = TypeVar("T")

END_SECONDS = 2.0


class LoopThread:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ending = threading.Lock()
        self._ended = False
        """Nothing is taken any more: what came later would wait for ever."""
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="gemma-chat loop", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it; an interrupted wait cancels it.

        Raises `ModelClosedError` when the loop has ended, which it does with its model.
        """
        with self._ending:
            if self._ended:
                work.close()
                raise ModelClosedError("The model has been closed; load it again to ask something.")
            future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, act: Callable[[], T]) -> T:
        """Call `act` on the loop and wait for its answer."""

        async def work() -> T:
            return act()

        return self.run(work())

    def end(self) -> None:
        """Let what is under way come to its end, then stop the loop; twice is fine."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
        # On its own thread: the caller's may have a loop of its own that runs, as in a notebook.
        for last in (_let_tasks_end(), self._loop.shutdown_default_executor()):
            asyncio.run_coroutine_threadsafe(last, self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _let_tasks_end() -> None:
    """Calls of other threads that failed just now still have to hear of it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, late = await asyncio.wait(others, timeout=END_SECONDS)
        for task in late:
            task.cancel()
