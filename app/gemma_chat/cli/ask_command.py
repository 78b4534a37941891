"""`gemma-chat ask`: one question, from a shell or a script."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gemma_chat.cli import completing
from gemma_chat.cli.profile import paths_of


class _AskCommand(click.Command):
    """A command whose options for numbers come from the table of settings, when they are needed."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from gemma_chat.cli.ask_options import number_options

        *own, help_option = super().get_params(ctx)
        return [*own, *number_options(), help_option]


@click.command(cls=_AskCommand)
@click.argument("words", nargs=-1, metavar="[QUESTION]...")
@click.option(
    "-c",
    "--conversation",
    default="",
    metavar="NAME",
    help="Go on with this conversation: its number, its title or a part of it.",
)
@click.option("-k", "--keep", is_flag=True, help="Keep the conversation; `list` shows it.")
@click.option("-s", "--system", help="The system instruction.")
@click.option(
    "-p",
    "--preset",
    shell_complete=completing.presets,
    help="A preset of the settings, before single ones.",
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Put this text file before the question, - what is piped in; may be repeated.",
)
@click.option(
    "-a",
    "--attach",
    "attached",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Show the model this image, or let it hear this recording, - what is piped in; may be "
    "repeated.",
)
@click.option(
    "--schema",
    type=click.Path(path_type=Path),
    help="A JSON schema in a file; the reply is JSON that fits it.",
)
@click.option(
    "--grammar",
    type=click.Path(path_type=Path),
    help="A grammar (GBNF) in a file; the reply fits it.",
)
@click.option("--stop", multiple=True, help="End the reply before this text; may be repeated.")
@click.option(
    "--thinking/--no-thinking",
    default=None,
    help="Let the model think before it answers, where it can; with --json its thoughts are told.",
)
@click.option(
    "--lora", metavar="FILE", help="A LoRA adapter for this model; '' is the model as it is."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each event.")
@click.option("--no-stream", is_flag=True, help="Write the reply when it is whole.")
@click.pass_context
def ask(
    context: click.Context,
    /,
    words: tuple[str, ...],
    conversation: str,
    keep: bool,
    system: str | None,
    preset: str | None,
    files: tuple[Path, ...],
    attached: tuple[Path, ...],
    schema: Path | None,
    grammar: Path | None,
    stop: tuple[str, ...],
    thinking: bool | None,
    lora: str | None,
    as_json: bool,
    no_stream: bool,
    **numbers: Any,
) -> None:
    """Ask the model one question and print its reply.

    Without -c in a session of its own, which leaves nothing behind. What is piped in is put before
    the question, or is the question when there is none. The running host answers; when none runs,
    the model is loaded for this question.

    With -c, settings that are given stay with the conversation. A model takes images and
    recordings when it is loaded with its projector (setting model.projector). `-m FILE` or
    `--server URL` before `ask` names another model.

    \b
    Exit codes:
      0    the reply is whole
      1    there is none, and a sentence on stderr says why
      2    the command line is wrong
      4    the reply is cut short: its limit or the context is full
      130  given up with Ctrl+C; with -c or -k the part that was written is kept
      141  whoever read the reply has gone; the rest is as with Ctrl+C
      143  ended with SIGTERM, and 129 with SIGHUP; the rest is as with Ctrl+C
    """
    import asyncio
    import logging

    from gemma_chat.cli.ask_options import AskSettings
    from gemma_chat.cli.ask_question import question_from, uploads_from
    from gemma_chat.cli.asking import Asking, ReaderGone
    from gemma_chat.cli.ending import READER_GONE, until_ended

    # What llama.cpp logs would stand in the middle of the reply.
    logging.getLogger("gemma_chat").addHandler(logging.NullHandler())
    uploads = uploads_from(attached, sys.stdin)
    question = question_from(words, files, sys.stdin, beside=bool(uploads))
    settings = AskSettings(
        system=system,
        preset=preset,
        schema=schema,
        grammar=grammar,
        stop=stop,
        thinking=thinking,
        lora=lora,
        numbers=_given(numbers),
    )
    root = context.find_root().params
    asking = Asking(
        paths=paths_of(context),
        model=root.get("model"),
        server=root.get("server", ""),
        server_model=root.get("server_model", ""),
        question=question,
        uploads=uploads,
        settings=settings,
        conversation=conversation,
        keep=keep,
        as_json=as_json,
        stream=not no_stream,
    )
    try:
        sys.exit(asyncio.run(until_ended(asking.run())))
    except ReaderGone:
        sys.exit(READER_GONE)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that stand on the command line; `""` of an optional one is `None`."""
    return {
        name: None if value == "" else value for name, value in options.items() if value is not None
    }
