"""Scenes of the window itself: what stands in it when no dialog is before it."""

from __future__ import annotations

import msgspec
from tests.ui.screens.stage import NOW, Stage
from tests.ui.scripted import READY, message, tab

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.own_events import PairShown
from gemma_chat.ui.pair import Pair

MODEL = "SmolLM2-135M-Instruct Q4_1"
LETTER = """\
# Bread

Flour, water, salt and *time*. **Four** things, and `yeast`; see [a book](https://example.org).

1. Mix, and wait.
   - half an hour
   - longer when it is cold
2. Fold.
3. Bake.

- [x] flour
- [ ] salt

> A watched dough never rises.

| part  | grams | share |
|-------|------:|------:|
| flour |   500 |  100% |
| water |   350 |   70% |

```python
def rest(hours: float) -> str:
    return f"{hours:.1f} h"  # in the cold
```

---

Bon appétit, 召し上がれ 🍞
"""

THOUGHT = p.Thought(at=0, text="They bake.\nSo I should be brief.", seconds=12.3)
CALL = p.ToolUse(
    at=0, call="c1", name="clock", arguments='{"city": "Paris"}', outcome="answered", result="noon"
)
REFUSED = p.ToolUse(
    at=0, call="c2", name="read_file", arguments='{"path": "plan.md"}', outcome="refused"
)


def reply(number: int, text: str, **changes: object) -> p.MessageView:
    """A message of the model."""
    return msgspec.structs.replace(message(number, text, role="assistant"), **changes)


EVERYTHING = (
    message(1, "How is bread made?", pinned=True),
    reply(2, LETTER, asides=(THOUGHT, CALL, REFUSED), branch=2, branches=3),
)
ENDS = (
    message(11, "Look at this.\nWhat is it?"),
    reply(12, "A cat, on a", state="stopped"),
    message(13, "And in Latin?", branch=(1, 2)),
    reply(14, "Felis catus is the domestic cat, which", state="length"),
    message(15, "Why?"),
    reply(16, "Because", state="interrupted"),
    message(17, "Again?"),
    reply(18, "", state="failed", error="The model ran out of memory. Use a smaller context."),
    message(19, "Is anybody there?"),
    reply(20, "Yes, a moment", state="streaming", asides=(p.Thought(at=0, text="Hm"),)),
    message(21, "And after that?", state="queued", turn=12),
    message(22, "And then?", state="queued", turn=13),
)
PICTURE = p.AttachmentView("my cat.png", "ab", "image", "PNG", 42_000, width=640, height=480)
SOUND = p.AttachmentView("miaow.wav", "cd", "audio", "WAV", 320_000, seconds=12.0)
FILES = (msgspec.structs.replace(ENDS[0], attachments=(PICTURE, SOUND)), *ENDS[1:])
SUMMARY = p.SummaryView(
    "They bake bread: flour, water, salt and time.\n\nOpen: how long the dough rests in the cold.",
    up_to=2,
    updated=NOW - 200,
)

REPLACED = p.ReplacedView(2, 2, 2, "They spoke of bread.", NOW - 100)


def entry(session: int, turn: int = 1, **changes: object) -> p.LockEntry:
    """A turn that holds the lock or waits for it."""
    view = p.LockEntry(session, turn, f"session {session}")
    return msgspec.structs.replace(view, **changes)


HOLDER = entry(2, phase="generating", generated=64, tokens_per_second=43.2, elapsed=3.4)
TABS = (
    tab(1, "Bread", message_count=2, context_used=1_234, summary=SUMMARY),
    tab(2, "Tutor", message_count=2),
    tab(3, "Code reviewer", message_count=2, failed=True),
    tab(4, "Poet", message_count=2, unread=True),
)


async def in_a_chat(stage: Stage, *messages: p.MessageView) -> None:
    """Four tabs; the first one holds these messages."""
    for view in TABS:
        stage.link.hold(view, *(messages or EVERYTHING))
    stage.link.connect(TABS)
    await stage.settle()


# ---------------------------------------------------------------- nothing to read yet


async def welcome(stage: Stage) -> None:
    """The first thing a person sees when all is well."""
    stage.link.connect((tab(1),))
    await stage.settle()


async def welcome_of_a_role(stage: Stage) -> None:
    """A tab with a role, before anything is said in it."""
    told = "You are a pirate captain.\nAnswer in two or three short sentences, and say Arr."
    stage.link.connect((tab(1, settings=SessionSettings(system_instruction=told)),))
    await stage.settle()


