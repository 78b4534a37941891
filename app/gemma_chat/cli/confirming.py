"""Asking before something is gone for good."""

from __future__ import annotations

import sys

import click

from gemma_chat.errors import GemmaChatError


class UnansweredError(GemmaChatError):
    """Nobody is there to answer a question."""


def confirm(question: str, otherwise: str) -> None:
    """Ask, and end the command unless the answer is yes: no is exit code 1, and `otherwise` said.

    Raises `UnansweredError` when nothing that can be asked is connected, and `click.Abort` for
    Ctrl+C.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise UnansweredError(f"Nobody has answered. {otherwise} -y does it unasked.") from None
    if not agreed:
        click.echo(otherwise, err=True)
        sys.exit(1)
