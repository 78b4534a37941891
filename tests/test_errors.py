"""What every error of the package promises about its message."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.errors import GatedModelError, GemmaChatError, ModelLoadError


def test_escape_sequences_and_undecodable_names_are_made_visible() -> None:
    error = ModelLoadError("There is no \x1b[2J\udcff\x07.gguf.\nCheck ä 模型 😀.")
    assert str(error) == "There is no \\x1b[2J\\udcff\\x07.gguf.\nCheck ä 模型 😀."


def test_an_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(ModelLoadError("a\x1bb", 7)))
    assert type(error) is ModelLoadError
    assert error.args == ("a\\x1bb", 7)


@given(st.text(st.characters()))
def test_any_message_can_be_encoded_and_printed(text: str) -> None:
    message = str(GemmaChatError(text))
    assert message.encode().decode().replace("\n", "").isprintable()


def test_a_gated_model_names_its_page_beside_its_sentence() -> None:
    error = pickle.loads(pickle.dumps(GatedModelError("Accept the terms first.", "https://a/b")))
    assert (str(error), error.page) == ("Accept the terms first.", "https://a/b")
