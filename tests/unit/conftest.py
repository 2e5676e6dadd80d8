"""What several unit tests have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def in_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has a piece of code run at the start of every Python process that is started."""
    folder = tmp_path / "site"
    folder.mkdir()

    def patch(code: str) -> None:
        (folder / "sitecustomize.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return patch
