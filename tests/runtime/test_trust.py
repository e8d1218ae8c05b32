"""Loading a run executes nothing that it should not."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import astrocnn
from astrocnn.errors import RunError
from astrocnn.runtime.trust import check_targets


@pytest.mark.parametrize(
    "target",
    ["os.system", "builtins.exec", "astrocnn.paths.os.system",
     "astrocnn.networks.resnet.nn.utils.parametrize.torch.load",
     "astrocnn.io.atomic.write_text", "torch.hub.load", "numpy.load", ["os.system"]],
)  # fmt: skip
def test_hostile_targets_are_refused(target: object) -> None:
    with pytest.raises(RunError, match="not trusted"):
        check_targets({"network": [{"_target_": target, "command": "echo"}]})


def test_known_targets_pass() -> None:
    check_targets(
        {"a": {"_target_": "astrocnn.networks.resnet.ResNet"}, "b": {"_target_": "torch.optim.AdamW"}}
    )
    check_targets({"_target_": "pytorch_lightning.Trainer"}, training=True)
    check_targets({"_target_": "fractions.Fraction"}, trust=("fractions",))


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_a_run_with_a_hostile_target_is_not_built(copy: Path, tmp_path: Path) -> None:
    config = OmegaConf.load(copy / "config.yaml")
    config.model = {"_target_": "os.mkdir", "path": str(tmp_path / "owned")}
    OmegaConf.save(config, copy / "config.yaml")
    with pytest.raises(RunError, match=r"'os.mkdir', which is not trusted"):
        astrocnn.load(copy)
    assert not (tmp_path / "owned").exists()


class Hostile:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_a_hostile_pickle_is_not_executed(copy: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": Hostile(str(tmp_path / "owned"))}, copy / "checkpoints/best.ckpt")
    with pytest.raises(RunError, match=r"best.ckpt cannot be loaded as weights"):
        astrocnn.load(copy)
    assert not (tmp_path / "owned").exists()


def test_what_is_not_a_run_says_so(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not the folder of a run"):
        astrocnn.load(tmp_path / "nowhere")
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(RunError, match="has no checkpoint yet; continue it with"):
        astrocnn.load(copy)
    (copy / "checkpoints").mkdir()
    (copy / "checkpoints/best.ckpt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(RunError, match="cannot be loaded as weights"):
        astrocnn.load(copy)
