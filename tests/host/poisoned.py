"""A host whose engine dies, as native code does, of any question with "poison" in it.

Otherwise it is the host that `python -m gemma_chat.host.main` starts; it takes the same options.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sessions.scripted import ScriptedEngine, echo

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.config.settings import Settings
from gemma_chat.engine.interface import ChatMessage
from gemma_chat.host import main as host
from gemma_chat.host.model_source import ModelLoader, ModelSource
from gemma_chat.sessions.model import InferenceModel


def _answer(messages: Sequence[ChatMessage], sampling: SamplingSettings) -> str:
    if "poison" in messages[-1].text:
        os.kill(os.getpid(), signal.SIGSEGV)
    return echo(messages, sampling)


def _loader(settings: Settings, states_dir: Path) -> ModelLoader:
    async def load(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
        if "poison" in str(source):
            os.kill(os.getpid(), signal.SIGKILL)
        return InferenceModel(ScriptedEngine(reply=_answer))

    return load


if __name__ == "__main__":
    host.loader = _loader
    raise SystemExit(host.main(sys.argv[1:]))
