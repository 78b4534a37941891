"""The child process of `gemma_chat.engine.safety`: load a projector, encode once, leave.

`python -m gemma_chat.engine.first_encode PROJECTOR MODEL MODE` where MODE is a JSON object of
`safety.Mode`. Exit code 0: survived. 1: refused with a sentence. A signal: it must not be used.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from gemma_chat.engine.interface import LoadControl
from gemma_chat.engine.projector import Projector
from gemma_chat.engine.weights import Weights
from gemma_chat.errors import GemmaChatError
from gemma_chat.models.projector_file import check_projector_file


def main(arguments: list[str]) -> int:
    """Try one projector; see the module."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mode = json.loads(arguments[2])
    try:
        weights = Weights(
            Path(arguments[1]),
            use_extra_bufts=mode["use_extra_bufts"],
            gpu_layers=mode["gpu_layers"],
            control=LoadControl(),
        )
        projector = Projector(
            check_projector_file(Path(arguments[0])),
            weights.handle,
            width=weights.embedding_width,
            threads=mode["threads"] or 2,
            use_gpu=mode["gpu_layers"] != 0,
        )
        projector.rehearse()
    except GemmaChatError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
