"""Maps stitched from windows are those of one pass over the whole image."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from astropy.io import fits
from small_tasks import maps_of, mosaic_of, random_unet, segmentation
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.inference.map_planes import MapPlanes
from astrocnn.inference.mosaic import grid_of
from astrocnn.tasks.image_to_image import ImageToImageTask
from astrocnn.tasks.segmentation import SegmentationTask
from astrocnn.transforms.normalize import Normalize
from astrocnn.transforms.target_scale import TargetScale

RNG = np.random.default_rng(0)


def image_of(shape: tuple[int, int]) -> np.ndarray:
    """Two bands of noise with gaps in one, or both."""
    image = RNG.normal(0, 3, (2, *shape)).astype(np.float32)
    image[:, :20, :30] = np.nan
    image[0, 40:45] = np.nan
    return image


def in_one_pass(task: SegmentationTask, image: np.ndarray) -> np.ndarray:
    """The planes of the whole image at once; of a network without padding with pixels without data around it."""
    shape, border = image.shape[1:], getattr(task.network, "border", 0)
    if border:
        least, multiple = task.network.least_size, task.network.multiple
        after = [border + (least - side - 2 * border) % multiple for side in shape]
        image = np.pad(image, [(0, 0), *((border, n) for n in after)], constant_values=np.nan)
    task.surround = False
    with torch.inference_mode():
        found = task.predict(task.batch_of(image[None], None))
    task.surround = True
    planes: np.ndarray = MapPlanes.of(task, len(image)).stacked(found)[0, :, : shape[0], : shape[1]]
    return planes


def read(path: Path, names: list[str]) -> np.ndarray:
    with fits.open(path) as hdus:
        return np.stack([hdus[name].data for name in names])


def check(task: SegmentationTask, image: np.ndarray, path: Path) -> None:
    """The file's planes against one pass, to 1e-4 of what they scatter by, and the most probable class."""
    truth = in_one_pass(task, image)
    truth[:, np.isnan(image).all(0)] = np.nan
    planes = MapPlanes.of(task, len(image))
    found = read(path, [plane.name for plane in planes.predicted])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(truth))
    scale = np.maximum(np.nanstd(truth, axis=(1, 2), keepdims=True), 1)
    assert np.nanmax(np.abs(found - truth) / scale) < 1e-4
    expected = np.where(np.isnan(found[0]), -1, np.argmax(found[:3], 0))
    np.testing.assert_array_equal(read(path, ["CLASS"])[0], expected)


@pytest.mark.parametrize(
    ("shape", "options", "sharpen", "window"),
    [
        ((151, 203), {}, 0.0, 80),
        ((151, 203), {"upsampling": "bilinear"}, 0.0, 96),
        ((129, 160), {"depth": 3}, 3.0, 128),
        ((40, 171), {"upsampling": "nearest"}, 3.0, 112),  # in y below a window
        ((50, 41), {}, 3.0, None),  # in both
    ],
)
def test_windows_are_as_one_pass(
    tmp_path: Path, shape: tuple[int, int], options: dict[str, Any], sharpen: float, window: int | None
) -> None:
    task, image = segmentation(random_unet(**options), sharpen=sharpen), image_of(shape)
    grid = grid_of(task, shape, window)
    assert grid.exact
    assert (len(grid.rows) > 1 or len(grid.columns) > 1) == (window is not None)
    check(task, image, maps_of(task, mosaic_of(tmp_path, image), tmp_path, window=window))


def test_networks_without_padding_see_pixels_without_data_around(tmp_path: Path) -> None:
    task, image = segmentation(random_unet(padding="valid")), image_of((100, 121))
    least = task.network.least_size
    check(task, image, maps_of(task, mosaic_of(tmp_path, image), tmp_path, window=least + 40))
    with pytest.raises(ConfigError, match=rf"windows of {least} pixels and any number of 4 more"):
        grid_of(task, (100, 121), least + 42)


def test_an_image_is_seen_by_a_network_without_padding_as_a_mosaic_is() -> None:
    task, image = segmentation(random_unet(padding="valid")), image_of((51, 70))
    with torch.inference_mode():
        whole = MapPlanes.of(task, 2).stacked(task.predict(task.batch_of(image[None], None)))[0]
    assert whole.shape[1:] == (51, 70)
    np.testing.assert_allclose(whole, in_one_pass(task, image), atol=1e-5)


def test_a_window_that_is_too_small_gets_a_remedy_that_works() -> None:
    task = segmentation(random_unet(depth=4))
    assert task.network.half_field > 60
    with pytest.raises(
        ConfigError, match=r"windows of 96 pixels .*; leave data.window out to see the whole mosaic"
    ):
        grid_of(task, (192, 150), 96)
    assert len(grid_of(task, (192, 150)).rows) == 1
    with pytest.raises(
        ConfigError, match=r"give at least (\d+) \(data.window=...\), better ten times"
    ) as error:
        grid_of(task, (2000, 1500), 96)
    least = int(str(error.value).split("at least ")[1].split()[0])
    assert len(grid_of(task, (2000, 1500), least).rows) > 10


def test_windows_seen_together_give_the_same(tmp_path: Path) -> None:
    task, image = segmentation(random_unet()), image_of((100, 203))
    check(task, image, maps_of(task, mosaic_of(tmp_path, image), tmp_path, window=80, batch_size=3))


