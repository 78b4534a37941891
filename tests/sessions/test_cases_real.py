"""The 20 cases of the session API on both real models, where a case is about a model.

Exact timing is tested on the scripted engine; here the same promises are kept by llama.cpp: on
the whole models where it matters what they know, else on their first layers. The docstring of a
test names its case, here and in the other files: look for "Case 9".
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from tests.sessions.conftest import until
from tests.sessions.gate import Gate
from tests.sessions.gated import gated

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import ToolCall
from gemma_chat.errors import (
    ContextOverflowError,
    ModelClosedError,
    SessionClosedError,
    SessionLimitError,
    SettingsError,
)
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.loading import load_model
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.options import SessionOptions

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY: SessionOptions = {"temperature": 0.0, "max_output_tokens": 6}
WINDOW = 512
FAMILY = "👩‍👩‍👧‍👦 שלום 🏳️‍🌈 ẅ"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short(short_model_path: Path) -> AsyncIterator[InferenceModel]:
    """The first layers of each real model, once for the whole module."""
    async with await load_model(short_model_path, context_size=WINDOW, threads=1) as model:
        yield model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(model_path: Path) -> AsyncIterator[InferenceModel]:
    """Each real model once for the whole module."""
    async with await load_model(model_path, context_size=WINDOW, threads=1) as model:
        yield model


async def given_back(model: InferenceModel) -> None:
    """Without sessions, and with a free lock."""
    for session in model.sessions:
        await session.close()
    assert model.lock.holder is None
    assert model.lock.waiting == ()


@pytest_asyncio.fixture(loop_scope="module")
async def model(short: InferenceModel) -> AsyncIterator[InferenceModel]:
    """A model that says anything."""
    yield short
    await given_back(short)


@pytest_asyncio.fixture(loop_scope="module")
async def whole_model(whole: InferenceModel) -> AsyncIterator[InferenceModel]:
    """A model that knows what it was told."""
    yield whole
    await given_back(whole)


@pytest.fixture
def gate(model: InferenceModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Before every step of the model: what runs goes no further than the test lets it."""
    gate = gated(model.engine, monkeypatch)
    yield gate
    gate.open()


async def alone(model: InferenceModel, *questions: str, **options: object) -> list[str]:
    """The replies of a session that nobody disturbs."""
    settings: SessionOptions = {**GREEDY, **options}  # type: ignore[typeddict-item]
    async with await model.open_session(**settings) as session:
        return [await session.get_response(question) for question in questions]


async def test_case_1_cancelled_waiters_never_take_the_lock_with_them(
    model: InferenceModel, gate: Gate
) -> None:
    """Case 1 of the session API."""
    gate.hold()
    sessions = [await model.open_session(**GREEDY) for _ in range(10)]
    tasks = [asyncio.create_task(s.get_response(f"Say {n}.")) for n, s in enumerate(sessions)]
    await until(model, lambda: len(model.lock.waiting) == 9)
    for task in tasks[1:9]:
        task.cancel()
    await asyncio.wait(tasks[1:9])
    gate.open()
    assert [await tasks[n] for n in (0, 9)] == [
        *(await alone(model, "Say 0.")),
        *(await alone(model, "Say 9.")),
    ]
    assert all(task.cancelled() for task in tasks[1:9])
    assert sum(session.totals.evaluated_tokens for session in sessions[1:9]) == 0


async def test_case_2_an_abandoned_stream_stops_decoding(model: InferenceModel, gate: Gate) -> None:
    """Case 2 of the session API."""
    session = await model.open_session(temperature=0.0, max_output_tokens=400)
    gate.hold()
    stream = session.get_response_async("Count from one to five hundred.")
    first, steps = asyncio.create_task(anext(stream)), 0
    while not first.done():
        await gate.let_pass(1)
        steps += 1
    await stream.aclose()
    await until(model, lambda: not session.turns)
    assert session.metrics.finish_reason == "stopped"
    assert 1 <= session.metrics.generated_tokens <= steps
    gate.open()
    assert (await alone(model, "Hello"))[0]


