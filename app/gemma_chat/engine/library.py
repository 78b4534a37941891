"""The edge to llama.cpp: loading the native library, its log, and one abort flag.

`llama` is the low-level module of llama-cpp-python, untyped by nature (ctypes); everything above
this file wraps what it returns at once.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SPIN_COUNT = "1000"
"""How long an OpenMP thread spins before it sleeps.

libgomp's default (forever, in practice) makes decoding 3 to 25 times slower as soon as any other
process wants a core; not spinning at all halves the speed of a quiet machine.
"""

_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.WARNING, 4: logging.ERROR}
_CONTINUED = 5
_MOST_LINES = 20_000

_log = logging.getLogger("gemma_chat.llama")


class NativeLog:
    """llama.cpp's log as `logging` records, line by line."""

    def __init__(self) -> None:
        self._excerpt: list[str] | None = None
        self._line = ""
        self._level = logging.DEBUG
        self._callback: Any = None

    def install(self, module: Any) -> None:
        """Take the place of the bindings' own callback, which prints to the terminal."""
        self._callback = module.llama_log_callback(self._receive)
        module.llama_log_set(self._callback, ctypes.c_void_p(0))

    def install_multimodal(self, module: Any) -> None:
        """The same for mtmd, which has a log of its own; after `install`."""
        module.mtmd_helper_log_set(self._callback, ctypes.c_void_p(0))

    def _receive(self, level: int, text: bytes | None, _data: object) -> None:
        if level != _CONTINUED:
            self._level = _LEVELS.get(level, logging.DEBUG)
        self._line += (text or b"").decode("utf-8", "replace")
        while "\n" in self._line:
            line, self._line = self._line.split("\n", 1)
            if line := line.strip():
                if self._excerpt is not None and len(self._excerpt) < _MOST_LINES:
                    self._excerpt.append(line)
                _log.log(self._level, "%s", line)

    @contextmanager
    def excerpt(self) -> Iterator[list[str]]:
        """Collect the lines that are logged inside the block, for figures and error messages."""
        lines: list[str] = []
        before, self._excerpt = self._excerpt, lines
        try:
            yield lines
        finally:
            self._excerpt = before


@functools.cache
def native() -> tuple[Any, NativeLog]:
    """Load llama.cpp once per process: the module of its functions, and its log."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    import llama_cpp.llama_cpp as module

    log = NativeLog()
    log.install(module)
    module.llama_backend_init()
    return module, log


@functools.cache
def multimodal() -> Any:
    """Load mtmd, the part of llama.cpp for images and audio, once per process."""
    _, log = native()
    import llama_cpp.mtmd_cpp as module

    log.install_multimodal(module)
    return module


def library_file() -> Path:
    """The file of the compute kernels: what a build is told apart by. Does not load it."""
    import importlib.util

    spec = importlib.util.find_spec("llama_cpp")
    folder = Path(str(spec.origin)).parent / "lib" if spec and spec.origin else Path()
    for name in ("libggml-cpu.so", "libggml-cpu.dylib", "libllama.so", "libllama.dylib"):
        if (folder / name).exists():
            return (folder / name).resolve()
    return folder


class AbortFlag:
    """Ends a running `llama_decode` from another thread without Python in the compute loop.

    llama.cpp asks its abort callback between all nodes of the graph, hundreds of times a token; a
    Python function there would take the GIL each time. libc's `strlen` is a ready-made callback:
    it reads the flag's bytes and returns 0 (go on) for "" and 1 (abort) for "\\1".
    """

    def __init__(self) -> None:
        self._bytes = ctypes.create_string_buffer(2)

    def attach(self, context: Any) -> None:
        """Make `llama_decode` on this context watch the flag."""
        module, _ = native()
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        self._callback = module.ggml_abort_callback(strlen)
        module.llama_set_abort_callback(context, self._callback, ctypes.addressof(self._bytes))

    def raise_(self) -> None:
        """Abort what is running now, and whatever starts before `lower`."""
        self._bytes[0] = b"\x01"

    def lower(self) -> None:
        """Let decoding go on."""
        self._bytes[0] = b"\x00"
