"""The settings file: read strictly, explained in full, saved whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import tomli_w
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.config import settings as settings_module
from gemma_chat.config.document import parse_document, to_settings
from gemma_chat.config.fields import SETTING_FIELDS, sampling_fields
from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.paths import Paths
from gemma_chat.config.presets import Preset
from gemma_chat.config.sampling import SAMPLING_FIELDS, SamplingSettings
from gemma_chat.config.setting_field import SettingField
from gemma_chat.config.settings import (
    Settings,
    change,
    load_settings,
    read_settings,
    render,
    reset,
    save_settings,
    value_of,
)
from gemma_chat.errors import SettingsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def refused(file: Path, text: str) -> str:
    """The sentence with which a file of this text is refused, without the file's name."""
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        read_settings(file)
    beginning = f"The settings file {file}: "
    assert str(error.value).startswith(beginning)
    return str(error.value).removeprefix(beginning)


def test_without_a_file_the_settings_are_the_defaults_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    paths = Paths.default(environment={"GEMMA_CHAT_HOME": str(tmp_path / "home")})
    assert load_settings(paths) == Settings()
    assert not (tmp_path / "home").exists()


def test_an_empty_file_is_a_file_of_defaults(file: Path) -> None:
    file.touch()
    assert read_settings(file) == Settings()


def test_every_section_is_read(file: Path) -> None:
    file.write_text(
        """
        model = { path = "a.gguf", context_size = 4096, threads = 2, use_extra_bufts = false }
        memory.states_mb = 64
        host.keep_alive = 5
        [summarizer]
        paused = true
        temperature = 0
        [terminal]
        theme = "nord"
        mouse = false
        [defaults]
        system_instruction = "Be brief."
        temperature = 1
        random_seed = 3
        max_output_tokens = ""
        stop = ["END", "STOP"]
        [presets.calm]
        system_instruction = "Breathe."
        temperature = 0.1
        random_seed = ""
        """
    )
    settings = read_settings(file)
    assert settings.model.path == "a.gguf"
    assert (settings.model.context_size, settings.model.threads) == (4096, 2)
    assert settings.model.use_extra_bufts is False
    assert settings.memory.states_mb == 64
    assert settings.host.keep_alive == 5.0
    assert settings.summarizer.paused
    assert settings.summarizer.sampling(max_tokens=9) == SamplingSettings(
        temperature=0.0,
        top_k=40,
        top_p=0.9,
        min_p=0.05,
        repeat_penalty=1.1,
        random_seed=None,
        max_output_tokens=9,
    )
    assert (settings.terminal.theme, settings.terminal.mouse) == ("nord", False)
    assert settings.defaults.system_instruction == "Be brief."
    assert settings.defaults.sampling.temperature == 1.0
    assert settings.defaults.sampling.top_k == 40
    assert settings.defaults.sampling.random_seed == 3
    assert settings.defaults.sampling.max_output_tokens is None
    assert settings.defaults.sampling.stop == ("END", "STOP")
    assert settings.presets == (
        Preset("calm", {"temperature": 0.1, "random_seed": None}, "Breathe."),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[model]\ncontxt_size = 1",
            "model.contxt_size is not a setting. Did you mean model.context_size?",
        ),
        (
            "[sumarizer]\npaused = true",
            "sumarizer is not a section. Did you mean summarizer?",
        ),
        (
            "[presets.mine]\ntemprature = 1",
            "presets.mine.temprature is not a setting. Did you mean presets.mine.temperature?",
        ),
        (
            "[host]\nzzz = 1",
            "host.zzz is not a setting. The settings are: host.keep_alive.",
        ),
        (
            "[model]\ncontext_size = 'big'",
            "model.context_size = 'big' is not allowed: a whole number from 0 to 16,777,216.",
        ),
        (
            "[model]\nthreads = 2.0",
            "model.threads = 2.0 is not allowed: a whole number from 0 to 1,024.",
        ),
        (
            "[model]\nthreads = true",
            "model.threads = True is not allowed: a whole number from 0 to 1,024.",
        ),
        (
            "[model]\nuse_extra_bufts = 1",
            'model.use_extra_bufts = 1 is not allowed: true, false or "auto".',
        ),
        (
            "[terminal]\nmouse = 'yes'",
            "terminal.mouse = 'yes' is not allowed: true or false.",
        ),
        (
            "[defaults]\ntemperature = nan",
            "defaults.temperature = nan is not allowed: a number from 0 to 5.",
        ),
        (
            "[defaults]\ntemperature = ''",
            "defaults.temperature = '' is not allowed: a number from 0 to 5.",
        ),
        (
            "[defaults]\nrandom_seed = -1",
            "defaults.random_seed = -1 is not allowed: "
            "a whole number from 0 to 4,294,967,294, or empty.",
        ),
        (
            "[defaults]\nstop = ['']",
            "defaults.stop = [''] is not allowed: a list of at most 16 texts of 1 to 200 "
            "characters.",
        ),
        ("[defaults]\nstop = 'END'", None),
        ("[defaults]\nstop = [1]", None),
        ("[terminal]\ntheme = 1979-05-27", None),
        ("model = 3", "model must be a section: write [model] and its keys below."),
        ("[[model]]", "model must be a section: write [model] and its keys below."),
        (
            "presets = 1",
            "presets must hold sections: write [presets.NAME] and its keys below.",
        ),
        (
            "presets.x = 1",
            "presets.x must be a section: write [presets.x] and its keys below.",
        ),
        (
            "[presets.'a b']",
            "The preset name 'a b' is not allowed: 1 to 40 letters, digits, - and _.",
        ),
        ("[presets.'']", None),
        ("[model]\n]", "it is not valid TOML: Invalid statement (at line 2, column 1)."),
        ("a = " + "[" * 5000, "it is nested too deeply."),
        ("a = " + "9" * 5000, None),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong_and_what_is_allowed(
    file: Path, text: str, sentence: str | None
) -> None:
    found = refused(file, text)
    assert sentence is None or found == sentence
    assert len(found) < 300


