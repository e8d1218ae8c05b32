"""Windows: they cover everything once in weight, begin where networks want, and blend into one image."""

import numpy as np
import pytest

from astrocnn.errors import ConfigError
from astrocnn.functional.windows import Seam, begin_at, cover, least_window, needed_from, seam, stitch

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("border", [0, 6])
@pytest.mark.parametrize("size", [32, 64, 96])
def test_weights_sum_to_one_and_vanish_at_inner_edges(size: int, border: int) -> None:
    shown = size + 2 * border
    for length in range(1, 400, 7):
        windows, total = cover(length, shown, multiple=8, of=Seam(8, 8), border=border), np.zeros(length)
        for window in windows:
            assert (window.start + border) % 8 == 0
            assert window.end - window.start <= shown
            assert (window.weight > 0).all()
            assert window.first in (0, window.start + 8)
            assert window.last in (length, window.end - 8)
            total[window.first : window.last] += window.weight
        np.testing.assert_allclose(total, 1, atol=1e-6)


def test_windows_are_as_few_as_can_be_and_evenly_spread() -> None:
    windows = cover(20000, 1024, multiple=16, of=Seam(96, 32))
    assert len(windows) == 1 + -(-(20000 - 1024) // (1024 - 2 * 96 - 32))
    starts = [window.start for window in windows]
    assert np.ptp(np.diff(starts)) <= 16
    assert windows[-1].end == 20000


def test_an_image_below_a_window_is_one_window() -> None:
    (window,) = cover(50, 64, multiple=8, of=Seam(8, 8))
    assert (window.start, window.end, window.first, window.last) == (0, 50, 0, 50)
    (window,) = cover(50, 80, multiple=8, of=Seam(8, 8), border=6)
    assert (window.start, window.end, window.first, window.last) == (-6, 74, 0, 50)


def test_blends_are_smooth() -> None:
    weight = cover(1000, 256, multiple=8, of=Seam(16, 32))[1].weight
    assert weight[0] < 0.01
    assert np.abs(np.diff(weight)).max() < 0.06


@pytest.mark.parametrize("unit", [(1, 1), (16, 32), (64, 64)])
def test_windows_of_an_image_are_stitched_into_it_from_any_row_on(unit: tuple[int, int]) -> None:
    image = RNG.normal(size=(2, 211, 333)).astype(np.float32)
    rows, columns = (cover(length, 64, multiple=8, of=Seam(8, 8)) for length in image.shape[1:])
    for begin in range(len(rows)):
        found = np.full_like(image, np.nan)
        maps = (
            image[:, row.first : row.last, column.first : column.last]
            for row in rows[needed_from(rows, unit[0], begin) :]
            for column in columns
        )
        for top, left, block in stitch(rows, columns, maps, unit=unit, begin=begin):
            assert top % unit[0] == left % unit[1] == 0
            part = found[:, top : top + block.shape[1], left : left + block.shape[2]]
            assert np.isnan(part).all()  # nothing comes twice
            part[:] = block
        first = int(np.argmax(np.isfinite(found[0, :, 0])))
        np.testing.assert_allclose(found[:, first:], image[:, first:], atol=1e-6)
        assert first <= rows[begin].first
        assert begin_at(rows, unit[0], first) == begin or first == 0 or unit[0] == 64


def test_seams_hold_what_the_network_and_the_normalisation_see() -> None:
    assert seam(1024, multiple=16, half_field=94) == Seam(96, 32)
    assert seam(1024, multiple=16, half_field=94, reach=9) == Seam(112, 32)
    assert seam(1024, multiple=16, half_field=None) == Seam(64, 256)
    with pytest.raises(
        ConfigError, match=r"windows of 208 pixels are too small: .* at least 224 \(data.window"
    ):
        seam(208, multiple=16, half_field=94)
    assert seam(224, multiple=16, half_field=94).ramp_pix == 16


@pytest.mark.parametrize(
    ("multiple", "half_field", "reach"), [(16, 94, 0), (4, 11, 9), (32, None, 0), (8, None, 0)]
)
def test_the_least_window_is_the_first_that_leaves_something(
    multiple: int, half_field: int | None, reach: int
) -> None:
    least = least_window(multiple=multiple, half_field=half_field, reach=reach)
    seam(least, multiple=multiple, half_field=half_field, reach=reach)
    with pytest.raises(ConfigError, match=rf"give at least {least} \(data\.window"):
        seam(least - multiple, multiple=multiple, half_field=half_field, reach=reach)
