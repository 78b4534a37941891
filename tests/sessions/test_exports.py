"""`import gemma_chat` costs nothing, and offers everything."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gemma_chat
from gemma_chat import errors

PACKAGE = Path(gemma_chat.__file__).parent


def loaded_after(code: str) -> set[str]:
    """The modules that are loaded by `code` in a fresh interpreter."""
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{code}\n"
    program += "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_else() -> None:
    added = loaded_after("import gemma_chat") - loaded_after("import importlib")
    assert added == {"gemma_chat"}


def test_using_the_library_without_a_model_loads_no_native_code_and_no_screen() -> None:
    modules = loaded_after("import gemma_chat; gemma_chat.load_model, gemma_chat.sync")
    assert "gemma_chat.sessions.loading" in modules
    assert not {"llama_cpp", "textual", "sqlite3", "jinja2"} & modules


def test_every_public_name_can_be_used() -> None:
    for name in gemma_chat.__all__:
        assert getattr(gemma_chat, name) is not None
        assert name in dir(gemma_chat)
    assert gemma_chat.sync.__name__ == "gemma_chat.sync"


def test_every_error_is_public() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.GemmaChatError)
    }
    assert raised <= set(gemma_chat.__all__)


def test_type_checkers_see_the_names_that_exist() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    imported = {
        alias.asname
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported | {"__version__"} == set(gemma_chat.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = gemma_chat.nonsense  # type: ignore[attr-defined]
