"""Full-text search over everything that was said."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.store.search import MAX_WORDS, match_expression
from gemma_chat.store.store import Store


def say(store: Store, session: int, *texts: str) -> list[int]:
    """Questions and replies in turns; returns the numbers of the messages."""
    numbers = []
    for at, text in enumerate(texts):
        role = "assistant" if at % 2 else "user"
        message = store.add_message(
            session, turn=at // 2 + 1, role=role, text=text, state="complete"
        )
        numbers.append(message.message)
    return numbers


@pytest.fixture
def sea(store: Store) -> int:
    session = store.create(SessionSettings(), title="The sea").session
    say(store, session, "What is the sea?", "Salt water, and a lot of it.", "Is it deep?", "Yes.")
    return session


def found(store: Store, query: str, **narrowed: Any) -> list[int]:
    return [hit.message for hit in store.library.search(query, **narrowed)]


def test_a_hit_tells_where_it_is_and_what_to_highlight(store: Store, sea: int) -> None:
    [hit] = store.library.search("water")
    assert (hit.session, hit.title, hit.role) == (sea, "The sea", "assistant")
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["water"]
    assert hit.snippet == "Salt water, and a lot of it."


def test_every_word_must_occur(store: Store, sea: int) -> None:
    assert found(store, "water salt") == [2]
    assert found(store, "water deep") == []


def test_the_last_word_and_one_with_a_star_stand_for_what_begins_with_them(
    store: Store, sea: int
) -> None:
    assert found(store, "water sa") == found(store, "wat* salt") == [2]
    assert found(store, "wat salt") == []


def test_words_in_quotation_marks_stand_for_themselves_in_that_order(
    store: Store, sea: int
) -> None:
    assert found(store, '"salt water"') == [2]
    assert found(store, '"water salt"') == []
    assert found(store, '"wat"') == []


def test_case_and_accents_do_not_matter(store: Store, sea: int) -> None:
    say(store, sea, "Où est la Forêt ÉPAISSE?")
    assert found(store, "foret épaisse") == found(store, "FORÊT") == [5]


def test_the_newest_come_first_and_older_ones_on_request(store: Store, sea: int) -> None:
    numbers = say(store, sea, *(f"wave {count}" for count in range(5)))
    assert found(store, "wave", limit=2) == numbers[:-3:-1]
    assert found(store, "wave", limit=2, before=numbers[-2]) == numbers[2:0:-1]


def test_a_search_can_be_narrowed_to_a_conversation_and_a_role(store: Store, sea: int) -> None:
    other = store.create(SessionSettings()).session
    numbers = say(store, other, "The sea again", "The sea, always the sea")
    assert found(store, "sea", session=other) == numbers[::-1]
    assert found(store, "sea", role="assistant") == [numbers[1]]
    assert found(store, "sea", session=sea, role="assistant") == []


def test_the_words_that_narrow_a_search_are_not_found_as_text(store: Store, sea: int) -> None:
    assert found(store, f"c{sea}") == []
    assert found(store, "user") == []


def test_a_reply_is_found_when_it_has_ended_and_not_while_it_streams(
    store: Store, sea: int
) -> None:
    reply = store.add_message(sea, turn=9, role="assistant", text="half ", state="streaming")
    store.update_message(reply.message, text="half a sentence about plankton")
    assert found(store, "plankton") == []
    store.finish_message(reply.message, state="stopped")
    assert found(store, "plankton") == [reply.message]


def test_what_was_changed_or_deleted_is_not_found_any_more(store: Store, sea: int) -> None:
    [number] = found(store, "water")
    store.update_message(number, text="Brine.")
    assert found(store, "water") == []
    assert found(store, "brine") == [number]
    store.remove_message(number)
    assert found(store, "brine") == []
    store.library.delete([sea])
    assert found(store, "sea") == []


def test_the_index_agrees_with_the_messages_after_all_that(
    store: Store, sea: int, database: object
) -> None:
    store.update_message(1, text="Other words")
    store.remove_message(2)
    connection = sqlite3.connect(str(database))
    connection.execute(
        "INSERT INTO message_index (message_index, rank) VALUES ('integrity-check', 1)"
    )
    connection.close()


@pytest.mark.parametrize(
    "query",
    [
        '"', '""', '"sea', "sea AND", "NOT", "sea OR OR", "NEAR(sea water)", "text:sea", "-sea",
        "^sea", "sea*", "*", "(sea", ")", "{scope} : c1", "sea'; DROP TABLE messages; --", "\0",
        "%", "a" * 100_000, "sea " * 10_000, "\ud800", "🌊", "\x02",
    ],
)  # fmt: skip
def test_nothing_in_a_query_is_an_operator(store: Store, sea: int, query: str) -> None:
    hits = store.library.search(query)
    assert all("sea" in hit.snippet.casefold() for hit in hits)
    assert len(store.messages(sea)) == 4


def test_a_query_without_a_word_finds_nothing(store: Store, sea: int) -> None:
    assert match_expression(' *"" -- ^ ') == ""
    assert found(store, " ?! ") == []


def test_a_query_is_cut_after_so_many_words() -> None:
    expression = match_expression(" ".join(f"w{count}" for count in range(1000)))
    assert expression.count('"w') == MAX_WORDS


def test_a_text_that_holds_marks_of_its_own_is_highlighted_rightly(store: Store, sea: int) -> None:
    say(store, sea, "\x02forged< whale \x02forged>")
    [hit] = store.library.search("whale")
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["whale"]


def test_an_index_that_lost_its_contents_is_made_again(
    store: Store, sea: int, database: object
) -> None:
    with sqlite3.connect(str(database)) as connection:
        connection.execute("UPDATE message_index_data SET block = x'00' WHERE id > 10")
    connection.close()
    assert found(store, "water") == [2]
