"""What is wrong with a media file, before it is known what the file is called."""

from __future__ import annotations

from gemma_chat.terms import MediaKind

CUT = "it ends before its end; copy or download it again"
DAMAGED = "it is damaged; copy or download it again"


class MediaFault(Exception):
    """A reason with its remedy, as the end of a sentence."""


def not_taken(kind: MediaKind, file: str, model: str, *, on_server: bool, so_it: str) -> str:
    """The sentence about a file of a kind that `model` does not take; what became of it, `so_it`.

    A model without eyes or ears lacks its projector, here or `on_server`.
    """
    what = "images" if kind == "image" else "audio"
    remedy = (
        "Start the server with its projector (llama-server --mmproj FILE), or choose another of "
        "its models (setting server.model)."
        if on_server
        else "Give it its projector, `gemma-chat config set model.projector FILE`, and start the "
        "host again, `gemma-chat host stop`."
    )
    return f"{model} does not take {what}, so {file} {so_it}. {remedy}"
