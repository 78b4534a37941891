"""Downloads, against a small stand-in for the hub on this machine."""

from __future__ import annotations

import fcntl
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.models.stub_hub import StubHub, serving

from gemma_chat.errors import GatedModelError, ModelLoadError
from gemma_chat.models.hub import Hub, Wanted, forget_parts, wanted

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
    with pytest.raises(GatedModelError, match=r"gated.*huggingface\.co/some/gated") as refused:
        hub.get(want, file, tmp_path, Seen())
    assert refused.value.page == "https://huggingface.co/some/gated"
    assert "hf_secret_of_mine" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "Bearer hf_secret_of_mine" in stub.tokens


def test_the_token_is_not_sent_on_to_the_server_that_has_the_file(
    stub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_mine")
    with serving(StubHub(stub.repositories)) as other:
        stub.elsewhere = other.endpoint.replace("127.0.0.1", "localhost")
        hub, want = Hub(stub.endpoint), Wanted("some/tiny")
        [file] = hub.files(want)
        assert hub.get(want, file, tmp_path, Seen()).read_bytes() == CONTENT[::-1]
        assert other.tokens == []
    assert set(stub.tokens) == {"Bearer hf_secret_of_mine"}


def test_a_repository_that_does_not_exist_is_a_sentence(stub: StubHub) -> None:
    with pytest.raises(ModelLoadError, match=r"no repository some/missing .* or it is private"):
        Hub(stub.endpoint).files(Wanted("some/missing"))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "does not accept the token.*hf auth login"),
        (403, "refused some/tiny .HTTP 403"),
        (429, "HTTP 429.*Try again later"),
        (500, "HTTP 500.*Try again later"),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(stub: StubHub, status: int, sentence: str) -> None:
    stub.refusal = status
    with pytest.raises(ModelLoadError, match=sentence):
        Hub(stub.endpoint).files(Wanted("some/tiny"))


def test_a_hub_that_cannot_be_reached_is_a_sentence() -> None:
    with pytest.raises(ModelLoadError, match="Check the connection"):
        Hub("http://127.0.0.1:9").files(Wanted("some/tiny"))


def test_a_hub_that_says_nothing_is_not_waited_for_for_ever(
    stub: StubHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemma_chat.models.hub._ANSWER_SECONDS", 0.05)
    stub.silent = True
    try:
        with pytest.raises(ModelLoadError, match="some/tiny"):
            Hub(stub.endpoint).files(Wanted("some/tiny"))
    finally:
        stub.release()


def test_a_download_that_was_given_up_goes_on_later_where_it_ended(
    stub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 65_536)
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)

    def give_up(name: str, done: int, total: int) -> None:
        if done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.get(want, file, tmp_path, give_up)
    assert list(tmp_path.glob("*/*.gguf")) == []
    seen = Seen()
    assert hub.get(want, file, tmp_path, seen).read_bytes() == CONTENT[::-1]
    there = 300_000 // 65_536 * 65_536
    assert seen.steps[0] == (file.name, there, len(CONTENT))
    [asked] = [asked for command, _, asked in stub.served if command == "GET" and asked]
    assert asked == f"bytes={there}-"
    assert list(tmp_path.glob("*/.parts/*")) == []


@pytest.mark.parametrize("beside", [(), ("tiny-Q8_0.gguf",)], ids=["alone", "beside another"])
def test_what_is_no_model_goes_again_with_a_sentence(
    stub: StubHub, tmp_path: Path, beside: tuple[str, ...]
) -> None:
    stub.repositories["some/tiny"]["tiny-Q4_K_M.gguf"] = b"<html>Not here any more</html>"
    hub, want = Hub(stub.endpoint), Wanted("some/tiny", projector="mmproj*")
    folder = tmp_path / want.folder
    folder.mkdir()
    for name in beside:
        (folder / name).touch()
    with pytest.raises(ModelLoadError, match=r"web page.*removed again.*another file of some/tiny"):
        hub.get_model(want, hub.files(want), tmp_path, Seen())
    left = {file.name for file in folder.rglob("*") if file.is_file()}
    assert left == ({*beside, "mmproj-tiny.gguf"} if beside else set())
    assert folder.exists() == bool(beside)


