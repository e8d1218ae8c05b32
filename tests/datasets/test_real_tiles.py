"""Catalogued stars in the centre of their cutouts, from real images with real masks and weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS, FITSFixedWarning
from tile_scenes import targets

from astrocnn.datasets.tiles import TileCutouts
from astrocnn.io.layers import Mask, Variance
from astrocnn.io.sample import Sample
from astrocnn.io.tables import read_table
from astrocnn.io.wcs import sky_wcs

RealData = Callable[[str], Path]
IMAGES = "fits/legacysurvey/testcase4/images/decam/CP/V4.8.2/CP20170315"


def windowed(image: np.ndarray, valid: np.ndarray, sigma_pix: float) -> tuple[float, float]:
    """x and y of a star from the image's centre, by a Gaussian window that follows it (SExtractor's XWIN)."""
    n = len(image)
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    light = np.where(valid, image - np.median(image[np.hypot(x, y) > n / 3]), 0)
    a = b = 0.0
    for _ in range(30):
        weight = np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * sigma_pix**2)) * light
        a += 2 * (weight * (x - a)).sum() / weight.sum()
        b += 2 * (weight * (y - b)).sum() / weight.sum()
    return a, b


def gaia(folder: Path, epoch: float) -> Table:
    """Positions at ``epoch`` (Julian years) of the stars with a proper motion."""
    chunks = [read_table(path) for path in sorted(folder.glob("chunk-*.fits"))]
    table = Table({key: np.concatenate([np.asarray(c[key]) for c in chunks]) for key in
                   ("source_id", "ra", "dec", "pmra", "pmdec", "ref_epoch", "phot_g_mean_mag")})  # fmt: skip
    moving = np.isfinite(table["pmra"]) & (table["ref_epoch"] > 0)
    years = np.where(moving, epoch - table["ref_epoch"], 0) / 3.6e6
    table["ra"] += np.where(moving, table["pmra"], 0) * years / np.cos(np.radians(table["dec"]))
    table["dec"] += np.where(moving, table["pmdec"], 0) * years
    return table


def test_gaia_stars_on_decam(realdata: RealData) -> None:
    folder = realdata(IMAGES)
    (path,) = folder.glob("*_ooi_*.fits")
    stars = gaia(
        realdata("fits/legacysurvey/testcase4/gaia"),
        Time(fits.getheader(path)["MJD-OBS"], format="mjd").jyear,
    )
    assert len(stars) >= 3
    root = str(folder)
    source = TileCutouts(
        f"{root}/c4d_*_ooi_z_ls9.*.fits",
        targets(np.asarray(stars["ra"]), np.asarray(stars["dec"])),
        size_pix=15,
        mask=Mask(files=f"{root}/c4d_*_ood_z_ls9.*.fits"),
        variance=Variance(files=f"{root}/c4d_*_oow_z_ls9.*.fits", kind="weight"),
    )
    measured = 0
    for sample in source.read_many(np.arange(len(source))):
        assert isinstance(sample, Sample)
        assert sample.variance is not None
        flux, valid = sample.flux[0].astype(float), sample.valid[0]
        if not valid[4:11, 4:11].all():  # saturated, or at the edge
            continue
        noise = np.sqrt(sample.variance[0][4:11, 4:11].sum())
        if (flux - np.median(flux))[4:11, 4:11].sum() < 20 * noise:
            continue
        assert np.hypot(*windowed(flux, valid, 2.0)) < 0.5
        measured += 1
    assert measured >= 3


def test_spitzer_sources_in_galactic_coordinates(realdata: RealData) -> None:
    """The catalogue's galactic positions, brought to ICRS; isolated sources only, for the field is crowded."""
    table = Table.read(realdata("fits/photutils/spitzer_example_catalog.xml"))
    place = SkyCoord(table["l"], table["b"], frame="galactic").icrs
    source = TileCutouts(
        str(realdata("fits/photutils/spitzer_example_image.fits")),
        targets(place.ra.deg, place.dec.deg),
        size_pix=15,
    )
    assert len(source) >= 223
    assert source.probe(0).unit == "MJy/sr"
    off = []
    y, x = np.mgrid[:15, :15] - 7
    for sample in source.read_many(np.arange(len(source))):
        assert isinstance(sample, Sample)
        flux, valid = sample.flux[0].astype(float), sample.valid[0]
        light = flux - np.median(flux[np.hypot(x, y) > 4])
        peak = light[np.hypot(x, y) < 2].max()
        if valid.all() and light[np.hypot(x, y) > 3].max() < 0.3 * peak:
            off.append(np.hypot(*windowed(flux, valid, 1.0)))
    assert len(off) > 150
    assert max(off) < 0.5


def test_decam_bands_of_one_grid_are_astropys_pixels(realdata: RealData) -> None:
    folder = realdata("fits/decam_grz")
    rng = np.random.default_rng(0)
    x, y = rng.uniform(40, 470, (2, 12))
    header = fits.getheader(folder / "decam_img_g.fits")
    with pytest.warns(FITSFixedWarning):
        ra, dec = WCS(header).all_pix2world(x, y, 0)
    tiles = {band: str(folder / f"decam_img_{band}.fits") for band in "grz"}
    source = TileCutouts(tiles, targets(ra, dec), size_pix=21, subpixel=False)
    pixels = [fits.getdata(folder / f"decam_img_{band}.fits") for band in "grz"]
    for key, sample in zip(source.ids, source.read_many(np.arange(12)), strict=True):
        i = int(key[1:])
        truth = [Cutout2D(image, (x[i], y[i]), 21).data for image in pixels]
        assert isinstance(sample, Sample)
        np.testing.assert_array_equal(sample.flux, truth)


def test_visits_of_one_field_in_three_bands(realdata: RealData) -> None:
    """TPV images of several nights: each object from the visit of each band where it lies deepest."""
    root = str(realdata("fits/legacysurvey/testcase3/images/decam/CP/V4.8.2a"))
    tiles = {band: f"{root}/*/c4d_*_ooi_{band}_ls9.*.fits" for band in "grz"}
    path = min(Path(root).glob("*/c4d_*_ooi_g_*.fits"))
    with fits.open(path) as hdus:
        wcs = sky_wcs(hdus[1].header, *hdus[1].shape, path=path)
    assert wcs is not None
    ra, dec = wcs.sky(np.array([20.3, 15.1]), np.array([25.2, 30.7]))
    source = TileCutouts(
        tiles,
        targets(ra, dec),
        size_pix=21,
        mask=Mask(files={band: f"{root}/*/c4d_*_ood_{band}_ls9.*.fits" for band in "grz"}),
        variance=Variance(files={b: f"{root}/*/c4d_*_oow_{b}_ls9.*.fits" for b in "grz"}, kind="weight"),
    )
    assert source.bands == ("g", "r", "z")
    for sample in source.read_many(np.arange(len(source))):
        assert isinstance(sample, Sample)
        assert sample.valid.mean(axis=(1, 2)).min() > 0.5
        # one field: what is bright in one band is in the others
        both = sample.valid[0] & sample.valid[1]
        assert np.corrcoef(sample.flux[0][both], sample.flux[1][both])[0, 1] > 0.3
