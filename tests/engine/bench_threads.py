"""By hand: decoding with the number of threads that is followed, against each fixed one.

    python tests/engine/bench_threads.py MODEL.gguf [ROUNDS]

Prints medians over interleaved rounds, with and without one other busy process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemma_chat.engine.context import MICRO_BATCH, Context
from gemma_chat.engine.interface import LoadControl
from gemma_chat.engine.sizing import physical_cores
from gemma_chat.engine.threads import ThreadPlan, thread_counts
from gemma_chat.engine.weights import Weights

DEPTH = 256
TOKENS = 64
"""Tokens of one measurement."""
FOLLOWED = "followed"


@contextmanager
def busy_process() -> Iterator[None]:
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def decode(context: Context, plan: ThreadPlan) -> float:
    """Tokens per second at `DEPTH`."""
    context._threads = plan
    context.cut(0, DEPTH)
    start = time.perf_counter()
    for position in range(DEPTH, DEPTH + TOKENS):
        context.evaluate(0, [position % 1000 + 10], position, "each")
    return TOKENS / (time.perf_counter() - start)


def measure(context: Context, rounds: int) -> None:
    counts = thread_counts(physical_cores())
    plans = {str(count): ThreadPlan((count,), MICRO_BATCH) for count in counts}
    plans[FOLLOWED] = ThreadPlan(counts, MICRO_BATCH)
    speeds: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(rounds):
        for name, plan in plans.items():
            speeds[name].append(decode(context, plan))
    for name, found in speeds.items():
        print(f"  {name:>9} threads {statistics.median(found):7.1f} tokens/s")
    best = max((str(count) for count in counts), key=lambda name: statistics.median(speeds[name]))
    # Within rounds, so that what else the machine does meets both sides of the ratio.
    pairs = zip(speeds[FOLLOWED], speeds[best], strict=True)
    print(f"  followed / {best} threads {statistics.median(a / b for a, b in pairs):.3f}")


def main(arguments: list[str]) -> None:
    rounds = int(arguments[1]) if len(arguments) > 1 else 5
    weights = Weights(Path(arguments[0]), use_extra_bufts=True, gpu_layers=0, control=LoadControl())
    context = Context(
        weights.handle,
        context_size=1024,
        thread_counts=thread_counts(physical_cores()),
        sliding_window=0,
    )
    for start in range(0, DEPTH, MICRO_BATCH):
        context.evaluate(0, list(range(start + 10, start + 10 + MICRO_BATCH)), start, "none")
    print("quiet")
    measure(context, rounds)
    print("one other busy process")
    with busy_process():
        measure(context, rounds)
    context.close()
    weights.close()


if __name__ == "__main__":
    main(sys.argv[1:])
