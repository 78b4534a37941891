"""What the shell commands write: text for people or pipes, never a control sequence of a model."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import msgspec


def visible(text: str) -> str:
    """`text` with each control character but line ends and tabs as its escape."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def one_line(text: str) -> str:
    """`text` on one line, as a title or in a list."""
    return visible(" ".join(text.split()))


def print_text(text: str, *, end: str = "\n") -> None:
    """Write to stdout. Whoever reads only the beginning (`| head`) ends the command quietly."""
    # Only here: a host that dies must be a sentence and not the same signal.
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        click.echo(visible(text), nl=False)
        click.echo(end, nl=False)
    finally:
        signal.signal(signal.SIGPIPE, before)


def say(sentence: str) -> None:
    """Write a sentence to stderr, where it stands in the way of no reader."""
    click.echo(f"gemma-chat: {visible(sentence)}", err=True)


def forget_stdout() -> None:
    """Let what is still to be written go nowhere, without a complaint when the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def print_json(fields: object) -> None:
    """One JSON value on one line."""
    import msgspec

    print_text(msgspec.json.encode(fields).decode())


def fields_of(record: msgspec.Struct) -> dict[str, object]:
    """The fields of a message of the protocol, without its type."""
    import msgspec

    fields = msgspec.to_builtins(record)
    return {name: value for name, value in fields.items() if name not in ("type", "id")}


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Columns for a terminal, single tabs for a pipe."""
    found = [tuple(one_line(cell) for cell in row) for row in rows]
    if not sys.stdout.isatty():
        return "\n".join("\t".join(row) for row in found)
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*found, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in found
    )


def moment(seconds: float) -> str:
    """A time as a person reads it: the hour today, else the date."""
    when = datetime.fromtimestamp(seconds)
    same_day = when.date() == datetime.fromtimestamp(time.time()).date()
    return when.strftime("%H:%M" if same_day else "%Y-%m-%d")
