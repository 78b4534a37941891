"""What a docstring says about a function and about each of its parameters.

Three ways of writing are read: `Args:` sections (Google), `:param name:` fields (Sphinx) and
underlined `Parameters` sections (NumPy). What is none of these is description.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_GOOGLE_SECTION: Final = re.compile(
    r"(Args|Arguments|Parameters|Returns?|Yields?|Raises|Examples?|Notes?|See Also):\s*$"
)
_GOOGLE_PARAMETER: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_SPHINX_FIELD: Final = re.compile(r":(\w+)(?:\s+([^:]*))?:\s*(.*)")
_NUMPY_RULE: Final = re.compile(r"-{3,}\s*$")
_NUMPY_PARAMETER: Final = re.compile(r"\*{0,2}(\w+)\s*(?::.*)?$")
_PARAMETER_SECTIONS: Final = ("Args", "Arguments", "Parameters")


@dataclass(frozen=True, slots=True)
class Described:
    """A function in words."""

    text: str
    parameters: dict[str, str]


def described(docstring: str | None) -> Described:
    """Read `docstring`, which may be missing or written in no known way."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    description: list[str] = []
    parameters: dict[str, str] = {}
    at = 0
    while at < len(lines):
        section, body = _section(lines, at)
        if section is not None:
            end = _section_end(lines, body)
            if section in _PARAMETER_SECTIONS:
                parameters |= _parameters(lines[body:end], numpy=body == at + 2)
            at = end
        elif field := _SPHINX_FIELD.match(lines[at]):
            end = _indented_end(lines, at + 1)
            if field[1] in ("param", "parameter", "arg", "argument") and field[2]:
                parameters[field[2].split()[-1]] = _joined([field[3], *lines[at + 1 : end]])
            at = end
        else:
            description.append(lines[at])
            at += 1
    return Described("\n".join(description).strip(), parameters)


def _section(lines: list[str], at: int) -> tuple[str | None, int]:
    """The name of the section that begins at line `at`, and the line where its body begins."""
    if found := _GOOGLE_SECTION.match(lines[at]):
        return found[1], at + 1
    if at + 1 < len(lines) and lines[at].strip() and _NUMPY_RULE.match(lines[at + 1]):
        return lines[at].strip(), at + 2
    return None, at


def _section_end(lines: list[str], body: int) -> int:
    """The line behind a section: the next one, or, when its body is indented, the next text."""
    indented = body < len(lines) and lines[body].startswith((" ", "\t"))
    if indented and not (body >= 2 and _NUMPY_RULE.match(lines[body - 1])):
        return _indented_end(lines, body)
    at = body
    while at < len(lines) and _section(lines, at)[0] is None:
        at += 1
    return at


def _indented_end(lines: list[str], at: int) -> int:
    while at < len(lines) and (not lines[at].strip() or lines[at].startswith((" ", "\t"))):
        at += 1
    return at


def _parameters(lines: list[str], *, numpy: bool) -> dict[str, str]:
    pattern = _NUMPY_PARAMETER if numpy else _GOOGLE_PARAMETER
    found: dict[str, list[str]] = {}
    name = ""
    outer = min((_indent(line) for line in lines if line.strip()), default=0)
    for line in lines:
        begin = pattern.match(line.strip()) if _indent(line) == outer and line.strip() else None
        if begin is not None:
            name = begin[1]
            found[name] = [] if numpy else [begin[2]]
        elif name:
            found[name].append(line)
    return {name: _joined(words) for name, words in found.items()}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
