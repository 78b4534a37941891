"""Writing the conversation of a tab to a file, in a format that its name or a word stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gemma_chat.exchange.transcript import Line, Transcript
from gemma_chat.exchange.writing import (
    FORMATS,
    Format,
    file_name,
    format_of,
    rendered,
    write_new_file,
)
from gemma_chat.host.protocol import MessageView, SessionView


def write_conversation(view: SessionView, messages: Iterable[MessageView], wish: str) -> Path:
    """Write it, and return where to: `wish` is a format, a file, or empty for Markdown.

    Without a file it goes into a new one in this folder that is named after the title. Raises
    `ExchangeError`; a file that exists is left as it is.
    """
    transcript = Transcript(title=view.title, lines=tuple(_lines(messages)), settings=view.settings)
    form: Format = "markdown"
    named = next((each for each in FORMATS if each == wish.lower()), None)
    if named is not None or not wish:
        form = named or form
        target = file_name(transcript, view.session, form)
    else:
        target = Path(wish).expanduser()
        form = format_of(target)
    target = target.absolute()
    write_new_file(target, rendered(transcript, form))
    return target


def _lines(messages: Iterable[MessageView]) -> Iterator[Line]:
    for message in messages:
        if message.state != "queued" and message.state != "streaming":
            yield Line(message.role, message.text, message.created, message.state)
