"""The one table of what a person can do. Bindings, help, palette and the README are made from it.

`where` tells which part of the screen listens: `everywhere` also while a person types; `input`
in the input box only; `transcript` while a message is selected; `history` in the screen with all
chats, `models` in that with all models. Keys that terminals swallow or garble (alt+enter and
alt+digit without `keys.teach_textual`, ctrl+tab, shift+enter in most) are extras beside one that
always arrives.

The keys here are the defaults; `keymap.py` lays those of the settings file over them. An action
with `slash` can also be typed into the input as a command, `/name`, with its argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Group = Literal["Messages", "Input", "Tabs", "History", "Panels", "Transcript", "Model", "Program"]
Where = Literal["everywhere", "input", "transcript", "history", "models", "palette"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do."""

    id: str
    keys: tuple[str, ...]
    """Textual's names; the first one is shown first. Without keys: the palette only."""
    label: str
    group: Group
    explanation: str
    where: Where = "everywhere"
    slash: tuple[str, ...] = ()
    """The names of the command that does the same, without the slash."""
    argument: str = ""
    """What stands after the command's name, as the help shows it: `TEXT`, `[NAME]`."""

    @property
    def needs_argument(self) -> bool:
        """Without an argument there is nothing to do."""
        return bool(self.argument) and not self.argument.startswith("[")

    @property
    def key_names(self) -> str:
        """The keys as help and README write them."""
        return " / ".join(key_name(key) for key in self.keys)


_NAMES = {"pageup": "page up", "pagedown": "page down", "escape": "esc"}


def key_name(key: str) -> str:
    """`ctrl+pageup` as a person reads it: `ctrl+page up`."""
    return "+".join(_NAMES.get(part, part) for part in key.split("+"))


TAB_NUMBERS = "tab.number"
"""The one action whose keys differ in what they do: each goes to another tab."""

_TAB_NUMBER_KEYS = tuple(f"alt+{digit}" for digit in range(1, 10))