async def looking_for_the_host(stage: Stage) -> None:
    """Before the host has answered."""


async def model_loading(stage: Stage) -> None:
    """The model is being read from the disk."""
    stage.link.connect((tab(1),), model=p.ModelView("loading", MODEL, progress=0.45))
    await stage.settle()


async def no_model(stage: Stage) -> None:
    """No model was ever chosen."""
    stage.link.connect((tab(1),), model=p.ModelView("none"))
    await stage.settle()


async def model_failed(stage: Stage) -> None:
    """The file is no model."""
    error = "bread.gguf is not a GGUF file: it begins with “PNG”. Choose another file."
    stage.link.connect((tab(1),), model=p.ModelView("failed", "bread", error=error))
    await stage.settle()


async def no_tab(stage: Stage) -> None:
    """The last tab was closed."""
    stage.link.connect((tab(1, message_count=2),))
    await stage.settle()
    await stage.happens(p.SessionClosed(1))


async def no_host(stage: Stage) -> None:
    """The host could not be started."""
    stage.link.phase("failed", "The host ended 3 times within a minute.")
    await stage.settle()


# ---------------------------------------------------------------- the transcript


async def transcript(stage: Stage) -> None:
    """The end of a reply with everything that markdown has."""
    await in_a_chat(stage)


async def transcript_top(stage: Stage) -> None:
    """Its beginning: a pin, folded thoughts and calls, branches."""
    await in_a_chat(stage)
    await stage.press("ctrl+home")


async def unfolded(stage: Stage) -> None:
    """Thoughts and tool calls shown whole."""
    await in_a_chat(stage)
    await stage.press("ctrl+home", "alt+t")


async def ends_of_replies(stage: Stage) -> None:
    """Stopped, cut, interrupted, failed; a reply that streams, and two that wait."""
    await in_a_chat(stage, *ENDS)


async def attachments(stage: Stage) -> None:
    """Files above the text they were sent with."""
    await in_a_chat(stage, *FILES)
    await stage.press("ctrl+home")


async def selected_message(stage: Stage) -> None:
    """The cursor on a message."""
    await in_a_chat(stage)
    await stage.press("alt+up", "alt+up")


async def marked_code(stage: Stage) -> None:
    """A block of code marked for copying."""
    await in_a_chat(stage)
    await stage.press("alt+up", "b")


async def search(stage: Stage) -> None:
    """Matches in the transcript."""
    await in_a_chat(stage)
    await stage.press("ctrl+f", *"flour")
    await stage.until(lambda: "3/3" in stage.text)


async def read_back(stage: Stage) -> None:
    """The reader stands further up while text comes below."""
    await in_a_chat(stage)
    await stage.press("ctrl+home")
    more = reply(3, "More.")
    await stage.happens(p.MessageChanged(1, 2, more))


async def replaced(stage: Stage) -> None:
    """The mark below what is in the model's context as a summary."""
    await in_a_chat(stage, *EVERYTHING[:1], reply(2, "Mix, wait, fold, bake."), *ENDS[:2])
    await stage.happens(p.SessionChanged(msgspec.structs.replace(TABS[0], replaced=REPLACED)))


# ---------------------------------------------------------------- input


async def several_lines(stage: Stage) -> None:
    """A draft of several lines with a folded paste and a file."""
    await in_a_chat(stage)
    lines = "\n".join(f"line {number}" for number in range(1, 6))
    stage.app.window.composer.load(Draft(lines, ("x" * 30_000,)))
    await stage.settle()


async def slash_commands(stage: Stage) -> None:
    """What is offered after a slash."""
    await in_a_chat(stage)
    await stage.press(*"/te")


async def vi_keys(stage: Stage) -> None:
    """vi's normal mode."""
    await in_a_chat(stage)
    stage.app.action_run("input.vi")
    await stage.press(*"Hello", "escape")


async def editing(stage: Stage) -> None:
    """A sent message is edited in the input."""
    await in_a_chat(stage)
    await stage.press("alt+up", "alt+up", "e")


async def tool_question(stage: Stage) -> None:
    """The model wants to call a tool."""
    question = p.ToolQuestion(7, "read_file", '{"path": "plan.md", "lines": [1, 200]}')
    await in_a_chat(stage)
    asking = msgspec.structs.replace(TABS[0], asking=(question,), calling=("read_file",))
    await stage.happens(p.SessionChanged(asking))