def test_a_typo_with_escape_sequences_reaches_no_terminal(file: Path) -> None:
    assert "\x1b" not in refused(file, '"\\u001b[2J" = 1')
    assert "\x1b" not in refused(file, '[model]\n"\\u001b[2J" = 1')
    assert "\x1b" not in refused(file, '[model]\nthreads = "\\u001b[2J"')


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(file: Path) -> None:
    file.write_bytes(b"[model]\npath = '\xff'")
    with pytest.raises(SettingsError, match=r"it is not UTF-8 text \(at line 2\)"):
        read_settings(file)


def test_a_byte_order_mark_is_no_fault(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[host]\nkeep_alive = 1")
    assert read_settings(file).host.keep_alive == 1.0


def test_a_huge_file_is_refused_before_it_is_parsed(file: Path) -> None:
    with file.open("wb") as content:
        content.truncate(10 * 1024 * 1024)
    with pytest.raises(SettingsError, match="it is larger than 8 MB"):
        read_settings(file)


def test_a_folder_or_a_pipe_in_the_place_of_the_file_is_named(file: Path) -> None:
    file.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(file)
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(SettingsError, match="is a device or a pipe"):
        read_settings(file)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_but_a_settings_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with suppress(SettingsError):
        assert isinstance(read_settings(file), Settings)


# ---------------------------------------------------------------- the table


def test_every_setting_is_in_the_table_once_with_an_explanation() -> None:
    keys = [field.key for field in SETTING_FIELDS]
    assert len(keys) == len(set(keys))
    sections = {
        name: [field.name for field in SETTING_FIELDS if field.section == name]
        for name in ("model", "memory", "host", "summarizer", "terminal")
    }
    for name, names in sections.items():
        section = getattr(Settings(), name)
        assert names == [field.name for field in msgspec.structs.fields(section)]
    defaults = {field.name for field in SETTING_FIELDS if field.section == "defaults"}
    sampling = {field.name for field in msgspec.structs.fields(SamplingSettings)}
    assert defaults == {"system_instruction", "lora_path", "lora_scale", "overflow"} | sampling
    assert {field.name for field in SAMPLING_FIELDS} < sampling
    for field in SETTING_FIELDS:
        assert field.explanation.endswith(".")
        assert "\n" not in field.explanation


@pytest.mark.parametrize("field", SETTING_FIELDS, ids=lambda field: field.key)
def test_every_default_is_allowed_by_the_table(field: SettingField) -> None:
    default = value_of(Settings(), field)
    assert field.from_toml(field.to_toml(default)) == default


def test_the_rendered_defaults_explain_every_key_and_change_nothing() -> None:
    text = render(Settings())
    assert to_settings(parse_document(text)) == Settings()
    for field in SETTING_FIELDS:
        assert f"# {field.explanation}\n# Allowed: {field.allowed}.\n#{field.name} = " in text


def test_a_default_in_the_rendered_file_can_be_switched_on_by_taking_the_sign_away() -> None:
    lines = render(Settings()).splitlines()
    switched_on = [line[1:] if line[:1] == "#" and line[:2] != "# " else line for line in lines]
    assert to_settings(parse_document("\n".join(switched_on))) == Settings()


# ---------------------------------------------------------------- saving


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


# ---------------------------------------------------------------- one setting


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
        ("terminal.mouse", "maybe", "terminal.mouse = 'maybe' is not allowed: true or false"),
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


def test_a_document_written_by_another_program_is_read_the_same(file: Path) -> None:
    document = {"defaults": {"stop": ["a\nb", "\t"], "system_instruction": 'say "\\"\n'}}
    file.write_text(tomli_w.dumps(document, multiline_strings=True))
    settings = read_settings(file)
    assert settings.defaults.sampling.stop == ("a\nb", "\t")
    assert settings.defaults.system_instruction == 'say "\\"\n'


def test_every_section_of_the_file_reaches_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        "[engine]\nanticipate = false\n"
        '[server]\nurl = "http://localhost:8080"\nmax_parallel = 4\napi_key_env = "KEY"\n'
    )
    settings = read_settings(file)
    assert settings.engine.anticipate is False
    assert (settings.server.url, settings.server.max_parallel) == ("http://localhost:8080", 4)
    assert settings.server.api_key_env == "KEY"
    save_settings(file, settings)
    assert read_settings(file) == settings


def test_more_replies_at_once_than_a_server_has_slots_for_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[server]\nmax_parallel = 0\n")
    with pytest.raises(SettingsError, match=r"server\.max_parallel = 0 .* from 1 to 64"):
        read_settings(file)


def test_a_large_bound_is_told_as_it_is() -> None:
    [seed] = [field for field in SAMPLING_FIELDS if field.name == "random_seed"]
    assert seed.allowed == "a whole number from 0 to 4,294,967,294, or empty"
    seed.check(4_294_967_294)
    with pytest.raises(SettingsError, match="4,294,967,294"):
        seed.check(4_294_967_295)
