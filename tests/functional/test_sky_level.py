"""The level of the sky against the one that was drawn, and SExtractor's background."""

import numpy as np
import pytest
import sep

from astrocnn.functional.sky_level import pixels_of, sky_and_noise
from astrocnn.functional.sky_mesh import SkyMesh, patch_starts

LEVEL, NOISE = np.array([3.0, -20.0]), np.array([0.1, 2.0])


def crowded(shape: tuple[int, int], *, every_pix: int = 28, seed: int = 0) -> np.ndarray:
    """Noise on a level, and exponential galaxies of a peak of 1 to 100 σ, that cover a third of the pixels."""
    rng = np.random.default_rng(seed)
    image = LEVEL[:, None, None] + NOISE[:, None, None] * rng.normal(size=(2, *shape))
    for _ in range(shape[0] * shape[1] // every_pix**2):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        top, left = max(int(y) - 30, 0), max(int(x) - 30, 0)
        part = image[:, top : top + 61, left : left + 61]
        b, a = np.indices(part.shape[1:])
        light = 10 ** rng.uniform(0, 2) * np.exp(-np.hypot(b + top - y, a + left - x) / rng.uniform(1, 2.5))
        part += NOISE[:, None, None] * light
    return image.astype(np.float32)


def test_level_and_noise_are_those_of_the_sky_and_not_of_what_is_on_it() -> None:
    image = crowded((256, 384))
    image[0, :40] = np.nan
    level, noise = sky_and_noise(image)
    off = (level - LEVEL) / NOISE
    assert np.abs(off).max() < 0.05
    np.testing.assert_allclose(noise, NOISE, rtol=0.05)
    medians = (np.nanmedian(image, (1, 2)) - LEVEL) / NOISE
    backgrounds = [
        (sep.Background(np.nan_to_num(plane), mask=np.isnan(plane)).globalback - LEVEL[n]) / NOISE[n]
        for n, plane in enumerate(image)
    ]
    assert (np.abs(off) < 0.5 * np.abs(medians)).all()
    assert (np.abs(off) < np.abs(backgrounds)).all()


def test_pure_noise_has_its_own_level() -> None:
    rng = np.random.default_rng(1)
    level, noise = sky_and_noise(rng.normal(7.0, 2.0, (1, 400, 400)))
    assert level[0] == pytest.approx(7, abs=2 * 0.03)
    assert noise[0] == pytest.approx(2, rel=0.02)


def test_where_no_sky_is_seen_none_is_told() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(size=(3, 64, 64))
    image[0], image[1] = np.nan, 5.0
    level, noise = sky_and_noise(image)
    assert np.isnan([level[0], *noise[:2]]).all()
    assert level[1] == 5
    assert np.isfinite([level[2], noise[2]]).all()
    for small in (image[2:, :12, :12], image[2:, :2, :2], image[:1]):
        assert np.isnan(sky_and_noise(small)).all()


def test_rare_pixels_are_all_taken() -> None:
    plane, where = np.arange(4e6).reshape(2000, 2000), np.zeros((2000, 2000), bool)
    where[1, 1::2] = True  # where no thinned row is
    np.testing.assert_array_equal(pixels_of(plane, where), plane[where])


def mesh_of(image: np.ndarray, otherwise: float = 99.0) -> SkyMesh:
    """That of an image in memory."""
    (tops, height), (lefts, width) = (patch_starts(side) for side in image.shape[1:])
    rows = ([image[:, y : y + height, x : x + width] for x in lefts] for y in tops)
    return SkyMesh.of(rows, image.shape[1:], np.full((2, len(image)), otherwise))


def test_a_sky_that_varies_is_followed_to_the_edges() -> None:
    image = crowded((1000, 1200))
    y, x = np.indices(image.shape[1:])
    image += ((0.008 * x - 0.004 * y) * NOISE[:, None, None]).astype(np.float32)  # 14 σ in all
    image[:, 300:560, 500:800] += 100 * NOISE[:, None, None]  # a galaxy that fills whole patches
    image[1, 600:, :300] = np.nan
    mesh = mesh_of(image)
    rng = np.random.default_rng(3)
    x, y = rng.uniform(64, 1135, 500), rng.uniform(64, 935, 500)
    far = (np.abs(x - 650) > 350) | (np.abs(y - 430) > 330)
    level, noise = mesh.at(x[far], y[far])
    true = LEVEL + (0.008 * x - 0.004 * y)[far, None] * NOISE
    off = np.abs(level - true) / NOISE
    known = ~((y[far] > 500) & (x[far] < 400))
    assert off[known].max() < 0.5
    assert np.median(off[known]) < 0.1
    assert np.isfinite(level).all()
    np.testing.assert_allclose(
        np.median(noise / NOISE), 1, atol=0.1
    )  # of which a patch has a slope of its own


def test_what_shows_no_sky_takes_the_nearest_or_what_is_given() -> None:
    image = crowded((600, 600))
    image[1] = np.nan
    image[0, :300] = np.nan
    level, noise = mesh_of(image).at(np.array([10.0, 300.0]), np.array([10.0, 590.0]))
    np.testing.assert_allclose(level[:, 0], LEVEL[0], atol=0.1 * NOISE[0])
    assert (level[:, 1] == 99).all()
    assert (noise[:, 1] == 99).all()
    image[0, :230] = 0.0  # as some coadds have it where they have no data
    level, noise = mesh_of(image).at(np.array([10.0]), np.array([10.0]))
    np.testing.assert_allclose(level[:, 0], LEVEL[0], atol=0.1 * NOISE[0])
    level, noise = mesh_of(np.full((1, 300, 300), 7.0)).at(np.array([10.0]), np.array([10.0]))
    assert level == 7
    assert np.isnan(noise)


@pytest.mark.parametrize("shape", [(100, 90), (128, 300), (5000, 128)])
def test_patches_reach_from_end_to_end(shape: tuple[int, int]) -> None:
    for side in shape:
        starts, size = patch_starts(side)
        assert starts[0] == 0
        assert starts[-1] + size == side
        assert len(starts) <= 12
    one = np.zeros((2, *shape), np.float32) + np.random.default_rng(0).normal(size=shape)
    assert np.abs(mesh_of(one).at(np.array([3.0, 50.0]), np.array([0.0, 99.0]))[0]).max() < 0.1
