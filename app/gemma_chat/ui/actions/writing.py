"""What a person does with the message that is being written."""

from __future__ import annotations

from gemma_chat.ui.actions.action import Action

WRITING: tuple[Action, ...] = (
    Action(
        "message.send", ("enter",), "Send", "Messages", "Send what stands in the input.", "input"
    ),
    Action(
        "message.new_line",
        ("ctrl+j", "shift+enter", "alt+enter", "ctrl+enter"),
        "New line",
        "Messages",
        "So does \\ at the end of the line when it is sent, in every terminal.",
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
        "Keeps what there is of it; a waiting message is withdrawn. First closes what is open.",
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
        "Puts its text into the message, or attaches an image; so does @ with a name's beginning.",
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
)
