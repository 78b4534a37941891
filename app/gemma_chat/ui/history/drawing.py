"""What the history says of a conversation: its line in the list, and its preview."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from gemma_chat.host.protocol import UNTITLED, ConversationView, HitView, MessageView
from gemma_chat.quantities import counted
from gemma_chat.terms import SPEAKERS, MessageRole
from gemma_chat.ui.text import age, one_line, padded, shown

_FOUND = "bold on $warning 35%"
MARK = "✓"
MARK_CELLS = 2
"""What the mark takes at the beginning of a line; a click there sets it."""
_LEAST_TITLE_CELLS = 20
"""A title that needs as much is not cut further for the sake of what stands beside it."""
_MOST_SHOWN = 1_500
"""Characters of one message in the preview."""


def title_of(view: ConversationView, cells: int) -> str:
    """What a conversation is called; one without a title, how its newest message begins."""
    return one_line(view.title, cells) or one_line(view.preview, cells) or UNTITLED


def line_of(view: ConversationView, *, marked: bool, now: float, cells: int) -> Content:
    """One line of the list: mark, title, and when it was used last."""
    when = age(max(0.0, now - view.updated))
    title_cells = min(_LEAST_TITLE_CELLS, cell_len(title_of(view, cells)))
    free = cells - MARK_CELLS - title_cells - 2
    rights = (f"open · {when}", "open", "") if view.open else (when, "")
    right = next(words for words in rights if cell_len(words) <= max(0, free))
    room = max(1, cells - MARK_CELLS - (cell_len(right) + 2 if right else 0))
    return Content.assemble(
        Content.styled(f"{MARK if marked else ' '} ", "bold $ink-mark"),
        Content.styled(padded(title_of(view, room), room), "" if view.title else "$ink-quiet"),
        Content.styled(f"  {right}" if right else "", "$ink-good" if view.open else "$ink-quiet"),
    )


def preview_of_messages(view: ConversationView, messages: Sequence[MessageView]) -> Content:
    """How a conversation ended."""
    parts = [_head(view)]
    if view.message_count > len(messages) > 0:
        earlier = _messages(view.message_count - len(messages))
        parts.append(Content.styled(f"\n… {earlier} before\n", "$ink-quiet"))
    parts += [_said(message.role, shown(message.text, _MOST_SHOWN)) for message in messages]
    if not messages:
        parts.append(Content.styled("\nNothing was said in it yet.", "$ink-quiet"))
    return Content.assemble(*parts)


def preview_of_passages(view: ConversationView, hits: Sequence[HitView], *, more: bool) -> Content:
    """Where the words that are searched stand in a conversation."""
    parts = [_head(view)]
    parts += [_said(hit.role, _highlighted(hit)) for hit in hits]
    if more:
        parts.append(Content.styled("\n\n… and further up", "$ink-quiet"))
    return Content.assemble(*parts)


def _head(view: ConversationView) -> Content:
    return Content.assemble(
        Content.styled(title_of(view, 200), "bold $ink-title"),
        Content.styled(f"\n{_messages(view.message_count)}\n", "$ink-quiet"),
    )


def _messages(count: int) -> str:
    return counted(count, "message")


def _said(role: MessageRole, text: str | Content) -> Content:
    return Content.assemble(Content.styled(f"\n{SPEAKERS[role]}\n", "$ink-quiet"), text, "\n")


def _highlighted(hit: HitView) -> Content:
    parts: list[Content] = []
    at = 0
    for start, end in hit.marks:
        parts.append(Content(shown(hit.snippet[at:start], _MOST_SHOWN)))
        parts.append(Content.styled(shown(hit.snippet[start:end], _MOST_SHOWN), _FOUND))
        at = end
    parts.append(Content(shown(hit.snippet[at:], _MOST_SHOWN)))
    return Content.assemble(*parts)
