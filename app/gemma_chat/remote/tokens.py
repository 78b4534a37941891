"""How many tokens a text has: asked where the server can count, estimated elsewhere.

Sources: `POST /tokenize` is llama-server's and, in another form, vLLM's;
`POST /extras/tokenize/count` is that of `llama_cpp.server`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import Any

from gemma_chat.engine.interface import ChatMessage
from gemma_chat.errors import GemmaChatError
from gemma_chat.remote.address import ServerAddress
from gemma_chat.remote.asking import Refusal, ask
from gemma_chat.remote.faults import Faults
from gemma_chat.remote.options import ServerOptions
from gemma_chat.remote.request import Dialect
from gemma_chat.remote.wire import Patience, Question

COUNT_SECONDS = 0.5
"""A count that takes longer is estimated."""
REST_SECONDS = 30.0
"""After a count that failed, the server is not asked to count for so long."""

_BYTES_PER_TOKEN = 3.0
"""Low for English (about 4) and high for code: an estimate should rather be too large."""
_LEAST, _MOST = 1.0, 8.0
_MESSAGE_TOKENS = 6
"""What a chat template writes around a message, about."""
_MEDIA_TOKENS = 300
"""What an image becomes: 256 with Gemma 3, a few hundred elsewhere."""
_WEIGHT = 0.3
_WORTH_LEARNING = 200
"""Prompts of fewer bytes say more about the template than about the text."""

_log = logging.getLogger(__name__)


class TokenEstimate:
    """Estimates by the length in bytes, and learns from the counts a server reports."""

    def __init__(self) -> None:
        self._bytes_per_token = _BYTES_PER_TOKEN

    def of_text(self, text: str) -> int:
        """The tokens of a text, about; 0 for none."""
        return _ceiling(_size(text) / self._bytes_per_token)

    def of_messages(self, messages: Sequence[ChatMessage]) -> int:
        """The tokens of a prompt, about, with the opening of the reply."""
        text = _ceiling(_bytes(messages) / self._bytes_per_token)
        return text + _around(messages) + _MESSAGE_TOKENS

    def learn(self, messages: Sequence[ChatMessage], tokens: int) -> None:
        """A prompt of `messages` had so many tokens."""
        size, of_text = _bytes(messages), tokens - _around(messages)
        if size >= _WORTH_LEARNING and of_text > 0:
            seen = min(_MOST, max(_LEAST, size / of_text))
            self._bytes_per_token += _WEIGHT * (seen - self._bytes_per_token)


class TokenCounter:
    """Asks the server, for half a second at most, and remembers; estimates when it must."""

    def __init__(
        self,
        address: ServerAddress,
        options: ServerOptions,
        dialect: Dialect,
        model: str,
        estimate: TokenEstimate,
    ) -> None:
        self._address = address
        self._options = options
        self._dialect = dialect
        self._model = model
        self._estimate = estimate
        self._faults = Faults(address, model=model, key=options.api_key)
        self._patience = Patience(COUNT_SECONDS, COUNT_SECONDS, COUNT_SECONDS)
        self._known = lru_cache(maxsize=1024)(self._ask)
        self._rests_until = 0.0
        self._counting = threading.Lock()

    @property
    def exact(self) -> bool:
        """Whether the server counts."""
        return self._dialect != "other"

    def count(self, text: str) -> int:
        """The tokens of `text` by itself."""
        if not text:
            return 0
        if self.exact:
            with self._counting:
                if monotonic() >= self._rests_until:
                    try:
                        return self._known(text)
                    except (GemmaChatError, Refusal, ValueError) as error:
                        self._rests_until = monotonic() + REST_SECONDS
                        _log.warning("tokens are estimated for a while: %s", error)
        return self._estimate.of_text(text)

    def _ask(self, text: str) -> int:
        path, body = self._request(text)
        data = json.dumps(body).encode()
        question = Question(self._address, "POST", path, self._options.api_key, data)
        match ask(question, self._patience, self._faults):
            case {"count": int(count)} if count >= 0:
                return count
            case {"tokens": list(tokens)}:
                return len(tokens)
            case _:
                raise ValueError(f"{self._address.url}{path} did not answer with a count")

    def _request(self, text: str) -> tuple[str, dict[str, Any]]:
        match self._dialect:
            case "llama-cpp-python":
                return "/extras/tokenize/count", {"model": self._model, "input": text}
            case "vllm":
                return "/tokenize", {
                    "model": self._model,
                    "prompt": text,
                    "add_special_tokens": False,
                }
            case _:
                return "/tokenize", {"content": text}


def _around(messages: Sequence[ChatMessage]) -> int:
    media = sum(len(message.media) for message in messages)
    return _MESSAGE_TOKENS * len(messages) + _MEDIA_TOKENS * media


def _bytes(messages: Sequence[ChatMessage]) -> int:
    return sum(
        _size(message.text)
        + _size(message.thinking)
        + sum(_size(call.name) + _size(call.arguments) for call in message.tool_calls)
        for message in messages
    )


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _ceiling(value: float) -> int:
    return -int(-value // 1)
