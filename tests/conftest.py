"""Fixtures that every room's tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def realdata() -> Callable[[str], Path]:
    """``realdata(name)``: a file or folder of the real data; skips where it is missing, fails so in CI."""
    folder = Path(os.environ.get("ASTROCNN_REALDATA", ROOT.parent / "shared" / "realdata"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            message = f"no real data at {path} (set ASTROCNN_REALDATA)"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed arrays of a test go to a folder of its own, never to the user's cache."""
    monkeypatch.setenv("ASTROCNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
