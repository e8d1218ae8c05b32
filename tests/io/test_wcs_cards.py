"""The WCS of real images is the same from the cards that are kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.io.tiles import image_hdus, select
from astrocnn.io.wcs import sky_wcs
from astrocnn.io.wcs_cards import finer_wcs, wcs_cards

FILES = [
    "wcs/sipsample.fits", "wcs/tanpv.fits", "wcs/tpv.fits", "wcs/tnx.fits", "photutils/M6707HH.fits",
    "photutils/spitzer_example_image.fits", "decam_grz/decam_img_g.fits", "../radio/1904-66_SIN_3d.fits",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_positions_are_the_same(name: str, realdata: Callable[[str], Path]) -> None:
    path = realdata("fits") / name
    ((hdu, header),) = image_hdus(path, lambda images: select(path, images, None, "data.hdu", cubes=True))
    kept = fits.Header.fromstring(wcs_cards(header.sky).tostring())
    height, width = hdu.shape
    wcs, again = header.wcs(hdu, path), sky_wcs(kept, height, width, path="other")
    assert wcs is not None
    assert again is not None
    assert len(kept) < 80
    x, y = np.meshgrid(np.linspace(0, width - 1, 5), np.linspace(0, height - 1, 5))
    np.testing.assert_allclose(again.sky(x, y), wcs.sky(x, y), rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("name", FILES)
def test_positions_are_the_same_of_finer_pixels(
    name: str, factor: int, realdata: Callable[[str], Path]
) -> None:
    path = realdata("fits") / name
    ((hdu, header),) = image_hdus(path, lambda images: select(path, images, None, "data.hdu", cubes=True))
    cards = wcs_cards(header.sky)
    if "AMDX1" in cards:  # the numbers of a plate, which finer pixels do not have
        assert len(finer_wcs(cards, factor)) == 0
        return
    height, width = hdu.shape
    coarse = sky_wcs(cards, height, width, path="coarse")
    finer = fits.Header.fromstring(finer_wcs(cards, factor).tostring())
    fine = sky_wcs(finer, factor * height, factor * width, path="fine")
    assert coarse is not None
    assert fine is not None
    x, y = np.meshgrid(np.linspace(0, factor * width - 1, 5), np.linspace(0, factor * height - 1, 5))
    there = coarse.sky((x + 0.5) / factor - 0.5, (y + 0.5) / factor - 0.5)  # by the centres of the pixels
    np.testing.assert_allclose(fine.sky(x, y), there, rtol=0, atol=1e-10)


def test_what_is_no_wcs_stays_behind() -> None:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE3": "FREQ", "WCSAXES": 3, "CD1_1": 1.0, "CD3_3": 5.0})
    header.update(
        EXPTIME=30.0, BUNIT="nJy", FILTER="r", NAXIS1=5, CRVAL1=1.0, CRVAL3=2.0, A_ORDER=2, A_0_2=1e-7
    )
    assert list(wcs_cards(header)) == ["CTYPE1", "WCSAXES", "CD1_1", "CRVAL1", "A_ORDER", "A_0_2"]
    assert wcs_cards(header)["WCSAXES"] == 2
