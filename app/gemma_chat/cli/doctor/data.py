"""Settings, folders and conversations."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from gemma_chat.cli.doctor.finding import Finding, fault, ok, warning
from gemma_chat.cli.setting_checks import doubts
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings, load_settings
from gemma_chat.errors import SettingsError, StoreError
from gemma_chat.quantities import byte_size
from gemma_chat.store.inspection import inspect


def settings_findings(paths: Paths) -> tuple[Settings, list[Finding]]:
    """The settings, the defaults when the file is wrong, and what was found."""
    try:
        settings = load_settings(paths)
    except SettingsError as error:
        remedy = "Mend it with `gemma-chat config edit`."
        return Settings(), [fault("settings", str(error), remedy)]
    there = str(paths.settings_file) if paths.settings_file.exists() else "all at their defaults"
    remedy = "Change it with `gemma-chat config edit`."
    doubtful = [warning("settings", said, remedy) for said in doubts(paths, settings)]
    return settings, doubtful or [ok("settings", there)]


def data_findings(paths: Paths) -> Iterator[Finding]:
    """Who may read the files, and whether the database is sound."""
    yield from _private(paths)
    yield from _database(paths.database)
    yield from _kept_aside(paths)


def _private(paths: Paths) -> Iterator[Finding]:
    places = (paths.config_dir, paths.data_dir, paths.state_dir, paths.cache_dir)
    files = (paths.database, paths.log_file)
    open_to_others = [
        place
        for place in dict.fromkeys((*places, *files))
        if place.exists() and stat.S_IMODE(place.stat().st_mode) & 0o077
    ]
    if open_to_others:
        names = " ".join(map(str, open_to_others))
        yield warning("privacy", f"others may read {names}", f"chmod go-rwx {names}")
    else:
        yield ok("privacy", "folders and files are yours alone")


def _database(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield ok("conversations", f"none yet; they will be in {path}")
        return
    try:
        found = inspect(path)
    except StoreError as error:
        yield fault("conversations", str(error), "Start gemma-chat: it takes over what it can.")
        return
    if found.faults:
        yield fault(
            "conversations",
            f"{path} is damaged: {'; '.join(found.faults)}",
            "End the host with `gemma-chat host stop` and start again: what can be read is taken "
            "over, the damaged file is kept.",
        )
        return
    yield ok(
        "conversations",
        f"{path}, {byte_size(path.stat().st_size)}, sound: {found.conversations} conversations, "
        f"{found.messages} messages",
    )


def _kept_aside(paths: Paths) -> Iterator[Finding]:
    stem = paths.database.stem
    damaged = sorted(paths.data_dir.glob(f"{stem}-damaged-*.db"))
    if damaged:
        names = ", ".join(one.name for one in damaged)
        yield warning(
            "kept aside",
            f"damaged databases that were rebuilt: {names}, in {paths.data_dir}",
            "Remove them when nothing is missing from your conversations.",
        )
