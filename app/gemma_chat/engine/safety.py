"""Finding out, in a child process, how a model can be run on this machine without a crash.

A bad kernel ends the process with a signal and cannot be caught. GCC 12, for one, drops stores
before `ldtilecfg`: on a CPU with AMX every decode dies in `ggml_backend_amx_mul_mat`. So the first
time a build of llama.cpp meets a CPU and a kind of model file, a child process tries a decode, then
again with less: without the repacked weight buffers, with one thread, without a GPU. What survived
is remembered in the cache directory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gemma_chat.config.paths import Paths
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.engine.library import library_file
from gemma_chat.errors import ModelLoadError

_log = logging.getLogger(__name__)
_SECONDS = 600
_RECORD = "safe-modes.json"
_MOST_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Mode:
    """How to run: `threads` 0 leaves their number open; `words` name what is switched off."""

    use_extra_bufts: bool = True
    threads: int = 0
    gpu_layers: int = 0
    words: str = ""

    @property
    def uses_gpu(self) -> bool:
        """Whether any layer is put on a GPU; -1 stands for all."""
        return self.gpu_layers != 0


def ladder(gpu_layers: int) -> tuple[Mode, ...]:
    """The ways to try, from the fastest to the safest."""
    steps = [
        Mode(gpu_layers=gpu_layers),
        Mode(False, 0, gpu_layers, "without repacked weights"),
        Mode(False, 1, gpu_layers, "without repacked weights, one thread"),
    ]
    if gpu_layers:
        steps.append(Mode(False, 1, 0, "without repacked weights, one thread, no GPU"))
    return tuple(steps)


def safe_mode(path: Path, options: EngineOptions) -> Mode:
    """The fastest mode that survives a decode of this model on this machine.

    Raises `ModelLoadError` when none does.
    """
    if options.use_extra_bufts is not None:
        words = "" if options.use_extra_bufts else "without repacked weights"
        return Mode(options.use_extra_bufts, 0, options.gpu_layers, words)
    record = Paths.default().cache_dir / _RECORD
    key = _key(path, options.gpu_layers)
    known = _recall(record, key)
    if known is not None:
        return known
    mode = _first_survivor(path, ladder(options.gpu_layers))
    _remember(record, key, mode)
    return mode


def _first_survivor(path: Path, modes: Sequence[Mode]) -> Mode:
    ended = ""
    for mode in modes:
        code = _try(path, mode)
        if code >= 0:
            # A clean failure (a damaged file, no memory) is reported by the load that follows.
            return mode
        ended = signal.Signals(-code).name
        _log.warning("A first decode of %s ended with %s; trying a safer mode", path, ended)
    raise ModelLoadError(
        f"llama.cpp crashes ({ended}) with {path.name} on this processor in every mode. Build "
        "llama-cpp-python again on this machine (pip install --force-reinstall --no-binary "
        "llama-cpp-python llama-cpp-python), or choose another model."
    )


def try_projector(projector: Path, model: Path, mode: Mode) -> None:
    """Find out, once, whether encoding with a projector survives on this machine.

    Raises `ModelLoadError` when it does not: llama.cpp ends the process over a projector that is
    not as it expects, and a host that did so would do it again at each start.
    """
    record = Paths.default().cache_dir / _RECORD
    key = _key(projector, mode.gpu_layers, _stamp(model))
    if _recall(record, key) is not None:
        return
    code = _run("gemma_chat.engine.first_encode", str(projector), str(model), mode=mode)
    if code < 0:
        raise ModelLoadError(
            f"llama.cpp crashes ({signal.Signals(-code).name}) with the projector {projector}. "
            "Download it again, or get the one that came with the model."
        )
    if code == 0:
        _remember(record, key, mode)


def _try(path: Path, mode: Mode) -> int:
    """Run one decode in a child; returns its exit code, negative when a signal ended it."""
    return _run("gemma_chat.engine.first_decode", str(path), mode=mode)


def _run(module: str, *paths: str, mode: Mode) -> int:
    # -P keeps the directory the person stands in out of its imports.
    command = [sys.executable, "-P", "-m", module, *paths, json.dumps(asdict(mode))]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        _log.warning("%s with %s took more than %s s", module, paths[0], _SECONDS)
        return 0


# ---------------------------------------------------------------- what is remembered


def _key(path: Path, gpu_layers: int, *more: str) -> str:
    library = library_file()
    stamps = [stamp for stamp in map(_stamp, (library, path)) if stamp]
    parts = [str(library), str(gpu_layers), _processor(), *stamps, *more]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _stamp(file: Path) -> str:
    """What tells one version of a file from another; empty when there is none."""
    try:
        status = file.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _processor() -> str:
    """The model and the abilities of this CPU: a home directory may move between machines."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor() + platform.machine()
    wanted = ("model name", "flags", "Features", "CPU part")
    lines = {line for line in text.splitlines() if line.startswith(wanted)}
    return "\n".join(sorted(lines))


def _recall(record: Path, key: str) -> Mode | None:
    try:
        found = json.loads(record.read_text("utf-8"))[key]
        mode = Mode(**found)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return mode if mode in ladder(mode.gpu_layers) else None


def _remember(record: Path, key: str, mode: Mode) -> None:
    """Keep what was found; not being able to costs the next start a second and nothing else."""
    try:
        known = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict):
        known = {}
    known = dict(list(known.items())[-_MOST_RECORDS:])
    known[key] = asdict(mode)
    try:
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=record.parent, prefix=record.name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(known, file)
        Path(name).replace(record)
    except OSError as error:
        _log.warning("Cannot write %s: %s", record, error)
