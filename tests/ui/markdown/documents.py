"""Generated markdown: well-formed documents, and heaps of fragments."""

from __future__ import annotations

from hypothesis import strategies as st

words = st.text(alphabet="ab *_`~.é中", min_size=1, max_size=12)

_FRAGMENTS = [
    *"ab *_`~[]()!|-+#>:.&<\\",
    *["\n"] * 6,
    "\t",
    "\n\n",
    "1. ",
    "10) ",
    "- ",
    "  1. ",
    "   - ",
    "- [ ] ",
    "  ",
    "    ",
    "```",
    "~~~",
    "```py\n",
    "> ",
    "| a | b |\n",
    "|---|---|\n",
    "---\n",
    "===\n",
    "[x]",
    "**",
    "word ",
    "<b>",
    "\r\n",
    "\r",
]
_HOSTILE = [
    "&#27;",
    "&#x202e;",
    "\x1b[31m",
    "\x00",
    "\x0b",
    "\x85",
    "\u2028",
    "\u202e",
    "\u200b",
    "\ud800",
    "\udc00",
    "e" + "\u0301" * 40,
    "\u200d" * 30,
    "👩‍👩‍👧",
    "中文",
    "שלום",
    "\U000e0041",
    "x" * 300,
]

fragments = st.lists(st.sampled_from(_FRAGMENTS), max_size=40).map("".join)
hostile = st.lists(st.sampled_from(_FRAGMENTS + _HOSTILE), max_size=40).map("".join)

_ITEMS = st.lists(words, min_size=1, max_size=6)
_blocks = st.one_of(
    words,
    words.map(lambda text: f"## {text}"),
    words.map(lambda text: f"{text}\n---"),
    words.map(lambda text: f"> {text}\n> - {text}"),
    words.map(lambda text: f"```python\ndef f():\n    {text}\n```"),
    words.map(lambda text: f"~~~\n{text}\n\n{text}\n~~~"),
    words.map(lambda text: f"| a | b |\n|--:|---|\n| {text} | c |\n| d |"),
    _ITEMS.map(lambda items: "\n".join(f"- {item}" for item in items)),
    _ITEMS.map(lambda items: "\n\n".join(f"{n}. {item}" for n, item in enumerate(items, 7))),
    _ITEMS.map(lambda items: "\n".join(f"1. {item}\n   - {item}\n\n     {item}" for item in items)),
    st.just("***"),
    st.just("    indented\n\n    code"),
)
documents = st.lists(_blocks, max_size=8).map(lambda blocks: "\n\n".join(blocks) + "\n")

definitions = st.sampled_from(["[x]: /address\n", '[x]:\n/address\n"title\nin two lines"\n'])
with_definitions = st.lists(
    st.one_of(definitions, st.just("see [x] and [text][x]\n\n"), fragments), max_size=8
).map("".join)


def pieces(text: str, sizes: list[int]) -> list[str]:
    """The text in pieces of these sizes, over and over."""
    cut: list[str] = []
    start = 0
    while start < len(text):
        size = sizes[len(cut) % len(sizes)]
        cut.append(text[start : start + size])
        start += size
    return cut


chunk_sizes = st.lists(st.integers(1, 9), min_size=1, max_size=8)
