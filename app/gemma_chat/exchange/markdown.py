"""A conversation as Markdown: readable as it is, and by every program that reads Markdown."""

from __future__ import annotations

from gemma_chat.exchange.times import written
from gemma_chat.exchange.transcript import ENDINGS, Line, Transcript, introduced, notes


def write_markdown(transcript: Transcript) -> str:
    """The conversation with a heading for each message; their own Markdown stays as it is."""
    parts = [f"# {_one_line(transcript.title) or 'Conversation'}"]
    if transcript.created:
        parts.append(f"*{written(transcript.created)}*")
    system = transcript.settings.system_instruction
    if system:
        parts += ["## System instruction", _quoted(system)]
    for line, speaker in introduced(transcript.shown):
        beside = "\n".join(f"- {_code(note)}" for note in notes(line))
        parts += [_heading(line, speaker), *filter(None, (beside, line.text.strip("\n")))]
    return "\n\n".join(parts) + "\n"


def _heading(line: Line, speaker: str) -> str:
    ending = ENDINGS.get(line.ending)
    return f"## {speaker}" + (f" ({ending})" if ending else "")


def _code(text: str) -> str:
    """`text` between more backticks than it has in a row."""
    fence = "`"
    while fence in text:
        fence += "`"
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{_one_line(text)}{space}{fence}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _one_line(text: str) -> str:
    return " ".join(text.split())
