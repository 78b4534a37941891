"""The KV memory: which session's tokens are in which stream of the context.

A session that computes is *resident* in a stream. When its turn ends its state is saved, so that
the next session in the stream pays for one restore only. Going back (regenerate, edit, another
branch) cuts the stream; where sliding-window attention has dropped the positions that would be
needed, a checkpoint taken at a turn boundary brings them back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gemma_chat.engine.checkpoints import Checkpoint, Point, thin, way_back
from gemma_chat.engine.context import STREAMS, Context
from gemma_chat.engine.shelf import HeldSequence, SavedState, StateShelf
from gemma_chat.engine.state_bytes import StateBytes
from gemma_chat.errors import EngineCrashedError
from gemma_chat.terms import Lane

_STREAM: dict[Lane, int] = {"foreground": 0, "background": 1}
_MOST_STORED = 2
"""Checkpoints in a file: back to the last question after a restart, and to what was before it."""
_UNSAVED = (EngineCrashedError, OSError, MemoryError)
"""No memory for a copy: a reply that is there must not be lost for it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a session's prompt begins: tokens found resident, and tokens restored."""

    stream: int
    reused: int
    restored: int


class KVMemory:
    """Puts sessions into streams and takes them out. Engine thread only."""

    def __init__(self, context: Context, shelf: StateShelf) -> None:
        self._context = context
        self._shelf = shelf
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
        if stream is not None and self._go_back(sequence, stream, keep):
            self.lay_out(sequence)
            return Placement(stream, len(sequence.tokens), 0)
        if stream is None:
            stream = _STREAM[lane]
            self._vacate(stream)
        self._resident[stream] = sequence
        self._restore(sequence, stream, keep)
        self.lay_out(sequence)
        return Placement(stream, 0, len(sequence.tokens))

    def goes_round(self, length: int) -> bool:
        """Whether so many tokens are more than the sliding window holds, in a model with one."""
        return 0 < self._context.sliding_window < length

    def lay_out(self, sequence: HeldSequence) -> StateBytes | None:
        """Put the sliding window of a resident session into the cells a saved one comes back in.

        A window that has been moved on goes round in its cells, and attention adds up in the order
        of the cells: without this a session that stayed would go on with other logits than one
        that was saved and restored. So it is done wherever one of both may be: when a turn begins,
        before each micro-batch of a prompt, and at turn boundaries.

        Returns a copy of the window; `None` when all the session holds is within it, and when there
        is no memory for a copy: it stays as it lies then. The session holds nothing afterwards in
        case llama.cpp refuses what it has written itself.
        """
        stream, context = self.stream_of(sequence), self._context
        if stream is None or not self.goes_round(len(sequence.tokens)):
            return None
        window = self._window_of(stream)
        if window is None or context.restore_window(stream, window):
            return window
        sequence.cut(0)
        return None

    def _restore(self, sequence: HeldSequence, stream: int, keep: int) -> None:
        """Fill `stream` from the saved state, as far as there is one; else it is empty."""
        saved = sequence.saved
        wanted = np.array(sequence.tokens[:keep], np.int32)
        sequence.cut(0)
        self._context.clear(stream)
        if saved is None or keep == 0:
            return
        length = min(keep, saved.tokens.size)
        if not np.array_equal(saved.tokens[:length], wanted[:length]):
            return
        state = self._shelf.bytes_of(saved)
        if state is not None and self._context.restore(stream, state):
            sequence.take(saved)
            self._go_back(sequence, stream, length)

    def _go_back(self, sequence: HeldSequence, stream: int, keep: int) -> int:
        """Cut a resident session to `keep` tokens, or to fewer; returns how many remain."""
        context = self._context
        kept = keep if context.can_cut(stream, keep) else self._rewind(sequence, stream, keep)
        if not kept:
            context.clear(stream)
        elif not context.cut(stream, kept):
            kept = 0
        sequence.cut(kept)
        return kept

    def _rewind(self, sequence: HeldSequence, stream: int, keep: int) -> int:
        """Bring back the window of a checkpoint from which `keep`, or nearly, can be reached."""
        chosen = way_back(sequence.checkpoints, keep, self._context.edge(keep))
        if chosen is None or not self._context.restore_window(stream, chosen.state):
            return 0
        return min(keep, chosen.length)

    def reach(self, held: HeldSequence | SavedState, keep: int) -> int:
        """How many of the first `keep` tokens can be made resident: all, or fewer.

        Beyond a sliding window a state goes back to its checkpoints, and to nothing between them.
        """
        context = self._context
        if not context.sliding_window:
            return keep
        if isinstance(held, HeldSequence):
            stream = self.stream_of(held)
            if stream is not None:
                return self._reach(held.checkpoints, context.first(stream), keep)
            if held.saved is None:
                return 0
            held = held.saved
        return self._reach(held.points, context.edge(held.tokens.size), keep)

    def _reach(self, points: Sequence[Point], first: int, keep: int) -> int:
        edge = self._context.edge(keep)
        if 0 <= first <= edge:
            return keep
        chosen = way_back(points, keep, edge)
        return 0 if chosen is None else min(keep, chosen.length)

    def mark(self, sequence: HeldSequence) -> None:
        """Remember this turn boundary: a session can come back here, or set out from here."""
        sequence.seam()
        length = len(sequence.tokens)
        window, stream = self.lay_out(sequence), self.stream_of(sequence)
        if window is None or stream is None:
            return
        if any(point.length == length for point in sequence.checkpoints):
            return
        sequence.checkpoints.append(Checkpoint(length, self._first_saved(stream, length), window))
        thin(sequence.checkpoints)

    def remember_beginning(self, sequence: HeldSequence, coming: int) -> None:
        """Keep all of the window before the next `coming` tokens push the beginning out of it.

        From there a session goes back to any length within the window.
        """
        length = len(sequence.tokens)
        if not 0 < length <= self._context.sliding_window < length + coming:
            return
        stream = self.stream_of(sequence)
        if stream is None:
            return
        window = self._window_of(stream)
        if window is not None:
            # Guesses that were wrong lead here again, a little further on.
            sequence.checkpoints[:] = [Checkpoint(length, 0, window)]

    def _window_of(self, stream: int) -> StateBytes | None:
        try:
            return self._context.save_window(stream)
        except _UNSAVED as error:
            _log.warning("a session cannot go back to where it is now: %s", error)
            return None

    def find_losses(self, sequence: HeldSequence) -> None:
        """Forget what a session held when neither its stream nor the shelf has it any more."""
        if self.stream_of(sequence) is None and not self._shelf.keeps(sequence.saved):
            sequence.cut(0)

    def leave(self, sequence: HeldSequence) -> None:
        """Take a session out of its stream without saving it: it goes on from another state."""
        stream = self.stream_of(sequence)
        if stream is not None:
            self._resident[stream] = None

    def _vacate(self, stream: int) -> None:
        """Take whoever is resident out of `stream`, saved if it computed since its last save."""
        resident = self._resident[stream]
        if resident is not None:
            self.save(resident, "memory")
            resident.leave()
            self._resident[stream] = None

    def save(self, sequence: HeldSequence, durability: Literal["file", "memory"]) -> None:
        """Save a resident session's state unless its saved one is current."""
        stream = self.stream_of(sequence)
        if stream is None or not sequence.tokens or sequence.released:
            return
        saved = sequence.saved
        if (
            saved is not None
            and self._shelf.keeps(saved)
            and saved.tokens.tolist() == sequence.tokens
        ):
            return
        try:
            state = self._context.save(stream)
        except _UNSAVED as error:
            _log.warning("the state of a session is not saved: %s", error)
            return
        self._shelf.put(sequence, state, durability, self._far_checkpoints(sequence, stream))

    def _far_checkpoints(self, sequence: HeldSequence, stream: int) -> list[Checkpoint]:
        """The newest checkpoints that neither the state itself nor a newer one can go back to."""
        context = self._context
        far: list[Checkpoint] = []
        for point in reversed(sequence.checkpoints):
            newest = far[-1].first if far else self._first_saved(stream, len(sequence.tokens))
            if newest > context.edge(point.length) and len(far) < _MOST_STORED:
                far.append(point)
        return far[::-1]

    def _first_saved(self, stream: int, length: int) -> int:
        """The first position in all layers of what is saved of a stream of this length.

        The cache still holds some positions that have left the window; a copy of it does not.
        """
        return max(self._context.first(stream), self._context.edge(length))

    def wipe(self, sequence: HeldSequence) -> None:
        """Overwrite the whole KV cache; everybody but `sequence` keeps what they evaluated.

        Attention multiplies what is masked by 0, and what is no number stays none by that: it
        would spoil every later session in these cells.
        """
        for stream, resident in enumerate(self._resident):
            if resident is not None and resident is not sequence:
                self.save(resident, "memory")
                resident.leave()
            self._resident[stream] = None
        sequence.cut(0)
        self._context.wipe()

    def forget(self, sequence: HeldSequence) -> None:
        """The session's tokens in its stream are not to be trusted: evaluate them again."""
        stream = self.stream_of(sequence)
        if stream is not None:
            self._context.clear(stream)
            self._resident[stream] = None
        sequence.cut(0)
