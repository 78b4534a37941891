"""Images and recordings sent with a message: stored, shown, and in the context of later turns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.host.rig import Rig, Terminal, running
from tests.projectors import picture, tone
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    CloseSession,
    EditMessage,
    FetchPreview,
    ForkFrom,
    LoadModel,
    ModelChanged,
    Preview,
    Regenerate,
    ReopenSession,
    SendMessage,
    Upload,
)
from gemma_chat.media.facts import digest_of

CAT, DOG = picture(1), picture(2, form="WEBP")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path, ScriptedEngine(modalities=("image",))) as rig:
        yield rig


@pytest.fixture
async def terminal(rig: Rig) -> Terminal:
    terminal = await rig.connect()
    await terminal.model("ready")
    return terminal


async def send(terminal: Terminal, tab: int, text: str, *uploads: Upload) -> int:
    """Send a message with files and wait for its reply."""
    request = SendMessage(0, tab, text, attachments=uploads)
    turn = (await terminal.client.request(request)).turn
    await terminal.finished(tab, turn)
    return turn


def seen(rig: Rig) -> Sequence[str]:
    """The digests of the media in the newest prompt."""
    return [media.digest for media in rig.engine.media[-1]]


async def test_an_image_is_stored_with_its_message_and_seen_by_the_model(
    rig: Rig, terminal: Terminal
) -> None:
    assert (await terminal.model("ready")).model.modalities == ("image",)
    tab = await terminal.open()
    await send(terminal, tab, "Look.", Upload("/home/me/cat.png", CAT), Upload("dog.webp", DOG))
    assert seen(rig) == [digest_of(CAT), digest_of(DOG)]
    cat, dog = (await terminal.transcript(tab))[0].attachments
    assert (cat.name, cat.format, cat.width, cat.height, cat.size) == (
        "cat.png",
        "PNG",
        48,
        32,
        len(CAT),
    )
    assert (dog.name, dog.format) == ("dog.webp", "WebP")
    await terminal.ask(tab, "And now?")
    assert seen(rig) == [digest_of(CAT), digest_of(DOG)]


async def test_an_image_alone_is_a_message(rig: Rig, terminal: Terminal) -> None:
    tab = await terminal.open()
    await send(terminal, tab, "", Upload("cat.png", CAT))
    assert seen(rig) == [digest_of(CAT)]


async def test_a_tab_that_is_opened_again_has_its_images(rig: Rig, terminal: Terminal) -> None:
    tab = await terminal.open()
    await send(terminal, tab, "Look.", Upload("cat.png", CAT))
    await terminal.client.request(CloseSession(0, tab))
    await terminal.client.request(ReopenSession(0, tab))
    await terminal.ask(tab, "And now?")
    assert seen(rig) == [digest_of(CAT)]


async def test_asking_in_other_words_again_or_in_a_fork_keeps_the_image(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    await send(terminal, tab, "Look.", Upload("cat.png", CAT))
    question, reply = await terminal.transcript(tab)
    again = await terminal.client.request(Regenerate(0, tab, reply.message))
    await terminal.finished(tab, again.turn)
    assert seen(rig) == [digest_of(CAT)]
    edited = await terminal.client.request(EditMessage(0, tab, question.message, "See?"))
    await terminal.finished(tab, edited.turn)
    assert seen(rig) == [digest_of(CAT)]
    _, reply = await terminal.transcript(tab)
    fork = (await terminal.client.request(ForkFrom(0, tab, reply.message))).session
    await terminal.ask(fork, "And?")
    assert seen(rig) == [digest_of(CAT)]


async def test_a_preview_fits_into_the_size_that_is_asked_for(terminal: Terminal) -> None:
    tab = await terminal.open()
    await send(terminal, tab, "Look.", Upload("cat.png", CAT))
    preview = await terminal.client.request(FetchPreview(0, digest_of(CAT), 24, 10_000))
    assert isinstance(preview, Preview)
    assert (preview.width, preview.height, len(preview.rgb)) == (24, 16, 24 * 16 * 3)
    with pytest.raises(HostError, match="no such attachment"):
        await terminal.client.request(FetchPreview(0, "0" * 64, 24, 24))


@pytest.mark.parametrize(
    ("uploads", "reason"),
    [
        ([Upload("notes.png", b"not a picture")], r"^notes\.png is not a PNG"),
        ([Upload("cut.png", CAT[:-50])], r"^cut\.png is damaged or cut short"),
        ([Upload("../../song.wav", tone(440))], r"does not take audio, so song\.wav was not sent"),
        ([Upload("cat.png", CAT)] * 9, "at most 8 are taken"),
        ([Upload("\x1b[2Jcat.png", b"")], r"^\\x1b\[2Jcat\.png is empty"),
        ([Upload("a.png", bytes(7 * 2**20))] * 4, "24 MB. Send some with the next"),
    ],
)
async def test_files_that_cannot_be_taken_are_refused_and_nothing_is_stored(
    rig: Rig, terminal: Terminal, uploads: list[Upload], reason: str
) -> None:
    tab = await terminal.open()
    with pytest.raises(HostError, match=reason):
        await send(terminal, tab, "Look.", *uploads)
    assert await terminal.transcript(tab) == []
    assert rig.engine.prompts == []


async def test_another_model_that_cannot_see_says_so_instead_of_leaving_the_image_out(
    rig: Rig, terminal: Terminal
) -> None:
    blind = ScriptedEngine()
    rig.engines.append(blind)
    tab = await terminal.open()
    await send(terminal, tab, "Look.", Upload("cat.png", CAT))
    await terminal.client.request(LoadModel(0, "/models/1.gguf"))
    await terminal.seen(
        ModelChanged, lambda event: event.model.phase == "ready" and not event.model.modalities
    )
    with pytest.raises(HostError, match=r"does not take images, so dog\.webp was not sent"):
        await send(terminal, tab, "And this?", Upload("dog.webp", DOG))
