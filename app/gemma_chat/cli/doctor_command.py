"""`gemma-chat doctor`: find out what stands in the way."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gemma_chat.cli.profile import paths_of


@click.command()
@click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="A GGUF file instead of the one that is loaded otherwise.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def doctor(context: click.Context, model: Path | None, as_json: bool) -> None:
    """Check the build, the machine, the model, the conversations and the terminal.

    Each line is ok, a warning or a fault with a remedy. Exit code 1: there is a fault.
    """
    import logging
    from dataclasses import asdict

    from gemma_chat.cli.doctor.report import all_findings, line_of
    from gemma_chat.cli.output import print_json, print_text

    logging.getLogger("gemma_chat").addHandler(logging.NullHandler())
    given = model or context.find_root().params.get("model")
    faults = 0
    for finding in all_findings(paths_of(context), given):
        faults += finding.state == "fault"
        if as_json:
            print_json(asdict(finding))
        else:
            print_text(line_of(finding))
        sys.stdout.flush()
    if faults:
        sys.exit(1)
