"""A session with a sliding window goes back with what it remembers, and evaluates little again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.conftest import forget_all, speak, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.candidates import LogitsRows
from gemma_chat.engine.checkpoints import Checkpoint, thin
from gemma_chat.engine.interface import EngineOptions, Generated
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.shortlist import Logits

WINDOW = 128


def load(model: Path, folder: Path | None = None) -> LlamaEngine:
    return LlamaEngine.load(
        model,
        EngineOptions(
            context_size=1024, threads=1, states_mb=64, states_dir=folder, micro_batch=64
        ),
    )


@pytest.fixture(scope="module")
def loaded(narrow_gemma3_path: Path) -> Iterator[LlamaEngine]:
    engine = load(narrow_gemma3_path)
    assert engine.description.sliding_window == WINDOW
    yield engine
    engine.close()


@pytest.fixture
def narrow(loaded: LlamaEngine) -> Iterator[LlamaEngine]:
    yield loaded
    forget_all(loaded)


def sea(words: int) -> str:
    return "sea " * words


@pytest.mark.parametrize("words", [110, 117, 118, 119, 150])
def test_the_reply_in_which_a_session_leaves_its_window_is_regenerated_from_its_question(
    narrow: LlamaEngine, words: int
) -> None:
    sequence = narrow.open_sequence()
    said, first = speak(narrow, sequence, talk(sea(words)), max_output_tokens=16)
    again, second = speak(narrow, sequence, talk(sea(words)), max_output_tokens=16)
    assert second.counts.evaluated == 1
    assert (again, second.prompt_tokens) == (said, first.prompt_tokens)


def test_and_so_it_is_after_a_restart(narrow_gemma3_path: Path, tmp_path: Path) -> None:
    before = load(narrow_gemma3_path, tmp_path)
    said, first = speak(before, before.open_sequence(), talk(sea(115)))
    before.close()
    assert first.prompt_tokens < WINDOW < first.prompt_tokens + first.counts.generated
    after = load(narrow_gemma3_path, tmp_path)
    again, run = speak(after, after.open_sequence(), talk(sea(115)))
    assert run.counts.evaluated == 1
    assert again == said
    after.close()


def test_guesses_that_go_beyond_the_window_leave_the_way_back_open(
    narrow: LlamaEngine,
) -> None:
    """The prompt repeats itself, so there are guesses; they are verified in one batch."""
    sequence = narrow.open_sequence()
    for words in (113, 115, 117):
        speak(narrow, sequence, talk(sea(words)), max_output_tokens=12)
        _, again = speak(narrow, sequence, talk(sea(words)), max_output_tokens=12)
        assert again.counts.evaluated == 1


def test_a_reply_that_another_session_broke_into_goes_on_with_the_same_logits(
    narrow: LlamaEngine,
) -> None:
    """Case 9 of the session API: preempted, taken out of its stream, and put back."""
    rows = LogitsRows(narrow.description.vocabulary_size)
    sampling = SamplingSettings(temperature=0, max_output_tokens=60)

    def logits_of_all_tokens(*, broken_at: int) -> dict[int, Logits]:
        forget_all(narrow)
        sequence, other = narrow.open_sequence(), narrow.open_sequence()
        question = " ".join(f"word{number} sea" for number in range(32))
        run = narrow.begin(sequence, narrow.prompt(talk(question)), sampling, "foreground")
        found: dict[int, Logits] = {}
        while run.counts.generated < 40:
            if isinstance(run.step(), Generated):
                # After tokens that were guessed there are several rows; the first is always there.
                found[run.counts.generated] = rows.row(narrow._context.handle, 0).copy()
            if run.counts.generated == broken_at:
                broken_at = -1
                run.give_way()
                speak(narrow, other, talk("Who are you?"), max_output_tokens=2)
        run.finish()
        return found

    undisturbed, broken = (logits_of_all_tokens(broken_at=at) for at in (-1, 10))
    assert len(undisturbed) > 25
    for generated, logits in undisturbed.items():
        assert np.array_equal(broken[generated], logits)


def test_a_message_far_back_is_edited_from_a_boundary_near_it(narrow: LlamaEngine) -> None:
    sequence = narrow.open_sequence()
    texts = [sea(100)]
    for number in range(9):
        answer, _ = speak(narrow, sequence, talk(*texts), max_output_tokens=4)
        texts += [answer, f"Tell me more of the sea, of all that is in it, of wave {number}."]
    speak(narrow, sequence, talk(*texts), max_output_tokens=4)
    edited = talk(*texts[:12], "And now for something else.")
    _, run = speak(narrow, sequence, edited, max_output_tokens=4)
    assert run.counts.reused > WINDOW
    assert run.counts.evaluated < run.prompt_tokens / 2


def test_of_two_saved_states_that_one_is_taken_which_goes_back_far_enough(
    narrow_gemma3_path: Path, tmp_path: Path
) -> None:
    """The longer one has more of the prompt, and nothing to go back to it with."""
    before = load(narrow_gemma3_path, tmp_path)
    opening = sea(150)
    answer, first = speak(before, before.open_sequence(), talk(opening), max_output_tokens=4)
    held = first.prompt_tokens + first.counts.generated - 1
    fork = before.open_sequence()
    texts = [opening, answer, "Go on, and leave nothing out of what there is to tell of it."]
    for _ in range(3):
        answer, _ = speak(before, fork, talk(*texts), max_output_tokens=4)
        texts += [answer, "Go on, and tell of the ships."]
    before.close()
    after = load(narrow_gemma3_path, tmp_path)
    other = talk(*texts[:3][:-1], "Go on, but otherwise.")
    _, run = speak(after, after.open_sequence(), other, max_output_tokens=4)
    assert run.counts.restored == held
    after.close()


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60))
def test_the_beginning_the_newest_and_something_between_them_are_remembered(
    steps: list[int],
) -> None:
    points: list[Checkpoint] = []
    lengths = np.cumsum(steps).tolist()
    for length in lengths:
        points.append(Checkpoint(length, 0, np.zeros(1, np.uint8)))
        thin(points)
    kept = [point.length for point in points]
    assert len(kept) == min(len(lengths), 7)
    assert kept[0] == lengths[0]
    assert kept[-4:] == lengths[-4:]


def test_what_is_remembered_gets_sparser_the_further_back() -> None:
    points: list[Checkpoint] = []
    for turn in range(1, 200):
        points.append(Checkpoint(turn * 100, 0, np.zeros(1, np.uint8)))
        thin(points)
    beginning, *_, older, newer = (point.length for point in points[:-4])
    assert beginning < older < newer < points[-4].length
    assert points[-4].length - newer < newer - older
