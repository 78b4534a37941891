"""Making any Python string storable."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


def storable(text: str) -> str:
    """Return `text` as SQLite can keep it.

    SQLite stores UTF-8, which has no lone surrogates: each becomes U+FFFD, and two halves that
    stand side by side become the character they make. Everything else, NUL included, is kept.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        _log.warning("A text held lone surrogates; each was stored as U+FFFD.")
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
