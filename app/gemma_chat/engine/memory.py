"""The KV memory: which session's tokens are in which stream, and which are saved in RAM.

A session that computes is *resident* in a stream of the context. When its turn ends its state is
saved, so that the next session in the stream pays for one restore only. Saved states share a
budget; the least recently used ones are dropped first, and their sessions evaluate their history
again when they are next used.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gemma_chat.engine.context import STREAMS, Context, StateBytes

Lane = Literal["foreground", "background"]
_STREAM: dict[Lane, int] = {"foreground": 0, "background": 1}


@dataclass(frozen=True, slots=True, eq=False)
class SavedState:
    """A stream's state after exactly `tokens` were evaluated. Never changed, so forks share it."""

    tokens: tuple[int, ...]
    state: StateBytes


@dataclass(slots=True, eq=False)
class HeldSequence:
    """One session's place in the KV memory.

    `tokens` are what its stream holds while it is resident; `saved` is what it can go back to.
    """

    tokens: list[int] = field(default_factory=list)
    saved: SavedState | None = None
    released: bool = False

    @property
    def token_count(self) -> int:
        """How many tokens can be reused without evaluating them again."""
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a session's prompt begins: tokens found resident, and tokens restored."""

    stream: int
    reused: int
    restored: int


class StateShelf:
    """Saved states in RAM, least recently used first, within a budget in bytes. Thread-safe."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._states: OrderedDict[int, tuple[SavedState, list[HeldSequence]]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, sequence: HeldSequence, state: SavedState) -> None:
        """Keep `state` for `sequence` in place of its older one, dropping others if need be."""
        with self._lock:
            self._detach(sequence)
            self._attach(sequence, state)
            while self.bytes > self.budget and len(self._states) > 1:
                self._drop(next(iter(self._states)))

    def share(self, parent: HeldSequence, child: HeldSequence) -> None:
        """Give `child` what `parent` has saved; no bytes are copied."""
        with self._lock:
            if parent.saved is not None and not child.released:
                self._attach(child, parent.saved)

    def touch(self, sequence: HeldSequence) -> None:
        """Mark the sequence's state as used now."""
        with self._lock:
            if sequence.saved is not None and id(sequence.saved) in self._states:
                self._states.move_to_end(id(sequence.saved))

    def remove(self, sequence: HeldSequence) -> None:
        """Forget the sequence; its state goes with the last sequence that shares it."""
        with self._lock:
            sequence.released = True
            self._detach(sequence)

    def _attach(self, sequence: HeldSequence, state: SavedState) -> None:
        if sequence.released:
            return
        entry = self._states.setdefault(id(state), (state, []))
        if not entry[1]:
            self.bytes += state.state.nbytes
        entry[1].append(sequence)
        self._states.move_to_end(id(state))
        sequence.saved = state

    def _detach(self, sequence: HeldSequence) -> None:
        state, sequence.saved = sequence.saved, None
        if state is None or id(state) not in self._states:
            return
        owners = self._states[id(state)][1]
        if sequence in owners:
            owners.remove(sequence)
        if not owners:
            del self._states[id(state)]
            self.bytes -= state.state.nbytes

    def _drop(self, key: int) -> None:
        state, owners = self._states.pop(key)
        self.bytes -= state.state.nbytes
        for owner in owners:
            owner.saved = None


class KVMemory:
    """Puts sessions into streams and takes them out. Engine thread only, `shelf` excepted."""

    def __init__(self, context: Context, shelf: StateShelf) -> None:
        self._context = context
        self.shelf = shelf
        self._resident: list[HeldSequence | None] = [None] * STREAMS

    def stream_of(self, sequence: HeldSequence) -> int | None:
        """The stream the sequence is resident in."""
        for stream, resident in enumerate(self._resident):
            if resident is sequence:
                return stream
        return None

    def place(self, sequence: HeldSequence, keep: int, lane: Lane) -> Placement:
        """Make the first `keep` tokens of a session resident, as far as they can be had.

        Afterwards `sequence.tokens` is what is resident: its first `keep` tokens, or fewer (often
        none) when they are lost and must be evaluated again.
        """
        stream = self.stream_of(sequence)
        if stream is not None and self._context.cut(stream, keep):
            del sequence.tokens[keep:]
            return Placement(stream, keep, 0)
        if stream is None:
            stream = self._vacate(_STREAM[lane])
        restored = self._restore(sequence, stream, keep)
        self._resident[stream] = sequence
        del sequence.tokens[restored:]
        return Placement(stream, 0, restored)

    def _restore(self, sequence: HeldSequence, stream: int, keep: int) -> int:
        """Fill `stream` from the saved state; returns how many tokens it holds then."""
        saved = sequence.saved
        self._context.clear(stream)
        if saved is None or keep == 0:
            return 0
        self.shelf.touch(sequence)
        usable = _shared(saved.tokens, sequence.tokens[:keep])
        if not usable or not self._context.restore(stream, saved.state):
            return 0
        return usable if self._context.cut(stream, usable) else 0

    def _vacate(self, stream: int) -> int:
        """Take whoever is resident out of `stream`, saved if it computed since its last save."""
        resident = self._resident[stream]
        if resident is not None:
            if not resident.released:
                self.save(resident)
            self._resident[stream] = None
        return stream

    def save(self, sequence: HeldSequence) -> None:
        """Save a resident session's state unless its saved one is current."""
        stream = self.stream_of(sequence)
        if stream is None or not sequence.tokens:
            return
        saved = sequence.saved
        if saved is not None and list(saved.tokens) == sequence.tokens:
            return
        state = SavedState(tuple(sequence.tokens), self._context.save(stream))
        self.shelf.put(sequence, state)

    def forget(self, sequence: HeldSequence) -> None:
        """The session's tokens in its stream are not to be trusted: evaluate them again."""
        stream = self.stream_of(sequence)
        if stream is not None:
            self._context.clear(stream)
            self._resident[stream] = None
        sequence.tokens.clear()


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    length = min(len(left), len(right))
    if tuple(left[:length]) == tuple(right[:length]):
        return length
    return next(at for at in range(length) if left[at] != right[at])
