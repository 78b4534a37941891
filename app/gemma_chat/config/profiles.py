"""Which profiles there are: those that have a folder of settings or of conversations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gemma_chat.config.paths import DEFAULT_PROFILE, Paths, is_profile_name


def profiles(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The default profile, then the others that have been used, by name.

    What lies beside the folders of profiles and cannot be one is passed over.
    """
    places = Paths.default(environment=environment)
    found = {
        name
        for folder in (places.config_dir, places.data_dir)
        for name in _folders_in(folder / "profiles")
        if is_profile_name(name)
    }
    return (DEFAULT_PROFILE, *sorted(found - {DEFAULT_PROFILE}))


def _folders_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(each.name for each in folder.iterdir() if each.is_dir())
    except OSError:
        return ()
