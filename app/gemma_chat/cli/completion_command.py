"""`gemma-chat completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  gemma-chat completion bash > ~/.local/share/bash-completion/completions/gemma-chat
    zsh:   gemma-chat completion zsh > "${fpath[1]}/_gemma-chat"
    fish:  gemma-chat completion fish > ~/.config/fish/completions/gemma-chat.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click has all three"
    root = context.find_root()
    script = found(root.command, {}, "gemma-chat", "_GEMMA_CHAT_COMPLETE").source()
    click.echo(script)
