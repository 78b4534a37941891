"""Saved states: in RAM within a budget, in files behind it, and found again by their tokens.

A state belongs to the sessions that use it: one, or several after a fork. When a session goes on
from a state, the older one is dropped; when it takes another way (a reply regenerated, a message
edited), the older one stays as an *orphan*, so that going back to that branch costs nothing. Files
left by an earlier process are orphans too: after a restart a conversation finds its own again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from gemma_chat.engine.adapters import Adapter
from gemma_chat.engine.checkpoints import Checkpoint, Point
from gemma_chat.engine.state_bytes import StateBytes
from gemma_chat.engine.state_files import ReadState, StateFiles, StoredState, Tokens

_MOST_ORPHANS = 512
_MOST_PENDING = 4
"""States that may wait for the disk, in RAM, before a turn has to wait for it."""


@dataclass(slots=True, eq=False)
class SavedState:
    """A stream's state after exactly `tokens` were evaluated.

    Tokens and bytes never change, so sessions share it. `state` is `None` while it is only in its
    file.
    """

    tokens: Tokens
    seams: tuple[int, ...]
    state: StateBytes | None
    checkpoints: tuple[Checkpoint, ...] = ()
    far: tuple[Checkpoint, ...] = ()
    """Those that go into its file, because cutting the state back does not reach as far."""
    stored: StoredState | None = None
    owners: int = 0
    adapter: str = ""
    """The key of the LoRA adapter it was evaluated with; empty without one."""

    @property
    def points(self) -> Sequence[Point]:
        """How far its checkpoints reach, also while they are only in its file."""
        if self.state is None and self.stored is not None:
            return self.stored.checkpoints
        return self.checkpoints

    @property
    def ram_bytes(self) -> int:
        """What it takes in RAM now."""
        if self.state is None:
            return 0
        return self.state.nbytes + sum(point.state.nbytes for point in self.checkpoints)


@dataclass(slots=True, eq=False)
class HeldSequence:
    """One session's place in the KV memory.

    `tokens` are what can be reused: what its stream holds while it is resident, and what `saved`
    holds otherwise.
    """

    tokens: list[int] = field(default_factory=list)
    saved: SavedState | None = None
    seams: list[int] = field(default_factory=list)
    """Where batches ended that every session with the same tokens so far ends too, growing.

    The same tokens in other batches give slightly other numbers. A session that takes over what
    another one evaluated takes it up to a seam, and so computes what it would have by itself.
    """
    checkpoints: list[Checkpoint] = field(default_factory=list)
    released: bool = False
    adapter: Adapter | None = None
    """What its tokens were evaluated with."""

    @property
    def adapter_key(self) -> str:
        """The key of its adapter; empty without one."""
        return "" if self.adapter is None else self.adapter.key

    @property
    def token_count(self) -> int:
        """How many tokens can be reused without evaluating them again."""
        return len(self.tokens)

    def cut(self, length: int) -> None:
        """Forget what comes after the first `length` tokens."""
        del self.tokens[length:]
        self.seams[:] = [seam for seam in self.seams if seam <= length]
        self.checkpoints[:] = [point for point in self.checkpoints if point.length <= length]

    def seam(self) -> None:
        """A batch has ended here that would have ended here in any session."""
        if not self.seams or self.seams[-1] < len(self.tokens):
            self.seams.append(len(self.tokens))

    def set_out_from(self, saved: SavedState) -> None:
        """Hold the tokens of a saved state; its checkpoints stay with it until they are needed."""
        self.tokens[:] = saved.tokens.tolist()
        self.seams[:] = saved.seams
        self.checkpoints.clear()

    def take(self, saved: SavedState) -> None:
        """Hold all of a saved state, which is resident now."""
        self.set_out_from(saved)
        self.checkpoints[:] = saved.checkpoints

    def leave(self) -> None:
        """Resident no more: the checkpoints are those of the saved state, in RAM while that is."""
        self.checkpoints.clear()


class StateShelf:
    """All saved states of one engine. Thread-safe.

    Args:
        budget: bytes of RAM; the least recently used states go to their files, or are dropped.
        files: where states are written; `None` keeps them in RAM only.
    """

    def __init__(self, budget: int, files: StateFiles | None = None) -> None:
        self._budget = budget
        self._files = files
        self._states: dict[int, SavedState] = {}
        self._lock = threading.RLock()
        self._ram = 0
        # The longest unused first, as among those that come later.
        for stored in reversed(tuple(files.known())) if files else ():
            self._add(
                SavedState(stored.tokens, stored.seams, None, stored=stored, adapter=stored.adapter)
            )

    @property
    def bytes(self) -> int:
        """What all states take in RAM."""
        return self._ram

    @property
    def disk_bytes(self) -> int:
        """What the states that are in files take there."""
        with self._lock:
            stored = (saved.stored for saved in self._states.values())
            return sum(one.bytes for one in stored if one is not None)

    # ------------------------------------------------------------ a session's state

    def put(
        self,
        sequence: HeldSequence,
        state: StateBytes,
        durability: Literal["file", "memory"],
        far: Sequence[Checkpoint] = (),
    ) -> None:
        """Keep `state` for what `sequence` holds now, in place of its older one.

        `durability`: whether it is written to a file now, or when there is no room for it in RAM.
        `far`: those of its checkpoints that go into the file.
        """
        with self._lock:
            if sequence.released:
                return
            tokens = np.array(sequence.tokens, np.int32)
            saved = SavedState(
                tokens,
                tuple(sequence.seams),
                state,
                tuple(sequence.checkpoints),
                tuple(far),
                adapter=sequence.adapter_key,
            )
            outgrown = self._detach(sequence, saved)
            self._add(saved)
            self._attach(sequence, saved)
            if durability == "file":
                self._write(saved, outgrown)
            self._shrink()
        if self._files is not None:
            # Without the lock: whoever closes or forks a session does not wait for the disk.
            self._files.keep_up(_MOST_PENDING)

    def share(self, saved: SavedState | None, sequence: HeldSequence) -> None:
        """Give `sequence` a state that is on the shelf, in place of its own; copies no bytes."""
        with self._lock:
            if saved is None or sequence.released or id(saved) not in self._states:
                return
            if saved.adapter != sequence.adapter_key:
                return
            if sequence.saved is not saved:
                self._detach(sequence, saved)
                self._attach(sequence, saved)
            sequence.set_out_from(saved)

    def part(self, sequence: HeldSequence) -> None:
        """Leave the state of `sequence` on the shelf, for whoever goes on from it later."""
        with self._lock:
            saved, sequence.saved = sequence.saved, None
            if saved is not None:
                saved.owners -= 1
            sequence.cut(0)

    def bytes_of(self, saved: SavedState) -> StateBytes | None:
        """The bytes of a state, from its file if need be; `None` when they are lost."""
        with self._lock:
            if id(saved) in self._states:
                self._states[id(saved)] = self._states.pop(id(saved))
            state, stored = saved.state, saved.stored
        if state is not None or stored is None or self._files is None:
            return state
        self._files.settle()
        read = self._files.read(stored)
        with self._lock:
            if id(saved) in self._states:
                self._load(saved, read)
        return None if read is None else read.state

    def keeps(self, saved: SavedState | None) -> bool:
        """Whether a state can still be had: its bytes are in RAM or in a file."""
        with self._lock:
            return saved is not None and id(saved) in self._states

    def remove(self, sequence: HeldSequence) -> None:
        """Forget a session. Its RAM comes back; its file stays for when it is opened again."""
        with self._lock:
            sequence.released = True
            saved, sequence.saved = sequence.saved, None
            if saved is None:
                return
            saved.owners -= 1
            if saved.owners == 0:
                self._unload(saved)

    # ------------------------------------------------------------ finding

    def longest(self, prompt: Sequence[int], count: int, adapter: str = "") -> list[SavedState]:
        """The states that share most tokens with the beginning of a prompt, the best first.

        Only those that were evaluated with the adapter of this key.
        """
        wanted = np.array(prompt, np.int32)
        with self._lock:
            scored = [
                (_shared(state.tokens, wanted), state)
                for state in self._states.values()
                if state.adapter == adapter
            ]
        scored.sort(key=lambda entry: entry[0], reverse=True)
        return [state for shared, state in scored[:count] if shared]

    # ------------------------------------------------------------ within the lock

    def _add(self, saved: SavedState) -> None:
        self._states[id(saved)] = saved
        self._ram += saved.ram_bytes
        orphans = [state for state in self._states.values() if not state.owners]
        for orphan in orphans[: len(orphans) - _MOST_ORPHANS]:
            self._drop(orphan)

    def _attach(self, sequence: HeldSequence, saved: SavedState) -> None:
        sequence.saved = saved
        saved.owners += 1

    def _detach(self, sequence: HeldSequence, successor: SavedState) -> Path | None:
        """Take a session's state from it; returns the file that `successor` makes useless."""
        saved, sequence.saved = sequence.saved, None
        if saved is None:
            return None
        saved.owners -= 1
        outgrown = _shared(saved.tokens, successor.tokens) == saved.tokens.size
        if saved.owners or not outgrown or id(saved) not in self._states:
            return None
        self._forget(saved)
        return saved.stored.path if saved.stored else None

    def _write(self, saved: SavedState, outgrown: Path | None = None) -> None:
        if self._files is None or saved.state is None:
            return
        saved.stored = self._files.write_soon(
            saved.tokens,
            saved.seams,
            saved.state,
            saved.far,
            adapter=saved.adapter,
            replaces=outgrown,
            wanted=lambda: id(saved) in self._states,
        )

    def _load(self, saved: SavedState, read: ReadState | None) -> None:
        if read is None:
            self._drop(saved)
            return
        saved.state, saved.checkpoints = read.state, read.checkpoints
        self._ram += saved.ram_bytes
        self._shrink(keep=saved)

    def _shrink(self, keep: SavedState | None = None) -> None:
        for saved in list(self._states.values()):
            if self._ram <= self._budget:
                return
            if saved is not keep and saved.state is not None:
                self._unload(saved)

    def _unload(self, saved: SavedState) -> None:
        """Free the RAM of a state. It has a file, or gets one while a session needs it."""
        if saved.stored is None and saved.owners:
            self._write(saved)
        if saved.stored is None:
            self._drop(saved)
            return
        self._ram -= saved.ram_bytes
        self._let_go(saved)

    def _drop(self, saved: SavedState) -> None:
        self._forget(saved)
        # Sessions it belonged to still know it: its bytes must not stay with them.
        self._let_go(saved)
        if saved.stored is not None and self._files is not None:
            self._files.remove_soon(saved.stored.path)
            saved.stored = None

    def _let_go(self, saved: SavedState) -> None:
        saved.state, saved.checkpoints, saved.far = None, (), ()

    def _forget(self, saved: SavedState) -> None:
        if self._states.pop(id(saved), None) is not None:
            self._ram -= saved.ram_bytes

    def close(self) -> None:
        """Write what waits for the disk."""
        if self._files is not None:
            self._files.close()


def _shared(left: Tokens, right: Tokens) -> int:
    """The length of the longest common beginning."""
    length = min(left.size, right.size)
    different = np.flatnonzero(left[:length] != right[:length])
    return int(different[0]) if different.size else length