async def test_case_3_a_queued_session_that_is_closed_never_evaluates_a_token(
    model: InferenceModel, gate: Gate
) -> None:
    """Case 3 of the session API."""
    gate.hold()
    running, queued = await model.open_session(**GREEDY), await model.open_session(**GREEDY)
    turns = [running.start_turn("Name a colour."), queued.start_turn("Name a fruit.")]
    await gate.reached()
    await queued.close()
    result = await turns[1].finished()
    gate.open()
    assert isinstance(result.error, SessionClosedError)
    assert result.metrics.evaluated_tokens == 0
    assert [(await turns[0].finished()).text] == await alone(model, "Name a colour.")


async def test_case_4_waiters_run_in_order_and_background_last(
    model: InferenceModel, gate: Gate
) -> None:
    """Case 4 of the session API."""
    gate.hold()
    finished: list[str] = []
    options: SessionOptions = {"temperature": 0.0, "max_output_tokens": 1}
    behind = await model.open_session(**options, background=True)
    front = [await model.open_session(**options) for _ in range(10)]

    async def follow(name: str, response: asyncio.Task[str]) -> None:
        await response
        finished.append(name)

    async with asyncio.TaskGroup() as group:
        for number, session in enumerate(front):
            task = group.create_task(session.get_response("Hi"))
            group.create_task(follow(f"front {number}", task))
            if number == 2:
                task = group.create_task(behind.get_response("Hi"))
                group.create_task(follow("background", task))
        await until(model, lambda: len(model.lock.waiting) == 10)
        gate.open()
    assert finished == [*(f"front {number}" for number in range(10)), "background"]


async def test_case_5_a_second_queued_turn_sees_the_first(model: InferenceModel) -> None:
    """Case 5 of the session API."""
    questions = ("My dog is called Rex.", "What is my dog called?")
    expected = await alone(model, *questions)
    session = await model.open_session(**GREEDY)
    turns = [session.start_turn(question) for question in questions]
    results = [await turn.finished() for turn in turns]
    assert [result.text for result in results] == expected
    assert [message.text for message in session.history[::2]] == list(questions)
    first, second = (result.metrics for result in results)
    shared = first.evaluated_tokens + first.reused_tokens + first.restored_tokens
    assert second.reused_tokens + second.restored_tokens >= shared


async def test_case_6_a_turn_stopped_in_prefill_leaves_no_trace(
    model: InferenceModel, gate: Gate
) -> None:
    """Case 6 of the session API."""
    session = await model.open_session(**GREEDY)
    gate.hold()
    turn = session.start_turn("word " * 300)
    await gate.let_pass(1)
    assert 0 < turn.progress.prompt_done < turn.progress.prompt_total
    await session.stop_generation()
    gate.open()
    assert turn.result is not None
    assert (turn.result.reason, turn.result.text) == ("stopped", "")
    assert session.history == ()
    assert [await session.get_response("Name a colour.")] == await alone(model, "Name a colour.")


async def test_case_8_alice_and_bob_each_know_their_own_name(whole_model: InferenceModel) -> None:
    """Case 8 of the session API."""
    names = ("Alice", "Bob")
    # Neither model is good at answering; which of the names it finds likelier shows what it knows.
    choice = SamplingSettings(temperature=0.0, grammar='root ::= "Alice" | "Bob"')
    sessions = {name: await whole_model.open_session(**GREEDY) for name in names}
    told = {name: f"Hello, my name is {name}." for name in names}
    for name, session in sessions.items():
        assert [await session.get_response(told[name])] == await alone(whole_model, told[name])
        session.settings = SessionSettings(sampling=choice)
    for more in (1, 1, 18):
        for number in range(more):
            async with await whole_model.open_session(
                temperature=0.0, max_output_tokens=1
            ) as other:
                await other.get_response(f"I am Zoe{number}")
        for name, session in sessions.items():
            assert await session.get_response("What is my name?") == name
            assert session.metrics.evaluated_tokens < 40


