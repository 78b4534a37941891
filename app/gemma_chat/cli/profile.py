"""The `--profile` option, and the places it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gemma_chat.config.paths import Paths


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from gemma_chat.config.profiles import profiles

    return [name for name in profiles() if name.startswith(incomplete)]


PROFILE_OPTION = click.option(
    "--profile",
    default="default",
    envvar="GEMMA_CHAT_PROFILE",
    shell_complete=_complete,
    help="Settings, conversations and host of their own under this name.",
)


def profile_of(context: click.Context) -> str:
    """The profile that the command line names."""
    return str(context.find_root().obj)


def paths_of(context: click.Context) -> Paths:
    """The places of the profile that the command line names; raises `SettingsError`."""
    from gemma_chat.config.paths import Paths

    return Paths.default(profile_of(context))
