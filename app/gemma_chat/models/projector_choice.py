"""Which projector a model is loaded with: the one that is set, or the one that lies beside it."""

from __future__ import annotations

import logging
from pathlib import Path

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.gguf_file import read_layout
from gemma_chat.models.gguf_header import MODEL
from gemma_chat.models.projector_file import check_projector_file

NONE = "none"
"""What switches the search off."""

_PATTERN = "*mmproj*.gguf"

_log = logging.getLogger(__name__)


def choose_projector(model: Path, configured: str) -> Path | None:
    """The projector for the model file `model`.

    `configured` is a path, "none", or empty. Empty finds a file with mmproj in its name in the
    folder of the model, whose embeddings have the width of the model's; when several fit, there is
    no telling which is meant, and none is taken.
    """
    if configured == NONE:
        return None
    if configured:
        return Path(configured).expanduser()
    beside = [one for one in sorted(model.parent.glob(_PATTERN)) if one != model]
    if not beside:
        return None
    width = _embedding_length(model)
    fitting = [one for one in beside if width and _width(one) == width]
    if len(fitting) > 1:
        _log.warning("Several projectors lie beside %s; set model.projector to one.", model)
    return fitting[0] if len(fitting) == 1 else None


def _width(projector: Path) -> int:
    try:
        return check_projector_file(projector).width
    except ModelLoadError as error:
        _log.warning("A projector beside the model is passed over: %s", error)
        return 0


def _embedding_length(model: Path) -> int:
    try:
        layout = read_layout(model, MODEL)
    except ModelLoadError:
        return 0
    return max(0, layout.whole(f"{layout.text('general.architecture')}.embedding_length", 0))
