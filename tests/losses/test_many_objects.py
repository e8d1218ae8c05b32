"""Tens of thousands of objects in one scene: losses of grids in little memory."""

import subprocess
import sys

import pytest
import torch

from astrocnn.losses.yolo import _turn_in_cell

MANY = """
import resource, torch
from astrocnn.losses.{module} import {name} as Loss
torch.manual_seed(0)
side, (n_images, n) = 1024, (2, 20_000)
sizes = 1 + 20 * torch.rand(n_images, n, 2)
sizes[:, ::20] *= 20  # and galaxies of up to 400 pixels
low = side * torch.rand(n_images, n, 2)
boxes = torch.cat([low, low + sizes], -1)
labels = torch.randint(-1, 3, (n_images, n))
raw = torch.randn(n_images, {channels}, {cells}, {cells}, requires_grad=True)
valid = torch.ones(n_images, 1, side, side, dtype=torch.bool)
def step(n):
    terms = Loss()(raw, boxes[:, :n], labels[:, :n], image_size=(side, side), n_classes=3, stride=4, valid=valid)
    sum(terms.values()).backward()
step(2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(n)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted in KiB on Linux only")
@pytest.mark.parametrize(
    ("module", "name", "channels", "cells"),
    [("dense_boxes", "DenseBoxLoss", 8, 256), ("yolo", "YoloLoss", 13, 32)],
)
def test_twenty_thousand_objects_take_little_memory(
    module: str, name: str, channels: int, cells: int
) -> None:
    """One by one planes of 256² cells would be 5 GB an image, and pairs of objects 1.6 GB."""
    code = MANY.format(module=module, name=name, channels=channels, cells=cells)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100  # MiB


def test_turns_in_a_cell_are_counted_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    cell = torch.randint(0, 30, (200,), generator=generator)
    counted = torch.rand(200, generator=generator) < 0.7
    turn = _turn_in_cell(cell, counted)
    for k in range(200):
        before = int(((cell[:k] == cell[k]) & counted[:k]).sum())
        assert turn[k] == (before if counted[k] else -1)
