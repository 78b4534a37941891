"""What the table of settings cannot know of a value: which themes, files and servers there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings
from gemma_chat.errors import GemmaChatError, SettingsError

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADAPTER: Final = ".lora_path"
"""The end of the keys that name an adapter: the defaults and each preset have one."""
_NO_PROJECTOR: Final = "none"


def must_be_possible(paths: Paths, key: str, text: str) -> None:
    """Raise `SettingsError` when `text` names nothing there is, and nothing that can come later."""
    check = _CHECKS.get(key)
    if check is not None and text:
        check(paths, text)


def whole_path(key: str, text: str) -> str:
    """`text` as the setting `key` is kept: the host that reads a path stands in another folder."""
    if not _is_file(key) or not text or text == _NO_PROJECTOR or text.startswith("~"):
        return text
    return str(Path(text).absolute())


def doubt(key: str, text: str) -> str:
    """What is wrong with the file that a setting names, which may come later; empty for nothing."""
    if not _is_file(key) or not text or text == _NO_PROJECTOR:
        return ""
    path = Path(text).expanduser()
    try:
        _check_file(key, path)
    except GemmaChatError as error:
        return str(error)
    return ""


def doubts(paths: Paths, settings: Settings) -> Iterator[str]:
    """What is wrong with settings as a whole, though each has the right form."""
    from gemma_chat.config.settings import setting_text
    from gemma_chat.ui.keymap import Keymap

    for key in (*_CHECKS, "model.path", "model.projector", "defaults.lora_path"):
        text = setting_text(settings, key)
        try:
            must_be_possible(paths, key, text)
        except SettingsError as error:
            yield f"{key}: {error}"
        if said := doubt(key, text):
            yield f"{key}: {said}"
    yield from Keymap.of(dict(settings.keys)).problems


def _is_file(key: str) -> bool:
    return key in ("model.path", "model.projector") or key.endswith(_ADAPTER)


def _check_file(key: str, path: Path) -> None:
    from gemma_chat.models.gguf_header import check_model_file
    from gemma_chat.models.projector_file import check_projector_file

    if key == "model.path":
        check_model_file(path)
    elif key == "model.projector":
        check_projector_file(path)
    elif not path.is_file():
        raise SettingsError(f"There is no adapter {path}. Name the GGUF file of a LoRA adapter.")


def _check_theme(paths: Paths, name: str) -> None:
    from gemma_chat.ui.themes import load_themes, theme_names

    shelf = load_themes(paths.themes_dir)
    names = theme_names(shelf)
    if name not in names:
        wrong = next((one for one in shelf.problems if f" {name}.toml " in one), "")
        raise SettingsError(
            f"There is no theme {name!r}. {wrong + ' ' if wrong else ''}The themes are: "
            f"{', '.join(names)}. One of your own is a file NAME.toml in {paths.themes_dir}."
        )


def _check_address(_paths: Paths, url: str) -> None:
    from gemma_chat.remote.address import ServerAddress

    ServerAddress.parse(url)


def _check_variable(_paths: Paths, name: str) -> None:
    if not _VARIABLE.fullmatch(name):
        # Not repeated: whoever misunderstands this setting writes the key itself.
        raise SettingsError(
            "server.api_key_env is the name of an environment variable that holds the key, such "
            "as OPENAI_API_KEY: letters, digits and _. The key itself is not kept in the settings."
        )


_CHECKS: Final[Mapping[str, Callable[[Paths, str], None]]] = {
    "terminal.theme": _check_theme,
    "server.url": _check_address,
    "server.api_key_env": _check_variable,
}
