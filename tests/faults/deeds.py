"""What people do while the machine is under stress. Each deed may fail with the host's sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from tests.faults.machine import Machine
from tests.faults.rewriting import rewrite
from tests.faults.talker import Say

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    CloseSession,
    ContinueReply,
    FetchMessages,
    ReopenSession,
    SaveDraft,
    StopTurn,
)

Deed = Callable[[Machine], Awaitable[None]]


async def ask(machine: Machine) -> None:
    """Send one to three questions into one tab."""
    tab = await machine.tab()
    if tab is not None:
        for _ in range(machine.random.randint(1, 3)):
            await machine.send(tab)


async def ask_from_another_terminal(machine: Machine) -> None:
    """The other terminals send."""
    tab = await machine.tab()
    if tab is not None:
        for talker in machine.talkers:
            machine.touched.add(tab)
            talker.say(Say(tab, machine.text()))


async def stop(machine: Machine) -> None:
    """Ask, and stop the reply."""
    tab = await machine.tab()
    if tab is None:
        return
    turn = await machine.send(tab)
    if turn is not None:
        await machine.takes(StopTurn(0, tab, turn))


async def go_on(machine: Machine) -> None:
    """Let the newest reply of a tab go on, when it can."""
    if not machine.tabs:
        return
    tab = machine.random.choice(machine.tabs)
    machine.touched.add(tab)
    try:
        messages = (await machine.link.request(FetchMessages(0, tab, limit=1))).messages
    except HostError as error:
        machine.say(f"no look at {tab}: {error}")
        return
    if messages and messages[-1].role == "assistant":
        machine.promises[tab].reopened[messages[-1].message] = messages[-1].turn
        await machine.takes(ContinueReply(0, tab, messages[-1].message))


async def draft(machine: Machine) -> None:
    """Leave a half-written message."""
    if not machine.tabs:
        return
    tab = machine.random.choice(machine.tabs)
    text = f"half of {machine.text()}"
    if await machine.takes(SaveDraft(0, tab, text)):
        machine.promises[tab].draft = text
        machine.promises[tab].other_drafts.clear()
    else:
        machine.promises[tab].other_drafts.add(text)


async def close_and_reopen(machine: Machine) -> None:
    """Close a tab; and show it again, or keep it closed when there are many."""
    if not machine.tabs:
        return
    tab = machine.random.choice(machine.tabs)
    machine.touched.add(tab)
    machine.tabs.remove(tab)
    if not await machine.takes(CloseSession(0, tab)):
        machine.unsure.add(tab)
    elif len(machine.tabs) < 4 and await machine.takes(ReopenSession(0, tab)):
        machine.tabs.append(tab)


DEEDS: Final[tuple[Deed, ...]] = (
    ask,
    ask,
    ask_from_another_terminal,
    stop,
    go_on,
    draft,
    close_and_reopen,
    rewrite,
    rewrite,
)
