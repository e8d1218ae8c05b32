"""The layer rule of the house: imports point down, and only the top composes with Hydra."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "astrocnn"
LAYERS = [
    {"batch", "errors", "paths", "processes", "progress", "__init__"},
    {"functional", "io"},
    {"networks", "losses", "metrics", "datasets", "transforms", "simulate"},
    {"datamodules", "tasks"},
    {"callbacks", "inference", "report"},
    {"runtime"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted(SRC.rglob("*.py"))


def imports(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            if node.module == "astrocnn":
                found += [f"astrocnn.{alias.name}" for alias in node.names if alias.name != "__version__"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_point_down(path: Path) -> None:
    room = path.relative_to(SRC).parts[0].removesuffix(".py")
    level = LEVEL[room]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "astrocnn" and len(parts) > 1 and path != SRC / "__init__.py":
            below = parts[1] in LEVEL and LEVEL[parts[1]] < level
            # rooms 1, 2 share their files freely: they hold no siblings that could entangle
            assert below or parts[1] == room or level == 0, f"{path.name} ({room}) imports {name}"
        if parts[0] in {"pytorch_lightning", "lightning"}:
            assert level >= 3, f"{path.name} ({room}) imports {name}"
        if parts[0] in {"hydra", "omegaconf"}:
            assert room == "runtime", f"{path.name} ({room}) imports {name}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("astrocnn", ["torch", "numpy", "astropy", "hydra"]),
        ("astrocnn.networks.resnet", ["pytorch_lightning", "hydra", "torchvision", "astropy"]),
        ("astrocnn.runtime.cli", ["torch", "astropy", "pytorch_lightning", "matplotlib"]),
    ],
)
def test_nothing_heavy_is_imported_early(module: str, absent: list[str]) -> None:
    code = f"import sys, {module}; print(*[m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
