"""Settings are saved whole or not at all, all of them or one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.config import settings as settings_module
from gemma_chat.config.document import to_settings
from gemma_chat.config.fields import SETTING_FIELDS, sampling_fields
from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.presets import Preset
from gemma_chat.config.setting_field import SettingField
from gemma_chat.config.settings import (
    Settings,
    change,
    read_settings,
    reset,
    save_settings,
    value_of,
)
from gemma_chat.errors import SettingsError


def a_value(field: SettingField) -> st.SearchStrategy[object]:
    """Any value that `field` allows."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    match field.kind:
        case "switch":
            values: st.SearchStrategy[object] = st.booleans()
        case "switch_or_auto":
            values = st.booleans() | st.just("auto")
        case "choice":
            values = st.sampled_from(field.choices)
        case "text":
            values = text.filter(bool) if field.optional else text
        case "texts":
            values = st.lists(text.filter(bool), max_size=5).map(tuple)
        case "biases":
            targets = text.filter(bool) | st.integers(0, 2**31 - 1)
            amounts = st.floats(-100, 100) | st.none()
            values = st.lists(st.builds(LogitBias, targets, amounts), max_size=3).map(tuple)
        case "whole":
            values = st.integers(int(field.minimum), int(field.maximum))
        case "number":
            values = st.floats(field.minimum, field.maximum)
    return values | st.none() if field.optional else values


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Settings with any allowed value in any place."""
    chosen = draw(st.lists(st.sampled_from(SETTING_FIELDS), unique=True, max_size=8))
    if any(field.name == "grammar" for field in chosen):
        chosen = [field for field in chosen if field.name != "json_schema"]
    document: dict[str, dict[str, object]] = {}
    for field in chosen:
        value = field.to_toml(draw(a_value(field)))
        document.setdefault(field.section, {})[field.name] = value
    preset = {
        field.name: field.to_toml(draw(a_value(field)))
        for field in chosen
        if field in sampling_fields("defaults")
    }
    return to_settings({**document, "presets": {"mine": preset}})


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(settings=any_settings())
def test_what_is_saved_is_what_is_read(file: Path, settings: Settings) -> None:
    save_settings(file, settings)
    assert read_settings(file) == settings


def test_the_saved_file_is_private_and_leaves_no_other_file(file: Path) -> None:
    save_settings(file, Settings())
    save_settings(file, Settings())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.glob("*settings*")) == [file]


def test_a_settings_file_that_is_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.touch()
    file.symlink_to(target)
    change(file, "host.keep_alive", "7")
    assert file.is_symlink()
    assert read_settings(target).host.keep_alive == 7.0


@pytest.mark.parametrize("content", ["[model\n", "[model]\nunknown = 1\n", "\0"])
def test_a_file_with_a_fault_is_never_overwritten(file: Path, content: str) -> None:
    file.write_text(content)
    for write in (
        lambda: save_settings(file, Settings()),
        lambda: change(file, "host.keep_alive", "7"),
        lambda: reset(file, "host.keep_alive"),
    ):
        with pytest.raises(SettingsError, match="The settings file "):
            write()
    assert file.read_text() == content


def test_settings_that_are_not_allowed_are_not_saved(file: Path) -> None:
    wrong = Settings(model=settings_module.ModelSettings(threads=-3))
    with pytest.raises(SettingsError, match=r"model\.threads = -3 is not allowed"):
        save_settings(file, wrong)
    assert not file.exists()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(file, "host.keep_alive", "7")
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(settings_module.os, "fsync", full)
    with pytest.raises(SettingsError, match=r"cannot be written \(No space left on device\)"):
        change(file, "host.keep_alive", "8")
    assert file.read_bytes() == before
    assert list(file.parent.glob("*settings*")) == [file]


def test_a_missing_folder_is_named_when_saving(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        save_settings(tmp_path / "missing" / "settings.toml", Settings())


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("model.path", " my model.gguf", " my model.gguf"),
        ("model.use_extra_bufts", "auto", "auto"),
        ("model.use_extra_bufts", "off", False),
        ("terminal.mouse", "False", False),
        ("host.keep_alive", " 1,5 ", 1.5),
        ("defaults.top_k", "12", 12),
        ("defaults.random_seed", "", None),
        ("defaults.stop", "END\nSTOP", ("END", "STOP")),
        ("defaults.grammar", "", None),
        ("summarizer.title_instruction", 'Say "x"\n\0', 'Say "x"\n\0'),
    ],
)
def test_one_setting_is_changed_by_what_a_person_types(
    file: Path, key: str, text: str, value: object
) -> None:
    changed = change(file, key, text)
    (field,) = (field for field in SETTING_FIELDS if field.key == key)
    assert value_of(changed, field) == value
    assert read_settings(file) == changed


def test_a_change_keeps_the_others_and_a_reset_takes_it_back(file: Path) -> None:
    change(file, "presets.mine.temperature", "0.1")
    change(file, "terminal.theme", "nord")
    settings = change(file, "presets.mine.top_k", "5")
    assert settings.presets == (Preset("mine", {"temperature": 0.1, "top_k": 5}),)
    assert settings.terminal.theme == "nord"
    reset(file, "terminal.theme")
    reset(file, "presets.mine.top_k")
    assert reset(file, "presets.mine.temperature") == Settings()


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("modle.path", "x", "modle.path is not a setting. Did you mean model.path?"),
        ("presets.mine.temprature", "1", "Did you mean presets.mine.temperature?"),
        ("presets.mine", "1", "presets.mine is not a setting"),
        ("presets..temperature", "1", "preset name '' is not allowed"),
        ("", "1", "is not a setting"),
        ("\x1b[2J", "1", r"is not a setting"),
        ("x" * 100_000, "1", "is not a setting"),
        ("model.threads", "two", "model.threads = 'two' is not allowed"),
        ("model.threads", "9" * 5000, "is not allowed: a whole number from 0 to 1,024"),
        ("model.path", "x" * 5000, "is not allowed: a text of at most 4,096 characters"),
        ("model.path", "\udcff", "is not allowed: a text of at most 4,096 characters"),
        ("terminal.mouse", "maybe", "terminal.mouse = 'maybe' is not allowed: true, false or"),
        ("defaults.temperature", "inf", "defaults.temperature = inf is not allowed"),
        ("defaults.temperature", "", "defaults.temperature = '' is not allowed"),
    ],
)
def test_a_change_that_is_not_allowed_is_refused_and_nothing_is_written(
    file: Path, key: str, text: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as error:
        change(file, key, text)
    assert sentence in str(error.value)
    assert len(str(error.value)) < 2000
    assert str(error.value).isprintable()
    assert not file.exists()
