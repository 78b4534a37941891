"""A terminal without a screen, in a process of its own: `python talker.py MODEL`.

It holds a link to the host as a terminal does. Each line of its input is a `Say`; it prints each
answer and each message that it is shown as a line of JSON, so that whoever has started it knows
what was promised to it, also after its death.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from gemma_chat.errors import GemmaChatError
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.link import HostLink
from gemma_chat.host.protocol import Event, MessageChanged, MessageView, SendMessage
from gemma_chat.terms import LinkPhase


class Say(msgspec.Struct, frozen=True):
    """Send this text into a tab."""

    session: int
    text: str


class Said(msgspec.Struct, frozen=True, tag="said"):
    """What became of a `Say`; `error` is empty when it is stored."""

    session: int
    text: str
    error: str = ""


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """A message as the screen would show it."""

    session: int
    view: MessageView


class Phase(msgspec.Struct, frozen=True, tag="phase"):
    """How the link stands now."""

    phase: LinkPhase
    sentence: str


Line = Said | Shown | Phase


def tell(line: Line) -> None:
    """Print one line, at once."""
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def _hear(event: Event) -> None:
    if isinstance(event, MessageChanged):
        tell(Shown(event.session, event.view))


async def _say(link: HostLink, say: Say) -> None:
    try:
        await link.request(SendMessage(0, say.session, say.text))
    except GemmaChatError as error:
        tell(Said(say.session, say.text, str(error)))
    else:
        tell(Said(say.session, say.text))


async def main(model: Path) -> None:
    """Talk until the input ends."""
    connected = asyncio.Event()

    def see(phase: LinkPhase, sentence: str) -> None:
        tell(Phase(phase, sentence))
        if phase == "connected":
            connected.set()

    link = HostLink(HostLaunch.of_profile(model=model))
    link.listen(_hear, see)
    await link.start()
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await connected.wait()
    while line := await lines.readline():
        await _say(link, msgspec.json.decode(line, type=Say))
    await link.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
