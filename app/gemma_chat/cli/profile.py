"""The `--profile` option, and the places it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gemma_chat.config.paths import Paths

PROFILE_OPTION = click.option(
    "--profile",
    default="default",
    envvar="GEMMA_CHAT_PROFILE",
    help="Settings, conversations and host of their own under this name.",
)


def paths_of(context: click.Context) -> Paths:
    """The places of the profile that the command line names; raises `SettingsError`."""
    from gemma_chat.config.paths import Paths

    return Paths.default(str(context.find_root().obj))
