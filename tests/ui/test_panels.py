"""The panels at the side: settings with live effect, summary, and the keyboard between them."""

from __future__ import annotations

import msgspec
import pytest
from tests.ui.scripted import (
    ANOTHER,
    READY,
    SIZES,
    ScriptedLink,
    make_app,
    notes,
    screen_text,
    tab,
)
from textual.app import App
from textual.widgets import Input, Static, TextArea

from gemma_chat.config.sampling import SAMPLING_FIELDS, SamplingSettings, SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.own_events import PanelOpened
from gemma_chat.ui.settings_panel import SettingsPanel

TWO = (tab(1, "Pirate"), tab(2, "Tutor"))


def number(app: App[None], name: str) -> Input:
    return app.query_one(f"#setting-{name}", Input)


def advice(app: App[None]) -> str:
    return str(app.query_one("#settings-advice", Static).content)


def changes(link: ScriptedLink) -> list[SessionSettings]:
    return [request.settings for request in link.asked(p.ChangeSettings)]


async def test_f3_shows_every_setting_and_escape_leads_back_to_the_input() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        shown = screen_text(app)
        assert all(field.label in shown for field in SAMPLING_FIELDS)
        assert app.focused is app.query_one("#setting-system_instruction")
        await pilot.press("escape")
        await pilot.pause()
        assert not app.query(SettingsPanel)
        assert app.focused is app.window.composer.editor


async def test_a_number_takes_effect_on_enter() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        number(app, "temperature").focus()
        await pilot.press("1", ".", "5", "enter")
        await pilot.pause()
        assert [each.sampling.temperature for each in changes(link)] == [1.5]


async def test_the_system_instruction_takes_effect_when_it_is_left() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        await pilot.press("A", "r", "r", "tab")
        await pilot.pause()
        assert [each.system_instruction for each in changes(link)] == ["Arr"]


async def test_a_change_that_is_being_typed_is_kept_when_the_panel_closes() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        await pilot.press("A", "r", "r", "escape")
        await pilot.pause()
        assert [each.system_instruction for each in changes(link)] == ["Arr"]


async def test_a_change_that_is_being_typed_belongs_to_the_tab_it_was_typed_for() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        await pilot.press("A", "r", "r", "ctrl+pagedown")
        await pilot.pause()
        asked = link.asked(p.ChangeSettings)
        assert [(r.session, r.settings.system_instruction) for r in asked] == [(1, "Arr")]
        assert app.query_one("#setting-system_instruction", TextArea).text == ""


async def test_a_wrong_value_is_explained_at_once_and_never_sent() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        number(app, "temperature").focus()
        await pilot.press("9", "9")
        await pilot.pause()
        assert "a number from 0 to 5" in advice(app)
        await pilot.press("enter", "tab")
        await pilot.pause()
        assert changes(link) == []
        assert number(app, "temperature").has_class("-wrong")


async def test_the_focused_setting_is_explained() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        number(app, "min_p").focus()
        await pilot.pause()
        assert "Drop tokens less likely" in advice(app)


