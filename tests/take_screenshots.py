"""Makes the pictures in `screenshots/`: the real program on the real model, a host of its own.

Run by hand: `python tests/take_screenshots.py`. Each picture is a small scene played through
the keyboard; the program runs without a terminal, everything else is as a person has it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from textual.pilot import Pilot

from gemma_chat.config.library import Library
from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.link import HostLink
from gemma_chat.host.protocol import GroupTabs, MarkTab, OpenSession
from gemma_chat.host.status import stop_host
from gemma_chat.models.discovery import EMBEDDED_PACKAGE
from gemma_chat.ui.app import AppOptions, ChatApp
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.link import Inbox
from gemma_chat.ui.state import TabState
from gemma_chat.ui.themes import load_themes

SIZE = (112, 32)
FOLDER = Path(__file__).parents[1] / "screenshots"
PIRATE = "You are a pirate captain. Answer in two or three short sentences."
TUTOR = "You are a patient tutor. Explain things step by step, with a short list."
POET = "You are a poet who answers in verse."
PATIENCE = 120.0
Scene = Callable[["Stage"], Awaitable[None]]


class Stage:
    """The program with a pilot at its keys."""

    def __init__(self, app: ChatApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the program run until `condition` holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.pilot.pause(0.05)

    async def open(self, title: str, instruction: str, tokens: int = 90) -> None:
        """Open a tab with a role."""
        sampling = SamplingSettings(
            temperature=0.6,
            top_k=40,
            top_p=0.95,
            min_p=0.05,
            repeat_penalty=1.1,
            random_seed=11,
            max_output_tokens=tokens,
        )
        settings = SessionSettings(system_instruction=instruction, sampling=sampling)
        await self.app.link.request(OpenSession(0, title=title, settings=settings))
        await self.until(lambda: self.tab(title) is not None)

    async def say(self, text: str) -> None:
        """Send a message, faster than anybody types it."""
        self.app.window.composer.load(Draft(text))
        await self.pilot.press("enter")

    def tab(self, title: str) -> TabState | None:
        """The tab with this title."""
        return next((t for t in self.app.state.tabs if t.view.title == title), None)

    def shown(self) -> str:
        """What stands on the screen."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def generated(self) -> int:
        """Tokens of the turn that holds the lock."""
        holder = self.app.state.lock.holder
        return holder.generated if holder else 0

    def idle(self) -> bool:
        """Whether nobody computes or waits."""
        lock = self.app.state.lock
        return lock.holder is None and not lock.waiting

    async def take(self, name: str) -> None:
        """Write one picture."""
        await self.pilot.pause(0.4)
        FOLDER.mkdir(exist_ok=True)
        svg = self.app.export_screenshot(title="gemma-chat", simplify=False)
        (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
        print(f"{name}.svg")


async def three_tabs(stage: Stage) -> None:
    """One generates, two are queued as 1 and 2."""
    await stage.until(lambda: bool(stage.app.state.tabs))
    await stage.pilot.press("alt+w")
    await stage.open("Pirate", PIRATE)
    await stage.open("Tutor", TUTOR, tokens=220)
    await stage.open("Poet", POET)
    await stage.pilot.press("alt+2")
    await stage.say("Explain step by step how bread is baked, in a list.")
    await stage.pilot.press("alt+3")
    await stage.say("Write a poem about the sea.")
    await stage.pilot.press("alt+1")
    await stage.say("What is the sea?")
    await stage.pilot.press("alt+2")
    await stage.until(lambda: stage.generated() > 30)
    await stage.take("three-tabs")
    await stage.until(stage.idle)


async def settings_panel(stage: Stage) -> None:
    """The settings of a tab, beside its conversation."""
    await stage.pilot.press("alt+2", "f3")
    await stage.take("settings")
    await stage.pilot.press("escape")


async def summary_panel(stage: Stage) -> None:
    """The running summary that the summarizer has written."""
    await stage.pilot.press("alt+2")

    def summarized() -> bool:
        tab = stage.tab("Tutor")
        return tab is not None and bool(tab.view.summary.text) and stage.idle()

    await stage.until(summarized)
    await stage.pilot.press("f4")
    await stage.take("summary")
    await stage.pilot.press("escape")


async def branches(stage: Stage) -> None:
    """A second reply beside the first one, and all that can be done with it."""
    await stage.pilot.press("alt+1")
    await stage.until(stage.idle)
    await stage.pilot.press("alt+up", "r")
    await stage.until(lambda: not stage.idle())
    await stage.until(stage.idle)
    await stage.pilot.press("alt+up", "p", "enter")
    await stage.take("branches")
    await stage.pilot.press("escape", "p", "escape")


async def search(stage: Stage) -> None:
    """The matches of a search."""
    await stage.pilot.press("alt+2", "ctrl+f", *"step")
    await stage.take("search")
    await stage.pilot.press("escape")


async def jump_list(stage: Stage) -> None:
    """Finding a tab by a few letters."""
    await stage.pilot.press("ctrl+g")
    await stage.take("jump-list")
    await stage.pilot.press("escape")


async def help_page(stage: Stage) -> None:
    """All keys."""
    await stage.pilot.press("f1")
    await stage.take("help")
    await stage.pilot.press("escape")


async def model_picker(stage: Stage) -> None:
    """The files that are here, and the catalogue with the cursor on what suits this machine."""
    await stage.pilot.press(*"/model", "enter")
    await stage.until(lambda: "To download" in stage.shown())
    await stage.pilot.press("down")
    await stage.take("models")
    await stage.pilot.press("escape")


async def first_steps(stage: Stage) -> None:
    """The first start without a model: what suits this machine, and who it shall be."""
    await stage.until(lambda: "To download" in stage.shown())
    await stage.take("first-model")
    await stage.pilot.press("ctrl+n")
    await stage.pilot.pause(0.4)
    await stage.pilot.press(*["down"] * 4)
    await stage.take("first-role")
    await stage.pilot.press("escape")


async def side_by_side(stage: Stage) -> None:
    """Two roles, one question: the left one has answered, the right one is at it."""
    await stage.open("Captain", PIRATE, tokens=150)
    await stage.open("Teacher", TUTOR, tokens=150)
    captain, teacher = stage.tab("Captain"), stage.tab("Teacher")
    assert captain is not None
    assert teacher is not None
    for request in (
        MarkTab(0, captain.session, "diamond"),
        MarkTab(0, teacher.session, "star"),
        GroupTabs(0, (captain.session, teacher.session), "Roles"),
    ):
        await stage.app.link.request(request)
    await stage.until(lambda: any(tab.view.group for tab in stage.app.state.tabs))
    stage.app.show_tab(captain.session)
    await stage.say("/compare Teacher")
    await stage.until(lambda: stage.app.state.shown_pair is not None)
    await stage.say("How do I learn to sail a small boat?")

    def second_writes() -> bool:
        holder = stage.app.state.lock.holder
        return holder is not None and holder.session == teacher.session and holder.generated > 30

    await stage.until(second_writes)
    await stage.take("side-by-side")
    await stage.until(stage.idle)
    await stage.pilot.press("alt+s")


async def play(scenes: Sequence[Scene], *, first_time: bool = False) -> None:
    """Start host and program, play these scenes, and end the host."""
    paths = Paths.default()
    paths.make_folders()
    link = HostLink(HostLaunch.of_profile())
    inbox = Inbox(link)
    shelf = load_themes(paths.themes_dir)
    app = ChatApp(
        link,
        inbox,
        AppOptions(
            own=os.getpid(),
            settings=load_settings(paths),
            theme=next(theme for theme in shelf.themes if theme.name == "gemma-dark"),
            shelf=lambda: shelf,
            library=lambda: Library(paths.config_dir),
            first_time=lambda: first_time,
        ),
    )
    app.animation_level = "none"
    await link.start()
    try:
        async with app.run_test(size=SIZE, notifications=False) as pilot:
            stage = Stage(app, pilot)
            wanted = "none" if first_time else "ready"
            await stage.until(lambda: app.state.model.phase == wanted)
            for scene in scenes:
                await scene(stage)
    finally:
        await link.close()
        await stop_host(paths)


SCENES = (
    three_tabs,
    settings_panel,
    summary_panel,
    branches,
    search,
    jump_list,
    help_page,
    model_picker,
    side_by_side,
)


def main() -> None:
    """Make all pictures in homes of their own, the first ones as without the demo package."""
    with tempfile.TemporaryDirectory() as home:
        without = Path(home) / "without" / EMBEDDED_PACKAGE
        without.mkdir(parents=True)
        (without / "__init__.py").touch()
        before = os.environ.get("PYTHONPATH", "")
        os.environ |= {"HOME": home, "GEMMA_CHAT_HOME": f"{home}/first"}
        os.environ["PYTHONPATH"] = os.pathsep.join((str(without.parent), before)).rstrip(os.pathsep)
        asyncio.run(play((first_steps,), first_time=True))
        os.environ |= {"GEMMA_CHAT_HOME": f"{home}/later", "PYTHONPATH": before}
        asyncio.run(play(SCENES))


if __name__ == "__main__":
    sys.exit(main())
