"""The look of every widget is the one that Textual's own stylesheet finds."""

from __future__ import annotations

from tests.ui.scripted import ScriptedLink, make_app, message, tab
from textual import events
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

from gemma_chat.ui.app import ChatApp

TEXT = "Some *words* with `code`.\n\n- one\n"


def nodes(app: ChatApp) -> list[DOMNode]:
    """Every widget of every screen, from the program down."""
    return [app, *(node for screen in app.screen_stack for node in screen.walk_children())]


def looks(app: ChatApp) -> dict[DOMNode, object]:
    """What each widget looks like, and what its parts do."""
    return {
        node: (
            dict(node.styles.base._rules),
            {
                name: dict(node.get_component_styles(name).base._rules)
                for name in node._get_component_classes()
            },
        )
        for node in nodes(app)
    }


def as_textual_has_it(app: ChatApp) -> Stylesheet:
    """Textual's own stylesheet with the same rules."""
    plain = app.stylesheet.copy()
    for source, css in app.stylesheet.source.items():
        plain.source[source] = css
    plain.parse()
    return plain


def agree(app: ChatApp) -> None:
    remembered = looks(app)
    plain = as_textual_has_it(app)
    for node in nodes(app):
        plain.apply(node)
    assert looks(app) == remembered


async def test_what_is_remembered_is_what_textual_finds() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.stored[1] = (message(1, TEXT), message(2, TEXT, role="assistant"))
        link.connect([tab(1, "one", message_count=2, turn=1), tab(2, "two")])
        await pilot.pause()
        await pilot.press("f3", "tab", "tab")
        agree(app)
        app.post_message(events.AppBlur())
        await pilot.pause()
        agree(app)
        app.post_message(events.AppFocus())
        await pilot.resize_terminal(60, 12)
        agree(app)
        await pilot.press("f3", "ctrl+pagedown", "ctrl+pageup", "ctrl+up")
        app.theme = "gemma-light"
        await pilot.pause()
        agree(app)
        await pilot.press("escape", "ctrl+p", "t")
        await pilot.pause()
        agree(app)
