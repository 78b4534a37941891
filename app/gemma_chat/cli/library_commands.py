"""`gemma-chat list`, `show`, `search`, `export`, `import`, `delete`, `rename`, `fork`, `backup`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_chat.cli.profile import paths_of
from gemma_chat.terms import MessageRole

if TYPE_CHECKING:
    from gemma_chat.exchange.writing import Format
    from gemma_chat.host.protocol import ConversationView, HitView
    from gemma_chat.host.requests import Requester
    from gemma_chat.terms import Openness

_FORMATS = ("markdown", "json", "html", "svg")
_SHOWN_CHARACTERS = 50
"""Of a message that stands for a title."""


@click.command(name="list")
@click.argument("title", default="")
@click.option("--open", "which", flag_value="open", help="Only those that a tab shows.")
@click.option("--closed", "which", flag_value="closed", help="Only those that no tab shows.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def list_(
    context: click.Context, title: str, which: Openness | None, limit: int, as_json: bool
) -> None:
    """List conversations, most recently used first; with TITLE those whose title holds it."""
    from gemma_chat.cli.library_work import listed
    from gemma_chat.cli.output import fields_of, moment, print_json, print_text, say, table
    from gemma_chat.cli.reaching import run
    from gemma_chat.quantities import counted

    found = run(paths_of(context), lambda host: listed(host, which or "all", title, limit))
    if as_json:
        for one in found:
            print_json(fields_of(one))
    elif found:
        rows = [
            (
                str(one.session),
                "open" if one.open else "closed",
                moment(one.updated),
                counted(one.message_count, "message"),
                _name(one),
            )
            for one in found
        ]
        print_text(table(rows))
    else:
        say(_none_found(title, which))


def _none_found(title: str, which: Openness | None) -> str:
    such = f" {which}" if which else ""
    return f"No{such} conversation{f' has {title!r} in its title' if title else ''}."


def _name(conversation: ConversationView) -> str:
    """Its title, or in brackets how its last message begins."""
    if conversation.title or not conversation.preview:
        return conversation.title or "(empty)"
    begins = conversation.preview[:_SHOWN_CHARACTERS]
    return f"({begins}{'…' if len(conversation.preview) > len(begins) else ''})"


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The JSON that `import` reads.")
@click.pass_context
def show(context: click.Context, name: str, as_json: bool) -> None:
    """Print the conversation NAME (its number, its title or a part of it) as Markdown."""
    from gemma_chat.cli.library_work import transcript_of
    from gemma_chat.cli.output import print_text
    from gemma_chat.cli.reaching import run
    from gemma_chat.exchange.writing import rendered

    _, transcript = run(paths_of(context), lambda host: transcript_of(host, name))
    print_text(rendered(transcript, "json" if as_json else "markdown"), end="")


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("-c", "--conversation", default="", metavar="NAME", help="Only in this one.")
@click.option(
    "--role", type=click.Choice(["user", "assistant"]), help="Only what this one has said."
)
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def search(
    context: click.Context,
    words: tuple[str, ...],
    conversation: str,
    role: MessageRole | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find messages that hold all WORDS, newest first. Exit code 1: none does.

    The last word stands for all that begin with it; words within quotation marks must follow each
    other.
    """
    from gemma_chat.cli.library_work import found
    from gemma_chat.cli.output import fields_of, print_json, print_text, say
    from gemma_chat.cli.reaching import run

    query = " ".join(words)
    hits = run(paths_of(context), lambda host: found(host, query, conversation, role or "", limit))
    for hit in hits:
        if as_json:
            print_json(fields_of(hit))
        else:
            print_text(_hit_text(hit))
    if not hits:
        say("No message holds that.")
        sys.exit(1)


def _hit_text(hit: HitView) -> str:
    from gemma_chat.cli.output import moment, one_line

    head = f"{hit.session} {one_line(hit.title) or '(untitled)'}, {hit.role}, {moment(hit.created)}"
    return f"{head}\n    {one_line(_marked(hit))}"


