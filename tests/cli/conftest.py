"""The shell command with the scripted engine in the place of a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.cli.commands import cli
from gemma_chat.host.model_source import ModelLoader, ModelSource
from gemma_chat.sessions.model import InferenceModel

Shell = Callable[..., Result]


@pytest.fixture
def shell() -> Shell:
    """Run a command; an error that is meant for the person becomes its `exception`."""

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(cli, arguments, input=stdin, prog_name="gemma-chat")

    return run


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    """What every model is that is loaded; it echoes the question."""
    return loaded_always(ScriptedEngine(), monkeypatch)


def loaded_always(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    """Let every model that is loaded be this engine."""

    def loader(*_: object) -> ModelLoader:
        async def load(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
            progress(0.5)
            return InferenceModel(engine)

        return load

    monkeypatch.setattr("gemma_chat.host.local.loader", loader)
    monkeypatch.setattr(
        "gemma_chat.host.model_source.choose_model", lambda *_: Path("/models/0.gguf")
    )
    return engine
