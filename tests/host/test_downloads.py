"""Downloads of the host: state, pause, going on, giving up, and coming back after the host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.host.rig import DEADLINE

from gemma_chat.errors import HostError, ModelLoadError
from gemma_chat.host.downloads import MOST_DOWNLOADS, Downloads, Speed
from gemma_chat.models.fetch_process import Came, Checking, Found, Got, Refused, Report

Say = Callable[[Report], None]


class Fetching:
    """Downloads that go as the test says."""

    def __init__(self) -> None:
        self.running: dict[str, Say] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self._ends: dict[str, asyncio.Future[None]] = {}
        self._begun = asyncio.Event()
        self.may_end = asyncio.Event()
        """Clear it to let those that are paused linger."""
        self.may_end.set()

    async def __call__(self, name: str, token: str, report: Say) -> None:
        self.asked.append(name)
        self.tokens.append(token)
        self.running[name] = report
        assert name not in self._ends or self._ends[name].done()
        self._ends[name] = asyncio.get_running_loop().create_future()
        self._begun.set()
        try:
            await self._ends[name]
        finally:
            await self.may_end.wait()
            del self.running[name]

    async def begun(self, name: str, *, times: int = 1) -> None:
        """Wait until it runs, for the so many-th time."""
        async with asyncio.timeout(DEADLINE):
            while self.asked.count(name) < times:
                self._begun.clear()
                await self._begun.wait()

    def end(self, name: str, *last: Report) -> None:
        """It ends by itself after these last words."""
        for report in last:
            self.running[name](report)
        self._ends[name].set_result(None)

    def fail(self, name: str, error: Exception) -> None:
        """It ends with an error of the program itself."""
        self._ends[name].set_exception(error)


class Bench:
    """Downloads in a folder, with what they told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetching = Fetching()
        self.got: list[tuple[str, Path]] = []
        self.seconds = 0.0
        self.silence = 60.0
        self._changed = asyncio.Event()
        self.downloads = self.another()

    def another(self) -> Downloads:
        """What the next host has."""
        self.downloads = Downloads(
            self.fetching,
            self.folder / "models",
            self.folder / "downloads.json",
            on_change=self._changed.set,
            on_got=lambda name, path: self.got.append((name, path)),
            clock=lambda: self.seconds,
            silence=self.silence,
        )
        return self.downloads

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def states(self) -> list[tuple[str, str]]:
        return [(view.name, view.state) for view in self.downloads.views]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_download_tells_how_far_and_how_fast_it_is(bench: Bench) -> None:
    bench.downloads.start("some/tiny")
    assert bench.downloads.busy
    await bench.fetching.begun("some/tiny")
    say = bench.fetching.running["some/tiny"]
    say(Found(1000))
    say(Came(100, "tiny.gguf"))
    bench.seconds = 2.0
    say(Came(500, "tiny.gguf"))
    [view] = bench.downloads.views
    assert (view.state, view.done_bytes, view.total_bytes, view.file) == (
        "running",
        500,
        1000,
        "tiny.gguf",
    )
    assert view.bytes_per_second == 200.0
    say(Checking("tiny.gguf"))
    assert bench.states() == [("some/tiny", "checking")]
    bench.fetching.end("some/tiny", Got("/models/tiny.gguf"))
    await bench.until(lambda: not bench.downloads.views)
    assert bench.got == [("some/tiny", Path("/models/tiny.gguf"))]
    assert not bench.downloads.busy
    assert not (bench.folder / "downloads.json").exists()


def test_the_speed_is_that_of_the_last_seconds_and_never_less_than_none() -> None:
    now = 0.0
    speed = Speed(lambda: now)
    assert speed.note(0) == 0.0
    for now in (1.0, 2.0, 3.0):
        speed.note(int(now) * 1000)
    now = 100.0
    speed.note(3000)
    now = 101.0
    assert speed.note(3500) == 500.0
    now = 102.0
    assert speed.note(0) == 0.0


async def test_a_paused_download_goes_on_when_it_is_wanted_again(bench: Bench) -> None:
    number = bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    bench.fetching.running["some/tiny"](Came(10, "tiny.gguf"))
    bench.downloads.pause(number)
    bench.downloads.pause(number)
    assert bench.states() == [("some/tiny", "paused")]
    assert not bench.downloads.busy
    bench.downloads.resume(number)
    bench.downloads.resume(number)
    await bench.fetching.begun("some/tiny", times=2)
    assert bench.downloads.views[0].done_bytes == 10
    await bench.downloads.close()


async def test_one_that_is_paused_twice_in_a_row_is_not_begun_before_the_first_has_ended(
    bench: Bench,
) -> None:
    number = bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    bench.fetching.may_end.clear()
    for _ in range(2):
        bench.downloads.pause(number)
        bench.downloads.resume(number)
        for _ in range(5):
            await asyncio.sleep(0)
    asked = list(bench.fetching.asked)
    bench.fetching.may_end.set()
    assert asked == ["some/tiny"]
    await bench.fetching.begun("some/tiny", times=2)
    await bench.downloads.drop(number)
    assert bench.fetching.running == {}


