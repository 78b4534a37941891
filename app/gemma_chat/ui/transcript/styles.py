"""How a transcript looks: a component class for each kind of text, in the colours of the theme."""

from __future__ import annotations

from typing import Final

STYLES: Final = """
Transcript {
    width: 1fr;
    height: 1fr;
    overflow-x: hidden;
    overflow-y: scroll;
    scrollbar-size-vertical: 1;
    scrollbar-color: $foreground 20%;
    scrollbar-background: $background;
    scrollbar-background-hover: $background;
    scrollbar-background-active: $background;
    background: $background;
    color: $foreground;

    &:focus { scrollbar-color: $primary 50%; }
    & .transcript--person { color: $text-accent; text-style: bold; }
    & .transcript--model { color: $text-primary; text-style: bold; }
    & .transcript--status { color: $text-muted; }
    & .transcript--warning { color: $text-warning; }
    & .transcript--error { color: $text-error; }
    & .transcript--title { color: $text-primary; text-style: bold underline; }
    & .transcript--heading { color: $text-primary; text-style: bold; }
    & .transcript--strong { text-style: bold; }
    & .transcript--emphasis { text-style: italic; }
    & .transcript--strike { text-style: strike; }
    & .transcript--code { color: $text-accent; background: $surface; }
    & .transcript--link { text-style: underline; }
    & .transcript--url { color: $text-muted; }
    & .transcript--marker { color: $text-primary; }
    & .transcript--quote { color: $text-muted; }
    & .transcript--bar { color: $primary; }
    & .transcript--rule { color: $foreground 30%; }
    & .transcript--table-head { text-style: bold; }
    & .transcript--fence { background: $surface; }
    & .transcript--language { color: $text-muted; }
    & .transcript--keyword { color: $text-accent; }
    & .transcript--string { color: $text-success; }
    & .transcript--number { color: $text-warning; }
    & .transcript--comment { color: $ink-quiet; text-style: italic; }
    & .transcript--name { color: $text-primary; }
    & .transcript--match { color: $foreground; background: $warning 35%; }
    & .transcript--match-current {
        color: $background; background: $text-warning; text-style: bold;
    }
    & .transcript--below { color: $text-primary; background: $surface; text-style: bold; }
}
"""
