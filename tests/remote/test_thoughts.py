"""Thoughts that stand in the text of a server's reply."""

from __future__ import annotations

import pytest
from tests.remote.scripted import ScriptedServer, reply

from gemma_chat.remote.thoughts import ThoughtsInText
from gemma_chat.sessions.model import InferenceModel

TAGGED = "\n<think>\nIs it <b>2</b>?\n\nYes.\n</think>\n\n  Two </think> <think>.\n"
THOUGHT, ANSWER = "Is it <b>2</b>?\n\nYes.", "Two </think> <think>.\n"


def heard(pieces: list[str]) -> tuple[str, str]:
    """The thought and the answer in a text that comes in pieces."""
    thoughts = ThoughtsInText()
    parts = [part for piece in pieces for part in thoughts.add(piece)] + [*thoughts.rest()]
    said = [[part.text for part in parts if part.kind == kind] for kind in ("thinking", "text")]
    return "".join(said[0]), "".join(said[1])


def test_a_thought_is_told_apart_however_the_text_is_cut() -> None:
    assert heard([*TAGGED]) == (THOUGHT, ANSWER)
    for at in range(len(TAGGED)):
        assert heard([TAGGED[:at], TAGGED[at:]]) == (THOUGHT, ANSWER)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\nStill at it, </thi", "Still at it, </thi", ""),
        ("<think></think>Four.", "", "Four."),
        ("<thin", "", "<thin"),
        (" \n", "", " \n"),
        ("So <think>it</think> is.", "", "So <think>it</think> is."),
        ("Done.</think>", "", "Done.</think>"),
        ("", "", ""),
    ],
)
def test_what_is_no_whole_thought_before_the_answer(text: str, thought: str, answer: str) -> None:
    assert heard([*text]) == (thought, answer)
    assert heard([text]) == (thought, answer)


async def test_a_server_that_leaves_them_in_the_text_is_not_told_them_again(
    server: ScriptedServer, model: InferenceModel
) -> None:
    server.chat = reply("<thi", "nk>\nTwo and two.", "\n</think>", "\n\nFour.")
    session = await model.open_session()
    pieces = [piece async for piece in session.get_response_async("What is 2 + 2?")]
    thought = "".join(piece for piece in pieces if piece.kind == "thinking")
    assert (thought, "".join(piece for piece in pieces if piece.kind == "text")) == (
        "Two and two.",
        "Four.",
    )
    await session.get_response("And 3 + 3?")
    assert server.chats[-1].json["messages"][1] == {"role": "assistant", "content": "Four."}