def _marked(hit: HitView) -> str:
    """The snippet, what was found in brackets: a pipe has no colours."""
    text, at = "", 0
    for start, end in hit.marks:
        text += f"{hit.snippet[at:start]}[{hit.snippet[start:end]}]"
        at = end
    return text + hit.snippet[at:]


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Else as FILE's name ends.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@click.pass_context
def export(
    context: click.Context, name: str, file: Path | None, form: Format | None, force: bool
) -> None:
    """Write the conversation NAME to FILE: .md, .json, .html or .svg; `-` is stdout.

    Without FILE it goes into a new file in this folder that is named after the title.
    """
    from gemma_chat.cli.library_work import transcript_of
    from gemma_chat.cli.output import print_text
    from gemma_chat.cli.reaching import run
    from gemma_chat.errors import ExchangeError
    from gemma_chat.exchange.writing import file_name, format_of, rendered, write_new_file

    conversation, transcript = run(paths_of(context), lambda host: transcript_of(host, name))
    on_stdout = file is not None and str(file) == "-"
    if form is None:
        form = "markdown" if file is None or on_stdout else format_of(file)
    text = rendered(transcript, form)
    if on_stdout:
        print_text(text, end="")
        return
    target = file or Path(file_name(transcript.title, conversation.view.session, form))
    if not force and os.path.lexists(target):
        raise ExchangeError(
            f"There is a file {target} already; it was left as it is. Give another name, or "
            "--force."
        )
    write_new_file(target, text, replace=force)
    click.echo(f"Written to {target}.", err=True)


@click.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def import_(context: click.Context, files: tuple[Path, ...]) -> None:
    """Take conversations over from FILES, closed; prints the number of each.

    FILES are exports of gemma-chat (.json), conversations.json of a ChatGPT export, or exports of
    llama.cpp's web page.
    """
    from gemma_chat.cli.library_work import put_in
    from gemma_chat.cli.output import print_text, table
    from gemma_chat.cli.reaching import run
    from gemma_chat.exchange.reading import read_conversations

    found = [(file, one) for file in files for one in read_conversations(file)]
    rows: list[tuple[str, str]] = []

    async def put_all_in(host: Requester) -> None:
        for file, transcript in found:
            rows.append((str(await put_in(host, transcript, file)), transcript.title))

    try:
        run(paths_of(context), put_all_in)
    finally:
        # What is in stays in, whatever is wrong with one that comes later.
        if rows:
            print_text(table(rows))


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(context: click.Context, names: tuple[str, ...], yes: bool) -> None:
    """Delete the conversations NAMES for good, with all their messages: all of them, or none."""
    from gemma_chat.cli.confirming import confirm
    from gemma_chat.cli.naming import conversation_named
    from gemma_chat.cli.output import one_line
    from gemma_chat.cli.reaching import run
    from gemma_chat.host.protocol import DeleteConversations
    from gemma_chat.quantities import counted

    async def delete_all(host: Requester) -> int:
        meant = {one.session: one for one in [await conversation_named(host, n) for n in names]}
        for one in meant.values():
            messages = counted(one.message_count, "message")
            click.echo(f"{one.session} {one_line(_name(one))}, {messages}")
        if not yes:
            confirm("Delete for good?", "Nothing is deleted.")
        await host.request(DeleteConversations(0, tuple(meant)))
        return len(meant)

    count = run(paths_of(context), delete_all)
    click.echo(f"{count} deleted.", err=True)


@click.command()
@click.argument("name")
@click.argument("title")
@click.pass_context
def rename(context: click.Context, name: str, title: str) -> None:
    """Give the conversation NAME another TITLE."""
    from gemma_chat.cli.naming import conversation_named
    from gemma_chat.cli.reaching import run
    from gemma_chat.host.protocol import RenameSession

    async def give_title(host: Requester) -> None:
        meant = await conversation_named(host, name)
        await host.request(RenameSession(0, meant.session, title))

    run(paths_of(context), give_title)


@click.command()
@click.argument("name")
@click.option("--title", help="The title of the fork, instead of the same with (fork).")
@click.pass_context
def fork(context: click.Context, name: str, title: str | None) -> None:
    """Fork the conversation NAME, to go on from it another way; prints the number of the fork.

    It is all of it up to here, and stands in a tab when NAME does. What the model has evaluated of
    it is not evaluated again.
    """
    from gemma_chat.cli.naming import conversation_named
    from gemma_chat.cli.output import print_text
    from gemma_chat.cli.reaching import run
    from gemma_chat.host.protocol import ForkFrom

    async def forked(host: Requester) -> int:
        meant = await conversation_named(host, name)
        return (await host.request(ForkFrom(0, meant.session, title=title))).session

    print_text(str(run(paths_of(context), forked)))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def backup(context: click.Context, file: Path) -> None:
    """Copy all conversations into the new FILE, also while they are in use.

    The copy is a database as the program's own. To go back to it, end the host and put it in the
    place of the database that `gemma-chat doctor` names.
    """
    from gemma_chat.cli.reaching import run
    from gemma_chat.host.protocol import BackUp

    target = file.expanduser().absolute()

    async def copy(host: Requester) -> None:
        await host.request(BackUp(0, str(target)))

    run(paths_of(context), copy)
    click.echo(f"All conversations are copied to {target}.", err=True)


COMMANDS = (list_, show, search, export, import_, delete, rename, fork, backup)
