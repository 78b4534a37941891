"""Where the program keeps its files: settings, conversations, logs, caches, the host's socket."""

from __future__ import annotations

import os
import re
import stat
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from gemma_chat.errors import SettingsError

HOME_VARIABLE = "GEMMA_CHAT_HOME"
"""Names one folder that holds everything: for tests and for a portable installation."""

DEFAULT_PROFILE = "default"
MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
"""The longest path a Unix socket can be bound to."""

_APPLICATION = "gemma-chat"
_SOCKET_NAME = "host.sock"
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Every place the program reads or writes. Nothing is made before `make_folders`."""

    settings_file: Path
    themes_dir: Path
    """The user's own themes."""
    data_dir: Path
    state_dir: Path
    cache_dir: Path
    runtime_dir: Path

    @classmethod
    def default(
        cls, profile: str = DEFAULT_PROFILE, environment: Mapping[str, str] | None = None
    ) -> Paths:
        """The places of this user on this platform, or below `GEMMA_CHAT_HOME` when it is set.

        A profile other than "default" has folders of its own, and so a host, settings and
        conversations of its own. Raises `SettingsError` for a name that cannot be a folder's.
        """
        if not is_profile_name(profile):
            raise SettingsError(
                f"The profile name {profile[:80]!r} is not allowed: 1 to 32 letters, digits, "
                "- and _, the first a letter or digit."
            )
        environment = os.environ if environment is None else environment
        home = environment.get(HOME_VARIABLE)
        places = _below(Path(home)) if home else _of_the_platform()
        if profile != DEFAULT_PROFILE:
            places = {name: place / "profiles" / profile for name, place in places.items()}
        runtime = places["runtime"]
        if not (_fits(runtime) and (home or _is_ours(_nearest_existing(runtime)))):
            runtime = _temporary(runtime)
        return cls(
            settings_file=places["config"] / "settings.toml",
            themes_dir=places["config"] / "themes",
            data_dir=places["data"],
            state_dir=places["state"],
            cache_dir=places["cache"],
            runtime_dir=runtime,
        )

    @property
    def config_dir(self) -> Path:
        """The folder of the settings file."""
        return self.settings_file.parent

    @property
    def database(self) -> Path:
        """The conversations."""
        return self.data_dir / "conversations.db"

    @property
    def models_dir(self) -> Path:
        """The program's own model files."""
        return self.data_dir / "models"

    @property
    def log_file(self) -> Path:
        """The log of the host."""
        return self.state_dir / "host.log"

    @property
    def terminal_log_file(self) -> Path:
        """The log of the terminal, and what native code prints while it is on screen."""
        return self.state_dir / "terminal.log"

    @property
    def sent_file(self) -> Path:
        """The messages sent from terminals, for bringing them back into the input."""
        return self.state_dir / "sent.jsonl"

    @property
    def first_steps_file(self) -> Path:
        """There when the first steps of the program have been shown."""
        return self.state_dir / "first-steps"

    @property
    def states_dir(self) -> Path:
        """Saved states of the KV cache; may be deleted at any time."""
        return self.cache_dir / "states"

    @property
    def socket(self) -> Path:
        """The host's socket."""
        return self.runtime_dir / _SOCKET_NAME

    @property
    def lock_file(self) -> Path:
        """Locked by the one host that runs.

        It lies beside the database, which is what two hosts must not share: the runtime folder
        may differ between a login session and a scheduled job of the same user.
        """
        return self.data_dir / "host.lock"

    def make_folders(self) -> None:
        """Make all folders that are missing, private to this user (0700).

        Raises `SettingsError` when one cannot be made, and when the runtime folder, to which
        terminals and host entrust their socket, belongs to somebody else.
        """
        for folder in (
            self.config_dir,
            self.data_dir,
            self.state_dir,
            self.cache_dir,
            self.runtime_dir,
        ):
            make_private_folder(folder)
        _check_private(self.runtime_dir)


def is_profile_name(name: str) -> bool:
    """Whether a profile may be called so."""
    return _PROFILE_NAME.fullmatch(name) is not None


def make_private_folder(folder: Path) -> None:
    """Make `folder` (0700) and what is missing above it; raises `SettingsError`."""
    try:
        for one in (*reversed(folder.parents), folder):
            if not one.is_dir():
                one.mkdir(mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise SettingsError(
            f"The folder {folder} cannot be made: a file is in its place. Move it away, or set "
            f"{HOME_VARIABLE} to another folder."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} cannot be made ({error.strerror}). Make the folder above it "
            f"writable for you, or set {HOME_VARIABLE} to another folder."
        ) from None


def _check_private(folder: Path) -> None:
    """Refuse a folder in which somebody else could put a socket of theirs in place of ours."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise SettingsError(
            f"The folder {folder} for the host's socket is a link or belongs to another user; it "
            f"is not used. Remove it, or set {HOME_VARIABLE} to a folder of your own."
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(0o700)


def _below(home: Path) -> dict[str, Path]:
    try:
        home = home.expanduser().absolute()
    except RuntimeError:
        raise SettingsError(f"{HOME_VARIABLE} names the home of an unknown user: {home}.") from None
    return {
        "config": home / "config",
        "data": home / "data",
        "state": home / "state",
        "cache": home / "cache",
        "runtime": home / "run",
    }


def _of_the_platform() -> dict[str, Path]:
    places = platformdirs.PlatformDirs(_APPLICATION, appauthor=False)
    with warnings.catch_warnings():
        # It warns when there is no login session; a private folder takes the place then.
        warnings.simplefilter("ignore")
        runtime = places.user_runtime_path
    return {
        "config": places.user_config_path,
        "data": places.user_data_path,
        "state": places.user_state_path,
        "cache": places.user_cache_path,
        "runtime": runtime,
    }


def _nearest_existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if os.path.lexists(place))


def _is_ours(folder: Path) -> bool:
    """Whether only this user can put something into `folder`."""
    status = folder.stat() if folder.is_dir() else folder.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / _SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES


def _temporary(folder: Path) -> Path:
    """A short folder in the stead of `folder`, the same in every process of this user."""
    # Rarely needed, and loading OpenSSL for it would be felt at every start.
    import hashlib

    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    import tempfile

    short = Path(tempfile.gettempdir()) / f"{_APPLICATION}-{os.geteuid()}-{name}"
    if not _fits(short):
        raise SettingsError(
            f"The path of the host's socket in {short} is longer than {MAX_SOCKET_PATH_BYTES} "
            f"bytes. Set TMPDIR or {HOME_VARIABLE} to a folder with a shorter name."
        )
    return short
