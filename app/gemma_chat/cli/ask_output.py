"""What `gemma-chat ask` writes: the reply on stdout, how far it is on stderr."""

from __future__ import annotations

import contextlib
import errno
import sys
from typing import TYPE_CHECKING

import msgspec

from gemma_chat.cli.output import forget_stdout, one_line, visible
from gemma_chat.errors import GemmaChatError
from gemma_chat.host.protocol import Aside, Thought, ToolUse

if TYPE_CHECKING:
    from gemma_chat.host.protocol import FinishReason, LockView, ModelView, TurnFinished

_BACK_TO_BEGIN = "\r\033[K"


def _call(use: ToolUse) -> dict[str, object]:
    """A call as it is told; its arguments are JSON, as text."""
    return {
        "name": use.name,
        "arguments": use.arguments,
        "outcome": use.outcome,
        "result": use.result,
        "error": use.error,
    }


class UnwritableError(GemmaChatError):
    """The reply cannot be written where it is to go."""


class AskOutput:
    """Use it as a context, so that a line of progress is cleared.

    Raises `BrokenPipeError` when nobody reads the reply any more, and `UnwritableError`.
    """

    def __init__(self, *, as_json: bool, stream: bool) -> None:
        self._as_json = as_json
        self._stream = stream
        self._on_terminal = sys.stderr.isatty()
        self._pieces: list[str] = []
        self._asides: dict[int, Aside] = {}
        self._progress = ""
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        """Whether the end of the reply has been told."""
        return self._has_ended

    def __enter__(self) -> AskOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self._show("")

    # ------------------------------------------------------------ the reply

    def session(self, session: int) -> None:
        """The session that is asked."""
        if self._as_json:
            self._line({"event": "session", "session": session})

    def text(self, text: str) -> None:
        """More of the reply."""
        self._show("")
        self._pieces.append(text)
        if self._as_json and self._stream:
            self._line({"event": "text", "text": text})
        elif self._stream:
            self._write(visible(text))

    def aside(self, place: int, aside: Aside) -> None:
        """A thought or a tool call of the reply is new, or is another now."""
        before = self._asides.get(place)
        self._asides[place] = aside
        self._show("thinking" if isinstance(aside, Thought) else f"calling {one_line(aside.name)}")
        if not (self._as_json and self._stream):
            return
        if isinstance(aside, ToolUse):
            self._line({"event": "tool_call", **_call(aside)})
            return
        known = before.text if isinstance(before, Thought) else ""
        if aside.text != known:
            self._line({"event": "thinking", "text": aside.text.removeprefix(known)})

    def finished(self, event: TurnFinished) -> None:
        """The reply has ended."""
        self._end(event.reason, event.error, msgspec.to_builtins(event.metrics))

    def cut_off(self, error: GemmaChatError) -> None:
        """The host is gone: nothing follows, and what there is of the reply is all there will be.

        Without streaming nothing of it was written so far.
        """
        self._end("closed", str(error), {})

    def _end(self, reason: FinishReason, error: str, metrics: object) -> None:
        self._has_ended = True
        self._show("")
        reply = "".join(self._pieces)
        if self._as_json:
            fields: dict[str, object] = {"event": "finished", "reason": reason, "text": reply}
            asides = [aside for _, aside in sorted(self._asides.items())]
            thoughts = [aside.text for aside in asides if isinstance(aside, Thought)]
            if thoughts:
                fields["thinking"] = "\n\n".join(thoughts)
            calls = [_call(aside) for aside in asides if isinstance(aside, ToolUse)]
            if calls:
                fields["tool_calls"] = calls
            self._line({**fields, "error": error, "metrics": metrics})
            return
        if not self._stream:
            self._write(visible(reply))
        if reply and not reply.endswith("\n"):
            self._write("\n")

    def _line(self, fields: dict[str, object]) -> None:
        self._write(msgspec.json.encode(fields).decode() + "\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text.encode(errors="replace").decode())
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.errno == errno.EIO:
                # The terminal is gone.
                raise BrokenPipeError from error
            forget_stdout()
            raise UnwritableError(f"The reply cannot be written ({error.strerror}).") from None

    # ------------------------------------------------------------ how far it is

    def loading(self, model: ModelView) -> None:
        """The model is being loaded, or has failed."""
        if model.phase == "loading":
            self._show(f"loading the model, {model.progress:.0%}")

    def waiting(self, lock: LockView, session: int) -> None:
        """Who generates, and how long the prompt still takes."""
        holder = lock.holder
        if holder is None or self._pieces:
            return
        if holder.session == session and holder.phase == "prefill":
            # How long the prompt is turns out when it is rendered.
            of = f", {holder.prompt_done} of {holder.prompt_total} tokens"
            self._show(f"reading{of if holder.prompt_total else ''}")
        elif holder.session != session:
            self._show(f"waiting for {holder.session} {one_line(holder.name)}")

    def notice(self, text: str) -> None:
        """Something the person should know."""
        self._show("")
        with contextlib.suppress(OSError):
            sys.stderr.write(f"gemma-chat: {visible(text)}\n")

    def _show(self, progress: str) -> None:
        """Show a line of progress in the place of the one before; only a terminal gets any."""
        if self._on_terminal and progress != self._progress:
            self._progress = progress
            with contextlib.suppress(OSError):
                sys.stderr.write(_BACK_TO_BEGIN + progress[:78])
                sys.stderr.flush()
