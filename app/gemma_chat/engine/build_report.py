"""What this build of llama.cpp can do: a child process that says so as JSON and leaves.

`python -m gemma_chat.engine.build_report`. In a process of its own, because a library that was
built for another CPU may die while it is loaded.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gemma_chat.engine.library import library_file, native

_COMPILER = re.compile(rb"GCC: \([^)]{0,80}\) (\d+)\.(\d+)")


def compiler(library: Path) -> str:
    """The compiler a library names, such as "GCC 12.2", or an empty string."""
    try:
        found = _COMPILER.search(library.read_bytes())
    except OSError:
        return ""
    return f"GCC {int(found[1])}.{int(found[2])}" if found else ""


def features(system_info: str) -> tuple[str, ...]:
    """The abilities that llama.cpp lists as `NAME = 1`."""
    return tuple(dict.fromkeys(re.findall(r"(\w+) = 1\b", system_info)))


def main() -> int:
    """Print the report."""
    llama, _ = native()
    try:
        package = version("llama-cpp-python")
    except PackageNotFoundError:
        package = ""
    said = llama.llama_print_system_info().decode("utf-8", "replace")
    report = {
        "package": package,
        "library": str(library_file()),
        "compiler": compiler(library_file()),
        "features": features(said),
        "gpu": bool(llama.llama_supports_gpu_offload()),
        "memory_map": bool(llama.llama_supports_mmap()),
        "lock_memory": bool(llama.llama_supports_mlock()),
    }
    sys.stdout.write(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
