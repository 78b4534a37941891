"""Search of what was said before, in other conversations too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from gemma_chat.errors import ToolError
from gemma_chat.tools.functions import function_tool
from gemma_chat.tools.tool import Tool

MAX_FOUND: Final = 10
MAX_QUERY_CHARACTERS: Final = 400
CONTEXT_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message in which something was found. `created` is in seconds since 1970."""

    title: str
    role: str
    text: str
    created: float


SearchHistory = Callable[[str, int], Awaitable[Sequence[FoundMessage]]]
"""The messages that hold all words of a text, newest first, at most so many."""


def history_tool(search: SearchHistory) -> Tool:
    """The tool `search_history`, which finds by `search`."""

    async def search_history(
        words: Annotated[str, "Words that all stand in the message, or a phrase in quotes"],
    ) -> str:
        """Search the person's earlier conversations with you for messages with these words."""
        wanted = words.strip()
        if not wanted or len(wanted) > MAX_QUERY_CHARACTERS:
            raise ToolError(
                f"Search for 1 to {MAX_QUERY_CHARACTERS} characters; these are {len(wanted)}."
            )
        found = (await search(wanted, MAX_FOUND))[:MAX_FOUND]
        return "\n\n".join(_shown(one, wanted) for one in found) or "Nothing was found."

    return function_tool(search_history)


def _shown(found: FoundMessage, words: str) -> str:
    when = datetime.fromtimestamp(found.created).astimezone()
    return f"[{found.title}, {when:%Y-%m-%d %H:%M}, {found.role}]\n{_around(found.text, words)}"


def _around(text: str, words: str) -> str:
    """The part of `text` where `words` stand; when they stand apart, the first of them."""
    folded = text.casefold()
    places = (folded.find(part.casefold().strip('"*')) for part in (words, *words.split()))
    at = next((place for place in places if place >= 0), 0)
    begin = max(0, at - CONTEXT_CHARACTERS // 2)
    end = begin + CONTEXT_CHARACTERS + len(words)
    before, behind = "…" if begin else "", "…" if end < len(text) else ""
    return f"{before}{text[begin:end].strip()}{behind}"
