"""Reading conversations from a file of any known format, which may be anything at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

import msgspec

from gemma_chat.errors import ExchangeError, GemmaChatError
from gemma_chat.exchange.llama_webui import is_llama_webui, read_llama_webui
from gemma_chat.exchange.openai import is_openai, read_openai
from gemma_chat.exchange.own_json import is_own, read_own
from gemma_chat.exchange.transcript import Transcript
from gemma_chat.quantities import MB, byte_size

MAX_FILE_BYTES: Final = 256 * MB
_KNOWN: Final = (
    "Known are exports of gemma-chat itself, `conversations.json` of a ChatGPT export, and "
    "exports of llama.cpp's web page."
)


def read_conversations(path: Path) -> tuple[Transcript, ...]:
    """All conversations in the file at `path`; raises `ExchangeError` that names the file."""
    content = _content(path)
    try:
        return parse_conversations(content)
    except GemmaChatError as error:
        raise ExchangeError(f"{path} cannot be imported: {error}") from None


def parse_conversations(content: bytes) -> tuple[Transcript, ...]:
    """All conversations in `content`.

    Raises `ExchangeError`, or `SettingsError` about settings that are not allowed.
    """
    document = _document(content)
    if is_own(document):
        found = read_own(document)
    elif is_llama_webui(document):
        found = read_llama_webui(document)
    elif is_openai(document):
        found = read_openai(document)
    else:
        raise ExchangeError(f"it is JSON, but no list of conversations. {_KNOWN}")
    if not found:
        raise ExchangeError("there is no conversation with a message in it.")
    return found


def _content(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ExchangeError(f"{path} is not a regular file. Name a JSON file.")
            if status.st_size > MAX_FILE_BYTES:
                raise ExchangeError(
                    f"{path} has {byte_size(status.st_size)}; at most "
                    f"{byte_size(MAX_FILE_BYTES)} are read. Split it."
                )
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        raise ExchangeError(f"There is no file {path}. Check the path.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ExchangeError(f"{path} cannot be read ({reason}).") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open as usual, but do not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _document(content: bytes) -> Any:
    if content.startswith(b"PK\x03\x04"):
        raise ExchangeError("it is a zip archive. Unpack it and name conversations.json in it.")
    if not content.strip():
        raise ExchangeError("it is empty.")
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise ExchangeError("it is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExchangeError(f"it is not whole JSON ({error}). {_KNOWN}") from None