async def test_reset_brings_sampling_back_and_keeps_the_system_instruction() -> None:
    link = ScriptedLink()
    app = make_app(link)
    odd = SessionSettings(system_instruction="Arr", sampling=SamplingSettings(temperature=4.0))
    async with app.run_test(size=(120, 90)) as pilot:
        link.connect((msgspec.structs.replace(TWO[0], settings=odd),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        await pilot.click("#settings-reset")
        await pilot.pause()
        (changed,) = changes(link)
        assert changed.system_instruction == "Arr"
        assert changed.sampling.temperature == 0.7


async def test_a_preset_is_applied_and_explained() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        app.query_one("#settings-preset").focus()
        await pilot.press("enter", "down", "down", "enter")
        await pilot.pause()
        (changed,) = changes(link)
        assert changed.sampling.temperature == 0.2
        assert number(app, "temperature").value == "0.2"
        assert "precise" in advice(app)


async def test_settings_changed_by_another_terminal_appear_in_the_fields() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        theirs = SessionSettings(sampling=SamplingSettings(top_k=77))
        link.event(
            p.SessionChanged(msgspec.structs.replace(TWO[0], settings=theirs), origin=ANOTHER)
        )
        await pilot.pause()
        assert number(app, "top_k").value == "77"


async def test_settings_the_host_refuses_are_told_and_taken_back() -> None:
    link = ScriptedLink()
    link.refusals = {p.ChangeSettings: "The grammar has an error in line 1."}
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        app.query_one("#setting-grammar", TextArea).load_text("root ::=")
        app.query_one("#setting-grammar").focus()
        await pilot.press("tab")
        await pilot.pause()
        await pilot.pause()
        assert "The grammar has an error in line 1." in notes(app)
        assert app.query_one("#setting-grammar", TextArea).text == ""


async def test_the_summary_panel_shows_the_summary_and_asks_for_a_new_one() -> None:
    link = ScriptedLink()
    app = make_app(link)
    summary = p.SummaryView("They talk [about] the sea.", 4, 1.0)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect((msgspec.structs.replace(TWO[0], summary=summary),))
        await pilot.pause()
        await pilot.press("f4")
        await pilot.pause()
        assert "They talk [about] the sea." in screen_text(app)
        assert "days ago" in screen_text(app)
        await pilot.press("enter", "tab", "tab", "tab", "enter")
        await pilot.pause()
        assert [request.session for request in link.asked(p.Summarize)] == [1]
        assert [request.paused for request in link.asked(p.SetSummarizer)] == [True]


async def test_one_panel_takes_the_place_of_the_other() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        await pilot.press("f3", "f4")
        await pilot.pause()
        assert "Nothing yet." in screen_text(app)
        assert not app.query(SettingsPanel)
        await pilot.press("f4")
        await pilot.pause()
        assert app.window.panel is None


@pytest.mark.parametrize("size", SIZES)
async def test_panels_fit_every_window(size: tuple[int, int]) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect(TWO)
        await pilot.pause()
        for key in ("f3", "f4"):
            await pilot.press(key)
            await pilot.pause()
            assert app.window.panel is not None
            region = app.window.panel.region
            assert region.right <= size[0]
            assert region.height >= 4


async def test_a_panel_can_be_closed_and_opened_faster_than_it_is_drawn() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect(TWO)
        await pilot.pause()
        for panel in ("settings", "none", "settings", "summary", "settings"):
            app.change(PanelOpened(panel))
        await pilot.pause()
        assert len(app.query(SettingsPanel)) == 1
        assert app.window.panel is app.query_one(SettingsPanel)
        app.change(PanelOpened("none"))
        await pilot.pause()
        assert not app.query(SettingsPanel)


async def test_thinking_is_switched_in_the_panel_and_keeps_through_presets_and_reset() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 90)) as pilot:
        odd = SessionSettings(sampling=SamplingSettings(temperature=4.0))
        link.connect((msgspec.structs.replace(TWO[0], settings=odd),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        assert "Keep thoughts" in screen_text(app)
        await pilot.click("#setting-enable_thinking")
        await pilot.pause()
        assert "before it answers" in advice(app)
        number(app, "thinking_budget").focus()
        await pilot.pause()
        await pilot.press("0")
        await pilot.pause()
        assert "from 1 to 100,000" in advice(app)
        number(app, "thinking_budget").value = "256"
        await pilot.press("enter")
        await pilot.pause()
        await pilot.click("#setting-keep_thinking")
        await pilot.click("#settings-reset")
        await pilot.pause()
        last = changes(link)[-1]
        assert last.sampling.temperature < 4
        assert (last.enable_thinking, last.thinking_budget, last.keep_thinking) == (True, 256, True)


async def test_the_switch_of_thinking_says_when_the_model_has_none() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 90)) as pilot:
        link.connect(TWO, model=msgspec.structs.replace(READY, thinks=False))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        assert "Thinking (not with this model)" in screen_text(app)
        await pilot.click("#setting-enable_thinking")
        await pilot.pause()
        assert "no switch for it" in advice(app)
