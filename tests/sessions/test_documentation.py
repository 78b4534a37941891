"""`help(gemma_chat)` is complete, and its examples are programs."""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sessions.test_sync_parity import ROOMS

import gemma_chat
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.options import SessionOptions

README = Path(__file__).parents[2] / "README.md"
ELSEWHERE = re.compile(r"mmproj|http://|cat\.png|pirate\.gguf")
"""Examples with files and servers that the test does not have are compiled only."""


def examples(text: str | None) -> list[str]:
    """The indented blocks of a docstring that stand behind an empty line."""
    found: list[list[str]] = []
    before = ""
    inside = False
    for line in inspect.cleandoc(text or "").split("\n"):
        indented = line.startswith("    ")
        if indented and not inside and not before:
            found.append([])
            inside = True
        elif line and not indented:
            inside = False
        if inside:
            found[-1].append(line[4:])
        before = line
    # Where there is nothing beside the summary and the code, the code has no indentation left.
    rest = inspect.cleandoc(text or "").partition("\n\n")[2]
    if rest and not found and _is_code(rest):
        return [rest]
    return ["\n".join(lines) for lines in found]


def _is_code(text: str) -> bool:
    try:
        compiled(text)
    except SyntaxError:
        return False
    return True


def compiled(code: str) -> object:
    return compile(code, "<example>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def public() -> Iterator[tuple[str, object]]:
    for name in gemma_chat.__all__:
        value = getattr(gemma_chat, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield name, value
    for name in ("Session", "InferenceModel", "Chat"):
        kind = getattr(gemma_chat, name)
        for called, value in inspect.getmembers(kind, inspect.isfunction):
            if called[0] != "_" and called not in ROOMS[name]:
                yield f"{name}.{called}", value


@pytest.mark.parametrize(("name", "value"), list(public()), ids=[name for name, _ in public()])
def test_everything_public_is_explained_with_an_example(name: str, value: object) -> None:
    said = inspect.getdoc(value) or ""
    assert len(said) > 20, name
    for code in examples(said):
        compiled(code)
    keywords = isinstance(value, type) and issubclass(value, dict)
    failure = isinstance(value, type) and issubclass(value, GemmaChatError)
    elsewhere = re.search(r"see `(Session|InferenceModel|gemma_chat)\.\w+`", said)
    assert examples(said) or elsewhere or keywords or failure, f"{name} has no example"


def test_the_examples_of_the_readme_are_programs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    for code in blocks:
        compiled(code)


def test_every_name_in_the_examples_of_the_readme_is_known() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    known = {*vars(builtins), "gemma_chat", "model"}
    for code in blocks:
        nodes = list(ast.walk(ast.parse(code)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.alias)}
        known |= {node.name for node in nodes if isinstance(node, ast.AsyncFunctionDef)}
        assert {node.id for node in names} <= known


def test_open_session_explains_every_keyword() -> None:
    said = inspect.getdoc(gemma_chat.InferenceModel.open_session) or ""
    explained = re.findall(
        r"^    (\w+): ", said.partition("Args:")[2].partition("Raises:")[0], re.M
    )
    assert explained == list(SessionOptions.__annotations__)


@pytest.mark.parametrize("module", [gemma_chat, gemma_chat.sync], ids=lambda one: one.__name__)
async def test_the_examples_of_the_front_page_run(
    module: object, smollm2_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").symlink_to(smollm2_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"gemma_chat": gemma_chat}
    runnable = itertools.filterfalse(ELSEWHERE.search, examples(module.__doc__))
    for code in runnable:
        awaited = eval(compiled(code), names)
        if inspect.iscoroutine(awaited):
            await awaited
    assert "model" in names
    model = names["model"]
    assert isinstance(model, gemma_chat.InferenceModel | gemma_chat.sync.InferenceModel)
    assert model.closed
