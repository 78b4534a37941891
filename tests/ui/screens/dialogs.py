"""Scenes of what stands before the window for a moment."""

from __future__ import annotations

from tests.ui.screens.stage import Stage
from tests.ui.screens.windows import ENDS, HOLDER, REPLACED, entry, in_a_chat

from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft


async def help_page(stage: Stage) -> None:
    """All keys and commands."""
    await in_a_chat(stage)
    await stage.press("f1")


async def palette(stage: Stage) -> None:
    """Every command by its name."""
    await in_a_chat(stage)
    await stage.press("ctrl+p", *"tab")
    await stage.app.workers.wait_for_complete()
    await stage.settle()


async def jump_list(stage: Stage) -> None:
    """Every tab with how it is."""
    await in_a_chat(stage)
    await stage.happens(p.LockChanged(p.LockView(HOLDER, (entry(1),))))
    await stage.press("ctrl+g")


async def rename(stage: Stage) -> None:
    """A new title for a tab."""
    await in_a_chat(stage)
    await stage.press("f2")


async def theme_list(stage: Stage) -> None:
    """The themes, with the marked one shown at once."""
    await in_a_chat(stage)
    stage.app.action_run("program.theme")
    await stage.settle()


async def message_menu(stage: Stage) -> None:
    """All that can be done with a message."""
    await in_a_chat(stage)
    await stage.press("alt+up", "enter")


async def delete_message(stage: Stage) -> None:
    """What is to be deleted."""
    await in_a_chat(stage, *ENDS)
    await stage.press(*["alt+up"] * 6, "d")


async def history(stage: Stage) -> None:
    """All conversations, with the end of the marked one."""
    await in_a_chat(stage)
    await stage.press("alt+h", "down", "tab")


async def history_search(stage: Stage) -> None:
    """Conversations that are found by what was said in them."""
    await in_a_chat(stage)
    await stage.press("alt+h", *"deep")


async def history_delete(stage: Stage) -> None:
    """Conversations are deleted only when it is confirmed."""
    await in_a_chat(stage)
    await stage.press("alt+h", "down", "tab", "tab", "ctrl+d")


async def export(stage: Stage) -> None:
    """Where a chat is written to."""
    await in_a_chat(stage)
    await stage.press("alt+e")


async def import_conversations(stage: Stage) -> None:
    """From which file conversations are read."""
    await in_a_chat(stage)
    stage.app.action_run("history.import")
    await stage.settle()


async def attach(stage: Stage) -> None:
    """The path of a file to attach."""
    await in_a_chat(stage)
    await stage.press("alt+a")


async def roles(stage: Stage) -> None:
    """The gallery of roles."""
    await in_a_chat(stage)
    await stage.press("alt+r")


async def presets(stage: Stage) -> None:
    """Sets of sampling settings."""
    await in_a_chat(stage)
    stage.app.action_run("tab.preset")
    await stage.settle()


async def prompt_library(stage: Stage) -> None:
    """Ready-made messages."""
    await in_a_chat(stage)
    await stage.press("alt+p")


async def prompt_form(stage: Stage) -> None:
    """The blanks of a prompt."""
    await in_a_chat(stage)
    stage.app.window.composer.load(Draft("Good bread takes time."))
    await stage.press("alt+p", *"translate", "enter")


async def sent_messages(stage: Stage) -> None:
    """What was sent before."""
    await in_a_chat(stage)
    await stage.press("ctrl+r")


async def paste(stage: Stage) -> None:
    """A folded paste, shown whole."""
    await in_a_chat(stage)
    stage.app.window.composer.load(Draft("", ("one line of a long paste\n" * 1_000,)))
    await stage.settle()
    await stage.pilot.click("PasteChip")
    await stage.settle()


async def context(stage: Stage) -> None:
    """What the model sees of a chat, part by part."""
    parts = (
        p.ContextPart("system", 10, "<|im_start|>system\nBe kind.<|im_end|>\n"),
        p.ContextPart("summary", 40, "<|im_start|>user\nThey spoke of bread.<|im_end|>\n"),
        p.ContextPart("exchange", 1, "<|im_start|>user\nWhy?<|im_end|>\n", "Why?"),
        p.ContextPart("opening", 9, "<|im_start|>user\n"),
    )
    stage.link.answers[p.ShowContext] = p.Context(0, 1, parts, 8_192, 2_048, REPLACED)
    await in_a_chat(stage)
    await stage.press(*"/context", "enter")


SCENES = (
    context,
    help_page,
    palette,
    jump_list,
    rename,
    theme_list,
    message_menu,
    delete_message,
    history,
    history_search,
    history_delete,
    export,
    import_conversations,
    attach,
    roles,
    presets,
    prompt_library,
    prompt_form,
    sent_messages,
    paste,
)
