"""`gemma-chat models …`: the model files on this machine, and how to get others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from gemma_chat.cli import completing
from gemma_chat.cli.confirming import confirm
from gemma_chat.cli.profile import paths_of

if TYPE_CHECKING:
    from gemma_chat.config.paths import Paths
    from gemma_chat.models.catalogue import CatalogueEntry
    from gemma_chat.models.discovery import LocalModel
    from gemma_chat.models.places import FoundModel

ModelT = TypeVar("ModelT", "LocalModel", "FoundModel")


@click.group()
def models() -> None:
    """The model files: which there are, getting and removing them, which is loaded."""


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def list_(context: click.Context, as_json: bool) -> None:
    """List the files on this machine (* is loaded when the host starts), and what can be got."""
    from gemma_chat.cli.output import print_json, print_text, table
    from gemma_chat.config.settings import load_settings
    from gemma_chat.models.catalogue import CATALOGUE
    from gemma_chat.models.discovery import choose_model
    from gemma_chat.quantities import byte_size

    paths = paths_of(context)
    chosen = choose_model(paths, load_settings(paths).model.path)
    files = _files(paths)
    if as_json:
        for one in files:
            print_json(
                {
                    "name": one.name,
                    "path": str(one.path),
                    "bytes": one.bytes,
                    "place": one.place,
                    "default": one.path == chosen,
                }
            )
        return
    rows = [
        ("*" if one.path == chosen else " ", one.name, byte_size(one.bytes), str(one.path))
        for one in files
    ]
    if rows:
        print_text("On this machine:\n" + table(rows) + "\n")
    memory = _memory()
    offers = [
        (
            entry.id,
            byte_size(entry.download_bytes),
            _fit(entry, memory),
            entry.licence,
            entry.explanation,
        )
        for entry in CATALOGUE
        if entry.repository
    ]
    print_text("To get with `gemma-chat models get NAME`:\n" + table(offers))


def _files(paths: Paths) -> tuple[FoundModel, ...]:
    import os

    from gemma_chat.models.places import found_models

    return found_models(paths, os.environ, Path.home())


def _memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _fit(entry: CatalogueEntry, memory: int) -> str:
    from gemma_chat.quantities import byte_size

    needs = f"needs {byte_size(entry.needed_memory_bytes)}"
    return needs if entry.needed_memory_bytes <= memory else f"{needs}, too much for this machine"


@models.command()
@click.argument("name", shell_complete=completing.offered_models)
@click.pass_context
def get(context: click.Context, name: str) -> None:
    """Download NAME: a model of the catalogue, or OWNER/NAME[:PATTERN] on the Hugging Face hub.

    A broken download goes on where it ended. For gated models set HF_TOKEN, or use
    `hf auth login`; the token is given to the hub and never shown or kept here.
    """
    from gemma_chat.cli.download_progress import DownloadProgress
    from gemma_chat.cli.output import print_text
    from gemma_chat.models.hub import Hub, wanted
    from gemma_chat.quantities import byte_size

    paths = paths_of(context)
    want = wanted(name)
    hub = Hub()
    files = hub.files(want)
    paths.make_folders()
    click.echo(f"{want.repository}: {byte_size(sum(file.bytes for file in files))}", err=True)
    try:
        with DownloadProgress() as progress:
            path = hub.get_model(want, files, paths.models_dir, progress.show)
    except KeyboardInterrupt:
        click.echo("Given up; what has come is kept, and the same command goes on there.", err=True)
        raise
    print_text(str(path))
    click.echo(f"`gemma-chat models default {path.stem}` makes it the one to load.", err=True)


@models.command()
@click.argument("name", shell_complete=completing.models)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def remove(context: click.Context, name: str, yes: bool) -> None:
    """Remove the model NAME from the program's own folder; others are left alone."""
    from gemma_chat.errors import ModelLoadError
    from gemma_chat.models.discovery import local_models
    from gemma_chat.models.removal import files_of, remove_model
    from gemma_chat.quantities import byte_size

    paths = paths_of(context)
    try:
        model = _named(local_models(paths), name)
    except ModelLoadError:
        other = _named(_files(paths), name)
        raise ModelLoadError(
            f"{other.path} is not in the program's own folder {paths.models_dir}. Remove it with "
            "the program or package that it came with."
        ) from None
    for file in files_of(model.path):
        click.echo(f"{file}, {byte_size(file.stat().st_size)}", err=True)
    if not yes:
        confirm("Remove it?", "Nothing is removed.")
    remove_model(model.path, paths.models_dir)


@models.command()
@click.argument("name", shell_complete=completing.models)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def info(context: click.Context, name: str, as_json: bool) -> None:
    """Say what the model NAME (on this machine, or a path) is, and whether its file is whole."""
    from dataclasses import asdict, replace

    from gemma_chat.cli.output import print_json, print_text, table
    from gemma_chat.models.gguf_header import check_model_file
    from gemma_chat.quantities import byte_size

    header = check_model_file(_path(paths_of(context), name))
    if as_json:
        told = asdict(replace(header, tensors={}))
        del told["tensors"]
        print_json(told | {"path": str(header.path)})
        return
    rows = [
        ("file", f"{header.path}, {byte_size(header.file_bytes)}, whole"),
        ("name", header.name or "not given"),
        ("architecture", header.architecture),
        ("weights", f"{header.parameters / 1e6:.0f} M, {header.quantisation or 'mixed'}"),
        ("context", f"{header.context_length} tokens" if header.context_length else "not given"),
        ("template", "its own" if header.has_chat_template else "none: a built-in one is used"),
    ]
    print_text(table(rows))


@models.command()
@click.argument("name", required=False, shell_complete=completing.models)
@click.pass_context
def default(context: click.Context, name: str | None) -> None:
    """Print which model the host starts with, or make NAME that one.

    A running host keeps the one it has.
    """
    from gemma_chat.cli.output import print_text
    from gemma_chat.config.settings import change, load_settings
    from gemma_chat.errors import ModelLoadError
    from gemma_chat.models.discovery import choose_model
    from gemma_chat.models.gguf_header import check_model_file

    paths = paths_of(context)
    if name is None:
        chosen = choose_model(paths, load_settings(paths).model.path)
        if chosen is None:
            raise ModelLoadError("There is no model. Get one with `gemma-chat models get`.")
        print_text(str(chosen))
        return
    header = check_model_file(_path(paths, name))
    paths.make_folders()
    change(paths.settings_file, "model.path", str(header.path))
    click.echo(f"{header.path} is loaded from the next start of the host on.", err=True)


def _path(paths: Paths, name: str) -> Path:
    """A model's file by its name on this machine, or by its path."""
    path = Path(name).expanduser()
    if path.suffix == ".gguf" or path.exists() or "/" in name:
        return path.absolute()
    return _named(_files(paths), name).path


def _named(files: tuple[ModelT, ...], name: str) -> ModelT:
    from gemma_chat.errors import ModelLoadError

    folded = name.casefold()
    found = [one for one in files if folded in (one.name.casefold(), one.path.name.casefold())]
    found = found or [one for one in files if folded in one.name.casefold()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in found or files) or "none"
    which = "Several models are" if found else "No model on this machine is"
    raise ModelLoadError(f"{which} called {name!r}; there are: {names}.")
