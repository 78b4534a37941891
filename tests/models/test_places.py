"""Model files of other programs: the hub's cache, LM Studio, Ollama."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gemma_chat.config.paths import Paths
from gemma_chat.models import discovery
from gemma_chat.models.places import FoundModel, found_models

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def paths(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(discovery, "EMBEDDED_PACKAGE", "no_such_package_here")
    found = Paths.default(environment={"GEMMA_CHAT_HOME": str(own_home)})
    found.models_dir.mkdir(parents=True)
    return found


def put(path: Path, content: bytes = b"xyz") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(paths: Paths, home: Path, **environment: str) -> list[tuple[str, str, str]]:
    models = found_models(paths, environment, home)
    return [(one.place, one.name, one.source) for one in models]


def manifest(home: Path, name: str, digest: str = DIGEST) -> Path:
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:00"},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": 3},
    ]
    path = home / ".ollama/models/manifests/registry.ollama.ai" / name
    return put(path, json.dumps({"schemaVersion": 2, "layers": layers}).encode())


def test_our_own_files_come_first_and_are_found_in_folders_of_theirs(
    paths: Paths, tmp_path: Path
) -> None:
    put(paths.models_dir / "zeta.gguf")
    put(paths.models_dir / "owner--name" / "q4" / "alpha-00001-of-00002.gguf")
    put(paths.models_dir / "owner--name" / "q4" / "alpha-00002-of-00002.gguf")
    put(tmp_path / ".lmstudio/models/owner/name/beta.gguf")
    assert found(paths, tmp_path) == [
        ("own", "alpha-00001-of-00002", ""),
        ("own", "zeta", ""),
        ("lmstudio", "beta", "owner/name"),
    ]


def test_a_file_of_the_hub_cache_is_found_once_however_many_commits_have_it(
    paths: Paths, tmp_path: Path
) -> None:
    repository = tmp_path / "hub" / "models--some--tiny-GGUF"
    blob = put(repository / "blobs" / "abc")
    for commit in ("one", "two"):
        link = repository / "snapshots" / commit / "tiny-Q4_0.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
    put(repository / "snapshots" / "one" / "mmproj-tiny.gguf")
    (repository / "snapshots" / "one" / "gone.gguf").symlink_to(repository / "blobs" / "gone")
    for environment in (
        {"HF_HUB_CACHE": str(tmp_path / "hub")},
        {"HF_HOME": str(tmp_path), "XDG_CACHE_HOME": "/nowhere"},
    ):
        assert found(paths, Path("/nowhere"), **environment) == [
            ("hub", "tiny-Q4_0", "some/tiny-GGUF")
        ]


def test_a_model_of_ollama_has_the_name_it_has_there(paths: Paths, tmp_path: Path) -> None:
    blob = put(tmp_path / ".ollama/models/blobs" / DIGEST.replace(":", "-"))
    manifest(tmp_path, "library/gemma3/1b")
    [model] = found_models(paths, {}, tmp_path)
    assert model == FoundModel(blob, "gemma3:1b", 3, "ollama", "gemma3:1b")
    manifest(tmp_path, "somebody/own/latest", "sha256:" + "cd" * 32)
    put(tmp_path / ".ollama/models/blobs" / ("sha256-" + "cd" * 32))
    assert ("ollama", "somebody/own:latest", "somebody/own:latest") in found(paths, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"layers": 3}',
        b"\xff\xfe",
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model"}]}',
        json.dumps(
            {
                "layers": [
                    {
                        "mediaType": "application/vnd.ollama.image.model",
                        "digest": "sha256:../../../../secret",
                    }
                ]
            }
        ).encode(),
    ],
)
def test_a_manifest_that_is_damaged_or_hostile_names_no_model(
    paths: Paths, tmp_path: Path, content: bytes
) -> None:
    put(tmp_path / "secret")
    put(manifest(tmp_path, "library/bad/latest"), content)
    assert found(paths, tmp_path) == []


def test_folders_that_are_missing_files_or_unreadable_have_no_models(
    paths: Paths, tmp_path: Path
) -> None:
    put(tmp_path / ".lmstudio", b"a file in the place of the folder")
    put(tmp_path / ".ollama/models/manifests", b"another one")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert found(paths, tmp_path, HF_HUB_CACHE=str(tmp_path / "loop")) == []


def test_names_come_as_they_are_and_a_thousand_files_are_cut_to_what_can_be_listed(
    paths: Paths, tmp_path: Path
) -> None:
    folder = tmp_path / ".lmstudio/models/owner/name"
    put(folder / "esc\x1b[2J.gguf")
    for number in range(600):
        put(folder / f"{number:03}.gguf")
    assert len(found(paths, tmp_path)) == 500
