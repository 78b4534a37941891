"""`gemma-chat host …`: the process that holds the model."""

from __future__ import annotations

import sys

import click

from gemma_chat.cli.profile import paths_of


@click.group()
def host() -> None:
    """The background process that holds the model and the chats."""


@host.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Say whether a host runs, and how it stands. Exit code 3: none runs."""
    import asyncio

    import msgspec

    from gemma_chat.cli.status_text import status_text
    from gemma_chat.host.status import host_status

    found = asyncio.run(host_status(paths_of(context)))
    if as_json:
        fields = {"running": False} if found is None else {"running": True} | _fields(found)
        click.echo(msgspec.json.encode(fields).decode())
    else:
        click.echo("No host is running." if found is None else status_text(found))
    if found is None:
        sys.exit(3)


def _fields(status: object) -> dict[str, object]:
    import msgspec

    fields = msgspec.to_builtins(status)
    return {name: value for name, value in fields.items() if name not in ("type", "id")}


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
        sys.exit(3)


@host.command()
@click.option("-n", "--lines", default=40, show_default=True, type=click.IntRange(1, 100_000))
@click.pass_context
def log(context: click.Context, lines: int) -> None:
    """Print the end of the host's log."""
    from gemma_chat.errors import HostError

    path = paths_of(context).log_file
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        raise HostError(f"There is no log yet at {path}: no host has run.") from None
    except OSError as error:
        raise HostError(f"The log {path} cannot be read ({error.strerror}).") from None
    click.echo("\n".join(text.splitlines()[-lines:]))
