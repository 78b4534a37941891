"""What a text that comes from a terminal may be; each check raises a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    MAX_GROUP_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Aside,
    HubToken,
    ImportedMessage,
    Thought,
)

_MAX_TOKEN_CHARACTERS: Final = 500
_MAX_THOUGHT_SECONDS: Final = 1e9


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


def checked_asides(message: ImportedMessage) -> tuple[Aside, ...]:
    """The thoughts and tool calls of an imported message, which only a reply has."""
    if message.asides and message.role != "assistant":
        raise HostError("A message of a person has thoughts or tool calls; only a reply has them.")
    for place, aside in enumerate(message.asides):
        what = "thought" if isinstance(aside, Thought) else "tool call"
        # A step without any is none, so its number is never larger than the place.
        if not 0 <= aside.at <= MAX_MESSAGE_CHARACTERS or not 0 <= aside.step <= place:
            raise HostError(
                f"A {what} stands at character {aside.at} of step {aside.step}, where a reply has "
                "no place for it. Export the conversation again."
            )
        if isinstance(aside, Thought):
            checked_draft(aside.text)
            if not 0 <= aside.seconds < _MAX_THOUGHT_SECONDS:
                raise HostError(f"A thought cannot have taken {aside.seconds} seconds.")
            continue
        for text in (aside.call, aside.name, aside.arguments, aside.error, aside.result):
            checked_draft(text)
        if not aside.error and not _is_object(aside.arguments):
            raise HostError(
                "The arguments of a tool call are no JSON object. Export the conversation again."
            )
    return message.asides


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


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
