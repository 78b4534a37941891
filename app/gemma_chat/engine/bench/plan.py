"""How much is measured: rounds and sizes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from gemma_chat.errors import SettingsError

SMALLEST_CONTEXT = 1024
_GROWTH = 640
"""Tokens by which a conversation grows beyond its planned length while it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rounds, and sizes in tokens."""

    quick: bool = False
    rounds: int = 5
    depths: tuple[int, ...] = (256, 2048)
    """Tokens before the reply whose decoding is timed."""
    decoded: int = 48
    """Tokens of such a reply, each round."""
    decode_seconds: float = 3.0
    """The most that one side takes in a round: on a busy machine threads hardly move."""
    prefill: int = 1024
    history: int = 1500
    """The conversations that are switched between and restarted."""
    replays: int = 5
    """Rounds in which the history is evaluated anew, which takes long; the median stands for the
    other rounds."""
    message: int = 15
    turns_history: int = 700
    """More than the sliding window of the models at hand, whose checkpoints are needed then."""
    summarized: int = 1000
    forks: int = 50
    fork_history: int = 3000
    idle_tabs: int = 8
    tabs: int = 200
    """0 leaves the measurement of many tabs out."""
    tab_history: int = 500

    def fitted(self, context_size: int) -> Plan:
        """The same with sizes that a context of this many tokens can hold.

        Raises:
            SettingsError: the context is too small for any of it.
        """
        if context_size < SMALLEST_CONTEXT:
            raise SettingsError(
                f"The context has {context_size} tokens and the measurements need "
                f"{SMALLEST_CONTEXT}: set model.context_size to at least that, or to 0."
            )
        room = context_size - _GROWTH
        sizes = {
            field.name: min(getattr(self, field.name), room)
            for field in fields(self)
            if field.name in _SIZES
        }
        depths = tuple(sorted({min(depth, room) for depth in self.depths}))
        return replace(self, depths=depths, **sizes)


_SIZES = ("prefill", "history", "turns_history", "summarized", "fork_history", "tab_history")

FULL = Plan()
QUICK = Plan(
    quick=True,
    rounds=3,
    depths=(256,),
    decoded=16,
    decode_seconds=1.0,
    prefill=160,
    history=256,
    replays=1,
    turns_history=576,
    summarized=160,
    fork_history=320,
    idle_tabs=4,
    tabs=0,
)
