"""Centres and pixel scales against astropy's WCS."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from astrocnn.io.fits import probe
from astrocnn.io.sky import _by_wcslib

FILES = (
    "fits/decam_grz/decam_img_r.fits",
    "fits/wcs/cosmos_147246_masknoise.fits",
    "fits/wcs/sipsample.fits",
    "fits/wcs/tanpv.fits",
    "fits/wcs/tnx.fits",
    "fits/wcs/tpv.fits",
    "fits/photutils/M6707HH.fits",
    "fits/photutils/spitzer_example_image.fits",
    "radio/1904-66_SIN_3d.fits",
    "radio/small_4D.fits",
    "fits/hsc_cutouts/images/2-cutout-HSC-I-8279-pdr2_wide.fits",
)


@pytest.mark.parametrize("name", FILES)
def test_real_files(realdata: Callable[[str], Path], name: str) -> None:
    info = probe(realdata(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's, about the files' cards
        with fits.open(realdata(name)) as hdus:
            wcs = WCS(next(h.header for h in hdus if h.is_image and h.data is not None)).celestial
    centre = wcs.pixel_to_world((info.shape[2] - 1) / 2, (info.shape[1] - 1) / 2).icrs
    assert centre.separation(SkyCoord(info.ra, info.dec, unit="deg")).arcsec < 1e-5
    scale = math.sqrt(np.prod(proj_plane_pixel_scales(wcs))) * 3600
    assert info.pixel_scale_arcsec == pytest.approx(scale, rel=1e-9)


@pytest.mark.parametrize(
    "frame", [{}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, {"EQUINOX": 2000.0}, {"RADESYS": "FK4"}]
)
def test_frames(tmp_path: Path, frame: dict[str, str | float]) -> None:
    header = fits.Header(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 359.999, "CRVAL2": -88.0, **frame}
    )
    header.update(CRPIX1=-3.0, CRPIX2=70.0, CD1_1=-4e-4, CD1_2=1e-4, CD2_1=1e-4, CD2_2=5e-4)
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.ones((31, 40), np.float32), header).writeto(path)
    info = probe(path)
    expected = WCS(header).pixel_to_world(19.5, 15).icrs
    assert expected.separation(SkyCoord(info.ra, info.dec, unit="deg")).arcsec < 1e-5


def test_the_quick_way_is_taken_for_plain_headers_only(tmp_path: Path) -> None:
    from astrocnn.io.headers import plain_hdus

    for kind, quick in (("TAN", True), ("TAN-SIP", False)):
        header = fits.Header(
            {"CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}", "CRVAL1": 10.0, "CRVAL2": 1.0}
        )
        header.update(CRPIX1=1.0, CRPIX2=1.0, CDELT1=-1e-4, CDELT2=1e-4)
        path = tmp_path / f"{kind}.fits"
        fits.PrimaryHDU(np.ones((4, 4), np.float32), header).writeto(path)
        with open(path, "rb") as file:
            first = next(plain_hdus(path, file))
            assert (_by_wcslib(first.header, 0, 0) is not None) == quick  # type: ignore[arg-type]


def test_no_or_broken_wcs(tmp_path: Path) -> None:
    broken = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--SIN", "CDELT1": 1.0})
    for name, header in (("none", fits.Header()), ("broken", broken)):
        path = tmp_path / f"{name}.fits"
        fits.PrimaryHDU(np.ones((4, 4), np.float32), header).writeto(path)
        info = probe(path)
        assert math.isnan(info.ra)
        assert info.pixel_scale_arcsec is None
