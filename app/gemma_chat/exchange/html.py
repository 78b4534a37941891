"""A conversation as one HTML page that needs nothing beside it.

Markdown is rendered with HTML switched off, so what a model or a person wrote stays text; links
keep only harmless schemes, and images become links: a page that is opened must fetch nothing. The
page forbids scripts and fetching by its content security policy as well.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import TYPE_CHECKING, Final

from gemma_chat.exchange.times import written
from gemma_chat.exchange.transcript import ENDINGS, Line, Transcript, introduced, notes

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #24231f; --faint: #75726a;
  --line: #dedbd2; --user: #eef1f8; --code: #f1efe8; --link: #2757a8; }
@media (prefers-color-scheme: dark) { :root { --paper: #191a1d; --ink: #dddcd6; --faint: #96938b;
  --line: #34363b; --user: #23283a; --code: #24262a; --link: #8ab0f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } a { color: var(--link); }
.when, .speaker, .note { color: var(--faint); font-size: .85rem; }
.note { font-family: ui-monospace, monospace; margin: .25rem 0; }
.speaker { margin: 0 0 .25rem; }
article { margin: 1.5rem 0; } .user { background: var(--user); border-radius: .6rem;
  padding: .8rem 1rem; } .system { border-left: 3px solid var(--line); padding-left: 1rem; }
article > :last-child, .text > :last-child { margin-bottom: 0; }
.text > :first-child { margin-top: 0; }
pre { background: var(--code); border-radius: .4rem; overflow-x: auto; padding: .8rem; }
code { background: var(--code); border-radius: .2rem; font: .9em ui-monospace, monospace; }
pre code { background: none; } blockquote { border-left: 3px solid var(--line);
  color: var(--faint); margin-left: 0; padding-left: 1rem; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--line);
  padding: .3rem .6rem; }
@media print { body { max-width: none; } }
"""

_PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="gemma-chat">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header><h1>$title</h1>
<p class="when">$when</p></header>
<main>
$articles
</main>
</body>
</html>
""")


def write_html(transcript: Transcript) -> str:
    """The conversation as a page, light or dark as the reader's system is."""
    markdown = _renderer()
    articles = [_article(line, speaker, markdown) for line, speaker in introduced(transcript.shown)]
    system = transcript.settings.system_instruction
    if system:
        articles.insert(0, _box("system", "System instruction", f"<p>{_lines(system)}</p>"))
    return _PAGE.substitute(
        title=escape(_valid(transcript.title) or "Conversation"),
        style=_STYLE,
        when=escape(written(transcript.created) if transcript.created else ""),
        articles="\n".join(articles),
    )


def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": False})
    return renderer.enable(["table", "strikethrough"]).disable("image")


def _article(line: Line, speaker: str, markdown: MarkdownIt) -> str:
    ending = ENDINGS.get(line.ending)
    head = _valid(speaker) + (f" · {ending}" if ending else "")
    text = _valid(line.text)
    # What a person typed is shown as typed; a model writes Markdown.
    body = f"<p>{_lines(text)}</p>" if line.role == "user" and text else markdown.render(text)
    beside = "".join(f'<p class="note">{escape(_valid(note))}</p>\n' for note in notes(line))
    return _box(line.role, head, beside + body)


def _box(kind: str, speaker: str, body: str) -> str:
    return (
        f'<article class="{kind}"><p class="speaker">{escape(speaker)}</p>\n'
        f'<div class="text">{body}</div></article>'
    )


def _lines(text: str) -> str:
    return "<br>\n".join(escape(line) for line in _valid(text).splitlines())


def _valid(text: str) -> str:
    """`text` without what no page may hold: control characters and halves of surrogate pairs."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if "\ud800" <= letter <= "\udfff" or (letter < " " and letter not in "\n\t\r")
        else letter
        for letter in text
    )
