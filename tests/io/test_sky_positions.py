"""Centres and pixel scales against astropy's WCS."""

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from astrocnn.io.fits import probe
from astrocnn.io.hdus import plain_hdus
from astrocnn.io.headers import Header
from astrocnn.io.sky import _by_wcslib
from astrocnn.io.tangent import tangential

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


def frames() -> Iterator[fits.Header]:
    """Plain TAN headers of every form, anywhere on the sky."""
    rng = np.random.default_rng(0)
    forms = ("cd", "cdelt", "pc")
    equinoxes = ({}, {"RADESYS": "ICRS"}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, {"EQUINOX": 2000})
    for i in range(60):
        header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **equinoxes[i % 4]})
        dec = (89.99999, -89.99, 0, 89.9)[i % 4] if i < 12 else np.degrees(np.arcsin(rng.uniform(-1, 1)))
        header.update(CRVAL1=rng.uniform(0, 360), CRVAL2=dec, CRPIX1=rng.uniform(-300, 300), CRPIX2=12)
        turn, scale, form = rng.uniform(0, 2 * np.pi), 10 ** rng.uniform(-5, -2), forms[i % 3]
        matrix = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), 1.1 * np.cos(turn)]])
        if form == "cdelt":
            header.update(CDELT1=-scale, CDELT2=scale)
        else:
            matrix = matrix * scale if form == "cd" else matrix
            header.update({f"{form}{j}_{k}": matrix[j - 1, k - 1] for j in (1, 2) for k in (1, 2)})
            if form == "pc":
                header.update(
                    CDELT1=scale, CDELT2=scale, CUNIT1="deg", CUNIT2="deg", LONPOLE=180.0, LATPOLE=dec
                )
        yield header


def test_the_tangential_projection_in_closed_form() -> None:
    for header in frames():
        found = tangential(Header(header.tostring(sep="", endcard=False, padding=False).encode()), 20, -4.5)
        assert found is not None
        ra, dec, scales, frame = found
        wcs = WCS(header)
        sky = SkyCoord(ra, dec, unit="deg", frame=frame)
        assert (
            wcs.pixel_to_world(20, -4.5).separation(sky.transform_to(wcs.pixel_to_world(0, 0))).arcsec < 1e-7
        )
        np.testing.assert_allclose(scales, proj_plane_pixel_scales(wcs), rtol=1e-12)


@pytest.mark.parametrize(
    "card",
    [
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, {"PV2_1": 0.1}, {"A_ORDER": 2}, {"CROTA2": 30.0},
        {"LONPOLE": 90.0}, {"CUNIT1": "arcsec"}, {"RADESYS": "FK4"}, {"EQUINOX": 1950.0}, {"CD1_1": 0.0},
        {"CD1_3": 1e-5}, {"PC1_1": 1.0}, {"CRVAL2": 90.0}, {"CRPIX1": "x"}, {"RADECSYS": "FK4"},
    ],
)  # fmt: skip
def test_a_header_that_says_more_is_not_for_the_closed_form(card: dict[str, str | float]) -> None:
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": 1e-4, "CD2_2": 1e-4}
    plain, other = (
        fits.Header(keys).tostring(sep="", endcard=False, padding=False) for keys in (cards, cards | card)
    )
    assert tangential(Header(plain.encode()), 0, 0) is not None
    assert tangential(Header(other.encode()), 0, 0) is None


def test_a_cube_with_a_matrix_for_two_axes_needs_no_astropy(tmp_path: Path) -> None:
    """wcslib calls the matrix of three axes singular, in which nothing is said of the third."""
    header = fits.Header({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 10.0, "CRVAL2": 1.0})
    header.update(CRPIX1=1.0, CRPIX2=1.0, CD1_1=-1e-4, CD2_2=1e-4, **{f"NOTE{i}": i for i in range(50)})
    fits.PrimaryHDU(np.ones((3, 31, 40), np.float32), header).writeto(tmp_path / "a.fits")
    with open(tmp_path / "a.fits", "rb") as file:
        ours = next(plain_hdus("a", file)).header
        assert isinstance(ours, Header)
        found = _by_wcslib(ours, 19.5, 15)
    assert found is not None
    expected = WCS(header, naxis=2).pixel_to_world(19.5, 15)
    assert expected.separation(SkyCoord(*found[:2], unit="deg")).arcsec < 1e-7
