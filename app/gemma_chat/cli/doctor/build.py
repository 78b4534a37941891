"""How llama.cpp was built, and what the machine offers."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gemma_chat.cli.doctor.finding import ChildFailed, Finding, fault, ok, report_of_child, warning
from gemma_chat.config.paths import Paths
from gemma_chat.quantities import byte_size

BUILD_AGAIN: Final = (
    "Build it again on this machine: pip install --force-reinstall --no-cache-dir "
    "--no-binary llama-cpp-python llama-cpp-python"
)
WITHOUT_AMX: Final = (
    "CMAKE_ARGS=\"-DCMAKE_C_FLAGS='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16' "
    "-DCMAKE_CXX_FLAGS='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16'\" pip install "
    "--force-reinstall --no-cache-dir llama-cpp-python"
)
_MUCH_USED: Final = ("AVX2", "AVX512", "FMA", "F16C", "NEON", "DOTPROD")
_LITTLE_MEMORY: Final = 2_000_000_000
_LITTLE_DISK: Final = 1_000_000_000


def build_findings() -> Iterator[Finding]:
    """What llama.cpp says of itself."""
    try:
        report = report_of_child("gemma_chat.engine.build_report", seconds=60)
    except ChildFailed as failure:
        yield fault("llama.cpp", f"cannot be loaded: {failure}", BUILD_AGAIN)
        return
    built = f", built with {report['compiler']}" if report["compiler"] else ""
    yield ok("llama.cpp", f"llama-cpp-python {report['package']}{built}")
    yield from _features(report)
    yield _gpu(report)


def _features(report: dict[str, Any]) -> Iterator[Finding]:
    there = [str(name) for name in report["features"]]
    offered = _processor_flags()
    unused = [name for name in _MUCH_USED if name.lower() in offered and name not in there]
    text = ", ".join(there) or "none"
    if unused:
        yield warning("CPU features", f"{text}; not used: {', '.join(unused)}", BUILD_AGAIN)
    else:
        yield ok("CPU features", text)
    if "amx_tile" in offered and report["compiler"].startswith("GCC 12") and _amx(there):
        yield warning(
            "AMX", "GCC 12 builds AMX code that crashes; a slower mode is used", WITHOUT_AMX
        )


def _amx(features: list[str]) -> bool:
    return any(name.startswith("AMX") for name in features)


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in
             line.partition(":")[2].split()}  # fmt: skip
    if "avx512f" in flags:
        flags.add("avx512")
    return flags


def _gpu(report: dict[str, Any]) -> Finding:
    present = Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists()
    if report["gpu"]:
        return ok("GPU", "this build can use one")
    if present:
        return warning(
            "GPU",
            "the machine has one that this build does not use",
            'CMAKE_ARGS="-DGGML_CUDA=on" (or -DGGML_HIP=on) pip install --force-reinstall '
            "--no-cache-dir llama-cpp-python",
        )
    return ok("GPU", "none; the CPU computes")


def machine_findings(paths: Paths) -> Iterator[Finding]:
    """Cores, memory and disk."""
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    yield ok("processor", f"{platform.machine()}, {cores} cores")
    memory = psutil.virtual_memory()
    text = f"{byte_size(memory.total)}, {byte_size(memory.available)} free"
    if memory.available < _LITTLE_MEMORY:
        yield warning("memory", text, "Close other programs, or choose a smaller model.")
    else:
        yield ok("memory", text)
    folder = next(place for place in (paths.data_dir, *paths.data_dir.parents) if place.exists())
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_DISK:
        yield warning("disk", f"{byte_size(free)} free at {folder}", "Free some space.")
    else:
        yield ok("disk", f"{byte_size(free)} free at {folder}")
