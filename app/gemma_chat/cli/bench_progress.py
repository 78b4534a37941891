"""How far `gemma-chat bench` is, on stderr: a bar on a terminal, a line a measurement elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from gemma_chat.engine.bench.names import Name


class Progress:
    """Use it as a context, so that the bar's line is ended."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._expected: Mapping[Name, int] = {}
        self._begun: list[Name] = []
        self._stack = ExitStack()
        self._bar: ProgressBar[int] | None = None
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def say(self, words: str) -> None:
        """What is done before anything is counted."""
        click.echo(f"{words} …", err=True)

    def expect(self, ticks: Mapping[Name, int]) -> None:
        """How many ticks each measurement will give."""
        self._expected = ticks
        if self._on_terminal:
            bar: ProgressBar[int] = click.progressbar(
                length=max(1, sum(ticks.values())),
                file=sys.stderr,
                show_eta=False,
                item_show_func=lambda _: self._begun[-1] if self._begun else "",
            )
            self._bar = self._stack.enter_context(bar)

    def begin(self, name: Name) -> None:
        """A measurement begins; those before it have ended, with all their ticks or not."""
        self._move_to(sum(self._expected[one] for one in self._begun))
        self._begun.append(name)
        if self._bar is not None:
            self._bar.render_progress()
        elif not self._on_terminal:
            click.echo(f"{len(self._begun)}/{len(self._expected)} {name}", err=True)

    def tick(self) -> None:
        """One step of the present measurement is done."""
        self._move_to(self._done + 1)

    def _move_to(self, done: int) -> None:
        if self._bar is not None and done > self._done:
            self._bar.update(done - self._done)
        self._done = max(done, self._done)
