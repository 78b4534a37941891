"""What a hundred tabs cost beside three, measured in the program without a terminal.

Run by hand: `python tests/ui/bench_many_tabs.py [ROUNDS]`. Each round measures both, one right
after the other. Medians are printed, in milliseconds of computing: what a busy machine and the
pauses of the pilot add is not in them.

* the snapshot: from the host's first word to the first tab that is drawn;
* a switch: from the key to the end of the paint of the tab it leads to;
* a key: the same for a letter that is typed, at rest and while the tab's reply streams;
* an event: a change of the lock, of a tab, of the order, and one piece of text;
* the jump list: from the key to its paint, and a letter typed in it;
* a key, and a piece of text, while two tabs stand side by side.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.ui.scripted import ScriptedLink, make_app, message, tab
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.own_events import PairShown, TabSelected
from gemma_chat.ui.pair import Pair

FEW, MANY = 3, 100
TIMES = 20
SIZE = (120, 40)
GROUPS = 8

Figures = dict[str, list[float]]


def views(count: int, *, grouped: bool) -> list[p.SessionView]:
    """Tabs as they are after a week: titles, some groups, some unread."""
    return [
        tab(
            number,
            f"Conversation number {number}",
            group=f"group {number * GROUPS // count}" if grouped else "",
            unread=number % 7 == 0,
            turn=3,
            message_count=4,
        )
        for number in range(1, count + 1)
    ]


def link_with(count: int) -> ScriptedLink:
    """A host with so many tabs, each with a few messages."""
    link = ScriptedLink()
    for number in range(1, count + 1):
        link.stored[number] = tuple(
            message(
                1000 * number + place,
                "Some words of **markdown** with `code`.\n\n- one\n- two\n",
                role="user" if place % 2 else "assistant",
                turn=place,
            )
            for place in range(1, 5)
        )
    return link


async def timed(pilot: Pilot[None], act: Callable[[], Awaitable[None] | None]) -> float:
    """Milliseconds of computing until all that follows from `act` is done, and painted."""
    begin = process_time()
    done = act()
    if done is not None:
        await done
    await pilot.pause(0)
    await pilot.pause(0)
    return (process_time() - begin) * 1000


async def measure(count: int, *, grouped: bool) -> Figures:
    """All figures with so many tabs."""
    link = link_with(count)
    app = make_app(link)
    found: Figures = {}

    async def note(name: str, act: Callable[[], Awaitable[None] | None]) -> None:
        found.setdefault(name, []).append(await timed(pilot, act))

    async with app.run_test(size=SIZE, notifications=False) as pilot:
        await pilot.pause()
        await note("snapshot", lambda: link.connect(views(count, grouped=grouped)))
        for _ in range(TIMES):
            # What was never shown is fetched and parsed first, whatever the number of tabs.
            await pilot.press("ctrl+pagedown")
        for _ in range(TIMES):
            await note("switch", lambda: pilot.press("ctrl+pageup"))
        for _ in range(TIMES):
            await note("key", lambda: pilot.press("x"))
        await events(link, app, note)
        for _ in range(5):
            await note("jump list opens", lambda: pilot.press("ctrl+g"))
            await note("letter in it", lambda: pilot.press("n"))
            await pilot.press("escape")
        left, right = (each.session for each in app.state.tabs[:2])
        app.change(PairShown(Pair(left, right)))
        app.change(TabSelected(right))
        await pilot.pause()
        for _ in range(TIMES):
            await note("key, two panes", lambda: pilot.press("x"))
        reply = message(9_900_000, "", role="assistant", turn=9, state="streaming")
        link.event(p.MessageChanged(right, 9, reply))
        for step in range(TIMES):
            piece = p.TurnText(right, 9, 9_900_000, 5 * step, "word ")
            await note("text, two panes", lambda piece=piece: take(link, app, piece))
    return found


def take(link: ScriptedLink, app: ChatApp, event: p.Event) -> None:
    """Let the program hear an event, and take it at once."""
    link.event(event)
    app.take_events()


async def events(
    link: ScriptedLink,
    app: ChatApp,
    note: Callable[[str, Callable[[], Awaitable[None] | None]], Awaitable[None]],
) -> None:
    """What the host says while a reply streams into the tab that is shown."""
    session = app.state.active
    reply = message(9_000_000, "", role="assistant", turn=9, state="streaming")
    link.event(p.MessageChanged(session, 9, reply))

    async def heard(name: str, event: p.Event) -> None:
        await note(name, lambda: take(link, app, event))

    for step in range(TIMES):
        await heard("text", p.TurnText(session, 9, 9_000_000, 5 * step, "word "))
        entry = p.LockEntry(session, 9, "x", phase="generating", generated=step + 1)
        await heard("lock", p.LockChanged(p.LockView(entry)))
        view = tab(2, f"Title {step}", group=app.state.group)
        await heard("tab", p.SessionChanged(view))
        order = tuple(each.session for each in app.state.tabs)
        await heard("order", p.TabsArranged((order[-1], *order[:-1])))


async def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    kinds = {
        f"{FEW} tabs": (FEW, False),
        f"{MANY} tabs": (MANY, False),
        f"{MANY} in {GROUPS} groups": (MANY, True),
    }
    found: dict[str, Figures] = {name: {} for name in kinds}
    # What is imported and made once is no matter of tabs.
    await measure(FEW, grouped=False)
    for _ in range(rounds):
        for name, (count, grouped) in kinds.items():
            for figure, values in (await measure(count, grouped=grouped)).items():
                found[name].setdefault(figure, []).extend(values)
    print(f"{'ms, median':<18}" + "".join(f"{name:>18}" for name in kinds))
    for figure in found[next(iter(kinds))]:
        row = [statistics.median(found[name][figure]) for name in kinds]
        print(f"{figure:<18}" + "".join(f"{value:>18.1f}" for value in row))


if __name__ == "__main__":
    asyncio.run(main())
