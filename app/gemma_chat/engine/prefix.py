"""What of a new prompt is evaluated already: pure matching of tokens against a rendered text.

A reply's tokens are what the model sampled, which need not be what the tokenizer would make of
their text. So held tokens are compared with the new prompt by their bytes where that carries
through a whole run of text, and by token elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gemma_chat.engine.interface import MediaPiece

Piece = int | bytes | MediaPiece

_TRIMMED = 16
"""Bytes at the end of a reply that a template may have trimmed away without losing the match."""


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """The length of the longest common beginning."""
    length = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        length += 1
    return length


def settled(seams: Sequence[int], found: int, micro_batch: int) -> int:
    """How many of `found` matching tokens can be taken over without changing what follows.

    A turn evaluates its prompt from the last seam on in whole micro-batches. A match that ends in
    the middle of one is cut back to its beginning, so that the rest is evaluated in the batches it
    would be without the match.

    Args:
        seams: where turns began or ended, growing.
        found: how many tokens match.
        micro_batch: tokens evaluated at once.
    """
    base = max((seam for seam in seams if seam <= found), default=0)
    return base + (found - base) // micro_batch * micro_batch


def plan(
    held: Sequence[int],
    pieces: Sequence[Piece],
    *,
    tokenize: Callable[[bytes], list[int]],
    piece: Callable[[int], bytes],
    is_control: Callable[[int], bool],
) -> tuple[int, list[int]]:
    """Match a prompt against tokens that are evaluated already.

    Args:
        held: tokens in the KV cache or in a saved state, from position 0.
        pieces: the prompt, control tokens as numbers, text as bytes, and media, which match as a
            whole or not at all.
        tokenize: text to tokens, never giving control tokens.
        piece: the bytes of a token.
        is_control: whether a token is a control token.

    Returns:
        How many of the held tokens the prompt begins with, and the tokens that follow them. The
        bytes of both together are the bytes of the prompt, and a control token is matched by
        nothing but itself.
    """
    at = 0
    for number, part in enumerate(pieces):
        if isinstance(part, int):
            if at < len(held) and held[at] == part:
                at += 1
                continue
            return at, _rest(pieces[number:], tokenize)
        if isinstance(part, MediaPiece):
            end = at + len(part.tokens)
            if tuple(held[at:end]) == part.tokens:
                at = end
                continue
            return at, _rest(pieces[number:], tokenize)
        canonical = tokenize(part)
        same = common_prefix(held[at : at + len(canonical)], canonical)
        if same == len(canonical):
            at += same
            continue
        tokens, length = _match_bytes(held, at, part, piece, is_control)
        if length == len(part):
            at += tokens
            continue
        if len(part) - length <= _TRIMMED and tokens > same:
            return at + tokens, tokenize(part[length:]) + _rest(pieces[number + 1 :], tokenize)
        return at + same, canonical[same:] + _rest(pieces[number + 1 :], tokenize)
    return at, []


def _match_bytes(
    held: Sequence[int],
    at: int,
    text: bytes,
    piece: Callable[[int], bytes],
    is_control: Callable[[int], bool],
) -> tuple[int, int]:
    """How many held tokens from `at` spell the beginning of `text`, and how many bytes of it."""
    tokens = length = 0
    while at + tokens < len(held) and length < len(text):
        token = held[at + tokens]
        spelled = piece(token) if token >= 0 else b""
        if is_control(token) or not spelled or not text.startswith(spelled, length):
            break
        tokens += 1
        length += len(spelled)
    return tokens, length


def _rest(pieces: Sequence[Piece], tokenize: Callable[[bytes], list[int]]) -> list[int]:
    tokens: list[int] = []
    for part in pieces:
        if isinstance(part, int):
            tokens.append(part)
        elif isinstance(part, MediaPiece):
            tokens.extend(part.tokens)
        else:
            tokens.extend(tokenize(part))
    return tokens


class MediaSpan(NamedTuple):
    """Where a piece of media stands among the tokens of a prompt."""

    start: int
    end: int
    piece: MediaPiece


def media_spans(tokens: Sequence[int], pieces: Sequence[Piece]) -> tuple[MediaSpan, ...]:
    """The places of all media in a prompt whose tokens are `tokens`."""
    spans: list[MediaSpan] = []
    at = 0
    for piece in pieces:
        if isinstance(piece, MediaPiece):
            while at < len(tokens) and tokens[at] >= 0:
                at += 1
            spans.append(MediaSpan(at, at + len(piece.tokens), piece))
            at += len(piece.tokens)
    return tuple(spans)
