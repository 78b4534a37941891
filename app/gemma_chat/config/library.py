"""Roles, presets and prompts: those on board, and the person's own in the config folder.

Each is one small file that can be given to somebody else. Reading is strict; a file that is wrong
is reported with its reason and left out. A person's file replaces the one on board of its name.
Files are read when they are asked for, so that what was just edited holds.
"""

from __future__ import annotations

import importlib.resources
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import gemma_chat
from gemma_chat.config.document import parse_document, preset_of, preset_table
from gemma_chat.config.fields import PRESETS_SECTION
from gemma_chat.config.paths import make_private_folder
from gemma_chat.config.presets import Preset
from gemma_chat.config.prompts import Prompt, prompt_of_markdown, prompt_of_table
from gemma_chat.config.roles import Role, role_of, role_table
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import SettingsError
from gemma_chat.quantities import MB, byte_size

MAX_FILE_BYTES = 2 * MB
MOST_FILES = 500

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

Kind = Literal["role", "preset", "prompt"]
_FOLDERS: dict[Kind, str] = {"role": "roles", "preset": "presets", "prompt": "prompts"}


class _Named(Protocol):
    @property
    def name(self) -> str: ...


ItemT = TypeVar("ItemT", bound=_Named)


@dataclass(frozen=True, slots=True)
class Found(Generic[ItemT]):
    """What was found, in the order of the names, and what is wrong with the files left out."""

    items: tuple[ItemT, ...]
    problems: tuple[str, ...] = ()

    def named(self, name: str) -> ItemT | None:
        """The one with this name, whatever its case."""
        return next((item for item in self.items if item.name.lower() == name.lower()), None)


class Library:
    """The files on board and, with a folder, those of a person."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is the config folder; below it are `roles`, `presets` and `prompts`."""
        self._folder = folder

    def roles(self) -> Found[Role]:
        """All roles."""
        return self._found("role", _read_role)

    def prompts(self) -> Found[Prompt]:
        """All prompts."""
        return self._found("prompt", _read_prompt)

    def presets(self, known: tuple[Preset, ...]) -> Found[Preset]:
        """The presets `known` from elsewhere and those in files; a file comes before the rest."""
        in_files = self._found("preset", _read_preset)
        named = {preset.name: preset for preset in (*known, *in_files.items)}
        return Found(tuple(named.values()), in_files.problems)

    def save_role(self, name: str, settings: SessionSettings) -> Path:
        """Write the system instruction of a tab as a role; raises `SettingsError`."""
        _check_name("role", name)
        if not settings.system_instruction.strip():
            raise SettingsError(
                "This tab has no system instruction to save as a role. Write one with /system."
            )
        role = Role(name, settings.system_instruction, explanation="A role of your own.")
        return self._write("role", name, role_table(role))

    def save_preset(self, name: str, settings: SessionSettings) -> Path:
        """Write the sampling settings of a tab as a preset; raises `SettingsError`."""
        _check_name("preset", name)
        return self._write("preset", name, preset_table(Preset.of(name, settings.sampling)))

    def take_in(self, kind: Kind, file: Path) -> str:
        """Copy somebody's file into the person's folder; its name. Raises `SettingsError`."""
        file = file.expanduser()
        item = _READERS[kind](file)
        target = self._own(kind) / f"{item.name}{file.suffix}"
        if target.exists():
            raise SettingsError(
                f"There is a {kind} {item.name} of yours already ({target}). Rename one of them."
            )
        self._put(target, read_text(file))
        return item.name

    def _found(self, kind: Kind, read: Callable[[Path], ItemT]) -> Found[ItemT]:
        items: dict[str, ItemT] = {}
        problems: list[str] = []
        for file in self._files(kind):
            try:
                item = read(file)
            except SettingsError as error:
                problems.append(str(error))
            else:
                items[item.name] = item
        return Found(tuple(items[name] for name in sorted(items)), tuple(problems))

    def _files(self, kind: Kind) -> Iterator[Path]:
        on_board = importlib.resources.files(gemma_chat) / "library" / _FOLDERS[kind]
        folders = [Path(str(on_board))]
        if self._folder is not None:
            folders.append(self._folder / _FOLDERS[kind])
        suffixes = (".toml", ".md") if kind == "prompt" else (".toml",)
        for folder in folders:
            try:
                files = sorted(folder.iterdir())
            except OSError:
                continue
            wanted = [f for f in files if f.suffix in suffixes and not f.name.startswith(".")]
            yield from wanted[:MOST_FILES]

    def _own(self, kind: Kind) -> Path:
        if self._folder is None:
            raise SettingsError(f"There is no folder to keep a {kind} in.")
        return self._folder / _FOLDERS[kind]

    def _write(self, kind: Kind, name: str, table: dict[str, Any]) -> Path:
        import tomli_w

        target = self._own(kind) / f"{name}.toml"
        self._put(target, tomli_w.dumps(table, multiline_strings=True))
        return target

    def _put(self, target: Path, text: str) -> None:
        make_private_folder(target.parent)
        fresh = target.with_name(f".{target.name}.new")
        try:
            fresh.write_text(text, "utf-8")
            fresh.replace(target)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise SettingsError(
                f"{target} cannot be written ({error.strerror}). Check the disk, and that nothing "
                "else is in its place."
            ) from None


def read_text(file: Path) -> str:
    """The text of a small file; raises `SettingsError` that names it."""
    try:
        # A pipe without a writer would otherwise be waited for without end.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SettingsError(f"{file} is not a file.")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"The file {file} cannot be read ({reason}).") from None
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(f"The file {file} is larger than {byte_size(MAX_FILE_BYTES)}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"The file {file} is not UTF-8 text.") from None


def _read_role(file: Path) -> Role:
    return _checked("role", file, lambda: role_of(file.stem, parse_document(read_text(file))))


def _read_preset(file: Path) -> Preset:
    return _checked("preset", file, lambda: preset_of(file.stem, parse_document(read_text(file))))


def _read_prompt(file: Path) -> Prompt:
    def read() -> Prompt:
        text = read_text(file)
        if file.suffix == ".md":
            return prompt_of_markdown(file.stem, text)
        return prompt_of_table(file.stem, parse_document(text))

    return _checked("prompt", file, read)


_READERS: dict[Kind, Callable[[Path], Role | Preset | Prompt]] = {
    "role": _read_role,
    "preset": _read_preset,
    "prompt": _read_prompt,
}


def _checked(kind: Kind, file: Path, read: Callable[[], ItemT]) -> ItemT:
    _check_name(kind, file.stem)
    try:
        return read()
    except SettingsError as error:
        # A file is read as the table of a preset, whose name says nothing to its author.
        reason = str(error).replace(f"{PRESETS_SECTION}.{file.stem}.", "")
        raise SettingsError(f"The {kind} file {file.name}: {reason}") from None


def _check_name(kind: Kind, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"The {kind} name {name[:60]!r} is not allowed: 1 to 40 letters, digits, - and _, the "
            "first a letter or digit."
        )
