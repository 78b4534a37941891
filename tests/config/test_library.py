"""Roles, presets and prompts: those on board are right, a person's are read strictly and shared."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gemma_chat.config.library import MAX_FILE_BYTES, Kind, Library
from gemma_chat.config.presets import BUILT_IN_PRESETS
from gemma_chat.config.prompts import Blank, Prompt, prompt_of_markdown, prompt_of_table
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import SettingsError

TAB = SessionSettings(
    system_instruction='Say "arr"\n\\ and """more""".',
    sampling=SamplingSettings(temperature=1.5, top_k=7, random_seed=3, stop=("END",)),
)


def test_a_dozen_roles_are_on_board_valid_and_explained() -> None:
    found = Library().roles()
    assert found.problems == ()
    assert len(found.items) >= 12
    for role in found.items:
        assert role.explanation.endswith(".")
        assert role.applied_to(SessionSettings()).system_instruction == role.system_instruction


def test_prompts_are_on_board_valid_and_explained() -> None:
    found = Library().prompts()
    assert found.problems == ()
    assert len(found.items) >= 8
    assert all(prompt.explanation.endswith(".") for prompt in found.items)
    assert all("{{" not in prompt.filled({}) for prompt in found.items)


def test_a_role_keeps_the_sampling_it_does_not_name() -> None:
    pirate = Library().roles().named("PIRATE")
    assert pirate is not None
    changed = pirate.applied_to(TAB)
    assert changed.sampling == msgspec.structs.replace(TAB.sampling, temperature=0.9)


def test_a_saved_role_and_preset_come_back_as_they_were(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.save_role("captain", TAB)
    library.save_preset("wild", TAB)
    captain = library.roles().named("captain")
    wild = library.presets(()).named("wild")
    assert captain is not None
    assert wild is not None
    assert captain.applied_to(SessionSettings()).system_instruction == TAB.system_instruction
    applied = wild.applied_to(SessionSettings()).sampling
    assert (applied.temperature, applied.top_k) == (1.5, 7)
    assert applied.random_seed == SamplingSettings().random_seed


def test_a_file_can_be_given_to_somebody_else(tmp_path: Path) -> None:
    mine, theirs = Library(tmp_path / "mine"), Library(tmp_path / "theirs")
    (tmp_path / "mine").mkdir()
    (tmp_path / "theirs").mkdir()
    file = mine.save_role("captain", TAB)
    assert theirs.take_in("role", file) == "captain"
    assert theirs.roles().named("captain") == mine.roles().named("captain")
    with pytest.raises(SettingsError, match="There is a role captain of yours already"):
        theirs.take_in("role", file)


def test_a_file_of_ones_own_replaces_the_one_on_board(tmp_path: Path) -> None:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "pirate.toml").write_text('system_instruction = "Mine."')
    pirate = Library(tmp_path).roles().named("pirate")
    assert pirate is not None
    assert pirate.system_instruction == "Mine."


def test_a_preset_in_a_file_comes_before_the_others_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "precise.toml").write_text("temperature = 0.0")
    precise = Library(tmp_path).presets(BUILT_IN_PRESETS).named("precise")
    assert precise is not None
    assert precise.values == {"temperature": 0.0}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no system_instruction"),
        (b'system_instruction = " "', "has no system_instruction"),
        (b"system_instruction = 3", "a text"),
        (b'system_instruction = "x"\ntemprature = 1', "Did you mean"),
        (b'system_instruction = "x"\ntemperature = 99', "a number from 0 to 5"),
        (b'system_instruction = "x"\nexplanation = 3', "explanation"),
        (b'system_instruction = "cut', "not valid TOML"),
        (b'system_instruction = "x"\nlora_path = "a.gguf"', "no role"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (MAX_FILE_BYTES + 1), "larger than 2 MB"),
        (b"a = " + b"[" * 100_000, "TOML|nested"),
    ],
)
def test_a_wrong_file_is_told_and_left_out(tmp_path: Path, content: bytes, words: str) -> None:
    folder = tmp_path / "roles"
    folder.mkdir()
    (folder / "odd.toml").write_bytes(content)
    found = Library(tmp_path).roles()
    assert found.named("odd") is None
    assert len(found.items) >= 12
    (problem,) = found.problems
    assert "odd.toml" in problem
    with pytest.raises(SettingsError, match=words):
        raise SettingsError(problem)


def test_folders_pipes_and_odd_names_are_told_and_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "roles"
    (folder / "folder.toml").mkdir(parents=True)
    os.mkfifo(folder / "pipe.toml")
    (folder / "no good name.toml").write_text('system_instruction = "x"')
    (folder / ".hidden.toml").write_text("=")
    (folder / "notes.txt").write_text("=")
    found = Library(tmp_path).roles()
    assert len(found.problems) == 3


@pytest.mark.parametrize("name", ["", "../evil", "a b", "x" * 41, "-x", "a/b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="is not allowed"):
        Library(tmp_path / "own").save_role(name, TAB)
    assert not list(tmp_path.rglob("*.toml"))


def test_saving_without_an_instruction_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no system instruction"):
        Library(tmp_path).save_role("empty", SessionSettings())
    with pytest.raises(SettingsError, match="no folder"):
        Library().save_role("captain", TAB)


def test_what_cannot_be_written_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    blocked = tmp_path / "roles" / "captain.toml"
    blocked.mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"captain\.toml cannot be written"):
        Library(tmp_path).save_role("captain", TAB)
    assert list(blocked.parent.iterdir()) == [blocked]


def test_a_file_that_cannot_be_taken_in_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        Library(tmp_path).take_in("role", tmp_path / "none.toml")


# ---------------------------------------------------------------- prompts


def test_blanks_are_found_once_in_their_order_with_their_defaults() -> None:
    prompt = Prompt("x", "{{a}} {{ b = two words }} {{a = one}} {{not-a-blank!}} {{}}")
    assert prompt.blanks == (Blank("a", "one"), Blank("b", "two words"))
    assert prompt.filled({"b": "2"}) == "one 2 one {{not-a-blank!}} {{}}"


def test_what_is_filled_in_is_not_read_as_a_blank_again() -> None:
    assert Prompt("x", "{{a}}{{b}}").filled({"a": "{{b}}", "b": r"\1"}) == r"{{b}}\1"


def test_markdown_may_begin_with_an_explanation() -> None:
    prompt = prompt_of_markdown("x", '+++\nexplanation = "Why."\n+++\n# Title\n\n+++ text\n')
    assert prompt == Prompt("x", "# Title\n\n+++ text", "Why.")
    assert prompt_of_markdown("x", "\nonly text\n").text == "only text"


def test_a_prompt_in_toml_has_text_and_explanation() -> None:
    assert prompt_of_table("x", {"text": "Hi {{name}}"}).blanks == (Blank("name"),)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"text": ""},
        {"text": 3},
        {"text": "x", "explanation": 3},
        {"text": "x", "more": ""},
        {"text": "x" * 300_000},
        {"text": " ".join(f"{{{{b{n}}}}}" for n in range(20))},
    ],
)
def test_a_wrong_prompt_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        prompt_of_table("x", table)


@pytest.mark.parametrize("kind", ["role", "preset"])
def test_what_is_wrong_in_a_file_is_named_as_it_stands_there(kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('system_instruction = "Be brief."\ntemprature = 1\n')
    with pytest.raises(SettingsError) as raised:
        Library(tmp_path / "config").take_in(kind, file)
    assert str(raised.value) == (
        f"The {kind} file mine.toml: temprature is not a setting. Did you mean temperature?"
    )
