"""What a shell may complete beside commands and options. Nothing where something is damaged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from gemma_chat.errors import GemmaChatError

if TYPE_CHECKING:
    from gemma_chat.config.paths import Paths


def settings_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The settings."""
    from gemma_chat.config.fields import SETTING_FIELDS

    return _beginning(incomplete, (field.key for field in SETTING_FIELDS))


def themes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The themes on board and of one's own."""
    from gemma_chat.ui.themes import load_themes, theme_names

    try:
        found = theme_names(load_themes(_paths(context).themes_dir))
    except GemmaChatError:
        return []
    return _beginning(incomplete, found)


def presets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The presets of sampling settings."""
    from gemma_chat.config.settings import load_settings

    try:
        found = load_settings(_paths(context)).all_presets
    except GemmaChatError:
        return []
    return _beginning(incomplete, (preset.name for preset in found))


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The models on this machine."""
    import os
    from pathlib import Path

    from gemma_chat.models.places import found_models

    try:
        found = found_models(_paths(context), os.environ, Path.home())
    except GemmaChatError:
        return []
    return _beginning(incomplete, (model.name for model in found))


def offered_models(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The models of the catalogue that can be downloaded."""
    from gemma_chat.models.catalogue import CATALOGUE

    return _beginning(incomplete, (entry.id for entry in CATALOGUE if entry.repository))


def _paths(context: click.Context) -> Paths:
    from gemma_chat.config.paths import Paths

    # While a shell completes, no command has run that could have kept the profile.
    return Paths.default(context.find_root().params.get("profile") or "default")


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
