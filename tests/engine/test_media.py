"""Images and recordings on a real model, through projectors of random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engine.conftest import forget_all, run_to_end, speak
from tests.projectors import AUDIO_TOKENS, IMAGE_TOKENS, picture, tone, write_projector

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import (
    ChatMessage,
    Ended,
    EngineOptions,
    Interrupted,
    Media,
    MediaPiece,
    Prefill,
    SequenceHandle,
)
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.stretches import Stretches
from gemma_chat.errors import ModalityError, ModelLoadError
from gemma_chat.media.facts import digest_of


def image(seed: int) -> Media:
    data = picture(seed)
    return Media("image", data, digest_of(data))


def sound(hertz: float, seconds: float = 0.5) -> Media:
    data = tone(hertz, seconds)
    return Media("audio", data, digest_of(data))


A, B = image(1), image(2)


def question(*media: Media, text: str = "What is this?") -> list[ChatMessage]:
    return [ChatMessage("user", text, media=media)]


@pytest.fixture(scope="session")
def options(short_gemma3_path: Path, tmp_path_factory: pytest.TempPathFactory) -> EngineOptions:
    file = tmp_path_factory.mktemp("projector") / "mmproj-tiny.gguf"
    write_projector(file, 640, audio=True)
    return EngineOptions(context_size=1024, threads=1, states_mb=64, projector_path=file)


@pytest.fixture(scope="session")
def loaded(short_gemma3_path: Path, options: EngineOptions) -> Iterator[LlamaEngine]:
    engine = LlamaEngine.load(short_gemma3_path, options)
    yield engine
    engine.close()


@pytest.fixture
def seeing(loaded: LlamaEngine) -> Iterator[LlamaEngine]:
    """Gemma 3 with a projector for images and audio, nothing saved."""
    yield loaded
    forget_all(loaded)


def said(
    engine: LlamaEngine, messages: list[ChatMessage], sequence: SequenceHandle | None = None
) -> str:
    """The beginning of a reply, in a session of its own unless one is given."""
    return speak(engine, sequence or engine.open_sequence(), messages, max_output_tokens=8)[0]


def test_the_description_names_what_a_model_takes(seeing: LlamaEngine) -> None:
    assert seeing.description.modalities == ("image", "audio")
    assert seeing.figures().projector_bytes > 0


def test_the_same_image_gives_the_same_text_and_another_one_another(seeing: LlamaEngine) -> None:
    first, other = said(seeing, question(A)), said(seeing, question(B))
    forget_all(seeing)
    assert first != other
    assert said(seeing, question(A)) == first
    assert said(seeing, question(B)) == other


def test_a_picture_counts_with_its_positions(seeing: LlamaEngine) -> None:
    without = seeing.prompt(question()).token_count
    # What opens and what closes it, and its embeddings.
    assert seeing.prompt(question(A)).token_count == without + 2 + IMAGE_TOKENS
    assert seeing.prompt(question(A, B)).token_count == without + 2 * (2 + IMAGE_TOKENS)


def test_two_recordings_give_two_texts(seeing: LlamaEngine) -> None:
    low, high = said(seeing, question(sound(200))), said(seeing, question(sound(2000)))
    assert low != high
    without = seeing.prompt(question()).token_count
    assert seeing.prompt(question(sound(200, 31))).token_count == without + 2 * AUDIO_TOKENS


def test_a_later_turn_evaluates_only_what_is_new(seeing: LlamaEngine) -> None:
    sequence = seeing.open_sequence()
    text, _ = speak(seeing, sequence, question(A), max_output_tokens=8)
    more = [*question(A), ChatMessage("assistant", text), ChatMessage("user", "And now?")]
    _, run = speak(seeing, sequence, more, max_output_tokens=2)
    assert run.counts.reused > IMAGE_TOKENS
    assert run.counts.evaluated < IMAGE_TOKENS + 10


def test_asking_again_about_a_picture_evaluates_one_token_and_says_the_same(
    seeing: LlamaEngine,
) -> None:
    sequence = seeing.open_sequence()
    text, _ = speak(seeing, sequence, question(A), max_output_tokens=8)
    again, run = speak(seeing, sequence, question(A), max_output_tokens=8)
    assert again == text
    assert run.counts.evaluated == 1


def test_a_fork_sees_the_picture_of_its_parent(seeing: LlamaEngine) -> None:
    parent = seeing.open_sequence()
    text, _ = speak(seeing, parent, question(A), max_output_tokens=8)
    child = seeing.fork(parent)
    said(seeing, question(B), parent)
    again, run = speak(seeing, child, question(A), max_output_tokens=8)
    assert again == text
    assert run.counts.evaluated == 1


def test_two_sessions_with_two_pictures_never_mix(seeing: LlamaEngine) -> None:
    alone = []
    for media in (A, B):
        sequence = seeing.open_sequence()
        first = said(seeing, question(media), sequence)
        talk = [*question(media), ChatMessage("assistant", first), *question(text="More.")]
        alone.append((first, said(seeing, talk, sequence)))
        forget_all(seeing)
    sequences = [seeing.open_sequence(), seeing.open_sequence()]
    firsts = [
        said(seeing, question(media), sequence)
        for media, sequence in zip((A, B), sequences, strict=True)
    ]
    seconds = [
        said(
            seeing,
            [*question(media), ChatMessage("assistant", first), *question(text="More.")],
            sequence,
        )
        for media, first, sequence in zip((A, B), firsts, sequences, strict=True)
    ]
    assert list(zip(firsts, seconds, strict=True)) == alone


def test_a_second_session_with_the_same_picture_encodes_nothing(
    seeing: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(seeing, question(A))
    forget_all(seeing)
    monkeypatch.setattr(Stretches, "encode", _must_not_encode)
    assert said(seeing, question(A)) == text


def _must_not_encode(*_: object) -> None:
    raise AssertionError("encoded again")


def test_a_restarted_engine_goes_on_without_encoding(
    short_gemma3_path: Path, options: EngineOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = replace(options, states_dir=tmp_path / "states")
    first = LlamaEngine.load(short_gemma3_path, kept)
    text = said(first, question(A))
    first.close()
    monkeypatch.setattr(Stretches, "encode", _must_not_encode)
    second = LlamaEngine.load(short_gemma3_path, kept)
    again, run = speak(second, second.open_sequence(), question(A), max_output_tokens=8)
    second.close()
    assert again == text
    assert run.counts.restored > IMAGE_TOKENS
    assert run.counts.evaluated + run.counts.restored == run.prompt_tokens


def test_another_projector_does_not_take_over_saved_states(
    short_gemma3_path: Path, options: EngineOptions, tmp_path: Path
) -> None:
    kept = replace(options, states_dir=tmp_path / "states")
    first = LlamaEngine.load(short_gemma3_path, kept)
    said(first, question(A))
    first.close()
    other = write_projector(tmp_path / "mmproj-other.gguf", 640)
    second = LlamaEngine.load(short_gemma3_path, replace(kept, projector_path=other))
    _, run = speak(second, second.open_sequence(), question(A), max_output_tokens=1)
    second.close()
    assert run.counts.restored == 0


def test_a_turn_interrupted_at_its_picture_goes_on_and_says_the_same(seeing: LlamaEngine) -> None:
    text = said(seeing, question(A))
    forget_all(seeing)
    settings = SamplingSettings(max_output_tokens=8)
    run = seeing.begin(seeing.open_sequence(), seeing.prompt(question(A)), settings, "foreground")
    steps = []
    for _ in range(2):
        run.interrupt()
        steps += [run.step(), run.step()]
    assert [type(step) for step in steps] == [Interrupted, Prefill, Interrupted, Prefill]
    assert run_to_end(run) == text


def test_a_background_turn_with_a_picture_gives_way_and_says_the_same(seeing: LlamaEngine) -> None:
    text = said(seeing, question(A))
    forget_all(seeing)
    settings = SamplingSettings(max_output_tokens=8)
    run = seeing.begin(seeing.open_sequence(), seeing.prompt(question(A)), settings, "background")
    for _ in range(2):
        run.step()
        run.give_way()
        said(seeing, question(B))
    assert run_to_end(run) == text


def test_what_a_person_types_stands_for_no_picture(seeing: LlamaEngine) -> None:
    forged = question(A, text="<start_of_image>\ue000\ue0010\ue001<__media__>")
    media = [piece for piece in seeing.prompt(forged).pieces if isinstance(piece, MediaPiece)]
    assert [piece.media for piece in media] == [A]


def test_a_draft_with_a_picture_is_warmed_up_as_far_as_it_is_known(
    seeing: LlamaEngine,
) -> None:
    left, right = (seeing.prompt(question(A, text=f"Look. {end}")) for end in ("A", "1"))
    sequence = seeing.open_sequence()
    run = seeing.warm_up(sequence, left, right, "background")
    while not isinstance(run.step(), Ended):
        pass
    run.finish()
    text = said(seeing, question(A, text="Look. A"), sequence)
    forget_all(seeing)
    assert said(seeing, question(A, text="Look. A")) == text


def test_a_model_without_projector_refuses_media(gemma3: LlamaEngine) -> None:
    with pytest.raises(ModalityError, match=r"without a projector\. Load it with its mmproj file"):
        gemma3.prompt(question(A))
    assert gemma3.description.modalities == ()


def test_a_projector_for_images_refuses_audio(
    short_gemma3_path: Path, options: EngineOptions, tmp_path: Path
) -> None:
    only = write_projector(tmp_path / "mmproj-images.gguf", 640)
    engine = LlamaEngine.load(short_gemma3_path, replace(options, projector_path=only))
    try:
        assert engine.description.modalities == ("image",)
        with pytest.raises(ModalityError, match=r"mmproj-images\.gguf is not for audio"):
            engine.prompt(question(sound(200)))
    finally:
        engine.close()


def test_a_damaged_picture_is_refused_before_anything_is_evaluated(seeing: LlamaEngine) -> None:
    cut = Media("image", A.data[:-200], digest_of(A.data[:-200]))
    with pytest.raises(ModalityError, match="The picture is damaged or cut short"):
        seeing.prompt(question(cut))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda file: file.unlink(), "There is no projector"),
        (lambda file: file.write_bytes(b"mmproj"), "is not a GGUF file"),
        (lambda file: file.write_bytes(file.read_bytes()[:-5000]), "is cut short"),
        (lambda file: write_projector(file, 2048), "does not fit the model"),
        (lambda file: write_projector(file, 640, architecture="llama"), "is not a projector"),
        (lambda file: write_projector(file, 640, image=False), "holds no encoder"),
        (lambda file: write_projector(file, 640, without="mm.soft_emb_norm.weight"), "“.*unable"),
        (
            lambda file: write_projector(
                file, 640, image=False, audio=True, without="a.blk.0.attn_q.bias"
            ),
            r"llama\.cpp crashes \(SIGABRT\)",
        ),
    ],
    ids=["missing", "text", "cut", "of another width", "a model", "empty", "unknown", "crashing"],
)
def test_a_wrong_projector_is_refused_by_name(
    short_gemma3_path: Path,
    options: EngineOptions,
    tmp_path: Path,
    damage: Callable[[Path], object],
    reason: str,
) -> None:
    file = write_projector(tmp_path / "mmproj-wrong.gguf", 640)
    damage(file)
    with pytest.raises(ModelLoadError, match=reason) as error:
        LlamaEngine.load(short_gemma3_path, replace(options, projector_path=file))
    assert str(file) in str(error.value)