def test_what_has_come_is_forgotten_on_demand(stub: StubHub, tmp_path: Path) -> None:
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    part = tmp_path / want.folder / ".parts" / file.part
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[::-1][:1000])
    forget_parts(want, tmp_path)
    assert not part.exists()
    assert not (tmp_path / want.folder).exists()
    forget_parts(want, tmp_path)


def test_a_part_that_is_whole_or_too_long_is_no_obstacle(stub: StubHub, tmp_path: Path) -> None:
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    part = tmp_path / want.folder / ".parts" / file.part
    part.parent.mkdir(parents=True)
    for there in (CONTENT[::-1], CONTENT[::-1] + b"more"):
        part.write_bytes(there)
        path = hub.get(want, file, tmp_path, Seen())
        assert path.read_bytes() == CONTENT[::-1]
        path.unlink()


def test_a_file_that_is_another_now_takes_the_place_of_the_old_one(
    stub: StubHub, tmp_path: Path
) -> None:
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    old = tmp_path / want.folder / "tiny-Q4_K_M.gguf"
    old.parent.mkdir()
    old.write_bytes(b"old")
    [file] = hub.files(want)
    assert hub.get(want, file, tmp_path, Seen()).read_bytes() == CONTENT[::-1]


def test_two_do_not_write_the_same_file(stub: StubHub, tmp_path: Path) -> None:
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    part = tmp_path / want.folder / ".parts" / file.part
    part.parent.mkdir(parents=True)
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelLoadError, match="Another gemma-chat is downloading"):
            hub.get(want, file, tmp_path, Seen())


def test_a_disk_without_room_is_told_before_and_in_the_middle(
    stub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(ModelLoadError, match=r"File too large.*what has come is kept"):
            hub.get(want, file, tmp_path, Seen())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    monkeypatch.setattr(
        "gemma_chat.models.hub.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0)
    )
    with pytest.raises(ModelLoadError, match=r"needs \d+ \w+ more.*Remove something"):
        hub.get(want, file, tmp_path, Seen())


@pytest.mark.parametrize(
    "name",
    [
        "../../out-Q4_K_M.gguf",
        "/etc/Q4_K_M.gguf",
        "a/../b-Q4_K_M.gguf",
        ".hidden-Q4_K_M.gguf",
        "esc\x1b[2J-Q4_K_M.gguf",
        "x" * 300 + "-Q4_K_M.gguf",
        "back\\slash-Q4_K_M.gguf",
        "",
    ],
)
def test_a_hostile_file_name_is_passed_over(stub: StubHub, name: str) -> None:
    stub.repositories["some/tiny"] = {name: CONTENT, "fine-Q8_0.gguf": CONTENT}
    assert [one.name for one in Hub(stub.endpoint).files(Wanted("some/tiny"))] == ["fine-Q8_0.gguf"]


def test_a_model_in_a_folder_of_its_repository_keeps_it(stub: StubHub, tmp_path: Path) -> None:
    stub.repositories["some/tiny"] = {"q4/tiny-Q4_K_M.gguf": CONTENT}
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    path = hub.get(want, file, tmp_path, Seen())
    assert path == tmp_path / "some--tiny" / "q4" / "tiny-Q4_K_M.gguf"


def test_a_folder_that_cannot_be_made_is_a_sentence(stub: StubHub, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    hub, want = Hub(stub.endpoint), Wanted("some/tiny")
    [file] = hub.files(want)
    with pytest.raises(ModelLoadError, match="cannot be made"):
        hub.get(want, file, tmp_path / "models", Seen())
    assert (tmp_path / "models").read_text() == "in the way"
