"""`gemma-chat models` and `gemma-chat completion`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Shell
from tests.models.stub_hub import StubHub, serving

from gemma_chat.cli import completing
from gemma_chat.cli.commands import cli
from gemma_chat.cli.main import COMPLETION_VARIABLE
from gemma_chat.config.paths import Paths
from gemma_chat.errors import ModelLoadError
from gemma_chat.models.hub import Hub


@pytest.fixture
def own_model(smollm2_path: Path) -> Path:
    """A model file in the program's own folder."""
    folder = Paths.default().models_dir
    folder.mkdir(parents=True)
    target = folder / "Mine.gguf"
    target.symlink_to(smollm2_path)
    return target


@pytest.fixture
def hub(smollm2_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StubHub]:
    with serving(StubHub({"some/tiny": {"tiny-Q8_0.gguf": b"GGUF but nothing else"}})) as stub:
        monkeypatch.setattr(Hub.__init__, "__defaults__", (stub.endpoint,))
        yield stub


def test_files_on_this_machine_and_the_catalogue_are_listed(shell: Shell, own_model: Path) -> None:
    text = shell("models", "list").stdout
    assert "*\tMine\t98 MB" in text
    assert "gemma-3-1b" in text
    first = json.loads(shell("models", "list", "--json").stdout.splitlines()[0])
    assert (first["name"], first["default"]) == ("Mine", True)


def test_files_of_other_programs_are_listed_and_not_removed(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "hub" / "models--some--tiny" / "snapshots" / "one" / "theirs.gguf"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"x")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    listed = map(json.loads, shell("models", "list", "--json").stdout.splitlines())
    assert ("theirs", "hub") in [(one["name"], one["place"]) for one in listed]
    refused = shell("models", "remove", "-y", "theirs").exception
    assert isinstance(refused, ModelLoadError)
    assert "not in the program's own folder" in str(refused)
    assert theirs.exists()


def test_the_default_can_be_chosen_and_is_told(
    shell: Shell, own_model: Path, smollm2_path: Path
) -> None:
    assert shell("models", "default").stdout == f"{own_model}\n"
    assert shell("models", "default", "smollm2").exit_code == 0
    assert shell("models", "default").stdout == f"{smollm2_path}\n"


def test_a_model_is_described(shell: Shell, own_model: Path) -> None:
    text = shell("models", "info", "mine").stdout
    assert "architecture\tllama" in text
    assert "whole" in text
    about = json.loads(shell("models", "info", "mine", "--json").stdout)
    assert about["architecture"] == "llama"
    assert about["tensor_count"] > 0
    assert "tensors" not in about


@pytest.mark.parametrize("command", ["info", "default", "remove"])
def test_a_model_that_is_not_there_is_a_sentence(
    shell: Shell, own_model: Path, command: str
) -> None:
    error = shell("models", command, "nothing").exception
    assert isinstance(error, ModelLoadError)
    assert "Mine" in str(error)


def test_only_files_of_our_own_are_removed(
    shell: Shell, own_model: Path, smollm2_path: Path
) -> None:
    assert isinstance(shell("models", "remove", "-y", "smollm2").exception, ModelLoadError)
    assert shell("models", "remove", "-y", "mine").exit_code == 0
    assert not own_model.exists()
    assert smollm2_path.exists()


def test_the_folder_of_a_download_goes_with_its_model(
    shell: Shell, hub: StubHub, smollm2_path: Path
) -> None:
    hub.repositories["some/tiny"]["tiny-Q8_0.gguf"] = smollm2_path.read_bytes()
    got = Path(shell("models", "get", "some/tiny").stdout.strip())
    assert got.is_file()
    assert shell("models", "remove", "-y", "tiny").exit_code == 0
    assert not got.parent.exists()


def test_a_download_that_is_no_model_is_told(shell: Shell, hub: StubHub) -> None:
    done = shell("models", "get", "some/tiny")
    assert isinstance(done.exception, ModelLoadError)
    assert "tiny-Q8_0.gguf" in done.stderr


def test_a_download_that_is_given_up_with_ctrl_c_says_how_to_go_on(
    shell: Shell, hub: StubHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Hub, "get", interrupted)
    done = shell("models", "get", "some/tiny")
    assert done.exit_code == 1
    assert "what has come is kept, and the same command goes on there" in done.stderr


def test_a_model_that_was_got_is_listed(
    shell: Shell, hub: StubHub, smollm2_path: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.gguf"
    shutil.copy(smollm2_path, cut)
    hub.repositories["some/tiny"]["tiny-Q8_0.gguf"] = cut.read_bytes()
    done = shell("models", "get", "some/tiny")
    assert done.exit_code == 0
    assert Path(done.stdout.strip()).name == "tiny-Q8_0.gguf"
    assert "tiny-Q8_0" in shell("models", "list").stdout


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_completion_script_asks_this_program(shell: Shell, name: str) -> None:
    script = shell("completion", name).stdout
    assert COMPLETION_VARIABLE in script
    assert "gemma-chat" in script


@pytest.mark.parametrize(
    ("complete", "typed", "name"),
    [
        (completing.settings_keys, "server.u", "server.url"),
        (completing.themes, "gemma-d", "gemma-dark"),
        (completing.presets, "gre", "greedy"),
        (completing.models, "Mi", "Mine"),
        (completing.offered_models, "gemma-3-1b", "gemma-3-1b"),
    ],
)
def test_names_are_completed(
    own_model: Path, complete: Callable[..., list[str]], typed: str, name: str
) -> None:
    context = click.Context(cli)
    assert complete(context, cli.params[0], typed) == [name]
    assert complete(context, cli.params[0], "no such beginning") == []


def test_commands_and_options_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, expected in (
        ("gemma-chat as", "ask"),
        ("gemma-chat ask --top", "--top-k"),
        ("gemma-chat config get model.context_s", "model.context_size"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "gemma_chat.cli.main"],
            env={
                COMPLETION_VARIABLE: "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
                "PYTHONPATH": ":".join(sys.path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"plain,{expected}" in done.stdout