ACTIONS: tuple[Action, ...] = (
    Action(
        "message.send", ("enter",), "Send", "Messages", "Send what stands in the input.", "input"
    ),
    Action(
        "message.new_line",
        ("ctrl+j", "shift+enter", "alt+enter", "ctrl+enter"),
        "New line",
        "Messages",
        "ctrl+j works in every terminal; so does \\ at the end of the line and enter.",
        "input",
    ),
    Action(
        "message.attach",
        ("alt+a",),
        "Attach an image or recording",
        "Messages",
        "By its path; a file dropped on the terminal is attached too. Backspace takes it out.",
        slash=("attach",),
        argument="[FILE]",
    ),
    Action(
        "turn.stop",
        ("escape",),
        "Stop this tab's reply",
        "Messages",
        "Keeps what there is of it; a waiting message is withdrawn. Closes an open panel first.",
        slash=("stop",),
    ),
    Action(
        "input.editor",
        ("ctrl+o",),
        "Write in your editor",
        "Input",
        "Opens the message in $VISUAL or $EDITOR; what is saved there comes back.",
        slash=("edit",),
    ),
    Action(
        "input.history",
        ("ctrl+r",),
        "Search sent messages",
        "Input",
        "Up on the first line brings them back one by one, those that begin like the text.",
        "input",
        slash=("history",),
    ),
    Action(
        "input.undo",
        ("ctrl+underscore", "alt+z"),
        "Undo",
        "Input",
        "Take back the last change of the text.",
        "input",
    ),
    Action(
        "input.redo",
        ("ctrl+y", "alt+y"),
        "Redo",
        "Input",
        "Make the change again that was taken back.",
        "input",
    ),
    Action(
        "input.file",
        (),
        "Insert a file",
        "Input",
        "Puts a text file into the message; so does @ and the beginning of its name.",
        "palette",
        slash=("file",),
        argument="PATH",
    ),
    Action(
        "input.prompt",
        ("alt+p",),
        "Prompt library",
        "Input",
        "Ready-made messages with blanks to fill in, your own among them.",
        slash=("prompt",),
        argument="[NAME]",
    ),
    Action(
        "input.vi",
        (),
        "Switch vi keys on or off",
        "Input",
        "Modes, motions and operators of vi in the input; kept in the settings file.",
        "palette",
        slash=("vi",),
    ),
    Action(
        "tab.new",
        ("ctrl+t",),
        "New tab",
        "Tabs",
        "Open a new chat on the same model.",
        slash=("new",),
    ),
    Action(
        "tool.once",
        ("alt+o",),
        "Allow this tool call",
        "Messages",
        "When this tab asks whether its model may call a tool.",
    ),
    Action(
        "tool.always",
        ("alt+k",),
        "Always allow this tool here",
        "Messages",
        "In this tab; take it back in its settings (f3).",
    ),
    Action(
        "tool.never",
        ("alt+n",),
        "Never allow this tool here",
        "Messages",
        "In this tab; take it back in its settings (f3).",
    ),
    Action(
        "message.previous",
        ("alt+up",),
        "Select the message above",
        "Messages",
        "Puts the cursor on a message, the last one first; a click does it too. esc leaves it.",
    ),
    Action(
        "message.next",
        ("alt+down",),
        "Select the message below",
        "Messages",
        "Below the last one, back to the input.",
    ),
    Action(
        "message.menu",
        ("enter",),
        "All that can be done with it",
        "Messages",
        "The menu of the selected message; a click on ⋯ or with the right button opens it.",
        "transcript",
    ),
    Action(
        "message.copy",
        ("c",),
        "Copy",
        "Messages",
        "What is selected, else the message as it was written. Works over SSH and in tmux.",
        "transcript",
    ),
    Action(
        "message.copy_last",
        ("alt+c",),
        "Copy the newest reply",
        "Messages",
        "Or the selected message, or the selected text.",
        slash=("copy",),
    ),
    Action(
        "message.code",
        ("b",),
        "Mark a block of code",
        "Messages",
        "The next one of the selected message; c copies it.",
        "transcript",
    ),
    Action(
        "message.edit",
        ("e",),
        "Edit and send again",
        "Messages",
        "What followed stays as another branch; a message that still waits is changed.",
        "transcript",
    ),
    Action(
        "message.regenerate",
        ("r",),
        "Another reply",
        "Messages",
        "Answers the question once more; the reply so far stays as another branch.",
        "transcript",
        slash=("again",),
    ),
    Action(
        "message.regenerate_with",
        ("R",),
        "Another reply with other settings",
        "Messages",
        "For this reply only; the settings of the tab stay as they are.",
        "transcript",
    ),
    Action(
        "message.continue",
        ("o",),
        "Go on with the reply",
        "Messages",
        "Where it was stopped or cut, from its own last word.",
        "transcript",
        slash=("continue",),
    ),
    Action(
        "branch.previous",
        ("left",),
        "Branch before",
        "Messages",
        "Shows the earlier of the branches ‹ 2/3 › that begin at the message.",
        "transcript",
    ),
    Action(
        "branch.next",
        ("right",),
        "Branch after",
        "Messages",
        "Shows the later one.",
        "transcript",
    ),
    Action(
        "message.fork",
        ("f",),
        "Fork a tab from here",
        "Messages",
        "At a reply with all up to it; at a question with all before it and its text to change.",
        "transcript",
        slash=("fork",),
    ),
    Action(
        "message.quote",
        ("q",),
        "Quote in the input",
        "Messages",
        "The selected text, else the message.",
        "transcript",
    ),
    Action(
        "message.pin",
        ("p",),
        "Pin, or take the pin away",
        "Messages",
        "A pinned message stays in the context of the model.",
        "transcript",
    ),
    Action(
        "message.figures",
        ("i",),
        "Figures of the reply",
        "Messages",
        "Tokens read, kept and written, times, speed, why it ended, model and seed.",
        "transcript",
        slash=("figures",),
    ),
    Action(
        "message.delete",
        ("d", "delete"),
        "Delete",
        "Messages",
        "The question with its reply, or all from here on; a waiting message is cancelled.",
        "transcript",
    ),
    Action(
        "queue.up",
        ("ctrl+up",),
        "Answer a waiting message sooner",
        "Messages",
        "Exchanges it with the one that waits before it in this tab.",
        "transcript",
    ),
    Action(
        "queue.down",
        ("ctrl+down",),
        "Answer a waiting message later",
        "Messages",
        "Exchanges it with the one that waits behind it.",
        "transcript",
    ),
    Action(
        "tab.close",
        ("alt+w",),
        "Close tab",
        "Tabs",
        "The conversation is kept; alt+u opens it again.",
        slash=("close",),
    ),
    Action(
        "tab.undo_close",
        ("alt+u",),
        "Reopen closed tab",
        "Tabs",
        "Take back the last close.",
        slash=("reopen",),
    ),
    Action(
        "tab.next",
        ("ctrl+pagedown", "alt+right"),
        "Next tab",
        "Tabs",
        "Go to the tab on the right.",
    ),
    Action(
        "tab.previous",
        ("ctrl+pageup", "alt+left"),
        "Previous tab",
        "Tabs",
        "Go to the tab on the left.",
    ),
    Action(TAB_NUMBERS, _TAB_NUMBER_KEYS, "Go to tab 1 … 9", "Tabs", "Go to a tab by its number."),
    Action(
        "tab.jump",
        ("ctrl+g",),
        "Jump list",
        "Tabs",
        "Find a tab by a few letters of its title or its group.",
    ),
    Action(
        "tab.rename",
        ("f2",),
        "Rename tab",
        "Tabs",
        "Empty lets the summarizer choose a title.",
        slash=("title",),
        argument="[TEXT]",
    ),
    Action(
        "tab.menu",
        ("alt+m",),
        "All that can be done with this tab",
        "Tabs",
        "A click with the right button on the tab opens it too.",
    ),
    Action(
        "tab.move_left",
        ("alt+shift+left", "ctrl+shift+pageup"),
        "Move tab to the left",
        "Tabs",
        "Within its group; so does dragging it with the mouse.",
    ),
    Action(
        "tab.move_right",
        ("alt+shift+right", "ctrl+shift+pagedown"),
        "Move tab to the right",
        "Tabs",
        "The order is the same in all terminals.",
    ),
    Action(
        "tab.pin",
        (),
        "Pin tab, or take its pin away",
        "Tabs",
        "A pinned tab stands first in its group and is not closed.",
        "palette",
        slash=("pin",),
    ),
    Action(
        "tab.mark",
        (),
        "Mark tab",
        "Tabs",
        "With one of six signs, each in its colour.",
        "palette",
        slash=("mark",),
        argument="[SIGN | none]",
    ),
    Action(
        "tab.group",
        (),
        "Put tab into a group",
        "Tabs",
        "Under a name that is there, or a new one; the tab bar shows one group at a time.",
        "palette",
        slash=("group",),
        argument="[NAME | none]",
    ),
    Action(
        "group.switch",
        ("alt+g",),
        "Go to a group",
        "Tabs",
        "A click on the group's name at the left of the tab bar does it too.",
    ),
    Action(
        "group.next",
        (),
        "Next group",
        "Tabs",
        "To the tab of it that was shown last.",
        "palette",
    ),
    Action(
        "group.previous",
        (),
        "Previous group",
        "Tabs",
        "To the tab of it that was shown last.",
        "palette",
    ),
    Action(
        "group.rename",
        (),
        "Rename group",
        "Tabs",
        "The name of another group joins the two; none ends the group.",
        "palette",
    ),
    Action(
        "tab.compare",
        ("alt+s",),
        "Side by side",
        "Tabs",
        "This tab and a fork, a new role or another tab, one question to both; again ends it.",
        slash=("compare",),
        argument="[TAB | ROLE]",
    ),
    Action(
        "compare.target",
        ("f6",),
        "Send to both or to one",
        "Tabs",
        "Side by side: to both, to the left one, to the right one. So does a click on its head.",
    ),
    Action(
        "tab.clear",
        (),
        "Start afresh in this tab",
        "Tabs",
        "A new chat with the same settings in the place of this one, which is kept.",
        "palette",
        slash=("clear",),
    ),
    Action(
        "tab.system",
        (),
        "Set the system instruction",
        "Tabs",
        "What the model is told before the first message: role, manner, language.",
        "palette",
        slash=("system",),
        argument="[TEXT]",
    ),
    Action(
        "tab.role",
        ("alt+r",),
        "Roles",
        "Tabs",
        "Choose a system instruction from the gallery, your own among them.",
        slash=("role",),
        argument="[NAME | save NAME | import FILE]",
    ),
    Action(
        "tab.preset",
        (),
        "Presets",
        "Tabs",
        "Choose a set of sampling settings, or save this tab's under a name.",
        "palette",
        slash=("preset",),
        argument="[NAME | save NAME | import FILE]",
    ),
    Action(
        "tab.reset",
        (),
        "Reset settings of this tab",
        "Tabs",
        "All sampling settings, or the one that is named, as in a new tab.",
        "palette",
        slash=("reset",),
        argument="[SETTING]",
    ),
    Action(
        "history.open",
        ("alt+h",),
        "History",
        "History",
        "All chats, open and closed, found by what was said in them.",
        slash=("chats",),
    ),
    Action(
        "history.restore",
        ("enter",),
        "Open the chat",
        "History",
        "Goes to its tab when it is open; so does a double click.",
        "history",
    ),
    Action(
        "history.mark",
        ("tab",),
        "Mark the chat",
        "History",
        "For export and deletion; so does a click at the beginning of its line.",
        "history",
    ),
    Action(
        "history.mark_all",
        ("ctrl+a",),
        "Mark all chats that were found",
        "History",
        "Once more takes all marks away.",
        "history",
    ),
    Action(
        "history.export",
        ("alt+e",),
        "Export the marked chats",
        "History",
        "Without marks, the one under the cursor.",
        "history",
    ),
    Action(
        "history.delete",
        ("ctrl+d",),
        "Delete the marked chats",
        "History",
        "For good, when you confirm it; without marks, the one under the cursor.",
        "history",
    ),
    Action(
        "tab.export",
        ("alt+e",),
        "Export this chat",
        "History",
        "To a file: Markdown, JSON, HTML or SVG. One that exists is not replaced without asking.",
        slash=("export",),
        argument="[FORMAT | FILE]",
    ),
    Action(
        "chat.import",
        (),
        "Import chats",
        "History",
        "From an export of this program, of ChatGPT or of llama.cpp's web page.",
        "palette",
        slash=("import",),
        argument="[FILE]",
    ),
    Action(
        "panel.settings",
        ("f3",),
        "Settings of this tab",
        "Panels",
        "System instruction, sampling, presets, grammar or JSON schema, LoRA adapter.",
        slash=("settings",),
    ),
    Action(
        "panel.reset_field",
        ("alt+d",),
        "Reset this setting",
        "Panels",
        "In the settings: the number with the cursor is that of a new tab again; so is one whose "
        "↺ is clicked.",
    ),
    Action(
        "panel.summary",
        ("f4",),
        "Summary of this tab",
        "Panels",
        "The running summary that the summarizer writes between replies.",
        slash=("summary",),
    ),
    Action(
        "panel.lock",
        ("f5",),
        "Generation lock",
        "Panels",
        "Who generates and who waits, to be moved, stopped or gone to; memory. So does a click on "
        "the lock in the status bar.",
        slash=("queue",),
    ),
    Action(
        "context.show",
        (),
        "Show what the model sees",
        "Panels",
        "The prompt, part by part with its tokens; a full context has older turns as a summary.",
        "palette",
        slash=("context",),
    ),
    Action(
        "transcript.page_up",
        ("pageup",),
        "Page up",
        "Transcript",
        "Read back; the transcript stays there.",
        "input",
    ),
    Action(
        "transcript.page_down",
        ("pagedown",),
        "Page down",
        "Transcript",
        "Read on; at the end it follows the reply again.",
        "input",
    ),
    Action(
        "transcript.home",
        ("ctrl+home",),
        "First message",
        "Transcript",
        "Go to the oldest message.",
        "input",
    ),
    Action(
        "transcript.end",
        ("ctrl+end",),
        "Newest message",
        "Transcript",
        "Go to the end and follow the reply.",
        "input",
    ),
    Action(
        "model.load",
        (),
        "Models",
        "Model",
        "Choose the one in memory, or download one; the tabs stay. With a GGUF file, load that.",
        "palette",
        slash=("model",),
        argument="[FILE]",
    ),
    Action(
        "models.use",
        ("enter",),
        "Load or download the model",
        "Model",
        "Pauses a download that runs, and goes on with one that does not.",
        "models",
    ),
    Action(
        "models.default",
        ("ctrl+s",),
        "Start with this model",
        "Model",
        "It is loaded from the next start of the host on.",
        "models",
    ),
    Action(
        "models.remove",
        ("ctrl+d",),
        "Delete the model",
        "Model",
        "A file of the program's own folder, when you confirm it; gives a download up.",
        "models",
    ),
    Action(
        "search.open",
        ("ctrl+f",),
        "Search in this chat",
        "Transcript",
        "enter and ↑ go to the match above, ↓ to the one below; capitals make case count.",
        slash=("search",),
    ),
    Action(
        "search.next",
        ("n",),
        "Match below",
        "Transcript",
        "Of the search that is open, while a message is selected.",
        "transcript",
    ),
    Action(
        "search.previous",
        ("N",),
        "Match above",
        "Transcript",
        "Of the search that is open, while a message is selected.",
        "transcript",
    ),
    Action(
        "transcript.unfold",
        ("alt+t",),
        "Unfold thoughts and tool calls",
        "Transcript",
        "All of them, or fold them again; a click unfolds one.",
    ),
    Action(
        "summarizer.pause",
        (),
        "Pause or resume the summarizer",
        "Model",
        "It writes titles and summaries only while nobody waits for the model.",
        "palette",
    ),
    Action(
        "summary.now",
        (),
        "Bring this summary up to date now",
        "Model",
        "Or write it again; otherwise that is done after a reply, when nobody waits.",
        "palette",
    ),
    Action(
        "summary.copy",
        (),
        "Copy this summary",
        "Model",
        "As it stands in the panel.",
        "palette",
    ),
    Action(
        "summary.insert",
        (),
        "Insert this summary",
        "Model",
        "Into the input, behind what stands there.",
        "palette",
    ),
    Action(
        "host.stop",
        (),
        "Stop the host and quit",
        "Model",
        "Frees the model's memory; every conversation is kept. Asks when that disturbs somebody.",
        "palette",
    ),
    Action(
        "host.retry",
        (),
        "Connect again",
        "Model",
        "Look for the host, or start it, without waiting.",
        "palette",
    ),
    Action(
        "program.theme",
        (),
        "Choose a theme",
        "Program",
        "With live preview; the choice is kept in the settings file.",
        "palette",
        slash=("theme",),
        argument="[NAME]",
    ),
    Action(
        "program.help",
        ("f1",),
        "Help",
        "Program",
        "This page.",
        slash=("help",),
    ),
    Action("program.palette", ("ctrl+p",), "Command palette", "Program", "Find a command by name."),
    Action(
        "program.suspend",
        ("ctrl+z",),
        "Suspend",
        "Program",
        "Back to the shell; fg brings the program back. Replies go on meanwhile.",
    ),
    Action(
        "program.detach",
        ("alt+q",),
        "Detach",
        "Program",
        "Leave, and keep the host with its model until you attach again, however long that is.",
        slash=("detach",),
    ),
    Action(
        "program.quit",
        ("ctrl+q",),
        "Quit",
        "Program",
        "Replies go on in the host; some minutes after the last terminal it leaves too.",
        slash=("quit",),
    ),
)

GROUPS: tuple[Group, ...] = (
    "Messages",
    "Input",
    "Tabs",
    "History",
    "Transcript",
    "Panels",
    "Model",
    "Program",
)


def action(id_: str) -> Action:
    """The action with this id; raises `KeyError`."""
    for candidate in ACTIONS:
        if candidate.id == id_:
            return candidate
    raise KeyError(id_)


def grouped(
    actions: tuple[Action, ...] = ACTIONS,
) -> Iterator[tuple[Group, tuple[Action, ...]]]:
    """The groups in their order, each with its actions."""
    for group in GROUPS:
        yield group, tuple(action for action in actions if action.group == group)


def markdown_key_table() -> str:
    """The key table of the README."""
    rows = ["| keys | what | |", "|---|---|---|"]
    for _, actions in grouped():
        for each in actions:
            keys = " ".join(f"`{key_name(key)}`" for key in _shown_keys(each)) or "palette"
            rows.append(f"| {keys} | {each.label} | {each.explanation} |")
    return "\n".join(rows).replace("\\", "\\\\") + "\n"


def _shown_keys(each: Action) -> tuple[str, ...]:
    return (each.keys[0], each.keys[-1]) if each.id == TAB_NUMBERS else each.keys
