"""Finding one of many: by the letters of its name, or by words in its text."""

from __future__ import annotations

from gemma_chat.ui.chooser import Choice, matching

NAMED = (
    Choice("pirate", "Arr.", "You are a captain."),
    Choice("poet", "Verse.", "You write poems."),
    Choice("critic", "Fair.", "You find what is weak."),
)
SENT = tuple(
    Choice(text, body=text) for text in ("The deep SEA", "a deep well", "sea of deep blue")
)


def found(choices: tuple[Choice, ...], wanted: str) -> list[str]:
    return [choices[number].name for number in matching(choices, wanted)]


def test_without_letters_everything_is_there_in_its_order() -> None:
    assert found(NAMED, "") == ["pirate", "poet", "critic"]


def test_names_are_found_by_letters_and_texts_by_words() -> None:
    assert found(NAMED, "prt") == ["pirate"]
    assert found(NAMED, "captain") == ["pirate"]
    assert found(NAMED, "weak") == ["critic"]
    assert found(NAMED, "zebra") == []


def test_sent_messages_are_found_by_all_their_words_newest_first() -> None:
    assert found(SENT, "sea deep") == ["The deep SEA", "sea of deep blue"]
