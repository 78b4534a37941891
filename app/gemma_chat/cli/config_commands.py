"""`gemma-chat config …`: the settings file."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import click

from gemma_chat.cli import completing
from gemma_chat.cli.profile import paths_of


@click.group()
def config() -> None:
    """The settings file: where it is, what it says, and changing it."""


@config.command()
@click.pass_context
def path(context: click.Context) -> None:
    """Print where the settings file is (whether it exists yet or not)."""
    click.echo(paths_of(context).settings_file)


@config.command()
@click.pass_context
def show(context: click.Context) -> None:
    """Print all settings with an explanation of each, as they are now."""
    from gemma_chat.config.settings import load_settings, render

    click.echo(render(load_settings(paths_of(context))), nl=False)


@config.command()
@click.argument("key", shell_complete=completing.settings_keys)
@click.pass_context
def get(context: click.Context, key: str) -> None:
    """Print one setting as it is now, in the form that `config set` takes."""
    from gemma_chat.config.settings import load_settings, setting_text

    click.echo(setting_text(load_settings(paths_of(context)), key))


@config.command(name="set")
@click.argument("key", shell_complete=completing.settings_keys)
@click.argument("value")
@click.pass_context
def set_(context: click.Context, key: str, value: str) -> None:
    """Set one setting, as in `gemma-chat config set terminal.theme parchment`."""
    from gemma_chat.cli.output import say
    from gemma_chat.cli.setting_checks import doubt, must_be_possible, whole_path
    from gemma_chat.config.settings import change

    paths = paths_of(context)
    must_be_possible(paths, key, value)
    value = whole_path(key, value)
    paths.make_folders()
    change(paths.settings_file, key, value)
    click.echo(f"{key} is set in {paths.settings_file}.")
    if said := doubt(key, value):
        say(said)


@config.command()
@click.pass_context
def edit(context: click.Context) -> None:
    """Open the settings in $VISUAL or $EDITOR; what is not allowed is not taken over.

    A damaged settings file is opened too: that is how it is mended.
    """
    from gemma_chat.cli.output import say
    from gemma_chat.cli.setting_checks import doubts
    from gemma_chat.config.library import read_text
    from gemma_chat.config.settings import read_settings, render
    from gemma_chat.errors import SettingsError

    paths = paths_of(context)
    paths.make_folders()
    # A settings file that is a link, as with managed dot files, stays one.
    file = paths.settings_file.resolve()
    text = read_text(file) if file.exists() else render(read_settings(file))
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix="settings-", suffix=".toml")
    copy = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    if not _edited(copy):
        copy.unlink()
        click.echo("Nothing was changed.")
        return
    try:
        settings = read_settings(copy)
    except SettingsError as error:
        raise SettingsError(
            f"{error} Nothing was taken over; your text is kept in {copy}."
        ) from None
    copy.replace(file)
    click.echo(
        f"{file} is saved. New tabs and terminals go by it at once, a running host when it loads "
        "a model or is started again."
    )
    for said in doubts(paths, settings):
        say(said)


@config.command()
@click.pass_context
def keys(context: click.Context) -> None:
    """List the actions with their keys, and what is wrong with those of the settings file."""
    from gemma_chat.cli.output import print_text, table
    from gemma_chat.config.settings import load_settings
    from gemma_chat.ui.keymap import Keymap

    settings = load_settings(paths_of(context))
    keymap = Keymap.of(dict(settings.keys))
    rows = [(action.id, action.key_names or "-", action.label) for action in keymap.actions]
    print_text(table(rows))
    for problem in keymap.problems:
        click.echo(problem, err=True)
    if keymap.problems:
        context.exit(1)


def _edited(copy: Path) -> bool:
    """Let the person edit `copy`; whether it is another text afterwards."""
    from gemma_chat.errors import SettingsError

    before = copy.read_bytes()
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(editor), str(copy)], check=False)
    except (OSError, ValueError) as error:
        copy.unlink()
        raise SettingsError(
            f"The editor {editor!r} cannot be started ({error}). Set VISUAL or EDITOR."
        ) from None
    return done.returncode == 0 and copy.read_bytes() != before
