"""A short question to a server, with a JSON answer: which models it has, how long a text is."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any

from gemma_chat.remote.faults import Faults
from gemma_chat.remote.wire import Exchange, Head, Patience, Question, TooSlowError

_MOST_BYTES = 8 * 1024 * 1024
WHAT_GOES_WRONG = (OSError, HTTPException, ValueError, TooSlowError)
"""What an exchange can raise."""


class Refusal(Exception):
    """The server answered with a status other than success."""

    def __init__(self, head: Head, body: bytes) -> None:
        super().__init__(head.status)
        self.head = head
        self.body = body


def ask(question: Question, patience: Patience, faults: Faults) -> Any:
    """The JSON value a server answers with. Blocks for as long as `patience` allows.

    Raises:
        Refusal: The server answered with a status other than success.
        ServerError: There is no answer, or it is no JSON.
    """
    exchange = Exchange(question, patience)
    try:
        body = _body(exchange)
    except WHAT_GOES_WRONG as error:
        raise faults.of_connection(error) from None
    finally:
        exchange.close()
    head = exchange.head
    if head is None:
        raise faults.cut()
    if not 200 <= head.status < 300:
        raise Refusal(head, body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise faults.of_content(head, body) from None


def _body(exchange: Exchange) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= _MOST_BYTES:
        data = exchange.receive()
        if data == b"":
            break
        parts.append(data or b"")
        size += len(parts[-1])
    return b"".join(parts)
