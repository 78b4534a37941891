"""What regenerating, editing, going between branches and continuing cost on both real models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.sessions.loading import load_model
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.options import SessionOptions

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY: SessionOptions = {
    "temperature": 0.0,
    "max_output_tokens": 6,
    "system_instruction": "You are a patient tutor of geography. " * 12,
}
QUESTION = "Which river is the longest one of the world, and where does it begin?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model(short_model_path: Path) -> AsyncIterator[InferenceModel]:
    """Each real model once for the whole module."""
    async with await load_model(short_model_path, context_size=1024, threads=1) as model:
        yield model


async def test_a_branch_costs_its_own_question_and_an_old_branch_next_to_nothing(
    model: InferenceModel,
) -> None:
    async with await model.open_session(**GREEDY) as session:
        await session.get_response(QUESTION)
        whole = session.metrics.evaluated_tokens
        await session.get_response("Name another one.")
        old = session.history
        question = session.size_in_tokens(QUESTION) + 12

        await session.go_to(())
        assert await session.get_response(QUESTION) == old[1].text
        assert session.metrics.evaluated_tokens <= question < whole / 2

        await session.go_to(old[:2])
        await session.get_response("And the shortest?")
        edited = session.metrics.evaluated_tokens
        assert edited <= session.size_in_tokens("And the shortest?") + 12

        await session.go_to(old)
        await session.get_response("Thank you.")
        assert session.metrics.evaluated_tokens <= session.size_in_tokens("Thank you.") + 12


async def test_a_continued_reply_is_what_an_uncut_one_would_be(model: InferenceModel) -> None:
    longer: SessionOptions = {**GREEDY, "max_output_tokens": 12}
    async with await model.open_session(**longer) as session:
        uncut = await session.get_response(QUESTION)
    async with await model.open_session(**GREEDY) as session:
        cut = await session.get_response(QUESTION)
        assert session.metrics.finish_reason == "length"
        rest = await session.continue_response().finished()
        assert session.metrics.evaluated_tokens <= 2
        assert cut + rest.text == uncut
        assert session.history[-1].text == uncut


async def test_a_continued_reply_of_an_earlier_run_costs_one_evaluation(
    model: InferenceModel,
) -> None:
    async with await model.open_session(**GREEDY) as session:
        await session.get_response(QUESTION)
        history = session.history
    settings = SamplingSettings(temperature=0.0, max_output_tokens=3)
    async with await model.open_chat(history=history, **GREEDY) as chat:
        await chat.continue_response(sampling=settings).finished()
        assert chat.session.metrics.generated_tokens == 3
        assert chat.history[-1].text.startswith(history[-1].text)
