"""What is wrong with a server, in a sentence that names it and the remedy.

What a server says is quoted, shortened, with the key taken out: some repeat it in their answer.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from contextlib import suppress

from gemma_chat.errors import ContextOverflowError, GemmaChatError, ServerError
from gemma_chat.remote.address import ServerAddress
from gemma_chat.remote.chunks import error_text
from gemma_chat.remote.wire import Head, TooSlowError

_QUOTED = 300
_TOO_LONG = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length|exceed\w* context window"
    r"|exceeds? the (available )?context size",
    re.IGNORECASE,
)


class Faults:
    """Puts what goes wrong with one server into words."""

    def __init__(self, address: ServerAddress, *, model: str = "", key: str = "") -> None:
        self._server = f"The server {address.url}"
        self._secure = address.scheme == "https"
        self._model = model
        self._key = key

    def quoted(self, text: str) -> str:
        """What the server said: one line, not too long, without the key."""
        text = " ".join(text.replace(self._key, "…").split() if self._key else text.split())
        return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"

    def of_connection(self, error: Exception) -> ServerError:
        """There was no answer, or not all of it."""
        return ServerError(f"{self._server} {self._connection(error)}")

    def _connection(self, error: Exception) -> str:
        match error:
            case TooSlowError(connecting=True, seconds=seconds):
                return (
                    f"did not accept a connection within {seconds:g} seconds. Check that it runs "
                    "and can be reached from here."
                )
            case TooSlowError(seconds=seconds):
                return (
                    f"said nothing for {seconds:g} seconds, so the connection was given up. If it "
                    "only needs longer, raise server.silence_seconds."
                )
            case ssl.SSLCertVerificationError():
                return (
                    f"has a TLS certificate that is not trusted here ({error.verify_message}). Use "
                    "the name that is in the certificate, or name the file of its authority in "
                    "SSL_CERT_FILE."
                )
            case ssl.SSLError():
                return (
                    f"does not speak TLS at this port ({error.reason or 'no reason given'}). Write "
                    "http:// if it has no certificate."
                )
            case socket.gaierror():
                return "is not found: its name has no address. Check the name in server.url."
            case ConnectionRefusedError():
                return (
                    "refuses connections: nothing listens there. Start it, or correct server.url."
                )
            case http.client.RemoteDisconnected():
                return "closed the connection without an answer. Look at its log, and ask again."
            case http.client.IncompleteRead() | ConnectionResetError() | BrokenPipeError():
                return "closed the connection in the middle of its answer. Ask again."
            case http.client.HTTPException() | ValueError():
                remedy = "" if self._secure else " Write https:// if it speaks TLS."
                return (
                    "does not answer as a web server does. Check the port in server.url." + remedy
                )
            case TimeoutError():
                return (
                    "did not accept a connection in time. Check that it can be reached from here."
                )
            case OSError():
                return f"cannot be reached ({error.strerror or error}). Check the network."
            case _:
                return f"cannot be asked ({type(error).__name__}: {self.quoted(str(error))})."

    def of_status(self, head: Head, body: bytes) -> GemmaChatError:
        """The server answered with a status other than success; `body` is how it began."""
        said = self.quoted(_said(head, body))
        kind = error_kind(body)
        if head.status in (400, 413, 422, 500) and _TOO_LONG.search(f"{kind} {said}"):
            return ContextOverflowError(
                f"{self._server} says that the conversation is longer than its context: {said} "
                "Shorten the message, or start the server with a larger context."
            )
        says = f" It says: {said}" if said else ""
        return ServerError(f"{self._server} {self._status(head)}{says}")

    def _status(self, head: Head) -> str:
        match head.status:
            case 401 | 403 if self._key:
                return (
                    f"refuses the API key (status {head.status}). Check the variable that "
                    "server.api_key_env names."
                )
            case 401 | 403:
                return (
                    f"wants an API key (status {head.status}). Put it into an environment variable "
                    "and name that in server.api_key_env."
                )
            case 404:
                model = f" and server.model ({self._model!r})" if self._model else ""
                return f"does not know what it is asked for (status 404). Check server.url{model}."
            case 429:
                wait = f" It asks for {head.retry_after} seconds." if head.retry_after else ""
                return (
                    "has too much to do, or you have asked too often (status 429). Ask again "
                    f"later, or lower server.max_parallel.{wait}"
                )
            case 503:
                return "is not ready: it loads its model, or is overloaded (status 503). Ask again."
            case status if 300 <= status < 400:
                to = self.quoted(head.location) or "somewhere else"
                return (
                    f"sends us to {to} (status {status}), and we do not go there with your words "
                    "and key. If you trust it, set server.url to that address."
                )
            case status if status >= 500:
                return f"failed (status {status}). Look at its log, and ask again."
            case status:
                return f"refuses the request (status {status})."

    def of_content(self, head: Head, body: bytes) -> ServerError:
        """The answer succeeded, and is not what was asked for."""
        if head.content_type == "text/html":
            what = "answered with a web page instead of a chat. Check the path in server.url."
        elif head.content_type == "application/json" and (said := _said(head, body)):
            what = f"answered with an error: {self.quoted(said)}"
        else:
            what = (
                f"answered with {self.quoted(head.content_type)} where a stream of events was "
                "expected. It must offer OpenAI's chat completions with streaming."
            )
        return ServerError(f"{self._server} {what}")

    def in_reply(self, said: str) -> GemmaChatError:
        """The server reported an error in the middle of a reply."""
        said = self.quoted(said)
        if _TOO_LONG.search(said):
            return ContextOverflowError(
                f"{self._server} says that the conversation is longer than its context: {said}"
            )
        return ServerError(f"{self._server} broke the reply off: {said} Ask again.")

    def unreadable(self, what: str) -> ServerError:
        """The server sent something that is not a reply."""
        return ServerError(
            f"{self._server} sent {what}, which is no part of a chat. Check that it offers "
            "OpenAI's chat completions with streaming."
        )

    def cut(self) -> ServerError:
        """The stream ended before the reply did."""
        return ServerError(
            f"{self._server} ended its answer before the reply was finished. Look at its log, and "
            "ask again."
        )

    def other(self, what: str) -> ServerError:
        """A sentence that goes on after the server's name."""
        return ServerError(f"{self._server} {what}")


def _said(head: Head, body: bytes) -> str:
    """The error text in a body, when there is one for people."""
    value = _json(body)
    if value is not None:
        return error_text(value)
    return body.decode("utf-8", "replace") if head.content_type == "text/plain" else ""


def error_kind(body: bytes) -> str:
    """The type or code of the error in a body, or an empty string."""
    match _json(body):
        case {"error": {"code": str(code)}} | {"error": {"type": str(code)}}:
            return code
        case _:
            return ""


def _json(body: bytes) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(body)
    return None
