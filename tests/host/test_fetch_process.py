"""The process that downloads, against a small stand-in for the hub on this machine."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from tests.models.stub_hub import StubHub, serving

from gemma_chat.host.downloading import fetching_into
from gemma_chat.models.fetch_process import Came, Checking, Found, Got, Refused, Report

NAME = "tiny-Q4_K_M.gguf"


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubHub]:
    writer = gguf.GGUFWriter(tmp_path / NAME, "gemma3")
    writer.add_tensor("blk.0.weight", np.ones((1024, 1024), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = {NAME: (tmp_path / NAME).read_bytes(), "README.md": b"hello"}
    with serving(StubHub({"some/tiny": files, "some/gated": files})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
        yield hub


async def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`, looked at again and again."""
    async with asyncio.timeout(60):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


def parts_in(folder: Path) -> dict[Path, int]:
    """What has come of files that are not whole yet, in bytes."""
    return {part: part.stat().st_size for part in folder.glob("models/*/.parts/*")}


async def test_a_model_comes_and_a_paused_download_goes_on_where_it_was(
    stub: StubHub, tmp_path: Path
) -> None:
    fetch, model = fetching_into(tmp_path / "models"), stub.repositories["some/tiny"][NAME]
    size = len(model)
    seen: list[Report] = []
    stub.hold_after = 2_500_000
    running = asyncio.create_task(fetch("some/tiny", "", seen.append))
    await until(lambda: bool(seen and sum(parts_in(tmp_path).values())))
    running.cancel()
    await asyncio.wait([running])
    stub.release()
    assert seen[0] == Found(size)
    [there] = parts_in(tmp_path).values()
    assert 0 < there < size
    seen.clear()
    await fetch("some/tiny", "", seen.append)
    came = [one.done for one in seen if isinstance(one, Came)]
    assert came[0] >= there
    assert came[-1] == size
    assert came == sorted(came)
    path = tmp_path / "models" / "some--tiny" / NAME
    assert seen[-2:] == [Checking(path.name), Got(str(path))]
    assert path.read_bytes() == model
    assert f"bytes={there}-" in [asked for _, _, asked in stub.served]


async def test_what_the_hub_refuses_is_told_with_the_next_step(
    stub: StubHub, tmp_path: Path
) -> None:
    stub.gated.add("some/gated")
    seen: list[Report] = []
    fetch = fetching_into(tmp_path / "models")
    names = ("some/gated", "some/missing")
    await asyncio.gather(*(fetch(name, "", seen.append) for name in names))
    refused = {one.page: one.error for one in seen if isinstance(one, Refused)}
    assert "hf auth login" in refused["https://huggingface.co/some/gated"]
    assert "no repository some/missing" in refused[""]


async def test_the_hub_is_given_the_token_of_the_download_and_else_that_of_the_host(
    stub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_host")
    fetch = fetching_into(tmp_path / "models")
    seen: list[Report] = []
    await fetch("some/tiny", "hf_of_the_terminal", seen.append)
    assert isinstance(seen[-1], Got)
    assert set(stub.tokens) == {"Bearer hf_of_the_terminal"}
    stub.tokens.clear()
    await fetch("some/missing", "", seen.append)
    assert set(stub.tokens) == {"Bearer hf_of_the_host"}


def test_it_ends_with_whoever_started_it(stub: StubHub, tmp_path: Path) -> None:
    stub.hold_after = 1_000_000
    process = subprocess.Popen(
        [sys.executable, "-m", "gemma_chat.models.fetch_process", "some/tiny", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdin.close()
    assert process.wait(60) == 1
    process.stdout.close()
    stub.release()
