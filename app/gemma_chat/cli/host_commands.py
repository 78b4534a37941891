"""`gemma-chat host …`: the process that holds the model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from gemma_chat.cli.profile import paths_of

if TYPE_CHECKING:
    from gemma_chat.host.protocol import Status

NONE_RUNS: Final = 3
"""The exit code when there is no host."""


@click.group()
def host() -> None:
    """The background process that holds the model and the conversations."""


@host.command()
@click.option("--all", "every_profile", is_flag=True, help="The hosts of all profiles.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a host, on one line.")
@click.pass_context
def status(context: click.Context, every_profile: bool, as_json: bool) -> None:
    """Say whether a host runs, and how it stands. Exit code 3: none runs."""
    import asyncio

    from gemma_chat.cli.output import print_json, print_text
    from gemma_chat.cli.status_text import status_text
    from gemma_chat.host.status import host_status

    if every_profile:
        sys.exit(asyncio.run(_status_of_all(as_json=as_json)))
    found = asyncio.run(host_status(paths_of(context)))
    if as_json:
        print_json(_fields(found))
    else:
        print_text("No host is running." if found is None else status_text(found))
    if found is None:
        sys.exit(NONE_RUNS)


async def _status_of_all(*, as_json: bool) -> int:
    from gemma_chat.cli.output import print_json, print_text, table
    from gemma_chat.cli.status_text import status_row
    from gemma_chat.config.paths import Paths
    from gemma_chat.config.profiles import profiles
    from gemma_chat.errors import HostError
    from gemma_chat.host.status import host_status

    rows, running = [], False
    for profile in profiles():
        found, problem = None, ""
        try:
            found = await host_status(Paths.default(profile))
        except HostError as error:
            problem = str(error)
        running = running or found is not None or bool(problem)
        if as_json:
            print_json({"profile": profile} | _fields(found, problem))
        rows.append(status_row(profile, found, problem))
    if not as_json:
        print_text(table(rows))
    return 0 if running else NONE_RUNS


def _fields(status: Status | None, problem: str = "") -> dict[str, object]:
    from gemma_chat.cli.output import fields_of

    if status is None:
        return {"running": bool(problem)} | ({"error": problem} if problem else {})
    return {"running": True} | fields_of(status)


@host.command()
@click.pass_context
def stop(context: click.Context) -> None:
    """End the host; running replies are kept as far as they are. Exit code 3: none runs."""
    import asyncio

    from gemma_chat.host.status import stop_host

    if asyncio.run(stop_host(paths_of(context))):
        click.echo("The host has left.")
    else:
        click.echo("No host is running.")
        sys.exit(NONE_RUNS)


@host.command()
@click.option("-n", "--lines", default=40, show_default=True, type=click.IntRange(1, 100_000))
@click.pass_context
def log(context: click.Context, lines: int) -> None:
    """Print the end of the host's log."""
    from gemma_chat.cli.output import print_text
    from gemma_chat.errors import HostError

    path = paths_of(context).log_file
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        raise HostError(f"There is no log yet at {path}: no host has run.") from None
    except OSError as error:
        raise HostError(f"The log {path} cannot be read ({error.strerror}).") from None
    print_text("\n".join(text.split("\n")[-lines - 1 :]).rstrip("\n"))