@pytest.mark.parametrize("options", [{}, {"upscale": 2}, {"upscale": 3, "padding": "valid"}])
def test_target_images_are_planes_in_their_units(tmp_path: Path, options: dict[str, Any]) -> None:
    network = random_unet(n_outputs=2, **options)
    scale = TargetScale(n_planes=2, stretch="asinh")
    scale.unit.copy_(torch.tensor([2.0, 0.5]))
    task = ImageToImageTask(
        planes=("b1", "M star"), bands=("b1", "b2"), target_scale=scale, network=network, loss=nn.Identity(),
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=Normalize(n_bands=2, sharpen=0.0),
    ).eval()  # fmt: skip
    inner = network.least_size - 2 * network.border
    image = image_of((inner + 84, inner + 136))
    planes, mosaic = MapPlanes.of(task, 2, ["nJy", "Msun"]), mosaic_of(tmp_path, image)
    assert [(plane.name, plane.unit) for plane in planes.written] == [("B1", "nJy"), ("M_STAR", "Msun")]
    path = maps_of(task, mosaic, tmp_path, window=network.least_size + 80)
    border, finer = network.border, planes.upscale
    around = np.pad(image, ((0, 0), (border, border), (border, border)), constant_values=np.nan)
    task.surround = False
    with torch.inference_mode():
        truth = task.predict(task.batch_of(around[None], None))["target_image"][0].numpy()
    task.surround = True
    found = read(path, ["B1", "M_STAR"])
    known = np.isfinite(image).any(0).repeat(finer, 0).repeat(finer, 1)
    assert finer == options.get("upscale", 1)
    assert found.shape == (2, *known.shape) == truth.shape
    assert np.abs(found - truth)[:, known].max() < 1e-4 * np.abs(truth).max()
    assert np.isnan(found[:, ~known]).all()


def test_a_window_without_data_is_not_looked_at(tmp_path: Path) -> None:
    class Counts(nn.Module):
        multiple, least_size, half_field, per_pixel = 1, 1, 0, True

        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[int, ...]] = []

        def forward(self, images: Tensor) -> Tensor:
            self.seen.append(tuple(images.shape))
            return torch.cat([images, images[:, :1]], dim=1)

    network = Counts()
    task = segmentation(network, n_outputs=3)
    image = image_of((64, 100))
    image[:, :, 30:] = np.nan
    image[:, 50, 99] = 1.0  # one good pixel at the far end
    mosaic = mosaic_of(tmp_path, image)
    network.seen.clear()
    path = maps_of(task, mosaic, tmp_path, window=20)
    windows = [shape for shape in network.seen if shape[2] > 1]
    grid = grid_of(task, (64, 100), 20)
    # 30 of 100 columns, and one window at the end
    expected = len(grid.rows) * sum(window.start < 30 for window in grid.columns) + 1
    assert len(windows) <= expected < len(grid.rows) * len(grid.columns)
    p = read(path, ["P_STAR"])[0]
    np.testing.assert_array_equal(np.isfinite(p), np.isfinite(image).any(0))


def test_networks_without_bound_are_blended(tmp_path: Path) -> None:
    class Bias(nn.Module):
        """Adds the mean of what it sees, so that windows differ."""

        per_pixel, half_field, multiple = True, None, 4

        def forward(self, images: Tensor) -> Tensor:
            level = images.mean((1, 2, 3), keepdim=True)
            return torch.cat([images * 0 + level, images[:, :1] * 0], dim=1)

    task = segmentation(Bias(), n_outputs=3)
    ramp = np.broadcast_to(np.linspace(0, 4, 300), (2, 128, 300)).astype(np.float32)
    grid = grid_of(task, (128, 300), 64)
    assert not grid.exact
    p = read(maps_of(task, mosaic_of(tmp_path, ramp), tmp_path, window=64), ["P_GALAXY"])[0]
    assert np.ptp(p) > 0.1
    assert np.abs(np.diff(p, axis=1)).max() < 0.05  # no steps


def test_normalisations_without_bound_count_as_such() -> None:
    task = segmentation(random_unet(), sharpen=0.0)
    task.normalize.difference_radius_pix = 5.0
    assert not grid_of(task, (500, 500), 128).exact
    assert grid_of(task, (100, 100)).exact  # one window


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (512, r"data.window=512: a window is not larger than the mosaic, 300 × 200 pixels"),
        (
            130,
            r"data.window=130: .* 4 pixels and any number of 4 more, from 56 on here; the nearest are 128 and 132",
        ),
        (2, r"data.window=2: .* the nearest are 56 and 60"),
        (44, r"windows of 44 pixels are too small: the network looks 24 pixels .* at least 56"),
    ],
)
def test_windows_that_cannot_be(window: int, message: str) -> None:
    task = segmentation(random_unet())
    with pytest.raises(ConfigError, match=message):
        grid_of(task, (300, 200), window)


def test_the_window_grows_with_what_the_network_sees() -> None:
    task = segmentation(random_unet())
    assert grid_of(task, (5000, 3000)).rows[0].end == 1024
    task.network.half_field = 600
    assert grid_of(task, (5000, 3000)).rows[0].end == 2400
