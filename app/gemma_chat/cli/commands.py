"""The commands and options of `gemma-chat`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gemma_chat import __version__
from gemma_chat.cli import completing
from gemma_chat.cli.ask_command import ask
from gemma_chat.cli.attach_command import attach
from gemma_chat.cli.bench_command import bench
from gemma_chat.cli.completion_command import completion
from gemma_chat.cli.config_commands import config
from gemma_chat.cli.doctor_command import doctor
from gemma_chat.cli.host_commands import host
from gemma_chat.cli.library_commands import COMMANDS as LIBRARY_COMMANDS
from gemma_chat.cli.models_commands import models
from gemma_chat.cli.plain import PLAIN_OPTION
from gemma_chat.cli.profile import PROFILE_OPTION


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="There is a page of help of its own on the screen, and with --plain: type /help there.",
)
@click.version_option(__version__, "-V", "--version", message="gemma-chat %(version)s")
@click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="A GGUF file to load instead of the configured one.",
)
@click.option(
    "--server",
    default="",
    metavar="URL",
    help="A chat server that computes instead of this machine: http://localhost:8080.",
)
@click.option("--server-model", default="", metavar="NAME", help="The server's model to use.")
@click.option(
    "--theme", default="", shell_complete=completing.themes, help="A theme for this time."
)
@PLAIN_OPTION
@click.option("--reset-terminal", is_flag=True, help="Bring a garbled terminal back, and end.")
@PROFILE_OPTION
@click.pass_context
def cli(
    context: click.Context,
    model: Path | None,
    server: str,
    server_model: str,
    theme: str,
    plain: bool,
    reset_terminal: bool,
    profile: str,
) -> None:
    """Many conversations on one local model, a tab for each."""
    context.obj = profile
    if model is not None and server:
        raise click.UsageError("--model and --server exclude each other: name one of them.")
    if context.invoked_subcommand is not None:
        return
    if reset_terminal:
        from gemma_chat.ui.terminal import Tty

        Tty().restore()
        return
    from gemma_chat.cli.terminal_command import show_terminal

    sys.exit(
        show_terminal(profile, model, theme, server=server, server_model=server_model, plain=plain)
    )


cli.add_command(attach)
cli.add_command(host)
cli.add_command(config)
cli.add_command(bench)
cli.add_command(completion)
cli.add_command(doctor)
cli.add_command(models)
cli.add_command(ask)
for command in LIBRARY_COMMANDS:
    cli.add_command(command)
