"""What is asked of a small model for a summary, and what becomes of its answers."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.sessions.summary import (
    LEAST_TOLD,
    MAX_TITLE,
    MOST_STRETCHES,
    TASK,
    TITLE_QUESTION,
    Summary,
    SummaryJob,
    SummaryMessage,
    clean_summary,
    clean_title,
    evenly,
    fit_text,
    newest,
    question_for,
    stretch_of,
    title_question_for,
    whole_sentences,
)


def count_words(text: str) -> int:
    return len(text.split())


def told(*texts: str) -> tuple[SummaryMessage, ...]:
    return tuple(
        SummaryMessage(number, "user" if number % 2 else "assistant", text)
        for number, text in enumerate(texts, 1)
    )


def test_the_question_holds_task_summary_and_messages() -> None:
    job = SummaryJob("k", told("Where is Rome?", "In Italy."), previous="They talk of Italy.")
    question = question_for(job, budget=200, count=count_words).text
    assert question.startswith(f"{TASK}\n\nSummary so far: They talk of Italy.\n\n")
    assert "went on:\nUser: Where is Rome?\nAssistant: In Italy.\n\n" in question
    assert question.endswith("Write the new summary of all of it now.")


def test_without_a_summary_the_question_speaks_of_a_conversation_only() -> None:
    question = question_for(SummaryJob("k", told("Hi", "Ho")), budget=200, count=count_words).text
    assert question == f"{TASK}\n\nUser: Hi\nAssistant: Ho\n\nWrite the summary now."


def test_a_title_is_asked_for_with_what_the_user_said_on_one_line() -> None:
    job = SummaryJob("k", told("Where is\nRome?", "In Italy.", "And  Oslo?"))
    question = title_question_for(job, "Name: {questions} {x}", count_words)
    assert question == "Name: Where is Rome? And Oslo? {x}"


def test_a_title_question_of_ones_own_always_tells_what_was_said() -> None:
    job = SummaryJob("c", (SummaryMessage(1, "user", "Why is the sea salt?"),))
    for template in ("Write a title.", "Name this: {questions}"):
        assert "Why is the sea salt?" in title_question_for(job, template, len)


def test_a_title_question_stays_short_whatever_was_said() -> None:
    job = SummaryJob("k", told("word " * 5000))
    assert count_words(title_question_for(job, TITLE_QUESTION, count_words)) < 170


def numbered(count: int, length: int) -> tuple[SummaryMessage, ...]:
    return told(*(f"m{n} " + "word " * length for n in range(1, count + 1)))


def spoken_of(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines()]


def test_a_stretch_holds_the_oldest_messages_that_fit() -> None:
    stretch = stretch_of(numbered(10, 8), 30, count_words, stretches=8)
    assert (spoken_of(stretch.text), stretch.up_to) == (["m1", "m2", "m3"], 3)


def test_where_the_stretches_would_not_do_each_message_loses_its_middle() -> None:
    stretch = stretch_of(numbered(10, 50), 100, count_words, stretches=2)
    assert (spoken_of(stretch.text), stretch.up_to) == ([f"m{n}" for n in range(1, 6)], 5)
    assert stretch.text.count("[…]") == 5
    assert count_words(stretch.text) <= 100


def test_short_messages_leave_their_room_to_long_ones() -> None:
    messages = told("Hi", "Ho", "word " * 200)
    stretch = stretch_of(messages, 100, count_words, stretches=1)
    assert 80 < count_words(stretch.text) <= 100


def test_where_even_that_says_nothing_some_are_left_out_evenly_and_the_last_never() -> None:
    stretch = stretch_of(numbered(1000, 50), 10 * LEAST_TOLD, count_words, stretches=1)
    assert spoken_of(stretch.text) == [f"m{n}" for n in range(100, 1001, 100)]
    assert stretch.up_to == 1000


@given(st.integers(1, 300), st.integers(1, 50))
def test_messages_at_even_distances_are_as_many_as_allowed_at_most(count: int, most: int) -> None:
    messages = numbered(count, 0)
    chosen = evenly(messages, most)
    numbers = [one.number for one in chosen]
    assert 1 <= len(numbers) <= most
    assert numbers[-1] == count
    assert len({after - before for before, after in pairwise(numbers)}) <= 1


@given(
    lengths=st.lists(st.integers(0, 400), min_size=1, max_size=120),
    budget=st.integers(20, 300),
)
def test_every_message_is_reached_within_the_stretches_whatever_their_lengths(
    lengths: list[int], budget: int
) -> None:
    job: SummaryJob | None = SummaryJob("k", told(*("w " * n + "end" for n in lengths)))
    reached = [0]
    while job is not None:
        assert len(reached) <= MOST_STRETCHES
        question = question_for(job, budget=budget, count=count_words)
        reached.append(question.up_to)
        job = job.after(Summary("k", "notes " * 30, question.up_to))
    assert reached == sorted(set(reached))
    assert reached[-1] == len(lengths)


@given(
    texts=st.lists(st.text(max_size=200), min_size=1, max_size=10),
    previous=st.text(max_size=300),
    budget=st.integers(80, 400),
)
def test_a_question_fits_its_budget(texts: list[str], previous: str, budget: int) -> None:
    def count(text: str) -> int:
        return len(text) // 3 + 1

    job = SummaryJob("k", told(*texts), previous=previous)
    question = question_for(job, budget=budget, count=count).text
    assert count(question) <= budget + 8


@given(text=st.text(max_size=400), budget=st.integers(1, 60))
def test_a_cut_text_keeps_its_beginning_and_its_end(text: str, budget: int) -> None:
    fitted = fit_text(text, budget, len)
    assert fitted == text or "[…]" in fitted
    assert len(fitted) <= max(budget, 7)
    if "[…]" in fitted and "[…]" not in text:
        head, tail = fitted.split(" […] ")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_a_huge_message_is_cut_without_being_counted_whole() -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text.split())

    job = SummaryJob("k", told("word " * 1_000_000))
    assert count_words(question_for(job, budget=300, count=count).text) <= 310
    assert max(counted) < 20_000


@pytest.mark.parametrize(
    ("reply", "title"),
    [
        ("Sailing to Rome", "Sailing to Rome"),
        ('"Sailing to Rome."', "Sailing to Rome"),
        ("**Title:** Sailing to Rome\nIt is about", "Sailing to Rome"),
        ("\n\n# Sailing  to\tRome #", "Sailing to Rome"),
        ("„Segeln nach Rom“", "Segeln nach Rom"),
        ("\x1b[31mRed\x07 alert", "[31mRed alert"),
        ("\u202eright\u202c to left", "right to left"),
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
        ("Conversation: Where is Rome?\nTitle: Rome", "Where is Rome?"),
        ("Title:", None),
        ('""', None),
        ("\n \n", None),
        ("", None),
    ],
)
def test_titles_are_one_clean_line(reply: str, title: str | None) -> None:
    assert clean_title(reply) == title


@given(st.text(st.characters(exclude_categories=[]), max_size=300))
def test_any_reply_becomes_a_short_printable_title_or_none(reply: str) -> None:
    title = clean_title(reply)
    if title is not None:
        assert 0 < len(title) <= MAX_TITLE
        assert "\n" not in title
        assert not {unicodedata.category(one) for one in title if one != "\u200d"} & {"Cc", "Cf"}


def test_a_long_title_ends_at_a_word() -> None:
    title = clean_title("An exceedingly long title " * 10)
    assert title is not None
    assert title.endswith(("An…", "exceedingly…", "long…", "title…"))


@pytest.mark.parametrize(
    ("reply", "summary"),
    [
        ("Summary: They talk.", "They talk."),
        ("**Summary:** They talk.  \n\x1b[2JMore. ", "They talk.\n[2JMore."),
        ("Notes:\nThey talk.", "They talk."),
        ("They talk.", "They talk."),
        ("\x00\x1b", ""),
    ],
)
def test_summaries_lose_headings_and_control_characters(reply: str, summary: str) -> None:
    assert clean_summary(reply) == summary


def test_a_cut_reply_loses_the_sentence_that_was_cut() -> None:
    assert whole_sentences("They talk of Rome. Then they") == "They talk of Rome."
    assert whole_sentences("Yes. And then a very long sentence that never") == (
        "Yes. And then a very long sentence that never"
    )
    assert whole_sentences("no end") == "no end"


def test_messages_without_words_are_not_summarized_and_order_is_by_number() -> None:
    messages = [SummaryMessage(3, "user", "c"), SummaryMessage(1, "user", "a")]
    assert [m.number for m in newest([*messages, SummaryMessage(2, "user", " ")])] == [1, 3]


def test_a_job_shrinks_by_what_was_summarized_meanwhile() -> None:
    job = SummaryJob("k", told("a", "b", "c"), previous="old", needs_title=True)
    rest = job.after(Summary("k", "new", 2, "Title"))
    assert rest == SummaryJob(
        "k", told("a", "b", "c")[2:], "new", needs_title=False, stretches=MOST_STRETCHES - 1
    )
    assert job.after(Summary("k", "new", 3)) is None
