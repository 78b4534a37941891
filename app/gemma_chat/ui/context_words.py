"""How the screen speaks of what the model sees of a conversation. Pure."""

from __future__ import annotations

from typing import Final

from gemma_chat.host.protocol import Context, ContextPart, ReplacedView
from gemma_chat.quantities import counted
from gemma_chat.ui.text import one_line, shown

MOST_SHOWN: Final = 2_000_000
"""Characters of a prompt that are shown."""

_RULE: Final = "┄"
_TITLE_CELLS: Final = 60
_KINDS: Final = {
    "system": "beginning, with system instruction and tools",
    "summary": "summary",
    "pinned": "pinned",
    "exchange": "",
    "opening": "where the next message goes",
}


def mark_of(replaced: ReplacedView) -> str:
    """The line below the last message that is not in the prompt; empty when all are."""
    if not replaced.messages:
        return ""
    above = f"{_messages(replaced.messages)} above"
    are = "is" if replaced.messages == 1 else "are"
    if not replaced.summarized:
        said = f"{above} {are} not in the model's context"
    elif replaced.summarized >= replaced.messages:
        said = f"{above} {are} in the model's context as a summary"
    else:
        rest = replaced.messages - replaced.summarized
        said = f"of {above}, {rest} are not in the model's context, the others as a summary"
    return f"{_RULE} {said} {_RULE}"


def briefly(replaced: ReplacedView) -> str:
    """The same for the status bar: `14 as summary`, `14 left out`; empty when all are there."""
    left_out = replaced.messages - replaced.summarized
    parts = []
    if replaced.summarized:
        parts.append(f"{replaced.summarized} as summary")
    if left_out > 0:
        parts.append(f"{left_out} left out")
    return ", ".join(parts)


def heading_of(context: Context, *, answering: bool = False) -> str:
    """How long the prompt is, what is kept free, and what is not in it.

    While the tab is `answering`, the exchange under way is not in it either.
    """
    used = sum(part.tokens for part in context.parts)
    lines = [
        f"{used:,} of {context.context_size:,} tokens, up to {context.room:,} kept free for the "
        "reply"
    ]
    if said := mark_of(context.replaced).strip(f"{_RULE} "):
        lines.append(said.replace(" above", ""))
    if answering:
        lines.append("The question under way is not in it yet; it joins when its reply has ended.")
    if not any(part.text for part in context.parts):
        lines.append("A server renders the prompt; these lengths are estimates.")
    return "\n".join(lines)


def listing_of(context: Context) -> str:
    """The whole prompt, each part below a line that says what it is and how long."""
    parts = [f"{_heading(part)}\n{part.text}".rstrip("\n") for part in context.parts]
    return shown("\n\n".join(parts), MOST_SHOWN)


def prompt_of(context: Context) -> str:
    """The prompt itself."""
    return "".join(part.text for part in context.parts)


def _heading(part: ContextPart) -> str:
    words = (_KINDS[part.kind], one_line(part.title, _TITLE_CELLS))
    named = ": ".join(word for word in words if word) or "an exchange"
    tokens = counted(part.tokens, "token")
    return f"── {named} · {tokens} ──"


def _messages(count: int) -> str:
    return counted(count, "message")
