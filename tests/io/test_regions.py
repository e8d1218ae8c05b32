"""Region files are read by astropy's regions package."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astrocnn.io.regions import write_regions

TABLE = Table(
    {
        "number": [1, 2, 3],
        "x": [10.0, 20.5, 30.25],
        "y": [1.0, 2.0, 3.0],
        "ra": [150.1, 359.99999, 0.00001],
        "dec": [-2.2, 89.5, -0.00002],
        "area_pix": [100, 1, 400],
        "class": ["star", "galaxy", "{odd}"],
    }
)
COLUMNS = ["number", "x", "y", "area_pix", "class"]


def read(path: Path) -> list:
    regions = pytest.importorskip("regions")
    return list(regions.Regions.read(path, format="ds9"))


def test_circles_are_on_the_sky(tmp_path: Path) -> None:
    write_regions(tmp_path / "a.reg", TABLE, classes=["star", "galaxy"], pixel_scale_arcsec=0.2)
    found = read(tmp_path / "a.reg")
    for region, row in zip(found, TABLE, strict=True):
        assert region.center.icrs.ra.deg == pytest.approx(row["ra"], abs=1e-7)
        assert region.center.icrs.dec.deg == pytest.approx(row["dec"], abs=1e-7)
        assert region.meta["text"].endswith(f" {row['number']}")
    assert found[0].radius.to_value("arcsec") == pytest.approx(0.2 * np.sqrt(100 / np.pi), abs=1e-3)
    assert found[1].radius.to_value("arcsec") == pytest.approx(0.4)  # large enough to be seen
    assert [region.meta["tag"] for region in found] == [["star"], ["galaxy"], ["(odd)"]]
    assert found[0].visual["facecolor"] != found[1].visual["facecolor"]


def test_without_a_wcs_circles_are_in_pixels(tmp_path: Path) -> None:
    write_regions(tmp_path / "a.reg", TABLE[COLUMNS], classes=["star"], pixel_scale_arcsec=None)
    found = read(tmp_path / "a.reg")
    assert (found[2].center.x, found[2].center.y) == (30.25, 3.0)  # DS9 counts from 1, regions from 0
    assert found[0].radius == pytest.approx(np.sqrt(100 / np.pi), abs=0.01)


def test_no_sources_is_a_file_without_circles(tmp_path: Path) -> None:
    write_regions(tmp_path / "a.reg", TABLE[:0], classes=["star"], pixel_scale_arcsec=0.2)
    assert read(tmp_path / "a.reg") == []
