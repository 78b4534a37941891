"""The search of the own history shows where words stand, in few words."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from gemma_chat.errors import ToolError
from gemma_chat.tools.on_board.history import MAX_FOUND, FoundMessage, history_tool


async def test_what_is_found_is_shown_around_the_words() -> None:
    asked: list[tuple[str, int]] = []

    async def search(words: str, limit: int) -> Sequence[FoundMessage]:
        asked.append((words, limit))
        text = "x " * 500 + "the SEA is wide" + " y" * 500
        return [FoundMessage("Holidays", "user", text, 0.0)] * (limit + 5)

    shown = await history_tool(search).run('{"words": " the sea "}')
    assert asked == [("the sea", MAX_FOUND)]
    assert shown.count("[Holidays, 19") == MAX_FOUND
    assert "x the SEA is wide y" in shown
    assert len(shown) < MAX_FOUND * 450


async def test_nothing_found_is_said() -> None:
    async def search(words: str, limit: int) -> Sequence[FoundMessage]:
        return ()

    assert await history_tool(search).run('{"words": "x"}') == "Nothing was found."


@pytest.mark.parametrize("words", ["", "  ", "x" * 401])
async def test_a_search_for_nothing_or_too_much_is_refused(words: str) -> None:
    async def search(words: str, limit: int) -> Sequence[FoundMessage]:
        raise AssertionError("not asked")

    with pytest.raises(ToolError, match="Search for 1 to 400 characters"):
        await history_tool(search).run(json.dumps({"words": words}))


async def test_words_that_stand_apart_are_shown_where_the_first_of_them_stands() -> None:
    async def search(words: str, limit: int) -> Sequence[FoundMessage]:
        text = "x " * 500 + "the SEA" + " y" * 400 + "is wide"
        return [FoundMessage("Holidays", "user", text, 0.0)]

    shown = await history_tool(search).run('{"words": "sea wide"}')
    assert "x the SEA y" in shown
