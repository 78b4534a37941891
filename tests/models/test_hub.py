"""Downloads, against a small stand-in for the hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.models.stub_hub import StubHub, serving

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.hub import Hub, Wanted, wanted

CONTENT = bytes(range(256)) * 4096
"""1 MiB."""


@pytest.fixture
def stub() -> Iterator[StubHub]:
    files = {
        "tiny-Q8_0.gguf": CONTENT,
        "tiny-Q4_K_M.gguf": CONTENT[::-1],
        "mmproj-tiny.gguf": b"projector",
        "README.md": b"hello",
    }
    parts = {f"big-Q4_K_M-0000{n}-of-00002.gguf": bytes([n]) * 10 for n in (1, 2)}
    with serving(StubHub({"some/tiny": files, "some/big": parts, "some/gated": files})) as hub:
        yield hub


@pytest.fixture(autouse=True)
def no_token_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


class Seen:
    """What progress was reported."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []

    def __call__(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))


def test_a_name_is_one_of_the_catalogue_or_a_repository() -> None:
    assert wanted("gemma-3-1b").repository == "ggml-org/gemma-3-1b-it-GGUF"
    assert wanted("some/tiny:*Q8*") == Wanted("some/tiny", ("*Q8*",))
    for wrong in ("tiny", "a/b/c", "../x", "some/..", "", "a b/c", "x" * 200 + "/y", "\x1b/x"):
        with pytest.raises(ModelLoadError, match="neither a model of the catalogue"):
            wanted(wrong)
    with pytest.raises(ModelLoadError, match="pip install"):
        wanted("smollm2-135m")


def test_the_usual_quantisation_is_chosen_and_a_pattern_chooses_another(stub: StubHub) -> None:
    hub = Hub(stub.endpoint)
    assert [one.name for one in hub.files(Wanted("some/tiny"))] == ["tiny-Q4_K_M.gguf"]
    chosen = hub.files(Wanted("some/tiny", ("*Q8*",), "mmproj*"))
    assert [one.name for one in chosen] == ["tiny-Q8_0.gguf", "mmproj-tiny.gguf"]


def test_of_a_model_in_several_files_all_are_got(stub: StubHub) -> None:
    assert len(Hub(stub.endpoint).files(Wanted("some/big"))) == 2


def test_what_fits_nothing_is_told_with_what_there_is(stub: StubHub) -> None:
    with pytest.raises(ModelLoadError, match=r"tiny-Q8_0\.gguf, tiny-Q4_K_M\.gguf"):
        Hub(stub.endpoint).files(Wanted("some/tiny", ("*F32*",)))


def test_a_file_comes_whole_with_progress_and_is_not_fetched_twice(
    stub: StubHub, tmp_path: Path
) -> None:
    hub, want, seen = Hub(stub.endpoint), Wanted("some/tiny"), Seen()
    [file] = hub.files(want)
    path = hub.get(want, file, tmp_path, seen)
    assert path == tmp_path / "some--tiny" / "tiny-Q4_K_M.gguf"
    assert path.read_bytes() == CONTENT[::-1]
    assert seen.steps[-1] == (file.name, len(CONTENT), len(CONTENT))
    gets = [one for one in stub.served if one[0] == "GET" and "resolve" in one[1]]
    hub.get(want, file, tmp_path, Seen())
    assert [one for one in stub.served if one[0] == "GET" and "resolve" in one[1]] == gets


def test_a_broken_download_goes_on_where_it_ended(
    stub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 65_536)
    stub.cut_after = 300_000
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    assert hub.get(want, file, tmp_path, Seen()).read_bytes() == CONTENT[::-1]
    [asked] = [asked for command, _, asked in stub.served if command == "GET" and asked]
    assert asked == f"bytes={300_000 // 65_536 * 65_536}-"


def test_a_file_with_another_checksum_is_removed(stub: StubHub, tmp_path: Path) -> None:
    stub.spoilt = True
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    with pytest.raises(ModelLoadError, match="checksum is another one"):
        hub.get(want, file, tmp_path, Seen())
    assert list(tmp_path.glob("*/*.gguf")) == []


def test_a_gated_model_is_told_with_the_next_step_and_without_the_token(
    stub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_mine")
    stub.gated.add("some/gated")
    hub, want = Hub(stub.endpoint), Wanted("some/gated")
    [file] = hub.files(want)
    with pytest.raises(ModelLoadError, match=r"gated.*huggingface\.co/some/gated") as refused:
        hub.get(want, file, tmp_path, Seen())
    assert "hf_secret_of_mine" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "Bearer hf_secret_of_mine" in stub.tokens


def test_a_repository_that_does_not_exist_is_a_sentence(stub: StubHub) -> None:
    with pytest.raises(ModelLoadError, match=r"no repository some/missing .* or it is private"):
        Hub(stub.endpoint).files(Wanted("some/missing"))


def test_a_hub_that_cannot_be_reached_is_a_sentence() -> None:
    with pytest.raises(ModelLoadError, match="Check the connection"):
        Hub("http://127.0.0.1:9").files(Wanted("some/tiny"))


def test_a_folder_that_cannot_be_made_is_a_sentence(stub: StubHub, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    with pytest.raises(ModelLoadError, match="cannot be made"):
        hub.get(want, file, tmp_path / "models", Seen())
    assert (tmp_path / "models").read_text() == "in the way"
