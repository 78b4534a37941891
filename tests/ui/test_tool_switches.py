"""The settings panel turns tools on and off for its tab."""

from __future__ import annotations

import msgspec
from tests.ui.scripted import ScriptedLink, make_app, screen_text, tab
from textual.app import App
from textual.widgets import Input, Static

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.tools import ToolSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.tool_switches import SourceSwitch


def switch(app: App[None], source: str) -> SourceSwitch:
    return app.query_one(f"#tool-source-{source}", SourceSwitch)


def changes(link: ScriptedLink) -> list[ToolSettings]:
    return [request.settings.tools for request in link.asked(p.ChangeSettings)]


async def test_a_switch_turns_a_tool_on_and_off() -> None:
    link = ScriptedLink()
    app = make_app(link, servers=("web",))
    async with app.run_test(size=(120, 90)) as pilot:
        link.connect((tab(1),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        assert all(name in screen_text(app) for name in ("clock", "files", "mcp:web"))
        for source in ("clock", "mcp-web"):
            switch(app, source).focus()
            await pilot.press("space")
            await pilot.pause()
        assert "[x] clock" in screen_text(app)
        await pilot.click(switch(app, "clock"))
        await pilot.pause()
        assert [each.sources for each in changes(link)] == [
            ("clock",),
            ("clock", "mcp:web"),
            ("mcp:web",),
        ]
        assert "is started when they are needed" in advice(app) or "date" in advice(app)


def advice(app: App[None]) -> str:
    return str(app.query_one("#settings-advice", Static).content)


async def test_files_needs_a_folder_first() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 90)) as pilot:
        link.connect((tab(1),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        switch(app, "files").focus()
        await pilot.press("space")
        await pilot.pause()
        assert "needs a folder" in advice(app)
        assert not switch(app, "files").value
        app.query_one("#tool-folder", Input).focus()
        await pilot.press("n", "enter")
        await pilot.pause()
        assert "must be a whole path" in advice(app)
        await pilot.press("home", "slash", "enter")
        await pilot.pause()
        switch(app, "files").focus()
        await pilot.press("space")
        await pilot.pause()
        assert changes(link)[-1] == ToolSettings(sources=("files",), folder="/n")


async def test_lasting_answers_are_shown_and_forgotten() -> None:
    link = ScriptedLink()
    app = make_app(link)
    tools = ToolSettings(sources=("clock",), allowed=("clock",), denied=("read_file",))
    settings = msgspec.structs.replace(SessionSettings(), tools=tools)
    async with app.run_test(size=(120, 90)) as pilot:
        link.connect((tab(1, settings=settings),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        shown = screen_text(app)
        assert "always: clock" in shown
        assert "never: read_file" in shown
        await pilot.click("#tool-forget")
        await pilot.pause()
        assert changes(link) == [ToolSettings(sources=("clock",))]
        assert "always:" not in screen_text(app)


async def test_resetting_the_sampling_leaves_the_tools() -> None:
    link = ScriptedLink()
    app = make_app(link)
    tools = ToolSettings(sources=("clock",))
    settings = msgspec.structs.replace(SessionSettings(), tools=tools)
    async with app.run_test(size=(120, 90)) as pilot:
        link.connect((tab(1, settings=settings),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        await pilot.click("#settings-reset")
        await pilot.pause()
        assert changes(link) == [tools]
