"""Files of weights: two formats, and what is none."""

from pathlib import Path

import pytest
import torch

from astrocnn.errors import DataError
from astrocnn.io.weights import read_weights

WEIGHTS = {"a.weight": torch.arange(4.0), "a.bias": torch.ones(1)}


class Program:
    """What a file must not bring with it."""


@pytest.mark.parametrize(
    "wrap", [lambda w: w, lambda w: {"state_dict": w, "epoch": 3}, lambda w: {"model": w}]
)
def test_of_pytorch(tmp_path: Path, wrap) -> None:
    torch.save(wrap(WEIGHTS), tmp_path / "w.pth")
    found = read_weights(str(tmp_path / "w.pth"))
    assert list(found) == list(WEIGHTS)
    assert torch.equal(found["a.weight"], WEIGHTS["a.weight"])


def test_of_safetensors(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["a.weight"], WEIGHTS["a.weight"])
    (tmp_path / "broken.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(DataError, match=r"broken\.safetensors cannot be read as weights"):
        read_weights(tmp_path / "broken.safetensors")


def test_what_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a file of weights"):
        read_weights(tmp_path / "missing.pth")
    (tmp_path / "text.pth").write_text("no weights at all")
    with pytest.raises(DataError, match=r"text\.pth cannot be read as weights"):
        read_weights(tmp_path / "text.pth")
    torch.save({"a": Program()}, tmp_path / "program.pth")
    with pytest.raises(DataError, match=r"program\.pth cannot be read as weights"):
        read_weights(tmp_path / "program.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="holds list and not tensors by name"):
        read_weights(tmp_path / "list.pth")
