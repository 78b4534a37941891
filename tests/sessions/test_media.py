"""Images and recordings as parts of a question, in history and in sessions made from one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.projectors import picture, tone, write_projector
from tests.sessions.conftest import assert_used_well
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.errors import GemmaChatError, ModalityError
from gemma_chat.media.facts import digest_of
from gemma_chat.sessions.loading import load_model
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.session import Message

CAT, DOG = picture(1), picture(2)


@pytest.fixture
def engine() -> ScriptedEngine:
    """A model that takes images, not audio."""
    return ScriptedEngine(modalities=("image",))


@pytest.fixture
async def model(engine: ScriptedEngine) -> AsyncIterator[InferenceModel]:
    model = InferenceModel(engine)
    yield model
    engine.gate.open()
    await model.close()
    assert_used_well(engine)


def seen(engine: ScriptedEngine) -> list[str]:
    """The digests of what was in the newest prompt."""
    return [media.digest for media in engine.media[-1]]


async def test_an_image_is_asked_about_and_stays_in_the_history(
    engine: ScriptedEngine, model: InferenceModel, tmp_path: Path
) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(CAT)
    session = await model.open_session()
    await session.add_query_chunk(Message("What ", images=[file]))
    await session.add_query_chunk(Message("is this?", images=DOG))
    assert await session.get_response() == "1: What is this?"
    assert seen(engine) == [digest_of(CAT), digest_of(DOG)]
    await session.get_response("And now?")
    assert seen(engine) == [digest_of(CAT), digest_of(DOG)]
    question, *_ = session.history
    assert [media.data for media in question.media] == [CAT, DOG]


async def test_an_image_needs_no_text(engine: ScriptedEngine, model: InferenceModel) -> None:
    session = await model.open_session()
    await session.add_query_chunk(Message(images=CAT))
    await session.get_response()
    assert seen(engine) == [digest_of(CAT)]


async def test_forks_and_restored_chats_have_the_images_and_rewound_ones_have_not(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session()
    await session.add_query_chunk(Message("Look.", images=CAT))
    await session.get_response()
    fork = await session.fork()
    await fork.get_response("And?")
    assert seen(engine) == [digest_of(CAT)]
    restored = await model.open_chat(history=session.history)
    await restored.session.get_response("And?")
    assert seen(engine) == [digest_of(CAT)]
    await session.rewind(0)
    await session.get_response("And?")
    assert seen(engine) == []


@pytest.mark.parametrize(
    ("options", "part", "reason"),
    [
        ({}, Message(audio=tone(440)), r"cannot take audio: its model was loaded without"),
        ({"enable_vision_modality": False}, Message(images=CAT), "enable_vision_modality=False"),
        ({}, Message(images=CAT[:-100]), "^Image 1 is damaged or cut short"),
        ({}, Message(images=[CAT, b"text"]), "^Image 2 is not a PNG"),
        ({}, Message(images=tone(440)), "^Image 1 is WAV, which is not one of images"),
        ({}, Message(images="nowhere.png"), "^nowhere.png does not exist"),
        ({}, Message(images="/"), "^/ is not a file"),
        ({}, Message(images="a\0b"), r"^a.x00b does not exist"),
        ({}, Message(images=[CAT] * 9), "at most 8 are taken"),
    ],
)
async def test_media_that_cannot_be_taken_are_refused_and_leave_nothing(
    model: InferenceModel, options: dict[str, bool], part: Message, reason: str
) -> None:
    session = await model.open_session(**options)  # type: ignore[arg-type]
    with pytest.raises(ModalityError, match=reason):
        await session.add_query_chunk(part)
    with pytest.raises(GemmaChatError, match="nothing to answer"):
        session.start_turn()


async def test_a_file_too_large_is_refused_without_being_read(
    model: InferenceModel, tmp_path: Path
) -> None:
    file = tmp_path / "huge.png"
    with file.open("wb") as target:
        target.truncate(2**40)
    session = await model.open_session()
    with pytest.raises(ModalityError, match=r"huge\.png has 1,099\.5 GB; at most 20 MB"):
        await session.add_query_chunk(Message(images=file))


async def test_a_session_cannot_ask_for_what_its_model_cannot_take(model: InferenceModel) -> None:
    assert (await model.open_session(enable_vision_modality=True)).modalities == ("image",)
    with pytest.raises(ModalityError, match="enable_audio_modality"):
        await model.open_session(enable_audio_modality=True)
    assert len(model.sessions) == 1


async def test_a_real_model_tells_two_pictures_apart(
    short_gemma3_path: Path, tmp_path: Path
) -> None:
    projector = write_projector(tmp_path / "mmproj.gguf", 640)
    async with await load_model(
        short_gemma3_path, context_size=512, threads=1, projector_path=projector
    ) as model:
        replies = []
        for image in (CAT, DOG, CAT):
            async with await model.open_session(max_output_tokens=6) as session:
                await session.add_query_chunk(Message("What is this?", images=image))
                replies.append(await session.get_response())
                fork = await session.fork()
                await fork.get_response("More.")
                assert fork.metrics.evaluated_tokens < 16
        assert replies[0] == replies[2] != replies[1]
