"""Errors of positions on the sky, against astropy and by turned frames."""

from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrocnn.inference.source_table import sky_errors
from astrocnn.io.wcs import sky_wcs

SCALE = np.array([0.2, 0.35])  # arcsec a pixel in x and in y


def frame(angle: float, *, mirrored: bool = False) -> fits.Header:
    """A field at a declination of 60°, turned by ``angle``."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    cd = np.array([[cos, -sin], [sin, cos]]) @ np.diag(SCALE if mirrored else SCALE * [-1, 1]) / 3600
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 0.001, "CRVAL2": 60.0})
    header.update(CRPIX1=50.0, CRPIX2=60.0, RADESYS="ICRS")
    header.update({f"CD{i + 1}_{j + 1}": cd[i, j] for i in (0, 1) for j in (0, 1)})
    return header


def errors(header: fits.Header, found: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    wcs = sky_wcs(header, 100, 100, path="")
    assert wcs is not None
    return sky_errors(found, wcs)


FOUND = {
    "x": np.array([49.0, 10.0, 80.0]), "y": np.array([59.0, 20.0, 70.0]),
    "x_err": np.array([0.1, 0.3, 0.2]), "y_err": np.array([0.1, 0.1, 0.4]),
    "xy_covariance": np.array([0.0, 0.015, -0.06]),
}  # fmt: skip


def test_a_frame_with_north_up_has_the_errors_of_its_axes() -> None:
    east, north = errors(frame(0), FOUND)
    np.testing.assert_allclose(east, FOUND["x_err"] * SCALE[0], rtol=1e-3)
    np.testing.assert_allclose(north, FOUND["y_err"] * SCALE[1], rtol=1e-3)


def test_a_quarter_turn_swaps_the_errors() -> None:
    east, north = errors(frame(0), FOUND)
    turned = errors(frame(90), FOUND)
    np.testing.assert_allclose(turned[0], north, rtol=1e-3)
    np.testing.assert_allclose(turned[1], east, rtol=1e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [30, 137])
def test_errors_are_the_scatter_of_positions_on_the_sky(angle: float, mirrored: bool) -> None:
    """Positions drawn about that in pixels, carried to the sky by astropy."""
    header, rng = frame(angle, mirrored=mirrored), np.random.default_rng(0)
    east, north = errors(header, FOUND)
    wcs = WCS(header)
    for k in range(3):
        mean = [FOUND["x"][k], FOUND["y"][k]]
        mixed = FOUND["xy_covariance"][k]
        covariance = [[FOUND["x_err"][k] ** 2, mixed], [mixed, FOUND["y_err"][k] ** 2]]
        drawn = rng.multivariate_normal(mean, covariance, 20_000)
        offsets = wcs.pixel_to_world(*mean).spherical_offsets_to(wcs.pixel_to_world(*drawn.T))
        scatter = [offset.to_value("arcsec").std() for offset in offsets]
        np.testing.assert_allclose([east[k], north[k]], scatter, rtol=0.03)
