"""Whether a model loads and its chat template renders: a child process that says so as JSON.

`python -m gemma_chat.engine.model_report MODEL`. Exit code 0: a JSON object. 1: a sentence.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gemma_chat.engine.interface import ChatMessage, EngineOptions, LoadControl
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.errors import GemmaChatError

_CONTEXT = 512


def main(arguments: list[str]) -> int:
    """Load, render and count, then print the report."""
    try:
        engine = LlamaEngine.load(
            Path(arguments[0]), EngineOptions(context_size=_CONTEXT), LoadControl()
        )
        prompt = engine.prompt(
            [
                ChatMessage("system", "Be brief."),
                ChatMessage("user", "Hello"),
                ChatMessage("assistant", "Hi."),
                ChatMessage("user", "Go on"),
            ]
        )
        description = engine.description
    except GemmaChatError as error:
        sys.stdout.write(str(error))
        return 1
    report = {
        "name": description.name,
        "architecture": description.architecture,
        "family": description.family,
        "template": description.template_source,
        "safe_mode": description.safe_mode,
        "trained_context": description.trained_context_size,
        "prompt_tokens": prompt.token_count,
    }
    sys.stdout.write(json.dumps(report))
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