async def test_case_9_a_preempted_background_turn_gives_what_an_undisturbed_one_gives(
    model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 9 of the session API."""
    long_question = "The sea is wide and the ship is small. " * 16
    expected = await alone(model, long_question, max_output_tokens=12)
    behind = await model.open_session(temperature=0.0, max_output_tokens=12, background=True)
    person = await model.open_session(**GREEDY)
    gate = gated(model.engine, monkeypatch, lanes=["background"])
    gate.hold()
    turn = behind.start_turn(long_question)
    await gate.let_pass(1)
    assert turn.state == "prefill"
    in_prefill = await person.get_response("Name a colour.")
    while turn.progress.generated < 3:
        await gate.let_pass(1)
    assert turn.state == "generating"
    in_decoding = await person.get_response("Name a colour.")
    gate.open()
    assert [(await turn.finished()).text] == expected
    assert [in_prefill, in_decoding] == await alone(model, "Name a colour.", "Name a colour.")
    assert behind.metrics.evaluated_tokens <= turn.progress.prompt_total


async def test_case_9_a_session_that_others_came_between_and_its_fork_say_what_they_would_alone(
    whole_model: InferenceModel,
) -> None:
    """Case 9 of the session API."""
    questions = ("The sea is wide and the ship is small.", "Why?", "And then?")
    expected = await alone(whole_model, *questions)
    first, other = (
        await whole_model.open_session(**GREEDY),
        await whole_model.open_session(**GREEDY),
    )
    assert await first.get_response(questions[0]) == expected[0]
    await other.get_response("Name a colour.")
    assert await first.get_response(questions[1]) == expected[1]
    fork = await first.fork()
    await other.get_response("Name a fruit.")
    assert await fork.get_response(questions[2]) == expected[2]
    await other.get_response("Name a tree.")
    assert await first.get_response(questions[2]) == expected[2]
    assert fork.history == first.history
    assert first.metrics.evaluated_tokens < 40


async def test_case_10_closing_while_generating_is_safe_two_hundred_times(
    model: InferenceModel,
) -> None:
    """Case 10 of the session API."""
    chance = random.Random(3)
    for _ in range(200):
        session = await model.open_session(temperature=0.0, max_output_tokens=3)
        turn = session.start_turn("Hi")
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        await session.close()
        assert (await turn.finished()).reason in {"closed", "stop", "length"}
    assert (await alone(model, "Hello"))[0]


async def test_case_11_settings_of_one_session_never_reach_another(
    model: InferenceModel,
) -> None:
    """Case 11 of the session API."""
    plain = await model.open_session(**GREEDY)
    strict = await model.open_session(grammar='root ::= "yes" | "no"')
    cut = await model.open_session(**GREEDY, system_instruction="Answer in French.")
    replies = await asyncio.gather(
        *(session.get_response("Is water wet?") for session in (plain, strict, cut))
    )
    assert replies[1] in {"yes", "no"}
    assert [replies[0]] == await alone(model, "Is water wet?")
    assert [replies[2]] == await alone(
        model, "Is water wet?", system_instruction="Answer in French."
    )
    assert "yes" not in {replies[0], replies[2]}


async def test_case_11_a_stop_string_ends_its_own_session_only(whole_model: InferenceModel) -> None:
    """Case 11 of the session API."""
    whole = (await alone(whole_model, "Tell me about the sea."))[0]
    word = whole.split()[3]
    stopped = await whole_model.open_session(**GREEDY, stop=word)
    assert await stopped.get_response("Tell me about the sea.") == whole.partition(word)[0]
    assert await alone(whole_model, "Tell me about the sea.") == [whole]


async def test_case_12_the_seed_decides_and_temperature_zero_does_not_ask_it(
    model: InferenceModel,
) -> None:
    """Case 12 of the session API."""

    async def sample(seed: int, temperature: float) -> str:
        options = {"random_seed": seed, "temperature": temperature, "top_k": 0}
        return (await alone(model, "Tell me a story.", **options))[0]

    first = await sample(7, 1.5)
    assert await sample(7, 1.5) == first
    assert {await sample(seed, 1.5) for seed in (1, 2)} != {first}
    assert await sample(1, 0.0) == await sample(2, 0.0)


async def test_case_13_tokens_are_counted_while_another_session_is_in_prefill(
    model: InferenceModel, gate: Gate
) -> None:
    """Case 13 of the session API."""
    session = await model.open_session(**GREEDY)
    gate.hold()
    turn = session.start_turn("word " * 350)
    await gate.let_pass(1)
    assert model.size_in_tokens("Hello, world") > 1
    assert turn.state == "prefill"
    await session.stop_generation()


async def test_case_14_an_overflow_keeps_the_last_exchange_and_is_told(
    model: InferenceModel,
) -> None:
    """Case 14 of the session API."""
    told: list[TurnsDropped] = []
    stored = [
        HistoryMessage(role, f"Part {number}. The sea is wide and the ship is small.")
        for number in range(30)
        for role in ("user", "assistant")
    ]
    chat = await model.open_chat(temperature=0.0, max_output_tokens=4, history=stored)
    chat.subscribe(told.append)
    await chat.get_response("Why?")
    assert [event.left_out for event in told] == [chat.left_out]
    assert 0 < chat.left_out < 29
    assert chat.session.context_used <= WINDOW
    await chat.get_response("And then?")
    assert len(told) == 1
    assert chat.session.metrics.evaluated_tokens < 40
    with pytest.raises(ContextOverflowError, match=str(WINDOW)):
        await chat.get_response("the sea is wide. " * 1000)


async def test_case_16_a_turn_that_cannot_begin_leaves_the_session_usable(
    model: InferenceModel,
) -> None:
    """Case 16 of the session API."""
    session = await model.open_session(**GREEDY, grammar="root ::= (")
    with pytest.raises(SettingsError, match="grammar"):
        await session.get_response("Name a colour.")
    assert model.sessions == (session,)
    plain = await model.open_session(**GREEDY)
    session.settings = plain.settings
    assert [await session.get_response("Name a colour.")] == await alone(model, "Name a colour.")


async def test_case_20_characters_split_over_tokens_arrive_whole(model: InferenceModel) -> None:
    """Case 20 of the session API."""
    session = await model.open_session(temperature=0.0, grammar=f'root ::= "{FAMILY}"')
    pieces = [piece async for piece in session.get_response_async("Go on")]
    assert "".join(pieces) == FAMILY
    assert "\ufffd" not in "".join(pieces)


async def test_case_15_a_restored_chat_sees_its_whole_history(whole_model: InferenceModel) -> None:
    """Case 15 of the session API."""
    told = "My dog is called Rex."
    first = await whole_model.open_chat(**GREEDY)
    await first.get_response(told)
    await first.close()
    again = await whole_model.open_chat(history=first.history, grammar='root ::= "Rex" | "Max"')
    assert again.session.totals.evaluated_tokens == 0
    assert again.session.context_used > whole_model.size_in_tokens(told)
    assert await again.get_response("What is my dog called?") == "Rex"


async def test_a_fork_and_a_rewind_evaluate_only_what_is_new(model: InferenceModel) -> None:
    parent = await model.open_session(**GREEDY)
    await parent.get_response("the sea is wide. " * 20)
    child = await parent.fork()
    await child.get_response("Why?")
    assert child.metrics.evaluated_tokens < 40
    await parent.get_response("Why?")
    await parent.rewind(1)
    await parent.get_response("Why?")
    assert parent.metrics.evaluated_tokens < 40
    assert parent.history[-1].text == child.history[-1].text


async def test_cases_7_and_10_caps_hold_and_a_model_can_be_closed_and_loaded_again(
    short_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 7, and case 10 of the session API."""
    shares: list[float] = []
    for _ in range(2):
        model = await load_model(
            short_model_path,
            context_size=256,
            threads=1,
            max_concurrent_sessions=3,
            progress=shares.append,
        )
        opened = await asyncio.gather(
            *(model.open_session(**GREEDY) for _ in range(10)), return_exceptions=True
        )
        assert sum(isinstance(one, SessionLimitError) for one in opened) == 7
        first, second, third = model.sessions
        gate = gated(model.engine, monkeypatch)
        gate.hold()
        turn = first.start_turn("Count to a thousand.")
        waiter = asyncio.create_task(second.get_response("Hi"))
        while turn.state != "generating":
            await gate.let_pass(1)
        await model.close()
        assert (await turn.finished()).reason == "closed"
        with pytest.raises(ModelClosedError):
            await waiter
        with pytest.raises(ModelClosedError):
            await third.get_response("Hi")
    assert shares.count(1.0) == 2


async def test_case_17_a_required_call_is_carried_out_and_the_model_goes_on(
    whole_model: InferenceModel,
) -> None:
    """Case 17 of the session API."""
    switched: list[str] = []

    def light(state: Literal["on", "off"]) -> str:
        """Switch the light."""
        switched.append(state)
        return f"It is {state}."

    options: SessionOptions = {**GREEDY, "max_output_tokens": 40}
    async with await whole_model.open_chat(tools=[light], **options) as chat:
        result = await chat.start_turn("Light on!", tool_choice="required").finished()
        assert result.error is None
        assert switched[0] in ("on", "off")
        made = [call.id for message in chat.history for call in message.tool_calls]
        answers = [message for message in chat.history if message.role == "tool"]
        assert [answer.tool_call_id for answer in answers] == made
        assert answers[0].text == f"It is {switched[0]}."
        assert chat.session.metrics.reused_tokens > 0


async def test_case_15_a_restored_chat_keeps_calls_results_and_thoughts_apart_from_text(
    model: InferenceModel,
) -> None:
    """Case 15 of the session API."""

    def light(state: Literal["on", "off"]) -> str:
        """Switch the light."""
        return f"It is {state}."

    call = ToolCall("1", "light", '{"state": "on"}')
    told = (
        HistoryMessage("user", "Light on!", 1),
        HistoryMessage("assistant", "", 1, thinking="It is dark.", tool_calls=(call,)),
        HistoryMessage("tool", "It is on.", 1, tool_call_id="1", tool_name="light"),
        HistoryMessage("assistant", "Done.", 1),
    )
    replies = []
    for stored in (told, told, (*told[:1], replace(told[1], thinking=""), *told[2:])):
        async with await model.open_chat(history=stored, tools=[light], **GREEDY) as chat:
            assert chat.history == stored
            turn = chat.start_turn("Is it on?", tool_choice="none")
            replies.append((await turn.finished()).text)
    assert replies[0] == replies[1] == replies[2]


async def test_case_9_a_conversation_that_was_saved_to_disk_goes_on_as_if_it_was_not(
    short_model_path: Path, tmp_path: Path
) -> None:
    """Case 9 of the session API."""
    said: list[HistoryMessage] = []
    restored = []
    for states in (tmp_path / "kept", tmp_path / "kept", tmp_path / "fresh"):
        async with await load_model(
            short_model_path, context_size=256, threads=1, states_dir=states
        ) as model:
            chat = await model.open_chat(history=said[:2], **GREEDY)
            await chat.get_response("Why?" if said else "The sea is wide, the ship is small.")
            said += chat.history[-2:]
            restored.append(chat.metrics.restored_tokens)
    assert said[2:4] == said[4:]
    assert restored[0] == restored[2] == 0
    assert restored[1] > 10