# ---------------------------------------------------------------- side panels


async def settings_panel(stage: Stage) -> None:
    """The settings of a tab."""
    await in_a_chat(stage)
    await stage.press("f3")


async def settings_numbers(stage: Stage) -> None:
    """Its numbers; one is wrong, which is explained below."""
    await in_a_chat(stage)
    await stage.press("f3")
    stage.app.query_one("#setting-top_k").focus()
    await stage.press("7", "x")


async def summary_panel(stage: Stage) -> None:
    """The running summary of a tab."""
    await in_a_chat(stage)
    await stage.press("f4")


# ---------------------------------------------------------------- tabs and status


async def busy(stage: Stage) -> None:
    """One tab generates, two wait, and the summarizer behind them."""
    await in_a_chat(stage)
    waiting = (entry(3), entry(4), entry(0, name="summarizer", background=True))
    await stage.happens(p.LockChanged(p.LockView(HOLDER, waiting)))


async def prefill(stage: Stage) -> None:
    """The prompt is being read, and the context is nearly full."""
    full = msgspec.structs.replace(TABS[0], context_used=7_600)
    await in_a_chat(stage)
    reading = entry(1, phase="prefill", prompt_done=3_072, prompt_total=7_600, elapsed=2.0)
    await stage.happens(p.SessionChanged(full), p.LockChanged(p.LockView(reading)))


async def safe_mode(stage: Stage) -> None:
    """After crashes: which part of the speed was given up."""
    await in_a_chat(stage)
    safe = msgspec.structs.replace(READY, safe_mode="one thread")
    paused = p.SummarizerView(paused=True)
    await stage.happens(p.ModelChanged(safe), p.SummarizerChanged(paused))


async def host_lost(stage: Stage) -> None:
    """The host went away; it is started again."""
    await in_a_chat(stage)
    stage.link.phase("lost", "The host has ended; it is being started again.")
    await stage.settle()


async def many_tabs(stage: Stage) -> None:
    """More tabs than fit."""
    stage.link.connect(tab(number, f"Chat number {number}") for number in range(1, 41))
    await stage.settle()
    await stage.press("alt+9", "ctrl+pagedown")


async def grouped_tabs(stage: Stage) -> None:
    """One group of several; a pinned tab, marks, and two unread replies elsewhere."""
    stage.link.connect(
        (
            tab(1, "Letters", group="Home", unread=True, turn=1),
            tab(2, "Holiday", group="Home", unread=True, turn=1),
            tab(3, "Budget", group="Work", pinned=True, mark="star", looked_at=2.0),
            tab(4, "Review", group="Work", mark="diamond"),
            tab(5, "Minutes", group="Work"),
        )
    )
    await stage.settle()


async def side_by_side(stage: Stage) -> None:
    """Two roles and one question: the left one writes, the right one waits."""
    await in_a_chat(stage)
    first, second = stage.app.state.tabs[:2]
    stage.app.change(PairShown(Pair(first.session, second.session)))
    entry = p.LockEntry(first.session, 9, first.title, phase="generating", tokens_per_second=20.0)
    waiting = p.LockEntry(second.session, 9, second.title)
    await stage.happens(p.LockChanged(p.LockView(entry, (waiting,))))


async def notifications(stage: Stage) -> None:
    """Sentences of all three kinds."""
    await in_a_chat(stage)
    await stage.happens(
        p.Notice("information", "Copied 120 characters."),
        p.Notice("warning", "The settings file has an unknown key “colour”; it is ignored."),
        p.Notice("error", "The disk is full: nothing is stored until there is room again."),
    )


SCENES = (
    welcome,
    welcome_of_a_role,
    looking_for_the_host,
    model_loading,
    no_model,
    model_failed,
    no_tab,
    no_host,
    transcript,
    transcript_top,
    unfolded,
    ends_of_replies,
    attachments,
    selected_message,
    marked_code,
    search,
    read_back,
    replaced,
    several_lines,
    slash_commands,
    vi_keys,
    editing,
    tool_question,
    settings_panel,
    settings_numbers,
    summary_panel,
    busy,
    prefill,
    safe_mode,
    host_lost,
    many_tabs,
    grouped_tabs,
    side_by_side,
    notifications,
)
