"""The child process of `gemma_chat.engine.safety`: load a model, decode twice, leave.

`python -m gemma_chat.engine.first_decode MODEL MODE` where MODE is a JSON object of `safety.Mode`.
Exit code 0: survived. 1: refused with a sentence. A signal: this mode must not be used.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from gemma_chat.engine.context import MICRO_BATCH, Context
from gemma_chat.engine.interface import LoadControl
from gemma_chat.engine.weights import Weights
from gemma_chat.errors import GemmaChatError


def main(arguments: list[str]) -> int:
    """Try one mode; see the module."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path, mode = Path(arguments[0]), json.loads(arguments[1])
    try:
        weights = Weights(
            path,
            use_extra_bufts=mode["use_extra_bufts"],
            gpu_layers=mode["gpu_layers"],
            control=LoadControl(),
        )
        context = Context(
            weights.handle,
            context_size=2 * MICRO_BATCH,
            thread_counts=(mode["threads"] or 2,),
            sliding_window=0,
        )
        context.evaluate(0, [1] * MICRO_BATCH, 0, "none")
        context.evaluate(0, [1], MICRO_BATCH, "each")
    except GemmaChatError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
