"""The whole state as events, however large the tabs are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gemma_chat.host.protocol import (
    MAX_FRAME_BYTES,
    DownloadView,
    Event,
    LockView,
    ModelView,
    SessionChanged,
    SessionView,
    Snapshot,
    SummarizerView,
    TabPair,
)

_BYTES_PER_CHARACTER: Final = 4
_ROOM: Final = MAX_FRAME_BYTES // 2


def snapshot_events(
    tabs: Iterable[SessionView],
    lock: LockView,
    model: ModelView,
    summarizer: SummarizerView,
    downloads: tuple[DownloadView, ...] = (),
    pair: TabPair | None = None,
) -> Iterator[Event]:
    """A `Snapshot`, and a `SessionChanged` for each tab that made it too large for a frame."""
    within: list[SessionView] = []
    beyond: list[SessionView] = []
    room = _ROOM
    for tab in tabs:
        room -= _size(tab)
        (within if room >= 0 else beyond).append(tab)
    yield Snapshot(tuple(within), lock, model, summarizer, downloads, pair)
    for tab in beyond:
        yield SessionChanged(tab)


def _size(tab: SessionView) -> int:
    settings = tab.settings
    texts = (
        tab.title,
        tab.draft,
        tab.summary.text,
        tab.replaced.summary,
        settings.system_instruction,
    )
    grammar = settings.sampling.grammar or ""
    return 1024 + _BYTES_PER_CHARACTER * (sum(map(len, texts)) + len(grammar))
