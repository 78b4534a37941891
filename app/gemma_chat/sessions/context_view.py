"""What the model sees of a conversation, part by part: the prompt itself, cut where parts end."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, takewhile
from typing import Literal

from gemma_chat.engine.interface import ChatMessage, Engine, Prompt
from gemma_chat.sessions.conversation import Conversation

PartKind = Literal["system", "summary", "pinned", "exchange", "opening"]
"""The last one is how a question begins, which every prompt ends with."""


@dataclass(frozen=True, slots=True)
class ContextPart:
    """A stretch of the prompt. `title` is how the question of an exchange begins.

    `text` has the control tokens written out; it is empty where only a server knows it.

        print("".join(part.text for part in session.context().parts))
    """

    kind: PartKind
    tokens: int
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class ContextView:
    """The whole prompt. Its parts together are what the model is given before the next question.

    `left_out` exchanges are not in it, and `summarized` of them are told by the summary. Up to
    `room` tokens are kept free for the reply.

        print(sum(part.tokens for part in session.context().parts))
    """

    parts: tuple[ContextPart, ...]
    left_out: int
    summarized: int
    context_size: int
    room: int

    @property
    def tokens(self) -> int:
        """The length of the prompt."""
        return sum(part.tokens for part in self.parts)


TITLE = 100
"""Characters of a question that name its exchange."""

_OPENING = 4
"""Tokens that may stand before the text of a message: its control token, its role, a line end."""

_ASKED = ChatMessage("user", "")
"""The question that is not asked yet."""

_ANY_TEXT = b"A"
_ANY = ChatMessage("user", _ANY_TEXT.decode())
"""Stands behind a system instruction, which some templates write into the first question only."""


def context_of(conversation: Conversation, engine: Engine) -> ContextView:
    """The prompt that the next question of a conversation is put behind."""
    settings, exchanges = conversation.settings, conversation.exchanges
    replacement = conversation.replacement
    messages = conversation.messages(settings, replacement, _ASKED)
    kinds: list[tuple[PartKind, str]] = []
    beginnings: list[Prompt] = []
    at = 0

    def part(
        kind: PartKind, size: int, title: str = "", *, behind: Sequence[ChatMessage] = ()
    ) -> None:
        nonlocal at
        at += size
        kinds.append((kind, title))
        beginnings.append(conversation.prompt_of(settings, [*messages[:at], *behind]))

    has_system = messages[0].role == "system"
    # Without one, some templates write an instruction of their own.
    part("system", int(has_system), behind=[_ANY])
    if replacement.summary:
        part("summary", len(replacement.messages()))
    for one in replacement.kept(exchanges):
        part("pinned" if one.pinned else "exchange", len(one.messages()), one.question[:TITLE])
    part("opening", 1)
    covered = replace(replacement, exchanges=min(replacement.covered, replacement.exchanges))
    return ContextView(
        parts=tuple(
            ContextPart(kind, tokens, text, title)
            for (kind, title), (tokens, text) in zip(
                kinds, _stretches(beginnings, engine, own=int(has_system)), strict=True
            )
            if tokens
        ),
        left_out=replacement.replaces(exchanges),
        summarized=covered.replaces(exchanges),
        context_size=engine.description.context_size,
        room=conversation.space(settings).room,
    )


def _stretches(prompts: Sequence[Prompt], engine: Engine, *, own: int) -> list[tuple[int, str]]:
    """Cut the last prompt where each of those before it, which are its beginnings, ends.

    The first of them holds `own` messages, and all others at least one.
    """
    *beginnings, whole = prompts
    tokens = engine.spelled(whole)
    if tokens:
        openings = _openings(beginnings[0], engine)
        spelled = map(engine.spelled, beginnings)
        ends = [
            _end(tokens, beginning, openings, least=own if place == 0 else 1)
            for place, beginning in enumerate(spelled)
        ]
    else:
        ends = [prompt.token_count for prompt in beginnings]
    ends = list(accumulate([0, *ends, len(tokens) or whole.token_count], max))
    return [
        (end - begin, b"".join(tokens[begin:end]).decode("utf-8", "replace"))
        for begin, end in pairwise(ends)
    ]


def _openings(asked: Prompt, engine: Engine) -> set[bytes]:
    """The control tokens that open messages: that of the question in `asked`, and of a reply."""
    controls = [piece for piece in asked.pieces if isinstance(piece, int)][-1:]
    controls += [
        before
        for before, piece in pairwise(asked.pieces)
        if isinstance(before, int) and isinstance(piece, bytes) and piece.endswith(_ANY_TEXT)
    ]
    return set(engine.spelled(replace(asked, pieces=tuple(controls))))


def _end(
    tokens: Sequence[bytes], beginning: Sequence[bytes], openings: AbstractSet[bytes], *, least: int
) -> int:
    """How many tokens of a prompt are those of its beginning, which holds `least` messages.

    Where the next message opens in both, it ends before that.
    """
    pairs = zip(tokens, beginning, strict=False)
    end = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    opened = [place for place in range(end) if tokens[place] in openings]
    is_next = bool(opened) and opened[-1] >= 2 * least and end - opened[-1] <= _OPENING
    return opened[-1] if is_next else end
