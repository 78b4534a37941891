"""The words of the status bar: always true, always fitting."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len
from tests.ui.scripted import HOSTILE_TITLES, OWN, READY, tab

from gemma_chat.host import protocol as p
from gemma_chat.terms import LinkPhase
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.keymap import Keymap
from gemma_chat.ui.own_events import LinkState
from gemma_chat.ui.state import Editing, TerminalState, apply
from gemma_chat.ui.status_line import Row, action_at, advice_of, gauge, rows_of

TABS = (tab(1, "Pirate", context_used=1_200), tab(2, "Tutor"), tab(3, "Reviewer"))
RUNNING = p.LockEntry(1, 4, "Pirate", False, "generating", 0, 0, 80, 43.2, 12.3)
READING = p.LockEntry(1, 4, "Pirate", False, "prefill", 320, 1200)
QUEUE = (
    p.LockEntry(2, 1, "Tutor"),
    p.LockEntry(3, 1, "Reviewer"),
    p.LockEntry(0, 0, "summarizer", True),
)


def state_with(
    lock: p.LockView | None = None,
    *,
    model: p.ModelView = READY,
    summarizer: p.SummarizerView | None = None,
    tabs: tuple[p.SessionView, ...] = TABS,
) -> TerminalState:
    snapshot = p.Snapshot(tabs, lock or p.LockView(), model, summarizer or p.SummarizerView())
    return apply(TerminalState(own=OWN, link=LinkState("connected")), snapshot)


def words(rows: tuple[Row, ...]) -> str:
    return "\n".join("".join(shown.text for shown in row) for row in rows)


def test_a_click_on_each_thing_leads_to_what_it_is_about() -> None:
    [row] = rows_of(state_with(), 140, 1)
    shown = words((row,))
    for thing, action in [
        ("lock free", "panel.lock"),
        ("context", "context.show"),
        (READY.name, "model.load"),
        ("weights", "panel.lock"),
    ]:
        assert action_at(row, shown.index(thing)) == action
    assert action_at(row, 139) == "program.palette"


def test_a_free_lock_is_said() -> None:
    assert "lock free" in words(rows_of(state_with(), 80, 2))


def test_the_holder_is_named_by_number_and_title_with_its_speed_and_time() -> None:
    assert "● 1 Pirate  43 tok/s  12 s" in words(rows_of(state_with(p.LockView(RUNNING)), 80, 2))


def test_prefill_is_shown_as_tokens_read_of_all() -> None:
    assert "● 1 Pirate  reading 320/1200" in words(rows_of(state_with(p.LockView(READING)), 80, 2))


def test_a_turn_whose_prompt_is_not_known_yet_begins() -> None:
    begun = msgspec.structs.replace(READING, prompt_done=0, prompt_total=0, elapsed=0.0)
    shown = words(rows_of(state_with(p.LockView(begun)), 80, 2))
    assert "● 1 Pirate  begins" in shown
    assert "reading" not in shown


def test_who_waits_is_shown_in_order_with_the_summarizer_last() -> None:
    shown = words(rows_of(state_with(p.LockView(RUNNING, QUEUE)), 80, 2))
    assert "① 2 Tutor  ② 3 Reviewer  ③ summarizer" in shown


def test_the_summarizer_is_named_with_the_tab_it_works_on() -> None:
    holder = msgspec.structs.replace(QUEUE[2], phase="generating", tokens_per_second=20.0)
    state = state_with(p.LockView(holder), summarizer=p.SummarizerView(session=2))
    assert "● summarizer on 2  20 tok/s" in words(rows_of(state, 80, 2))


def test_a_warm_up_is_named_as_such() -> None:
    holder = p.LockEntry(0, 0, "warm-up", True, phase="prefill", prompt_done=128, prompt_total=300)
    assert "● warm-up  reading 128/300" in words(rows_of(state_with(p.LockView(holder)), 80, 2))


def test_the_context_of_a_running_turn_is_shown_while_it_runs() -> None:
    running = p.LockEntry(1, 1, "Pirate", phase="generating", prompt_total=2000, generated=48)
    assert "context 2.0k/8.2k" in words(rows_of(state_with(p.LockView(running)), 160, 1))


def test_context_model_and_memory_stand_beside() -> None:
    shown = words(rows_of(state_with(), 160, 1))
    assert "context 1.2k/8.2k ━─────── 15%" in shown
    assert "SmolLM2-135M-Instruct Q4_1" in shown
    assert "weights 98 MB  kv 23 MB  saved 4 MB" in shown


def test_a_lost_host_is_said_in_place_of_the_lock() -> None:
    state = msgspec.structs.replace(
        state_with(p.LockView(RUNNING)), link=LinkState("lost", "The host is gone.")
    )
    shown = words(rows_of(state, 80, 2))
    assert "host lost, starting again…" in shown
    assert "Pirate" not in shown


def test_loading_shows_how_far_it_is() -> None:
    model = p.ModelView(phase="loading", name="gemma-3-1b", progress=0.43)
    assert "loading gemma-3-1b ━━━━━─────── 43%" in words(rows_of(state_with(model=model), 80, 2))


def test_safe_mode_and_a_paused_summarizer_are_named() -> None:
    model = msgspec.structs.replace(READY, safe_mode="no repacked weights")
    state = state_with(model=model, summarizer=p.SummarizerView(paused=True))
    shown = words(rows_of(state, 120, 2))
    assert "safe mode: no repacked weights" in shown
    assert "summarizer paused" in shown


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("width", [8, 20, 38, 78, 198])
@pytest.mark.parametrize("title", HOSTILE_TITLES)
def test_every_row_fits_whatever_the_titles_are(title: str, width: int, rows: int) -> None:
    tabs = tuple(tab(number, title, context_used=7_900) for number in range(1, 41))
    waiting = tuple(p.LockEntry(number, 1, title) for number in range(2, 41))
    model = msgspec.structs.replace(READY, name=title, safe_mode=title)
    state = state_with(p.LockView(RUNNING, waiting), model=model, tabs=tabs)
    shown = rows_of(state, width, 1 if rows == 1 else 2)
    if width >= 38:
        assert all(cell_len(line) <= width for line in words(shown).split("\n"))
    assert "\x1b" not in words(shown)


def test_the_narrowest_window_still_says_who_holds_the_lock() -> None:
    shown = words(rows_of(state_with(p.LockView(RUNNING, QUEUE)), 38, 1))
    assert shown.startswith("● 1")
    assert "waiting" in shown or "+3" in shown


def test_a_gauge_shows_something_as_soon_as_there_is_something() -> None:
    assert [gauge(n, 100) for n in (0, 1, 50, 100, 300)] == [
        "────────",
        "━───────",
        "━━━━────",
        "━━━━━━━━",
        "━━━━━━━━",
    ]
    assert gauge(5, 0) == "────────"


ON_SERVER = p.ModelView(
    phase="ready",
    name="gemma-3-27b",
    server="http://models.example:8080",
    context_size=8192,
    token_counts="estimated",
)


def test_several_holders_are_all_shown() -> None:
    others = tuple(p.LockEntry(n, 1, f"tab {n}", phase="generating") for n in range(2, 7))
    shown = words(rows_of(state_with(p.LockView(RUNNING, (), others)), 200, 2))
    assert "● 1 Pirate  43 tok/s" in shown
    assert shown.count("●") == 4
    assert "● 3 more" in shown


def test_a_server_is_named_with_its_model_and_takes_no_memory() -> None:
    shown = words(rows_of(state_with(model=ON_SERVER), 200, 1))
    assert "gemma-3-27b on models.example:8080" in shown
    assert "weights" not in shown
    assert "context ~" in shown


def test_a_server_that_does_not_answer_is_asked_again() -> None:
    failed = msgspec.structs.replace(ON_SERVER, phase="failed", error="It is away.")
    assert "models.example:8080: no answer, trying again" in words(
        rows_of(state_with(model=failed), 200, 1)
    )
    connecting = msgspec.structs.replace(ON_SERVER, phase="loading")
    assert "connecting to models.example:8080" in words(
        rows_of(state_with(model=connecting), 200, 1)
    )
    assert advice_of(state_with(model=failed)) == "no server: kept as a draft"


def test_what_is_said_of_keys_follows_the_persons_own_keys() -> None:
    wishes = {
        "program.palette": ("f9",),
        "message.menu": ("m",),
        "message.copy": (),
        "message.send": ("ctrl+s",),
        "turn.stop": ("ctrl+x",),
    }
    keymap = Keymap.of(wishes)
    no_host = TerminalState(link=LinkState("failed"))
    assert "no host · f9: Connect again" in words(rows_of(no_host, 80, 2, keymap))
    selected = msgspec.structs.replace(state_with(), selected=1)
    assert advice_of(selected, keymap) == "m menu · e edit · r again · ctrl+x back"
    tabs = tuple(
        msgspec.structs.replace(one, editing=Editing(1, Draft())) for one in state_with().tabs
    )
    editing = msgspec.structs.replace(state_with(), tabs=tabs)
    assert advice_of(editing, keymap) == (
        "editing a message: ctrl+s sends it again · ctrl+x gives up"
    )


@pytest.mark.parametrize("phase", ["connecting", "lost", "failed"])
def test_nothing_is_said_to_load_while_there_is_no_host(phase: LinkPhase) -> None:
    rows = rows_of(TerminalState(link=LinkState(phase)), 80, 2)
    assert "host" in words(rows)
    assert "loading" not in words(rows)
