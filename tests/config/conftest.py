"""What tests of the settings share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the settings file is, or would be."""
    return tmp_path / "settings.toml"
