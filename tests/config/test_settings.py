"""The settings file: read strictly, and explained in full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import tomli_w
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.config.document import parse_document, to_settings
from gemma_chat.config.fields import SETTING_FIELDS
from gemma_chat.config.paths import Paths
from gemma_chat.config.presets import Preset
from gemma_chat.config.sampling import SAMPLING_FIELDS, SamplingSettings
from gemma_chat.config.setting_field import SettingField
from gemma_chat.config.settings import (
    Settings,
    load_settings,
    read_settings,
    render,
    save_settings,
    value_of,
)
from gemma_chat.errors import SettingsError


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
            "terminal.mouse = 'yes' is not allowed: true, false or \"auto\".",
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
