"""What a person does with all conversations, those of closed tabs too."""

from __future__ import annotations

from gemma_chat.ui.actions.action import Action

HISTORY: tuple[Action, ...] = (
    Action(
        "history.open",
        ("alt+h",),
        "History",
        "History",
        "All conversations, open and closed, found by what was said in them.",
        slash=("conversations", "chats"),
    ),
    Action(
        "history.restore",
        ("enter",),
        "Open the conversation",
        "History",
        "Goes to its tab when it is open; so does a double click.",
        "history",
    ),
    Action(
        "history.mark",
        ("tab",),
        "Mark the conversation",
        "History",
        "For export and deletion; so does a click at the beginning of its line.",
        "history",
    ),
    Action(
        "history.mark_all",
        ("ctrl+a",),
        "Mark all conversations that were found",
        "History",
        "Once more takes all marks away.",
        "history",
    ),
    Action(
        "history.export",
        ("alt+e",),
        "Export the marked conversations",
        "History",
        "Without marks, the one under the cursor.",
        "history",
    ),
    Action(
        "history.delete",
        ("ctrl+d",),
        "Delete the marked conversations",
        "History",
        "For good, when you confirm it; without marks, the one under the cursor.",
        "history",
    ),
    Action(
        "tab.export",
        ("alt+e",),
        "Export this conversation",
        "History",
        "To a file: Markdown, JSON, HTML or SVG. One that exists is not replaced without asking.",
        slash=("export",),
        argument="[FORMAT] [FILE]",
    ),
    Action(
        "history.import",
        (),
        "Import conversations",
        "History",
        "From an export of this program, of ChatGPT or of llama.cpp's web page.",
        "palette",
        slash=("import",),
        argument="[FILE]",
    ),
)
