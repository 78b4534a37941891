"""`gemma-chat attach`: one more terminal on the host that runs."""

from __future__ import annotations

import sys

import click

from gemma_chat.cli import completing
from gemma_chat.cli.host_commands import NONE_RUNS
from gemma_chat.cli.plain import PLAIN_OPTION
from gemma_chat.cli.profile import paths_of, profile_of


@click.command()
@click.option(
    "--theme", default="", shell_complete=completing.themes, help="A theme for this time."
)
@PLAIN_OPTION
@click.pass_context
def attach(context: click.Context, theme: str, plain: bool) -> None:
    """Join the host that runs, and never start one. Exit code 3: none runs.

    Any number of terminals show the same tabs, live. Some minutes after the last one has quit
    (/quit) the host leaves too. A terminal that detaches (/detach) keeps it, with its model in
    memory, until somebody attaches again.
    """
    import asyncio

    from gemma_chat.host.status import host_status

    profile = profile_of(context)
    if asyncio.run(host_status(paths_of(context))) is None:
        option = "" if profile == "default" else f" --profile {profile}"
        click.echo(f"No host is running. `gemma-chat{option}` starts one.", err=True)
        sys.exit(NONE_RUNS)
    from gemma_chat.cli.terminal_command import show_terminal

    sys.exit(show_terminal(profile, None, theme, plain=plain))
