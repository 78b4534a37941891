"""What a person sees: panels, places in a transcript, the search in it."""

from __future__ import annotations

from gemma_chat.ui.actions.action import Action

PLACES: tuple[Action, ...] = (
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
)

SEARCH: tuple[Action, ...] = (
    Action(
        "search.open",
        ("ctrl+f",),
        "Search in this conversation",
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
)
