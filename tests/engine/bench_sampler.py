"""By hand: the time to choose a token, against llama.cpp's chain over the whole vocabulary.

python tests/engine/bench_sampler.py MODEL.gguf...
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, EngineOptions
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.sampler import Sampler

ROUNDS = 60
CASES: dict[str, dict[str, float]] = {
    "greedy": {"temperature": 0.0},
    "greedy, repeat penalty": {"temperature": 0.0, "repeat_penalty": 1.2},
    "greedy, DRY": {"temperature": 0.0, "dry_multiplier": 0.8},
    "top-k 40, top-p 0.95": {"top_k": 40, "top_p": 0.95},
    "top-k 64, repeat penalty": {"top_k": 64, "repeat_penalty": 1.2},
    "top-k 256, min-p 0.05": {"top_k": 256, "min_p": 0.05},
    "top-p 0.95 of all": {"top_k": 0, "top_p": 0.95},
}


def measure(engine: LlamaEngine, chosen: dict[str, float], context: list[int]) -> None:
    settings = SamplingSettings(**chosen)  # type: ignore[arg-type]
    sampler, plain = (Sampler(engine._vocabulary, settings, context) for _ in range(2))
    handle = engine._context.handle
    short, whole = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        sampler.sample(handle)
        between = time.perf_counter()
        plain._sample_from_all(handle, -1)
        short.append((between - start) * 1e6)
        whole.append((time.perf_counter() - between) * 1e6)
    ours, native = statistics.median(short), statistics.median(whole)
    print(f"{ours:8.0f} µs  {native:8.0f} µs  {ours / native:5.2f}")
    sampler.close()
    plain.close()


def main(arguments: list[str]) -> None:
    for path in arguments:
        engine = LlamaEngine.load(Path(path), EngineOptions(context_size=1024))
        print(f"{engine.description.name}, {engine.description.vocabulary_size} tokens")
        print(f"{'':28}{'shortlist':>11}  {'chain':>11}  ratio")
        prompt = engine.prompt([ChatMessage("user", "Tell me a story of the sea. " * 20)])
        run = engine.begin(engine.open_sequence(), prompt, SamplingSettings(), "foreground")
        for _ in range(6):
            run.step()
        for name, chosen in CASES.items():
            print(f"  {name:26}", end="")
            measure(engine, chosen, run._tokens)
        run.finish()
        engine.close()


if __name__ == "__main__":
    main(sys.argv[1:])
