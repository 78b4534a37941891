"""Markdown to terminal lines, also while it is still being written.

Nothing here knows widgets or themes: the result is `Line`s of `Run`s that carry tags, and
whoever paints them maps tags to styles.
"""

from gemma_chat.ui.markdown.lines import Line, Run, Tag
from gemma_chat.ui.markdown.stream import MarkdownStream, render_markdown

__all__ = ["Line", "MarkdownStream", "Run", "Tag", "render_markdown"]
