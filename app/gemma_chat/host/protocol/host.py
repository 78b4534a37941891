"""The host itself: the handshake, its state, its end, and plain answers."""

from __future__ import annotations

from typing import Literal

from gemma_chat.host.protocol.models import DownloadView, ModelView
from gemma_chat.host.protocol.tab_bar import TabPair
from gemma_chat.host.protocol.tabs import SessionView
from gemma_chat.host.protocol.turns import LockView
from gemma_chat.host.protocol.wire import Wire


class SummarizerView(Wire, frozen=True):
    """The background session that writes summaries and titles."""

    enabled: bool = True
    paused: bool = False
    session: int = 0
    """The conversation it works on now, or 0."""
    pending: tuple[int, ...] = ()


class Hello(Wire, frozen=True, tag="hello"):
    """The first frame of a client."""

    version: int
    program: str
    pid: int


class Welcome(Wire, frozen=True, tag="welcome"):
    """The host's answer to a client it accepts."""

    version: int
    program: str
    pid: int


class Refused(Wire, frozen=True, tag="refused"):
    """The host's answer to a client of another version, or while it is leaving."""

    version: int
    reason: str
    leaving: bool = False
    """The host is on its way out: try again, there will be another one."""


class SetSummarizer(Wire, frozen=True, tag="set_summarizer"):
    """Pause the summarizer or let it go on. Answer: `Done`."""

    id: int
    paused: bool


class GetStatus(Wire, frozen=True, tag="get_status"):
    """Answer: `Status`."""

    id: int


class StopHost(Wire, frozen=True, tag="stop_host"):
    """Finish writing and leave. Answer: `Done`, then the host closes every connection."""

    id: int


class Goodbye(Wire, frozen=True, tag="goodbye"):
    """This terminal is about to end. Answer: `Done`.

    `stays`: the host does not leave by itself, until it is stopped or a terminal that is the last
    one attached says `as_set`, by which `host.keep_alive` counts again.
    """

    id: int
    host: Literal["as_set", "stays"] = "as_set"


class Done(Wire, frozen=True, tag="done"):
    """The request with this `id` was carried out."""

    id: int


class Failed(Wire, frozen=True, tag="failed"):
    """The request was not carried out; `error` is for the person."""

    id: int
    error: str


class Status(Wire, frozen=True, tag="status"):
    """What `gemma-chat host status` prints."""

    id: int
    pid: int
    program: str
    started: float
    clients: int
    """Connections besides the one that asks."""
    sessions: int
    model: ModelView
    lock: LockView
    summarizer: SummarizerView
    stays: bool = False
    """A terminal has detached: with nobody attached the host waits for somebody."""


class Snapshot(Wire, frozen=True, tag="snapshot"):
    """The whole state, sent after `Welcome` and whenever a client fell too far behind."""

    sessions: tuple[SessionView, ...]
    lock: LockView
    model: ModelView
    summarizer: SummarizerView
    downloads: tuple[DownloadView, ...] = ()
    pair: TabPair | None = None
    """The tabs that were put side by side last, while both are open."""


class SummarizerChanged(Wire, frozen=True, tag="summarizer_changed"):
    """The summarizer began, ended, was paused or goes on."""

    summarizer: SummarizerView


class Notice(Wire, frozen=True, tag="notice"):
    """A sentence for the person, not tied to a request. `session` 0: about the whole host."""

    level: Literal["information", "warning", "error"]
    text: str
    session: int = 0


class Leaving(Wire, frozen=True, tag="leaving"):
    """The host goes away on purpose: told to stop, or idle for `keep_alive`."""

    reason: str
