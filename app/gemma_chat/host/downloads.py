"""The downloads of the host: they go on when terminals leave, and after the host was away.

What is not finished stands in a file beside the models. Those that ran when the host ended run
again when it comes back; those that were paused stay paused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gemma_chat.errors import GemmaChatError, HostError
from gemma_chat.host.downloading import Fetch
from gemma_chat.host.protocol import DownloadView
from gemma_chat.models import fetch_process as told
from gemma_chat.models.hub import forget_parts, wanted

MOST_DOWNLOADS: Final = 8
"""Unfinished ones, paused and failed ones included."""
MOST_NAME_CHARACTERS: Final = 300
SPEED_SECONDS: Final = 6.0
"""The speed is that of the last seconds."""

_log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """An unfinished download as the file holds it."""

    name: str
    runs: bool = True
    done: int = 0
    total: int = 0


class Speed:
    """Bytes per second over the last moments."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int) -> float:
        """So many bytes are there now; returns the speed."""
        now = self._clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > SPEED_SECONDS:
            self._seen.popleft()
        since, at_first = self._seen[0]
        return max(0, done - at_first) / (now - since) if now > since else 0.0


class Downloads:
    """Starts, pauses and remembers downloads; all on one event loop."""

    def __init__(
        self,
        fetch: Fetch,
        models: Path,
        list_file: Path,
        *,
        on_change: Callable[[], None],
        on_got: Callable[[str, Path], None],
        clock: Callable[[], float] = time.monotonic,
        silence: float = SPEED_SECONDS,
    ) -> None:
        """`on_change` is called when `views` is another, `on_got` with a name and its file.

        After `silence` seconds in which nothing came the speed is 0.
        """
        self._fetch = fetch
        self._models = models
        self._list_file = list_file
        self._on_change = on_change
        self._on_got = on_got
        self._clock = clock
        self._silence = silence
        self._hushes: dict[int, asyncio.TimerHandle] = {}
        self._views: dict[int, DownloadView] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._tokens: dict[int, str] = {}
        """What a terminal gave for the hub; nowhere else, and no longer than the download."""
        self._ending: dict[int, set[asyncio.Task[None]]] = {}
        """What was paused and is on its way out: two must not write the same file."""
        self._next = 1
        self._closing = False

    @property
    def views(self) -> tuple[DownloadView, ...]:
        """The unfinished downloads, oldest first."""
        return tuple(self._views.values())

    @property
    def busy(self) -> bool:
        """Whether one runs: the host stays for it."""
        return bool(self._tasks)

    def take_up(self) -> None:
        """Go on where the host before this one ended."""
        for kept in self._read():
            view = DownloadView(
                self._number(), kept.name, "paused", done_bytes=kept.done, total_bytes=kept.total
            )
            self._views[view.download] = view
            if kept.runs:
                self._run(view)
        if self._views:
            self._on_change()

    def start(self, name: str, token: str = "") -> int:
        """Begin to download what `name` stands for; returns its number.

        The hub is given the `token` when there is one. A download that is there already goes on.
        Raises `ModelLoadError` for a name that can be none, and `HostError` when there are too
        many.
        """
        name = name.strip()[: MOST_NAME_CHARACTERS + 1]
        want = wanted(name)
        for view in self._views.values():
            if view.name == name or wanted(view.name) == want:
                self.resume(view.download, token)
                return view.download
        if len(self._views) >= MOST_DOWNLOADS:
            raise HostError(
                f"There are {MOST_DOWNLOADS} unfinished downloads. Wait for one, or give one up."
            )
        view = DownloadView(self._number(), name, "starting")
        self._views[view.download] = view
        self._keep_token(view.download, token)
        self._run(view)
        self._changed(keep=True)
        return view.download

    def pause(self, download: int) -> None:
        """End it for now; what has come is kept."""
        view = self._view(download)
        if task := self._tasks.pop(download, None):
            task.cancel()
            # Whoever pauses twice in a row finds the first one still on its way.
            ending = self._ending.setdefault(download, set())
            ending.add(task)
            task.add_done_callback(ending.discard)
            self._show(view, state="paused", bytes_per_second=0.0)
            self._changed(keep=True)

    def resume(self, download: int, token: str = "") -> None:
        """Go on, or try again; with this `token` when there is one, else as before."""
        view = self._view(download)
        self._keep_token(download, token)
        if download not in self._tasks:
            self._run(view)
            self._changed(keep=True)

    async def drop(self, download: int) -> None:
        """Give it up, and remove what has come of it."""
        view = self._view(download)
        self.pause(download)
        await self._ended(download)
        self._forget(download)
        await asyncio.to_thread(forget_parts, wanted(view.name), self._models)
        self._changed(keep=True)

    async def close(self) -> None:
        """End all for now: the next host goes on with those that run."""
        self._keep()
        self._closing = True
        for hush in self._hushes.values():
            hush.cancel()
        tasks = {*self._tasks.values()}.union(*self._ending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ one download

    def _run(self, view: DownloadView) -> None:
        self._show(view, state="starting", error="", page="", bytes_per_second=0.0)
        task = asyncio.create_task(self._follow(view.download), name=f"download-{view.download}")
        self._tasks[view.download] = task

    async def _follow(self, download: int) -> None:
        view, task = self._views[download], asyncio.current_task()
        speed = Speed(self._clock)
        ends: list[told.Got | told.Refused] = []

        def report(report: told.Report) -> None:
            if self._tasks.get(download) is not task:
                return
            if isinstance(report, told.Got | told.Refused):
                ends.append(report)
            else:
                self._take(download, report, speed)

        try:
            await self._ended(download)
            await self._fetch(view.name, self._tokens.get(download, ""), report)
            end = ends[-1] if ends else told.Refused(f"{view.name} did not come. Try again.")
        except GemmaChatError as error:
            end = told.Refused(str(error))
        except Exception as error:
            _log.exception("downloading %s failed", view.name)
            end = told.Refused(f"The download of {view.name} failed: {error}. Try again.")
        if self._tasks.get(download) is task:
            del self._tasks[download]
            self._settle(download, end)

    async def _ended(self, download: int) -> None:
        """Wait until all that was paused of it has ended."""
        if ending := self._ending.get(download):
            await asyncio.wait(tuple(ending))

    def _take(self, download: int, report: told.Report, speed: Speed) -> None:
        view = self._views[download]
        match report:
            case told.Found():
                self._show(view, total_bytes=report.total)
            case told.Came():
                self._show(
                    view,
                    state="running",
                    done_bytes=report.done,
                    file=report.file,
                    bytes_per_second=speed.note(report.done),
                )
                self._await_more(download)
            case told.Checking():
                self._show(view, state="checking", file=report.file, bytes_per_second=0.0)
        self._changed(keep=isinstance(report, told.Found))

    def _await_more(self, download: int) -> None:
        """Take the speed back when the connection hangs from now on."""
        if before := self._hushes.pop(download, None):
            before.cancel()
        loop = asyncio.get_running_loop()
        self._hushes[download] = loop.call_later(self._silence, self._hush, download)

    def _hush(self, download: int) -> None:
        self._hushes.pop(download, None)
        view = self._views.get(download)
        if view is not None and view.bytes_per_second:
            self._show(view, bytes_per_second=0.0)
            self._changed(keep=False)

    def _settle(self, download: int, end: told.Got | told.Refused) -> None:
        view = self._views[download]
        if isinstance(end, told.Got):
            self._forget(download)
            self._changed(keep=True)
            self._on_got(view.name, Path(end.path))
        else:
            _log.warning("%s", end.error)
            self._show(view, state="failed", error=end.error, page=end.page, bytes_per_second=0.0)
            self._changed(keep=True)

    def _keep_token(self, download: int, token: str) -> None:
        if token:
            self._tokens[download] = token

    def _forget(self, download: int) -> None:
        self._ending.pop(download, None)
        self._views.pop(download, None)
        self._tokens.pop(download, None)

    def _view(self, download: int) -> DownloadView:
        view = self._views.get(download)
        if view is None:
            raise HostError("This download is over, or was given up in another terminal.")
        return view

    def _show(self, view: DownloadView, **changes: object) -> None:
        self._views[view.download] = msgspec.structs.replace(view, **changes)

    def _changed(self, *, keep: bool) -> None:
        if keep:
            self._keep()
        self._on_change()

    def _number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    # ------------------------------------------------------------ the file

    def _keep(self) -> None:
        if self._closing:
            return
        kept = [
            Kept(view.name, view.download in self._tasks, view.done_bytes, view.total_bytes)
            for view in self._views.values()
        ]
        try:
            if not kept:
                self._list_file.unlink(missing_ok=True)
                return
            written = self._list_file.with_name(f"{self._list_file.name}.new")
            written.write_bytes(msgspec.json.encode(kept))
            written.replace(self._list_file)
        except OSError as error:
            # They run all the same; only the next host will not know of them.
            _log.warning("%s cannot be written (%s)", self._list_file, error.strerror)

    def _read(self) -> Sequence[Kept]:
        try:
            found = msgspec.json.decode(self._list_file.read_bytes(), type=list[Kept])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            _log.warning("%s is not used: %s", self._list_file, error)
            return ()
        return [one for one in found[:MOST_DOWNLOADS] if _is_name(one.name)]


def _is_name(name: str) -> bool:
    try:
        wanted(name)
    except GemmaChatError:
        return False
    return len(name) <= MOST_NAME_CHARACTERS
