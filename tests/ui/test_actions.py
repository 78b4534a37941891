"""The table of actions: complete, without conflicts, and the one source of keys."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

import pytest
from tests.ui.scripted import ScriptedLink, make_app

from gemma_chat.ui.actions import ACTIONS, GROUPS, action, key_name, markdown_key_table
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.help import help_page
from gemma_chat.ui.history.screen import HistoryScreen
from gemma_chat.ui.models.pane import ModelPane, Wish
from gemma_chat.ui.transcript import Transcript

NOT_BY_COMMAND = {"tab.number"}


@pytest.mark.parametrize("place", ["input", "transcript", "history", "models"])
def test_no_key_means_two_things_in_one_place(place: str) -> None:
    # History and models are screens of their own: the keys of the window are not heard there.
    also = place if place in ("history", "models") else "everywhere"
    heard = [each for each in ACTIONS if each.where in (also, place)]
    counted = Counter(key for each in heard for key in each.keys)
    assert [key for key, times in counted.items() if times > 1] == []


def test_every_action_has_words_and_a_known_group() -> None:
    assert all(each.label and each.explanation.endswith(".") for each in ACTIONS)
    assert {each.group for each in ACTIONS} == set(GROUPS)


def test_no_words_of_the_table_name_a_key_that_a_person_may_have_changed() -> None:
    named = re.compile(r"\b(ctrl|alt|shift)\+|\b(esc|f\d+)\b|\b[a-z] (copies|opens|leaves)\b")
    assert [each.id for each in ACTIONS if named.search(f"{each.label} {each.explanation}")] == []


def test_every_action_can_be_carried_out() -> None:
    app = make_app(ScriptedLink())
    known = set(app._commands._by_id)
    in_history = {each.id for each in ACTIONS if each.where == "history"}
    among_models = {each.id for each in ACTIONS if each.where == "models"}
    assert {each.id for each in ACTIONS} - NOT_BY_COMMAND - in_history - among_models == known
    assert among_models == set(get_args(Wish))
    assert set(HistoryScreen(app, app._commands.library)._run) == in_history


def test_bindings_are_made_from_the_table() -> None:
    bound = {
        binding.id: binding.key
        for owner in (ChatApp, Transcript, HistoryScreen, ModelPane)
        for binding in owner.BINDINGS
        if not isinstance(binding, tuple) and binding.id and "(" in binding.action
    }
    expected = {
        each.id: ",".join(each.keys)
        for each in ACTIONS
        if each.where in ("everywhere", "transcript", "history", "models")
        and each.id != "tab.number"
    }
    expected |= {f"tab.number.{n}": f"alt+{n}" for n in range(1, 10)}
    assert bound == expected


@pytest.mark.parametrize("cells", [20, 36, 80])
def test_help_names_every_action_and_stays_within_its_width(cells: int) -> None:
    page = help_page(cells).plain
    words = " ".join(page.split())
    assert all(each.label in words for each in ACTIONS)
    if cells >= 36:
        assert max(map(len, page.splitlines())) <= cells


def test_the_key_table_of_the_readme_has_a_row_for_every_action() -> None:
    rows = markdown_key_table().splitlines()[2:]
    assert len(rows) == len(ACTIONS)
    assert all(row.count("|") == 4 for row in rows)


def test_keys_are_written_as_people_read_them() -> None:
    assert key_name("ctrl+pageup") == "ctrl+page up"
    assert action("turn.stop").key_names == "esc"
    with pytest.raises(KeyError):
        action("no.such")
