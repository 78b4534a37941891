"""Loading a model without holding up the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from gemma_chat.engine.interface import EngineOptions, LoadControl
from gemma_chat.errors import ModelLoadError
from gemma_chat.sessions.model import InferenceModel, check_limit
from gemma_chat.terms import KvType

if TYPE_CHECKING:
    from gemma_chat.engine.llama import LlamaEngine

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.05


class LoadOptions(TypedDict, total=False):
    """The keywords of `load_model`, for those who pass them on."""

    context_size: int
    max_concurrent_sessions: int | None
    threads: int
    progress: Callable[[float], None] | None
    projector_path: str | PathLike[str] | None
    use_extra_bufts: bool | None
    states_mb: int
    states_dir: str | PathLike[str] | None
    states_disk_mb: int
    gpu_layers: int
    kv_type: KvType
    micro_batch: int
    prompt_lookup: bool
    memory_map: bool
    lock_memory: bool


async def load_model(
    path: str | PathLike[str],
    *,
    context_size: int = 0,
    max_concurrent_sessions: int | None = None,
    threads: int = 0,
    progress: Callable[[float], None] | None = None,
    projector_path: str | PathLike[str] | None = None,
    use_extra_bufts: bool | None = None,
    states_mb: int = 0,
    states_dir: str | PathLike[str] | None = None,
    states_disk_mb: int = 4_000,
    gpu_layers: int = 0,
    kv_type: KvType = "f16",
    micro_batch: int = 256,
    prompt_lookup: bool = True,
    memory_map: bool = True,
    lock_memory: bool = False,
) -> InferenceModel:
    """Load a GGUF file. Cancelling the call gives the loading up, and ends when memory is free.

        async with await gemma_chat.load_model("model.gguf", context_size=8192) as model:
            session = await model.open_session(system_instruction="Answer as a pirate.")
            print(await session.get_response("What is the sea?"))

    Args:
        path: The model file.
        context_size: One session's whole window in tokens, prompt and reply; 0 is what the model
            was trained on, at most 8192.
        max_concurrent_sessions: How many sessions may be open at once; `None` is no limit.
        threads: Threads to compute with; 0 decides for this machine.
        progress: Called on the loop with the share that is loaded, from 0 to 1.
        projector_path: The file with which the model takes images or audio (`mmproj-….gguf`);
            images need Pillow: `pip install "gemma-chat[media]"`.
        use_extra_bufts: llama.cpp's repacked weights; `None` finds out whether they work.
        states_mb: MB of RAM for saved states; 0 is a quarter of free memory, at most 2,000.
        states_dir: Where saved states are kept in files, for a later process to go on from;
            `None` keeps none.
        states_disk_mb: MB of disk for these files.
        gpu_layers: Layers to put on a GPU; -1 is all.
        kv_type: How the KV cache is stored; `q8_0` takes half the memory, `q4_0` a quarter.
        micro_batch: Tokens evaluated at once in prefill, 16 to 512.
        prompt_lookup: Guess what a reply quotes from its conversation and verify several tokens
            at once.
        memory_map: Read the weights through the page cache.
        lock_memory: Keep the weights from being swapped out.

    Raises:
        ModelLoadError: A file is missing, damaged, not GGUF, or too large for memory, or the
            projector is of another model.
        SettingsError: `max_concurrent_sessions`, `context_size` or `micro_batch` is not allowed.
    """
    options = EngineOptions(
        context_size=context_size,
        threads=threads,
        use_extra_bufts=use_extra_bufts,
        states_mb=states_mb,
        states_dir=None if states_dir is None else Path(fspath(states_dir)),
        states_disk_mb=states_disk_mb,
        gpu_layers=gpu_layers,
        kv_type=kv_type,
        micro_batch=micro_batch,
        prompt_lookup=prompt_lookup,
        memory_map=memory_map,
        lock_memory=lock_memory,
        projector_path=None if projector_path is None else Path(fspath(projector_path)),
    )
    return await load_with(
        Path(fspath(path)),
        options,
        max_concurrent_sessions=max_concurrent_sessions,
        progress=progress,
    )


async def load_with(
    path: Path,
    options: EngineOptions,
    *,
    max_concurrent_sessions: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> InferenceModel:
    """`load_model` with its options put together; raises what that raises."""
    check_limit(max_concurrent_sessions)
    control = LoadControl()
    loading = asyncio.ensure_future(asyncio.to_thread(_load_engine, path, options, control))
    try:
        await _watch(loading, control, progress)
    except BaseException:
        control.cancelled = True
        loading.add_done_callback(_close_unwanted)
        # Until then it takes memory. A second cancellation gives up this wait alone.
        await asyncio.wait([loading])
        raise
    return InferenceModel(loading.result(), max_concurrent_sessions=max_concurrent_sessions)


def _load_engine(path: Path, options: EngineOptions, control: LoadControl) -> LlamaEngine:
    try:
        from gemma_chat.engine.llama import LlamaEngine
    except (ImportError, OSError) as error:
        raise ModelLoadError(
            f"llama-cpp-python cannot be used here ({error}). "
            "Install it again: pip install --force-reinstall llama-cpp-python"
        ) from error
    return LlamaEngine.load(path, options, control)


async def _watch(
    loading: asyncio.Future[LlamaEngine],
    control: LoadControl,
    progress: Callable[[float], None] | None,
) -> None:
    """Report progress whenever it has grown, until loading is over."""
    reported = -1.0
    while True:
        done, _ = await asyncio.wait({loading}, timeout=PROGRESS_SECONDS if progress else None)
        now = 1.0 if done and loading.exception() is None else control.progress
        if progress is not None and now > reported:
            reported = now
            progress(now)
        if done:
            return


def _close_unwanted(loading: asyncio.Future[LlamaEngine]) -> None:
    """The model was loaded although nobody wants it any more."""
    if not loading.cancelled() and loading.exception() is None:
        log.info("closing a model whose loading was given up")
        loading.result().close()
