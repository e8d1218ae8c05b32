"""Boxes on the sky in the pixels of turned, mirrored and sheared frames, against regions' and astropy's corners."""

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS
from regions import CircleSkyRegion, EllipseSkyRegion, PixCoord, RectangleSkyRegion, Regions

from astrocnn.io.box_files import read_boxes
from astrocnn.io.sky_boxes import boxes_in_pixels
from astrocnn.io.wcs import sky_wcs

SIDE = 60
CENTRE = SkyCoord(10.0, 60.0, unit="deg")
CORNERS = [(a, b) for a in (-1, 1) for b in (-1, 1)]


def frame(
    angle: float = 0.0, *, mirrored: bool = False, scale: tuple[float, float] = (0.2, 0.2)
) -> fits.Header:
    """60² pixels about ``CENTRE``, north turned by ``angle`` from the columns."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    cd = np.array([[cos, -sin], [sin, cos]]) @ np.diag([scale[0] if mirrored else -scale[0], scale[1]]) / 3600
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "RADESYS": "ICRS"})
    header.update(CRVAL1=CENTRE.ra.deg, CRVAL2=CENTRE.dec.deg, CRPIX1=30.5, CRPIX2=30.5)
    header.update({f"CD{i + 1}_{j + 1}": cd[i, j] for i in (0, 1) for j in (0, 1)})
    return header


def distorted() -> fits.Header:
    """A frame whose pixels shear and grow outwards, by a polynomial of SIP."""
    header = frame(30)
    header.update(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2)
    header.update(A_2_0=1.5e-3, A_1_1=1e-3, B_0_2=-1.2e-3, B_1_1=8e-4)
    return header


def read(folder: Path, shape: Any, header: fits.Header) -> np.ndarray:
    """The edges of a region that went through DS9's format."""
    path = folder / "a.reg"
    Regions([shape]).write(path, format="ds9", overwrite=True, precision=10)
    wcs = sky_wcs(header, SIDE, SIDE, path="")
    assert wcs is not None
    return np.asarray(boxes_in_pixels(read_boxes([str(path)], ids=["a"]), wcs)[0])


def bounds(corners: Any) -> list[float]:
    x, y = np.asarray(corners).T
    return [x.min(), y.min(), x.max(), y.max()]


TURNED = [frame(), frame(30), frame(30, mirrored=True), frame(-100, mirrored=True)]


@pytest.mark.parametrize("header", TURNED)
@pytest.mark.parametrize("angle", [0, 25, 90, 160])
def test_boxes_have_the_corners_of_the_regions_package(
    tmp_path: Path, header: fits.Header, angle: float
) -> None:
    box = RectangleSkyRegion(CENTRE, 6 * u.arcsec, 2 * u.arcsec, angle * u.deg)
    expected = bounds(box.to_pixel(WCS(header)).corners)
    np.testing.assert_allclose(read(tmp_path, box, header), expected, atol=2e-3)


@pytest.mark.parametrize("header", TURNED)
def test_ellipses_and_circles_have_the_bounds_of_the_regions_package(
    tmp_path: Path, header: fits.Header
) -> None:
    """By what pixels of a fine grid lie in them."""
    y, x = np.mgrid[:SIDE:0.05, :SIDE:0.05]
    for shape in (
        EllipseSkyRegion(CENTRE, 6 * u.arcsec, 2 * u.arcsec, 25 * u.deg),
        CircleSkyRegion(CENTRE, 2 * u.arcsec),
    ):
        there = shape.to_pixel(WCS(header)).contains(PixCoord(x, y))
        expected = bounds(np.stack([x[there], y[there]], 1))
        np.testing.assert_allclose(read(tmp_path, shape, header), expected, atol=0.06)


@pytest.mark.parametrize("header", [*TURNED, frame(40, scale=(0.2, 0.5)), distorted()])
@pytest.mark.parametrize("system", ["icrs", "fk5", "galactic"])
def test_corners_on_the_sky_are_astropys(tmp_path: Path, header: fits.Header, system: str) -> None:
    """Each corner by its distance and position angle from the centre, in the region's own frame."""
    wcs, angle, sides = WCS(header), 25.0, (1.2, 0.5)
    centre = getattr(wcs.pixel_to_world(14.0, 41.0), system)
    box = RectangleSkyRegion(centre, sides[0] * u.arcsec, sides[1] * u.arcsec, angle * u.deg)
    corners = []
    for a, b in CORNERS:
        east, north = a * sides[0] / 2, b * sides[1] / 2
        way = np.degrees(np.arctan2(east, north)) + angle
        corner = centre.directional_offset_by(way * u.deg, np.hypot(east, north) * u.arcsec)
        corners.append(np.array(wcs.world_to_pixel(corner)))
    np.testing.assert_allclose(read(tmp_path, box, header), bounds(corners), atol=0.05)


def test_what_is_missing_or_not_shown_is_nan() -> None:
    """A masked position, and one on the other side of the sky."""
    ra = MaskedColumn([10.0, 10.0, 190.0], mask=[False, True, False])
    table = Table(
        {"ra": ra, "dec": [60.0, 60.0, -60.0], "width_arcsec": [1.0] * 3, "height_arcsec": [2.0] * 3}
    )
    wcs = sky_wcs(frame(), SIDE, SIDE, path="")
    assert wcs is not None
    edges = boxes_in_pixels(table, wcs)
    np.testing.assert_allclose(edges[0], [27.0, 24.5, 32.0, 34.5], atol=1e-3)
    assert np.isnan(edges[1:]).all()
