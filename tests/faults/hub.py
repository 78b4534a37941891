"""A hub on this machine from which the host of the fault rounds gets a model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import gguf
import numpy as np
from tests.models.stub_hub import StubHub, serving

REPOSITORY: Final = "some/tiny"
MODEL_FILE: Final = "tiny-Q4_K_M.gguf"


@contextmanager
def hub_of_this_machine(home: Path) -> Iterator[StubHub]:
    """Serve one small model; hosts that are started within the block know of no other hub."""
    with serving(StubHub({REPOSITORY: {MODEL_FILE: _model()}})) as hub:
        os.environ["HF_ENDPOINT"] = hub.endpoint
        os.environ["HF_HOME"] = str(home / "hub")
        os.environ.pop("HF_TOKEN", None)
        yield hub


def _model() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MODEL_FILE
        writer = gguf.GGUFWriter(file, "gemma3")
        writer.add_tensor("blk.0.weight", np.ones((1024, 1024), dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return file.read_bytes()
