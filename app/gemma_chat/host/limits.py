"""What a text that comes from a terminal may be; each check raises a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    MAX_GROUP_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    HubToken,
)

_MAX_TOKEN_CHARACTERS: Final = 500


def checked_message(text: str) -> str:
    """`text` as a question; it must say something and not be too long."""
    if not text.strip():
        raise HostError("The message is empty; type something first.")
    return checked_draft(text)


def checked_draft(text: str) -> str:
    """`text` as the content of an input box."""
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise HostError(
            f"The text has {len(text):,} characters; at most {MAX_MESSAGE_CHARACTERS:,} are "
            "allowed. Shorten it."
        )
    return text


def checked_title(title: str) -> str:
    """`title` on one line; empty means: none."""
    return _on_one_line(title, MAX_TITLE_CHARACTERS, "title")


def checked_group(name: str) -> str:
    """`name` of a group of tabs on one line; empty means: no group."""
    return _on_one_line(name, MAX_GROUP_CHARACTERS, "name of the group")


def _on_one_line(text: str, most: int, what: str) -> str:
    line = " ".join(text.split())
    if len(line) > most:
        raise HostError(f"The {what} has {len(line)} characters; at most {most} are allowed.")
    return line


def checked_model_name(name: str) -> str:
    """`name` of the model that wrote an imported reply, on one line; empty: nobody knows."""
    line = " ".join(name.split())
    if len(line) > MAX_MODEL_CHARACTERS:
        raise HostError(
            f"The name of a model has {len(line)} characters; at most {MAX_MODEL_CHARACTERS} are "
            "allowed."
        )
    return line


def checked_token(token: HubToken) -> str:
    """A token for the hub as it can stand in a header; what is refused is not repeated."""
    secret = token.secret.strip()
    if len(secret) > _MAX_TOKEN_CHARACTERS or not secret.isascii() or not _is_word(secret):
        raise HostError(
            "HF_TOKEN holds something that is no token of the hub. Make one at "
            "https://huggingface.co/settings/tokens, or unset HF_TOKEN."
        )
    return secret


def _is_word(text: str) -> bool:
    return text.isprintable() and " " not in text


def whole_path(path: str) -> Path:
    """`path` of a file, which must be whole: the host stands in another folder than a terminal."""
    try:
        whole = Path(path).expanduser()
    except RuntimeError as error:
        raise HostError(f"The path {path} names the home of an unknown user.") from error
    if "\0" in path or not whole.is_absolute():
        raise HostError(f"The path {path!r} is not a whole path of a file; begin it with / or ~.")
    return whole
