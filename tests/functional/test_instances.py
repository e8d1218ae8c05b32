"""Objects of instance maps: targets against loops, maps of hand-made scenes back into their objects."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from astrocnn.errors import ConfigError
from astrocnn.functional.instances import find_instances, instance_targets, watershed_instances


def blobs(positions, shape=(64, 64), sigma=2.0, heights=None):
    """Sum of Gaussians over noise-free sky, and which of them dominates where it is above 1."""
    y, x = np.indices(shape)
    heights = heights or [20.0] * len(positions)
    distance2 = [(y - a) ** 2 + (x - b) ** 2 for a, b in positions]
    each = np.stack([h * np.exp(-d / 2 / sigma**2) for h, d in zip(heights, distance2, strict=True)])
    return each.sum(0), np.where(each.sum(0) > 1, each.argmax(0) + 1, 0)


def network_of(instances, sigma_pix=2.0):
    """What a perfect network says of an instance map."""
    heat, offset, weight = instance_targets(torch.as_tensor(instances)[None], sigma_pix=sigma_pix)
    return weight[0].float().numpy(), heat[0].numpy(), offset[0].numpy()


def agreement(found, true):
    """Fraction of pixels that two instance maps share under the best renaming; 1 only for the same objects."""
    pairs, n = np.unique(np.stack([found.ravel(), true.ravel()]), axis=1, return_counts=True)
    best = sum(n[pairs[1] == k].max() for k in np.unique(pairs[1]))
    return best / n.sum() if len(np.unique(found)) == len(np.unique(true)) else 0.0


def test_targets_are_those_of_loops_over_objects_and_pixels():
    rng = np.random.default_rng(1)
    maps = rng.integers(-1, 5, (3, 4, 5)).repeat(4, 1).repeat(3, 2)  # (3, 16, 15)
    heat, offset, weight = instance_targets(torch.from_numpy(maps), sigma_pix=1.7)
    expected_heat, expected_offset = np.zeros(maps.shape), np.zeros((3, 2, 16, 15))
    for b, image in enumerate(maps):
        for number in np.unique(image[image > 0]):
            y, x = np.nonzero(image == number)
            cy, cx = y.mean(), x.mean()
            for i, j in np.ndindex(image.shape):
                if abs(i - round(cy)) <= 6 and abs(j - round(cx)) <= 6:
                    height = np.exp(-((i - cy) ** 2 + (j - cx) ** 2) / 2 / 1.7**2)
                    expected_heat[b, i, j] = max(expected_heat[b, i, j], height)
            expected_offset[b, 0, y, x], expected_offset[b, 1, y, x] = cy - y, cx - x
    np.testing.assert_allclose(heat, expected_heat, atol=1e-6)
    np.testing.assert_allclose(offset, expected_offset, atol=1e-5)
    np.testing.assert_array_equal(weight, maps > 0)
    assert heat.dtype == offset.dtype == torch.float32


def test_targets_do_not_depend_on_the_numbers():
    _, instances = blobs([(20, 20), (40, 44)])
    maps = torch.from_numpy(instances)[None]
    renamed = torch.where(maps == 2, 10**9, maps)
    for one, other in zip(
        instance_targets(maps, sigma_pix=2.0), instance_targets(renamed, sigma_pix=2.0), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_maps_without_objects_have_no_centre():
    for value in (0, -1):
        heat, offset, weight = instance_targets(torch.full((2, 8, 9), value), sigma_pix=2.0)
        assert not heat.any()
        assert not offset.any()
        assert not weight.any()
    with pytest.raises(ConfigError, match="sigma_pix=0"):
        instance_targets(torch.zeros(1, 4, 4, dtype=torch.int64), sigma_pix=0)


def test_a_perfect_network_gives_its_objects_back():
    true = blobs([(12, 12), (12, 18), (17, 14), (40, 40), (41, 46), (55, 10)])[1]
    found = find_instances(*network_of(true))
    assert found.dtype == np.int32
    assert agreement(found, true) == 1
    first = [np.flatnonzero(found.ravel() == k)[0] for k in range(1, 7)]
    assert first == sorted(first)


def test_a_noisy_network_still_does():
    rng = np.random.default_rng(0)
    positions = [
        (y + rng.uniform(-2, 2), x + rng.uniform(-2, 2)) for y in range(8, 60, 9) for x in range(8, 60, 9)
    ]
    true = blobs(positions)[1]
    p, heat, offset = network_of(true)
    noise = ndimage.gaussian_filter(rng.normal(size=(4, 64, 64)), (0, 1.5, 1.5)) * 5
    logit = 4 * p - 2 + 0.5 * noise[0]
    found = find_instances(
        1 / (1 + np.exp(-logit)), np.clip(heat + 0.08 * noise[1], 0, 1), offset + 0.5 * noise[2:]
    )
    assert agreement(found, true) > 0.95


def test_pixels_follow_their_offset_not_the_nearest_centre():
    true = np.zeros((30, 40), dtype=np.int64)
    true[5:25, 3:27] = 1
    true[5:25, 27:33] = 2  # whose centre is nearer to many pixels of the first
    assert agreement(find_instances(*network_of(true)), true) == 1


def test_a_small_object_whose_pixels_point_at_a_large_one_keeps_its_core():
    p, heat, offset = network_of(np.ones((31, 31), dtype=np.int64))
    heat[22, 24] = 0.6
    found = find_instances(p, heat, offset)
    y, x = np.indices(found.shape)
    np.testing.assert_array_equal(found, 1 + (np.hypot(y - 22, x - 24) < 2.5))
    assert find_instances(p, heat, offset, core_pix=0).max() == 1


def test_centres_too_near_to_a_higher_one_or_too_low_do_not_count():
    p, _, offset = network_of(np.ones((20, 20), dtype=np.int64))
    heat = np.zeros((20, 20))
    heat[10, [8, 10, 15]] = 0.9, 0.8, 0.25
    offset[:] = 0
    assert find_instances(p, heat, offset).max() == 1
    assert find_instances(p, heat, offset, merge_pix=1.5).max() == 2
    assert find_instances(p, heat, offset, centre_threshold=0.2).max() == 2
    heat[10, 12] = 0.7  # near to one that does not count
    assert find_instances(p, heat, offset).max() == 2


def test_the_centre_of_a_speck_does_not_put_that_of_an_object_aside():
    p, centre = np.zeros((20, 20)), np.zeros((20, 20))
    p[10:13, :9] = 1  # of two objects
    centre[11, 1], centre[11, 8] = 0.8, 0.5
    p[11, 10], centre[11, 10] = 1, 0.9  # one pixel, 2 pixels from a centre
    found = find_instances(p, centre, np.zeros((2, 20, 20)), merge_pix=2.0)
    assert found.max() == 2
    assert found[11, 10] == 0


def test_equal_neighbours_are_one_centre():
    p, _, offset = network_of(np.ones((20, 20), dtype=np.int64))
    heat = np.zeros((20, 20))
    heat[8:12, 3:7] = heat[8:12, 13:17] = 1.0  # saturated, as in half precision
    found = find_instances(p, heat, 0 * offset)
    assert found.max() == 2
    assert (found[:, :10] != found[:, 10:]).all()


def test_pieces_without_a_centre_are_objects_if_large_enough():
    p = np.zeros((12, 12))
    p[1:3, 1:3] = p[6, 5:8] = 0.8
    nothing = np.zeros((3, 12, 12))
    found = find_instances(p, nothing[0], nothing[1:])
    np.testing.assert_array_equal(found, np.where(np.indices(p.shape).sum(0) < 7, p >= 0.5, 0))
    assert not find_instances(np.full((12, 12), np.nan), nothing[0], nothing[1:]).any()


def test_every_object_is_one_part_and_none_is_too_small():
    rng = np.random.default_rng(2)
    p = (ndimage.gaussian_filter(rng.normal(size=(64, 64)), 2) > 0).astype(float)
    heat, offset = rng.random((64, 64)), rng.normal(0, 3, (2, 64, 64))
    found = find_instances(p, heat, offset, least_pix=5)
    assert found.max() > 20
    for number in range(1, found.max() + 1):
        assert ndimage.label(found == number, np.ones((3, 3)))[1] == 1
        assert (found == number).sum() >= 5
    pieces, n = ndimage.label(p > 0, np.ones((3, 3)))
    large = np.flatnonzero(np.bincount(pieces.ravel()) >= 5)[1:]
    np.testing.assert_array_equal(found > 0, np.isin(pieces, large))
    assert n > len(large) - 1


def test_watershed_cuts_along_the_valley():
    brightness, true = blobs([(20, 20), (20, 28), (44, 40)])
    found = watershed_instances((true > 0).astype(float), brightness)
    assert agreement(found, true) > 0.99


def test_watershed_joins_what_noise_parts_and_faint_humps_of_bright_objects():
    rng = np.random.default_rng(3)
    faint, _ = blobs([(32, 32)], sigma=8.0, heights=[4.0])
    assert watershed_instances((faint > 1).astype(float), faint + rng.normal(size=faint.shape)).max() == 1
    bright, _ = blobs([(32, 24), (32, 42)], sigma=4.0, heights=[1000.0, 60.0])
    p = (bright > 1).astype(float)
    assert watershed_instances(p, bright).max() == 2
    assert watershed_instances(p, bright, least_contrast=0.9).max() == 1
    assert watershed_instances(p, bright / 1000).max() == 1  # 0.06 σ high


def test_watershed_basins_are_those_of_walking_uphill():
    """Every pixel belongs to the maximum that the steepest way up leads to."""
    rng = np.random.default_rng(4)
    height = ndimage.gaussian_filter(rng.normal(size=(40, 40)), 2) * 100
    found = watershed_instances(
        np.ones((40, 40)), height, smoothing_pix=0, least_dip=0, least_contrast=0, least_pix=1
    )
    padded = np.pad(height, 1, constant_values=-np.inf)
    expected = np.zeros((40, 40), dtype=int)
    for y, x in np.ndindex(height.shape):
        i, j, step = y + 1, x + 1, (0, 0)
        while step != (1, 1):
            step = np.unravel_index(padded[i - 1 : i + 2, j - 1 : j + 2].argmax(), (3, 3))
            i, j = i + step[0] - 1, j + step[1] - 1
        expected[y, x] = i * 42 + j
    assert len(np.unique(expected)) == found.max()
    assert agreement(found, expected) == 1


def test_watershed_of_nothing_is_nothing():
    assert not watershed_instances(np.zeros((9, 9)), np.zeros((9, 9))).any()
    assert not watershed_instances(np.full((9, 9), np.nan), np.full((9, 9), np.nan)).any()
