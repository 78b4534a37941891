"""Where a chat server is: its URL, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

from gemma_chat.errors import SettingsError

_MOST_CHARACTERS = 2000
_EXAMPLE = "Write it as http://localhost:8080."


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's place in the network, and the path below which it answers."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    base: str = ""
    """The path in front of `/v1`, without a slash at its end."""

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Read a URL, with or without `/v1` at its end.

        Raises `SettingsError` that says what is wrong with it.
        """
        shown = url[:80]
        if not url or len(url) > _MOST_CHARACTERS or not url.isprintable() or " " in url:
            raise SettingsError(f"{shown!r} is not the address of a server. {_EXAMPLE}")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            name = _ascii_name(host or "")
        except ValueError as error:
            raise SettingsError(
                f"{shown!r} is not the address of a server ({error}). {_EXAMPLE}"
            ) from None
        if parts.scheme not in ("http", "https") or not name:
            raise SettingsError(
                f"{shown!r} is not the address of a server: it begins with neither http:// nor "
                f"https://. {_EXAMPLE}"
            )
        _refuse_extras(parts)
        scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
        return cls(scheme, name, port or (443 if scheme == "https" else 80), _base(parts.path))

    @property
    def url(self) -> str:
        """The address as it is shown; it never holds a key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.base}"

    def target(self, path: str) -> str:
        """The request target of `path`, which begins with a slash."""
        return f"{self.base}{path}"


def _ascii_name(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _refuse_extras(parts: SplitResult) -> None:
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            f"The address of the server {parts.hostname} holds a name or password, which would be "
            "shown and stored. Put the key into an environment variable and name that in "
            "server.api_key_env."
        )
    if parts.query or parts.fragment:
        raise SettingsError(
            f"The address of the server {parts.hostname} holds a query; leave out what begins with "
            "? or #."
        )


def _base(path: str) -> str:
    path = path.rstrip("/").removesuffix("/v1").rstrip("/")
    return quote(path, safe="/%~:@!$&'()*+,;=")
