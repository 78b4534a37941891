"""The plain line mode says in words what the screen shows, once, and sends what is typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.ui.plain.talk import FIRST_TURN, PATIENCE, Talk, waiting
from tests.ui.scripted import HOSTILE_TITLES, message, tab

from gemma_chat.host import protocol as p
from gemma_chat.ui.plain.commands import PLAIN_COMMANDS, TABLE
from gemma_chat.ui.plain.terminal import GREETING, NOTHING_TO_STOP, UNFORESEEN

NO_MODEL = p.ModelView(phase="none")
OVER = "Done: 120 tokens, 31 tokens/s."


async def test_it_begins_with_how_things_stand() -> None:
    talk = Talk()
    talk.link.connect([tab(1, "Sea"), tab(2, "Essay", looked_at=5.0, message_count=6)])
    await talk.terminal.begin()
    assert talk.lines == [
        GREETING,
        "Model: SmolLM2-135M-Instruct Q4_1, ready.",
        "Tab 2 “Essay”, 6 messages.",
    ]


async def test_the_first_start_opens_a_tab_and_says_how_to_get_a_model() -> None:
    talk = Talk()
    talk.link.connect(model=NO_MODEL)
    await talk.terminal.begin()
    assert "There is no model yet." in talk.said
    assert "/model lists those that are here" in talk.said
    assert talk.lines[-1] == "Tab 1 “Untitled”, 0 messages."


async def test_without_a_host_it_says_so_and_what_to_do() -> None:
    talk = Talk()
    talk.link.phase("failed", "The disk is full.")
    await talk.terminal.begin()
    assert "Error: The disk is full." in talk.said
    await talk.type("hello?")
    assert talk.link.retries == 1
    assert "The host is not connected." in talk.said


async def test_a_reply_is_said_in_whole_words_while_it_comes() -> None:
    talk = await Talk.begun([tab(1)])
    typing = await talk.ask("Why?")
    talk.reply(1, FIRST_TURN, "Beca", "use of ", "sal")
    await talk.terminal.until(lambda: "of " in talk.said)
    assert talk.said == "Assistant: Because of "
    talk.go_on(1, FIRST_TURN, "t.", at=14)
    talk.finish(1, FIRST_TURN)
    await typing
    assert talk.lines == ["Assistant: Because of salt.", OVER]


async def test_a_reply_that_is_over_before_the_host_has_answered_is_ones_own_all_the_same() -> None:
    talk = await Talk.begun([tab(1)])
    talk.link.held = {p.SendMessage}
    typing = await talk.ask("Why?")
    talk.reply(1, FIRST_TURN, "Because.")
    talk.finish(1, FIRST_TURN)
    assert talk.said == ""
    talk.link.release()
    await typing
    assert talk.lines == ["Assistant: Because.", OVER]


async def test_waiting_is_told_when_it_changes_and_only_then() -> None:
    talk = await Talk.begun([tab(1, "Essay"), tab(2, looked_at=1.0)])
    typing = await talk.ask("Why?")
    for lock in (waiting(1, 2, holder=1), waiting(1, 2, holder=1), waiting(2, holder=1)):
        talk.link.event(p.LockChanged(lock))
    await talk.terminal.until(lambda: "1 turn before" in talk.said)
    reading = p.LockEntry(2, FIRST_TURN, "", phase="prefill", prompt_done=410, prompt_total=1000)
    talk.link.event(p.LockChanged(p.LockView(reading)))
    talk.reply(2, FIRST_TURN, "Because.")
    talk.finish(2, FIRST_TURN)
    await typing
    assert [line for line in talk.lines if "2 turns" not in line] == [
        "Waiting: 1 turn before this one (tab 1 “Essay” holds the lock).",
        "Reading the prompt: 40 %.",
        "Assistant: Because.",
        OVER,
    ]
    assert talk.said.count("2 turns") <= 1


async def test_a_reply_in_another_tab_is_one_line_and_read_when_it_is_gone_to() -> None:
    stored = {2: (message(1, "Why?"), message(2, "Because.", role="assistant"))}
    talk = await Talk.begun([tab(1, looked_at=1.0), tab(2, "Essay")], stored=stored)
    talk.finish(2, 1)
    talk.link.event(p.SessionChanged(tab(2, "Essay", unread=True, message_count=2)))
    assert talk.lines == ["Tab 2 “Essay”: the reply is there, 120 tokens. /tab 2 goes there."]
    await talk.type("/tab essay")
    assert talk.lines[1:] == ["Tab 2 “Essay”, 2 messages.", "Assistant: Because."]
    assert talk.link.asked(p.MarkRead)


async def test_going_to_a_tab_follows_the_reply_that_is_being_written_there() -> None:
    running = p.LockEntry(2, 7, "", phase="generating")
    stored = {
        2: (
            message(70, "Why?", turn=7),
            message(71, "Because ", role="assistant", turn=7, state="streaming"),
        )
    }
    talk = await Talk.begun(
        [tab(1, looked_at=1.0), tab(2, "Essay")], lock=p.LockView(running), stored=stored
    )
    typing = asyncio.create_task(talk.type("/tab 2"))
    async with asyncio.timeout(PATIENCE):
        await talk.terminal.until(lambda: "Because " in talk.said)
    talk.go_on(2, 7, "of salt.", at=8)
    talk.finish(2, 7)
    await typing
    assert talk.lines == ["Tab 2 “Essay”, 0 messages.", "Assistant: Because of salt.", OVER]


async def test_what_another_terminal_asks_here_is_said_when_it_is_answered() -> None:
    talk = await Talk.begun([tab(1)])
    talk.reply(1, 3, "Bec", "ause.", question="Why?")
    assert talk.said == ""
    talk.finish(1, 3)
    assert talk.lines == ["You, at another terminal: Why?", "Assistant: Because.", OVER]


@pytest.mark.parametrize(
    ("reason", "error", "said"),
    [
        ("stopped", "", "Stopped: 120 tokens kept. /continue goes on."),
        ("length", "", "Cut after 120 tokens, 31 tokens/s: the limit"),
        ("failed", "The disk\x1b[2J is full.", "Failed: The disk␛[2J is full."),
        ("closed", "The host left.", "The host left."),
    ],
)
async def test_every_end_has_its_words(reason: p.FinishReason, error: str, said: str) -> None:
    talk = await Talk.begun([tab(1)])
    typing = await talk.ask("Why?")
    talk.reply(1, FIRST_TURN, "Because.")
    talk.finish(1, FIRST_TURN, reason, error)
    await typing
    assert talk.lines[-1].startswith(said)


async def test_a_host_that_comes_back_without_the_turn_does_not_keep_the_person_waiting() -> None:
    talk = await Talk.begun([tab(1)])
    typing = await talk.ask("Why?")
    talk.reply(1, FIRST_TURN, "Because ")
    talk.link.phase("lost", "The host process ended unexpectedly.")
    talk.link.stored = {
        1: (message(111, "Because ", role="assistant", turn=FIRST_TURN, state="interrupted"),)
    }
    talk.link.connect([tab(1)])
    await typing
    assert "The host process ended unexpectedly." in talk.lines
    assert "The host is there again." in talk.lines
    assert talk.lines[-1].startswith("The end of the reply was not heard here")


async def test_a_host_that_does_not_answer_is_told_and_so_is_that_it_does_again() -> None:
    talk = await Talk.begun([tab(1)])
    talk.link.phase("silent", "The host (pid 7) does not answer.")
    talk.link.phase("connected", "")
    assert talk.lines[-2:] == ["The host (pid 7) does not answer.", "The host answers again."]


async def test_a_question_about_a_tool_is_asked_in_words_and_answered_by_one() -> None:
    talk = await Talk.begun([tab(1)])
    typing = await talk.ask("What time is it?")
    question = p.ToolQuestion(5, "clock\x1b[2J", '{"zone": "UTC"}')
    talk.link.event(p.SessionChanged(tab(1, asking=(question,))))
    await talk.terminal._typed("once")
    answer = talk.link.asked(p.AnswerTool)[0]
    assert (answer.question, answer.answer) == (5, "once")
    assert "wants to call clock␛[2J with" in talk.said
    talk.link.event(p.SessionChanged(tab(1)))
    talk.finish(1, FIRST_TURN)
    await typing


async def test_thoughts_are_named_and_not_read() -> None:
    talk = await Talk.begun([tab(1)])
    typing = await talk.ask("Why?")
    talk.reply(1, FIRST_TURN)
    number = 10 * FIRST_TURN + 1
    for thought in (p.Thought(0, text="hm"), p.Thought(0, text="hm hm", seconds=3.0)):
        talk.link.event(p.AsideChanged(1, FIRST_TURN, number, 0, thought))
    talk.go_on(1, FIRST_TURN, "Because.")
    talk.finish(1, FIRST_TURN)
    await typing
    assert talk.lines == [
        "Thinking.",
        "Thought for 3 s; /show thoughts reads it.",
        "Assistant: Because.",
        OVER,
    ]
    await talk.type("/show thoughts")
    assert talk.lines[-1] == "Thought: hm hm"


# ---------------------------------------------------------------- stopping and drafts


async def test_an_interruption_stops_the_reply_and_without_one_says_how_to_leave() -> None:
    talk = await Talk.begun([tab(1)])
    await talk.terminal.interrupt()
    assert talk.lines == [NOTHING_TO_STOP]
    talk.link.event(p.LockChanged(p.LockView(p.LockEntry(1, 4, "", phase="generating"))))
    await talk.terminal.interrupt()
    assert [stop.turn for stop in talk.link.asked(p.StopTurn)] == [4]


async def test_a_question_that_waited_is_kept_as_a_draft_when_it_is_stopped() -> None:
    stored = {1: (message(1, "Why?", turn=FIRST_TURN, state="queued"),)}
    talk = await Talk.begun([tab(1)], lock=waiting(1), stored=stored)
    await talk.terminal.interrupt()
    assert "Withdrawn, and kept as a draft" in talk.said
    talk.finish(1, FIRST_TURN, "stopped")
    await talk.type("/draft")
    assert talk.terminal.to_edit == "Why?"


@pytest.mark.parametrize("model", [NO_MODEL, p.ModelView(phase="failed", error="cut short")])
async def test_what_cannot_be_sent_is_kept_as_a_draft(model: p.ModelView) -> None:
    talk = await Talk.begun([tab(1)], model=model)
    await talk.type("Why?")
    assert "kept as a draft" in talk.said
    assert not talk.link.asked(p.SendMessage)
    assert [saved.text for saved in talk.link.asked(p.SaveDraft)] == ["Why?"]
    await talk.type("/draft")
    assert talk.terminal.to_edit == "Why?"


async def test_what_the_host_refuses_is_kept_too_and_its_sentence_said() -> None:
    talk = await Talk.begun([tab(1)])
    talk.link.refusals = {p.SendMessage: "The disk is full."}
    await talk.type("Why?")
    assert talk.lines[0] == "Error: The disk is full."
    assert [saved.text for saved in talk.link.asked(p.SaveDraft)] == ["Why?"]


async def test_a_draft_of_another_terminal_is_told_and_gone_when_it_is_sent() -> None:
    talk = Talk()
    talk.link.connect([tab(1, draft="Half a question")])
    await talk.terminal.begin()
    assert "A draft of 15 characters waits here" in talk.said
    await talk.type("/draft")
    typing = await talk.ask("Half a question, and the rest")
    talk.finish(1, FIRST_TURN)
    await typing
    saved = talk.link.asked(p.SaveDraft)[-1]
    assert (saved.text, saved.begun) == ("", "from_the_hosts")


async def test_what_stands_in_the_line_at_the_end_is_kept() -> None:
    talk = await Talk.begun([tab(1)])
    await talk.terminal.end("Half a quest")
    assert [saved.text for saved in talk.link.asked(p.SaveDraft)] == ["Half a quest"]
    assert talk.link.closed


# ---------------------------------------------------------------- commands


def test_every_command_is_carried_out_by_somebody() -> None:
    done = Talk().terminal._commands._by_id
    ids = {command.id for command in PLAIN_COMMANDS}
    assert {id_ for id_ in ids if not id_.startswith("setting.")} == set(done)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/tba 2", "There is no command /tba. Did you mean /tab?"),
        ("/\x1b[2J", "There is no command /·[2J."),
        ("/theme dark", "/theme belongs to the full screen"),
        ("/tab 7", "There is no tab 7."),
        ("/tab nowhere", "No tab is called “nowhere”."),
        ("/tab e", "“e” may be tab 1, 2."),
        ("/temp hot", "temperature = 'hot' is not allowed"),
        ("/show none", "/show takes a number of messages, not none."),
        ("/open 99999999999999999999999", ""),
        ("/model 12", "There is no model 12"),
        ("/help tab", "/tab [NUMBER | TITLE]: Go to a tab."),
        ("/close now", "/close takes nothing after its name."),
        ("/message 7", "No message is meant by 7."),
        ("/resend", "There is no question in this tab yet."),
        ("/branch 2", "There is one branch only here."),
        ("/again nowhere", "There is no reply in this tab yet."),
        ("/attach no-such.png", "no-such.png"),
        ("/export", "Nothing was said in this tab yet"),
    ],
)
async def test_what_is_wrong_with_a_command_is_said(typed: str, said: str) -> None:
    talk = await Talk.begun([tab(1, "Sea"), tab(2, "Essay")])
    talk.link.answers = {
        p.ListModels: p.Models(0, (), ()),
        p.FetchConversation: p.Conversation(
            0, p.ConversationView(1, "Sea", True, 0.0, 0.0, 0), tab(1).settings
        ),
    }
    await talk.type(typed)
    assert said in talk.said
    assert UNFORESEEN not in talk.said


@pytest.mark.parametrize("argument", ["", "\x1b[2J\x00\ud800", "9" * 5_000, "~nobody/" + "x" * 300])
async def test_no_argument_of_any_command_is_unforeseen(argument: str, tmp_path: Path) -> None:
    talk = await Talk.begun([tab(1), tab(2)], state_dir=tmp_path)
    for name in TABLE:
        if name not in ("quit", "detach"):
            await talk.type(f"/{name} {argument}")
    assert UNFORESEEN not in talk.said
    assert "\x1b" not in talk.said


async def test_tabs_are_listed_with_their_states_in_words() -> None:
    tabs = [
        tab(1, "Sea", looked_at=1.0, pinned=True),
        tab(2, "Essay", failed=True),
        tab(3, "", unread=True),
        tab(4, "Moon"),
        tab(5, "Sun"),
    ]
    talk = await Talk.begun(tabs, lock=waiting(5, holder=4))
    await talk.type("/tabs")
    assert talk.lines == [
        "1. “Sea”, 0 messages, pinned, you are here.",
        "2. “Essay”, 0 messages, the last reply failed.",
        "3. “Untitled”, 0 messages, finished, not read.",
        "4. “Moon”, 0 messages, generating.",
        "5. “Sun”, 0 messages, waiting, number 1.",
    ]


async def test_hostile_titles_and_names_are_shown_and_never_act() -> None:
    tabs = [tab(number, title) for number, title in enumerate(HOSTILE_TITLES, 1)]
    talk = await Talk.begun(tabs)
    await talk.type("/tabs")
    assert len(talk.lines) == len(HOSTILE_TITLES)
    assert not set("\x1b\x07\x9b\u202e\ud800\r") & set(talk.said)
    assert max(map(len, talk.lines)) < 400


async def test_settings_of_the_tab_are_changed_by_the_same_commands() -> None:
    talk = await Talk.begun([tab(1)])
    await talk.type("/temp 0.25")
    await talk.type("/system Answer as a pirate.")
    await talk.type("/system")
    assert talk.lines[-1] == "System instruction: Answer as a pirate."
    await talk.type("/system none")
    await talk.type("/thinking on")
    changed = [request.settings for request in talk.link.asked(p.ChangeSettings)]
    assert changed[0].sampling.temperature == 0.25
    assert [one.system_instruction for one in changed[1:3]] == ["Answer as a pirate.", ""]
    assert changed[3].enable_thinking


async def test_a_model_is_chosen_by_its_number() -> None:
    talk = await Talk.begun([tab(1)])
    files = (p.ModelFileView("/m/a.gguf", "a", 1), p.ModelFileView("/m/b.gguf", "b", 2_000_000))
    offer = p.OfferView("gemma", "google/gemma", "Gemma", 800_000_000, 1)
    talk.link.answers = {p.ListModels: p.Models(0, files, (offer,), chosen="/m/b.gguf")}
    await talk.type("/model")
    assert talk.lines[:2] == ["1. a, 1 bytes", "2. b, 2 MB, the program starts with it"]
    await talk.type("/model 2")
    await talk.type("/model 3")
    assert [load.path for load in talk.link.asked(p.LoadModel)] == ["/m/b.gguf"]
    assert [start.name for start in talk.link.asked(p.StartDownload)] == ["gemma"]


async def test_another_reply_and_more_of_one_are_followed() -> None:
    reply = message(2, "Because ", role="assistant", state="stopped")
    talk = await Talk.begun([tab(1)], stored={1: (message(1, "Why?"), reply)})
    typing = asyncio.create_task(talk.type("/continue"))
    await talk.link.is_asked(p.ContinueReply)
    grown = message(2, "Because ", role="assistant", turn=FIRST_TURN, state="streaming")
    talk.link.event(p.MessageChanged(1, FIRST_TURN, grown))
    talk.link.event(p.TurnText(1, FIRST_TURN, 2, 8, "of salt."))
    talk.finish(1, FIRST_TURN)
    await typing
    assert talk.lines == ["Assistant: of salt.", OVER]
    typing = asyncio.create_task(talk.type("/regenerate"))
    await talk.link.is_asked(p.Regenerate)
    talk.link.stored = {
        1: (message(1, "Why?"), message(3, "Salt.", role="assistant", turn=FIRST_TURN + 1))
    }
    talk.link.event(p.TranscriptChanged(1, 2))
    talk.finish(1, FIRST_TURN + 1)
    await typing
    assert talk.lines[2:] == ["Assistant: Salt.", OVER]


async def test_leaving_says_goodbye_as_the_screen_does_and_detaching_lets_the_host_stay() -> None:
    for command, host in (("/quit", "as_set"), ("/detach", "stays")):
        talk = await Talk.begun([tab(1)])
        await talk.type(command)
        assert talk.terminal.left
        await talk.terminal.end()
        assert [goodbye.host for goodbye in talk.link.asked(p.Goodbye)] == [host]


async def test_messages_are_read_again_with_who_said_them() -> None:
    messages = (
        message(1, "Why?"),
        message(2, "Because.\nYou: no", role="assistant", branch=(2, 3), state="length"),
    )
    talk = await Talk.begun([tab(1)], stored={1: messages})
    await talk.type("/show 5")
    assert talk.lines == [
        "You: Why?",
        "Assistant, branch 2 of 3: Because.",
        "  You: no",
        "Cut here; /continue goes on.",
    ]


# ---------------------------------------------------------------- changing what was said

SAID = (
    message(1, "What is the sea?"),
    message(2, "Wide.", role="assistant", branch=(2, 3)),
    message(3, "/why?", turn=2),
    message(4, "Because.", role="assistant", turn=2),
)


async def test_a_question_is_sent_again_in_other_words_and_its_reply_followed() -> None:
    talk = await Talk.begun([tab(1)], stored={1: SAID})
    await talk.type("/resend")
    assert talk.terminal.to_edit == "//why?"
    talk.pieces.clear()
    typing = asyncio.create_task(talk.type("//why not?"))
    await talk.link.is_asked(p.EditMessage)
    talk.reply(1, FIRST_TURN, "So.")
    talk.finish(1, FIRST_TURN)
    await typing
    edit = talk.link.asked(p.EditMessage)[0]
    assert (edit.message, edit.text, edit.newest) == (3, "/why not?", 4)
    assert talk.lines == ["Assistant: So.", OVER]
    typing = await talk.ask("And then?")
    talk.finish(1, FIRST_TURN + 1)
    await typing


async def test_what_takes_the_place_of_no_question_is_a_message_of_its_own() -> None:
    talk = await Talk.begun([tab(1, looked_at=1.0), tab(2)], stored={1: SAID})
    for meanwhile in ("/resend none", "/tab 2"):
        await talk.type("/tab 1")
        await talk.type("/resend")
        await talk.type(meanwhile)
        assert talk.terminal.in_place_of == 0


async def test_commands_are_about_the_selected_message_until_another_or_none_is() -> None:
    talk = await Talk.begun([tab(1)], stored={1: SAID})
    await talk.type("/message wide")
    await talk.type("/branch")
    await talk.type("/keep")
    await talk.type("/message 4")
    await talk.type("/quote")
    assert talk.lines == [
        "Assistant, branch 2 of 3: Wide.",
        "Branch 2 of 3 at “Wide.”. /branch NUMBER shows another one.",
        "“Wide.” stays in the context.",
        "You: What is the sea?",
    ]
    assert talk.terminal.to_edit == "> What is the sea?\n\n"
    talk.link.event(p.TranscriptChanged(1, 1, SAID[2:]))
    await talk.type("/delete exchange")
    assert "not shown any more" in talk.lines[-1]
    assert not talk.link.asked(p.DeleteMessage)


async def test_another_branch_is_read_when_it_is_here() -> None:
    talk = await Talk.begun([tab(1)], stored={1: SAID})
    talk.link.held = {p.SelectBranch}
    typing = asyncio.create_task(talk.type("/branch 3"))
    await talk.link.is_asked(p.SelectBranch)
    talk.link.stored = {1: (SAID[0], message(8, "Deep.", role="assistant", branch=(3, 3)))}
    talk.link.event(p.TranscriptChanged(1, 2))
    talk.link.release()
    await typing
    assert [(r.message, r.branch) for r in talk.link.asked(p.SelectBranch)] == [(2, 3)]
    assert talk.lines == ["Assistant, branch 3 of 3: Deep."]


async def test_nothing_is_deleted_before_it_was_said_what() -> None:
    talk = await Talk.begun([tab(1)], stored={1: SAID})
    await talk.type("/delete")
    assert talk.lines[-1].startswith("“Because.” is meant. /delete exchange deletes its question")
    assert not talk.link.asked(p.DeleteMessage)
    await talk.type("/message 2")
    await talk.type("/delete following")
    deleted = [(r.message, r.newest, r.scope) for r in talk.link.asked(p.DeleteMessage)]
    assert deleted == [(3, 4, "following")]
    assert talk.lines[-1] == "Deleted all from here on: “/why?”."


async def test_another_reply_with_a_preset_has_its_settings_for_this_reply_only() -> None:
    talk = await Talk.begun([tab(1)], stored={1: SAID})
    typing = asyncio.create_task(talk.type("/again precise"))
    await talk.link.is_asked(p.Regenerate)
    talk.finish(1, FIRST_TURN)
    await typing
    sampling = talk.link.asked(p.Regenerate)[0].sampling
    assert sampling is not None
    assert sampling.temperature != tab(1).settings.sampling.temperature
    assert not talk.link.asked(p.ChangeSettings)
