"""Which profiles there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_chat.config.paths import Paths
from gemma_chat.config.profiles import profiles
from gemma_chat.errors import SettingsError


def test_before_anything_was_used_there_is_the_default_one() -> None:
    assert profiles() == ("default",)


def test_those_with_settings_or_conversations_are_found() -> None:
    Paths.default("work").make_folders()
    Paths.default("b-2").config_dir.mkdir(parents=True)
    assert profiles() == ("default", "b-2", "work")


def test_what_cannot_be_a_profile_is_passed_over() -> None:
    beside = Paths.default("work").data_dir.parent
    Paths.default("work").make_folders()
    for name in (".hidden", "two words", "ü", "x" * 33, "\x1b[31m", "default"):
        (beside / name).mkdir()
    (beside / "file").write_text("x")
    assert profiles() == ("default", "work")


def test_a_file_in_the_place_of_the_folder_is_passed_over() -> None:
    Paths.default().make_folders()
    (Paths.default().data_dir / "profiles").write_text("x")
    assert profiles() == ("default",)


HOSTILE = ("", ".", "..", "../../etc", "a/b", "a\\b", "-rf", "a b", "work\n", "ä", "\x1b[2J", "a\0")


@pytest.mark.parametrize("name", [*HOSTILE, "x" * 33])
def test_a_hostile_name_is_refused_before_any_folder_is_made(name: str, own_home: Path) -> None:
    with pytest.raises(SettingsError, match="1 to 32 letters, digits") as refused:
        Paths.default(name)
    assert str(refused.value).isprintable()
    assert not own_home.exists() or not list(own_home.rglob("profiles"))
