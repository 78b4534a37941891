"""The `--plain` option."""

from __future__ import annotations

import click

PLAIN_OPTION = click.option(
    "--plain",
    is_flag=True,
    help="Line by line instead of a screen: for screen readers and dumb terminals.",
)
