"""What a person does who changes what was said: in tabs where nobody else writes.

Each act is told the transcript as it was a moment ago, and whether it was answered decides what
must be there (see `rewritten`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tests.faults.ledger import UNFINISHED
from tests.faults.machine import Machine
from tests.faults.rewritten import Change, Rewritten, Said

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    DeleteMessage,
    EditMessage,
    FetchMessages,
    ForkFrom,
    MessageView,
    Regenerate,
    RenameSession,
    Request,
    SendMessage,
)
from gemma_chat.host.views import UNTITLED

MOST_QUESTIONS: Final = 6
MOST_ACTS: Final = 5
TURN_SECONDS: Final = 0.6
"""About as long as a short reply takes."""

Transcript = tuple[MessageView, ...]
Act = Callable[[Machine, int, Transcript], Awaitable[bool]]
"""Does something in a tab; `False` when nobody knows what has become of it."""


async def rewrite(machine: Machine) -> None:
    """A few changes in a row, until one is not answered."""
    tab = await _own_tab(machine)
    if tab is None:
        return
    for _ in range(machine.random.randint(2, MOST_ACTS)):
        try:
            found = await machine.link.request(FetchMessages(0, tab))
        except HostError as error:
            machine.say(f"no look at {tab}: {error}")
            return
        if not await machine.random.choice(_ACTS)(machine, tab, found.messages):
            return


async def _own_tab(machine: Machine) -> int | None:
    """A tab that is not long, opened when there is none."""
    short = [
        tab
        for tab, promised in machine.rewritten.items()
        if all(len(said) < MOST_QUESTIONS for said in promised.said)
    ]
    if short and machine.random.random() < 0.8:
        return machine.random.choice(short)
    tab = await machine.open()
    if tab is not None:
        # Nobody else shall write in it.
        machine.tabs.remove(tab)
        machine.rewritten[tab] = Rewritten()
    return tab


async def _say(machine: Machine, tab: int, _: Transcript) -> bool:
    text = machine.text()
    return await _change(machine, SendMessage(0, tab, text), lambda said: (*said, text))


async def _edit(machine: Machine, tab: int, found: Transcript) -> bool:
    questions = _questions(found)
    if not questions:
        return True
    place = machine.random.randrange(len(questions))
    question, text = questions[place], machine.text()
    # What waits is changed where it waits; else what follows is put aside.
    kept = place + 1 if question.state == "queued" else len(found)

    def change(said: Said) -> Said:
        return (*said[:place], text, *said[kept:])

    return await _change(machine, EditMessage(0, tab, question.message, text), change)


async def _again(machine: Machine, tab: int, found: Transcript) -> bool:
    replies = [(place, view) for place, view in enumerate(found) if view.role == "assistant"]
    if not replies:
        return True
    place, reply = machine.random.choice(replies)
    kept = sum(view.role == "user" for view in found[:place])
    answered = await machine.takes(Regenerate(0, tab, reply.message))
    # Where the new reply does not come to its first word, because it is stopped or fails, the one
    # before is shown again with all that follows it.
    machine.rewritten[tab].change(lambda said: said[:kept], sure=False)
    return answered


async def _delete_exchange(machine: Machine, tab: int, found: Transcript) -> bool:
    # Where another branch begins in its place, that would be shown.
    alone = [(n, view) for n, view in enumerate(_questions(found)) if view.branches == 1]
    if not alone or _has_branches(found):
        return True
    place, question = machine.random.choice(alone)
    request = DeleteMessage(0, tab, question.message, found[-1].message, "exchange")
    return await _change(machine, request, lambda said: said[:place] + said[place + 1 :])


async def _delete_rest(machine: Machine, tab: int, found: Transcript) -> bool:
    alone = [(n, view) for n, view in enumerate(_questions(found)) if view.branches == 1]
    if not alone or any(view.state in UNFINISHED for view in found):
        return True
    place, question = machine.random.choice(alone)
    request = DeleteMessage(0, tab, question.message, found[-1].message, "following")
    return await _change(machine, request, lambda said: said[:place])


async def _fork(machine: Machine, tab: int, found: Transcript) -> bool:
    ends = [view for view in found if view.role == "assistant" and view.state not in UNFINISHED]
    if not ends:
        return True
    end = machine.random.choice(ends)
    try:
        forked = (await machine.link.request(ForkFrom(0, tab, end.message))).session
    except HostError as error:
        machine.say(f"no fork of {tab}: {error}")
        return False
    said = tuple(view.text for view in _questions(found) if view.message < end.message)
    titles = machine.rewritten[tab].titles
    machine.rewritten[forked] = Rewritten({said}, {_forked(title) for title in titles})
    machine.say(f"{forked} is a fork of {tab} at {end.message}")
    return True


def _forked(title: str) -> str:
    return title if title == UNTITLED else f"{title} (fork)"


async def _rename(machine: Machine, tab: int, _: Transcript) -> bool:
    title = f"title {machine.random.randint(1, 999)}"
    answered = await machine.takes(RenameSession(0, tab, title))
    machine.rewritten[tab].rename(title, sure=answered)
    return answered


async def _rest(machine: Machine, _: int, __: Transcript) -> bool:
    await asyncio.sleep(machine.random.uniform(0.0, TURN_SECONDS))
    return True


def _questions(found: Transcript) -> Transcript:
    return tuple(view for view in found if view.role == "user")


def _has_branches(found: Transcript) -> bool:
    return any(view.branches > 1 for view in found)


async def _change(machine: Machine, request: Request, change: Change) -> bool:
    tab: int = getattr(request, "session", 0)
    answered = await machine.takes(request)
    machine.rewritten[tab].change(change, sure=answered)
    return answered


_ACTS: Final[tuple[Act, ...]] = (
    _say,
    _say,
    _say,
    _edit,
    _again,
    _delete_exchange,
    _delete_rest,
    _fork,
    _rename,
    _rest,
    _rest,
)
