"""The objects of a mosaic are those of one pass over it, in whatever windows it is seen."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tasks import mosaic_of
from torch import nn

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Layers, Mosaic
from astrocnn.inference.detect_mosaic import detect_mosaic
from astrocnn.inference.mosaic import grid_of
from astrocnn.losses.dense_boxes import DenseBoxLoss
from astrocnn.networks.yolo_dense import YoloDense
from astrocnn.tasks.detection import DetectionTask
from astrocnn.transforms.normalize import Normalize

SHAPE = (301, 423)


def random_task(image: np.ndarray) -> DetectionTask:
    """A detector that was never trained, with a threshold that a tenth of all cells pass."""
    torch.manual_seed(3)
    network = YoloDense(in_channels=2, n_outputs=7, width=8, blocks=(1, 1), features=8)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
    nn.init.normal_(network.head.weight, std=0.5)
    task = DetectionTask(
        classes=["star", "galaxy"], box_values=[], network=network, loss=DenseBoxLoss(),
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
    ).eval()  # fmt: skip
    with torch.inference_mode():
        score = task.outputs(task.batch_of(image[None], None))[0, 0].sigmoid()
    task.threshold = float(score.quantile(0.9))
    return task


def objects(task: DetectionTask, mosaic: Mosaic, **options: int) -> dict[str, np.ndarray]:
    batch = options.pop("batch_size", 1)
    with OpenMosaic(mosaic, Layers()) as pixels:
        grid = grid_of(task, mosaic.shape, options.get("window"), blend=False)
        found = detect_mosaic(task, pixels, grid, n_bands=2, batch_size=batch)
    order = np.lexsort((found["box"][:, 0].round(2), found["box"][:, 1].round(2)))
    return {name: values[order] for name, values in found.items()}


@pytest.mark.parametrize("options", [{"window": 160}, {"window": 208}, {"window": 160, "batch_size": 3}])
def test_two_tilings_find_the_same(options: dict[str, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    task, mosaic = random_task(image), mosaic_of(tmp_path, image)
    whole, parts = objects(task, mosaic), objects(task, mosaic, **options)
    assert len(whole["x"]) > 300
    for name in ("box", "score", "p_class"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-3, atol=1e-3, err_msg=name)
    apart = np.hypot(*(whole["box"][:, None, k] - whole["box"][None, :, k] for k in (0, 1)))
    assert (apart + 9 * np.eye(len(apart))).min() > 0  # none twice


def starry() -> np.ndarray:
    """Round sources on a sky that rises from side to side, and a hole."""
    rng = np.random.default_rng(5)
    y, x = np.indices(SHAPE)
    image = rng.normal(size=(2, *SHAPE)) + np.array([0.01, 0.02])[:, None, None] * x + 0.01 * y
    for _ in range(250):
        b, a = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
        image += 10 ** rng.uniform(0.5, 2) * np.exp(-((y - b) ** 2 + (x - a) ** 2) / rng.uniform(4, 10))
    image[:, 90:130, 200:260] = np.nan
    return image.astype(np.float32)


@pytest.mark.parametrize("window", [160, 176, 208])
def test_positions_fluxes_and_errors_do_not_depend_on_the_windows(window: int, tmp_path: Path) -> None:
    image = starry()
    task, mosaic = random_task(image), mosaic_of(tmp_path, image)
    whole, parts = objects(task, mosaic), objects(task, mosaic, window=window)
    assert len(whole["x"]) == len(parts["x"]) > 300
    apart = np.hypot(whole["x"] - parts["x"], whole["y"] - parts["y"])
    assert apart.max() < 0.01
    same = whole["area_pix"] == parts["area_pix"]  # but for pixels on the very edge of an ellipse
    assert same.mean() > 0.98
    for name in ("x", "y", "x_err", "y_err", "flux", "snr", "blended"):
        np.testing.assert_allclose(parts[name][same], whole[name][same], rtol=1e-4, atol=1e-4, err_msg=name)


def test_objects_lie_where_one_image_has_them(tmp_path: Path) -> None:
    """The image alone gives the same boxes as the mosaic, in the mosaic's pixels."""
    image = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
    task = random_task(image)
    (found,) = task.detections(task.batch_of(image[None], None))
    mosaic = objects(task, mosaic_of(tmp_path, image), window=160)
    order = np.lexsort((found.boxes[:, 0].round(2), found.boxes[:, 1].round(2)))
    np.testing.assert_allclose(mosaic["box"], found.boxes[order], atol=1e-3)


def test_what_holds_no_data_has_no_objects(tmp_path: Path) -> None:
    image = np.random.default_rng(2).normal(size=(2, *SHAPE)).astype(np.float32)
    task = random_task(image)
    empty = mosaic_of(tmp_path, np.full_like(image, np.nan))
    found = objects(task, empty, window=160)
    assert len(found["x"]) == 0
    assert found["p_class"].shape == (0, 3)