async def test_a_token_is_given_with_each_try_of_its_download_and_forgotten_with_it(
    bench: Bench,
) -> None:
    number = bench.downloads.start("some/gated", "hf_mine")
    await bench.fetching.begun("some/gated")
    bench.downloads.start("some/open")
    await bench.fetching.begun("some/open")
    bench.downloads.pause(number)
    bench.downloads.resume(number)
    await bench.fetching.begun("some/gated", times=2)
    bench.downloads.pause(number)
    bench.downloads.resume(number, "hf_newer")
    await bench.fetching.begun("some/gated", times=3)
    assert bench.fetching.tokens == ["hf_mine", "", "hf_mine", "hf_newer"]
    assert "hf_" not in (bench.folder / "downloads.json").read_text()
    bench.fetching.end("some/gated", Got("/models/tiny.gguf"))
    await bench.until(lambda: len(bench.downloads.views) == 1)
    bench.downloads.start("some/gated")
    await bench.fetching.begun("some/gated", times=4)
    assert bench.fetching.tokens[-1] == ""
    await bench.downloads.close()


async def test_the_same_model_is_downloaded_once_under_whichever_name(bench: Bench) -> None:
    first = bench.downloads.start("gemma-3-1b")
    assert bench.downloads.start(" gemma-3-1b ") == first
    await bench.downloads.close()


async def test_one_that_failed_says_why_and_can_be_tried_again(bench: Bench) -> None:
    number = bench.downloads.start("some/gated")
    await bench.fetching.begun("some/gated")
    bench.fetching.end("some/gated", Refused("It is gated.", "https://hub/some/gated"))
    await bench.until(lambda: bench.states() == [("some/gated", "failed")])
    [view] = bench.downloads.views
    assert (view.error, view.page) == ("It is gated.", "https://hub/some/gated")
    bench.downloads.resume(number)
    assert bench.downloads.views[0].error == ""
    await bench.downloads.close()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(HostError("It ended."), "It ended."), (RuntimeError("boom"), "failed: boom. Try again.")],
)
async def test_an_error_of_the_program_is_a_failed_download(
    bench: Bench, error: Exception, sentence: str
) -> None:
    bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    bench.fetching.fail("some/tiny", error)
    await bench.until(lambda: bench.states() == [("some/tiny", "failed")])
    assert sentence in bench.downloads.views[0].error


async def test_one_that_ends_without_a_word_has_failed(bench: Bench) -> None:
    bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    bench.fetching.end("some/tiny")
    await bench.until(lambda: bench.states() == [("some/tiny", "failed")])


async def test_one_that_is_given_up_leaves_nothing(bench: Bench) -> None:
    part = bench.folder / "models" / "some--tiny" / ".parts" / "x.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    number = bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    await bench.downloads.drop(number)
    assert bench.downloads.views == ()
    assert not part.exists()
    for ask in (bench.downloads.pause, bench.downloads.resume):
        with pytest.raises(HostError, match="given up in another terminal"):
            ask(number)


async def test_the_next_host_goes_on_with_what_ran_and_leaves_what_was_paused(
    bench: Bench,
) -> None:
    paused = bench.downloads.start("some/paused")
    bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    bench.fetching.running["some/tiny"](Found(1000))
    bench.downloads.pause(paused)
    await bench.downloads.close()
    assert bench.fetching.running == {}
    bench.another().take_up()
    assert bench.states() == [("some/paused", "paused"), ("some/tiny", "starting")]
    assert bench.downloads.views[1].total_bytes == 1000
    await bench.downloads.close()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'[{"name": 3}]', b'[{"name": "../../x"}]', b'[{"name": ""}]']
)
async def test_a_list_that_is_damaged_or_hostile_is_not_used(bench: Bench, content: bytes) -> None:
    (bench.folder / "downloads.json").write_bytes(content)
    bench.downloads.take_up()
    assert bench.downloads.views == ()


@pytest.mark.parametrize("name", ["", "tiny", "../x", "a/b/c", "\x1b[2J/x", "x" * 100_000])
async def test_a_name_that_can_be_none_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(ModelLoadError, match="neither a model of the catalogue"):
        bench.downloads.start(name)
    assert bench.downloads.views == ()


async def test_more_than_can_be_looked_after_are_refused(bench: Bench) -> None:
    for number in range(MOST_DOWNLOADS):
        bench.downloads.start(f"some/tiny{number}")
    with pytest.raises(HostError, match="give one up"):
        bench.downloads.start("some/other")
    await bench.downloads.close()


async def test_a_list_that_cannot_be_written_stops_no_download(bench: Bench) -> None:
    (bench.folder / "downloads.json.new").mkdir()
    bench.downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    await bench.downloads.close()


async def test_a_connection_that_hangs_has_no_speed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.silence = 0.01
    downloads = bench.another()
    downloads.start("some/tiny")
    await bench.fetching.begun("some/tiny")
    say = bench.fetching.running["some/tiny"]
    say(Came(100, "tiny.gguf"))
    bench.seconds = 2.0
    say(Came(500, "tiny.gguf"))
    assert downloads.views[0].bytes_per_second == 200.0
    await bench.until(lambda: downloads.views[0].bytes_per_second == 0.0)
    assert downloads.views[0].state == "running"
    await downloads.close()
