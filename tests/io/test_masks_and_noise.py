"""Masks, variances and units of flux beside an image: in its file or in others, and on real survey files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.fits import probe, read
from astrocnn.io.layers import FluxScale, Mask, Variance

RealData = Callable[[str], Path]
RNG = np.random.default_rng(3)
CUBE = RNG.normal(size=(2, 6, 5)).astype(np.float32) * 1e-11
SIGMA = RNG.uniform(1, 2, CUBE.shape) * 1e-12
BITS = RNG.integers(0, 8, CUBE.shape).astype(np.int32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as survey pipelines write it: empty primary with the zero-point, then image, mask and noise."""
    header = fits.Header({"MP_BAD": 0, "MP_SAT": 1, "MP_CR": 2})
    hdus = [
        fits.PrimaryHDU(header=fits.Header({"FLUXMAG0": 10 ** (0.4 * 27)})),
        fits.ImageHDU(CUBE, name="SCI"),
        fits.ImageHDU(BITS, header, name="MASK"),
        fits.ImageHDU(BITS[0], header, name="ONE"),
        fits.ImageHDU(SIGMA**2, name="VARIANCE"),
        fits.ImageHDU(SIGMA**-2, name="IVAR"),
        fits.ImageHDU(SIGMA, name="RMS"),
        fits.ImageHDU(np.ones_like(BITS), name="VETO"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    return tmp_path / "a.fits"


def test_masked_pixels_hold_nothing(path: Path) -> None:
    image = read(path, mask=Mask("MASK", bits=["SAT", "CR"]))
    np.testing.assert_array_equal(image.valid, BITS & 6 == 0)
    np.testing.assert_array_equal(image.flux, np.where(BITS & 6 == 0, CUBE, 0))
    np.testing.assert_array_equal(read(path, mask=Mask("MASK")).valid, BITS == 0)


def test_one_plane_of_a_mask_is_for_all_bands(path: Path) -> None:
    image = read(path, mask=Mask("ONE", bits=[0]))
    np.testing.assert_array_equal(image.valid, np.broadcast_to(BITS[0] & 1 == 0, CUBE.shape))


@pytest.mark.parametrize(
    ("hdu", "kind"), [("VARIANCE", "variance"), ("IVAR", "inverse"), ("IVAR", "weight"), ("RMS", "rms")]
)
def test_every_kind_of_noise_map(path: Path, hdu: str, kind: str) -> None:
    image = read(path, variance=Variance(hdu, kind=kind), mask=Mask("MASK", bits="BAD"))
    good = BITS & 1 == 0
    np.testing.assert_array_equal(image.valid, good)
    np.testing.assert_allclose(image.variance, np.where(good, SIGMA**2, 0), rtol=1e-6)


def test_layers_in_files_of_their_own(path: Path, tmp_path: Path) -> None:
    fits.PrimaryHDU(BITS).writeto(tmp_path / "mask.fits")
    fits.CompImageHDU(
        SIGMA[0].astype(np.float32), name="W", compression_type="GZIP_1", quantize_level=0
    ).writeto(tmp_path / "w.fits.fz")
    one = tmp_path / "one.fits"
    fits.PrimaryHDU(CUBE[0]).writeto(one)
    image = read(path, mask=Mask(bits=[1]), mask_path=tmp_path / "mask.fits")
    np.testing.assert_array_equal(image.valid, BITS & 2 == 0)
    noise = read(one, variance=Variance("W", kind="rms"), variance_path=tmp_path / "w.fits.fz").variance
    np.testing.assert_allclose(noise, SIGMA[:1] ** 2, rtol=1e-6)
    with pytest.raises(DataError, match=r"mask\.fits, HDU 0: the mask's header names no bit 'SAT'"):
        read(path, mask=Mask(bits=["SAT"]), mask_path=tmp_path / "mask.fits")
    with pytest.raises(DataError, match=r"gone\.fits cannot be read: No such file"):
        read(path, mask=Mask(), mask_path=tmp_path / "gone.fits")


def test_flux_and_variance_in_one_unit(path: Path) -> None:
    image = read(path, variance=Variance("VARIANCE"), flux=FluxScale("nJy"))
    factor = (27 * u.ABmag).to_value(u.nJy)
    assert image.info.unit == "nJy"
    np.testing.assert_allclose(image.flux, CUBE * factor, rtol=1e-4)
    np.testing.assert_allclose(image.variance, SIGMA**2 * factor**2, rtol=2e-4)
    np.testing.assert_allclose(image.flux / np.sqrt(image.variance), CUBE / SIGMA, rtol=1e-5)


def test_zero_points_of_planes(path: Path, tmp_path: Path) -> None:
    factor = [(m * u.ABmag).to_value(u.uJy) for m in (25.0, 26.0)]
    image = read(path, flux=FluxScale("uJy", [25.0, 26.0]))
    np.testing.assert_allclose(image.flux, CUBE * np.array(factor)[:, None, None], rtol=1e-4)
    with pytest.raises(DataError, match="has 3 values for 2 planes"):
        probe(path, flux=FluxScale("uJy", [1.0, 2.0, 3.0]))
    with pytest.raises(
        DataError, match=r"a\.fits: data\.zero_point=.*: the header does not name the bands.*data\.bands"
    ):
        probe(path, flux=FluxScale("uJy", {"g": 25.0, "r": 26.0}))
    told = read(path, flux=FluxScale("uJy", {"g": 25.0, "r": 26.0}, bands=("g", "r")))
    np.testing.assert_array_equal(told.flux, image.flux)
    named = tmp_path / "named.fits"
    fits.PrimaryHDU(CUBE, fits.Header({"BAND1": "r", "BAND2": "g"})).writeto(named)
    by_band = read(named, flux=FluxScale("uJy", {"g": 25.0, "r": 26.0}))
    np.testing.assert_allclose(by_band.flux, CUBE * np.array(factor[::-1])[:, None, None], rtol=1e-4)
    with pytest.raises(DataError, match=r"named\.fits: data\.zero_point=.*: none for r"):
        probe(named, flux=FluxScale("uJy", {"g": 25.0}))
    # a list goes by the wanted bands, which need not be all of them, nor in the order of the planes
    ordered = read(named, flux=FluxScale("uJy", [25.0, 26.0], bands=("g", "r")))
    np.testing.assert_array_equal(ordered.flux, by_band.flux)
    for wanted in (FluxScale("uJy", {"g": 25.0}, bands=("g",)), FluxScale("uJy", [25.0], bands=("g",))):
        np.testing.assert_array_equal(read(named, flux=wanted).flux[1], by_band.flux[1])
    with pytest.raises(DataError, match="has 2 values for 1 planes"):
        probe(named, flux=FluxScale("uJy", [25.0, 26.0], bands=("g",)))


def test_surface_brightness_by_the_wcs(realdata: RealData) -> None:
    path = realdata("fits/photutils/spitzer_example_image.fits")
    stored, image = read(path), read(path, flux=FluxScale("uJy"))
    area = abs(fits.getval(path, "CD1_1") * fits.getval(path, "CD2_2")) * u.deg**2
    expected = (stored.flux.astype(float) * u.MJy / u.sr * area).to_value(u.uJy)
    np.testing.assert_allclose(image.flux, expected, rtol=1e-5)
    assert (~image.valid).sum() == 3
    filled = read(path, sky=False, flux=FluxScale("uJy", pixel_scale_arcsec=1.19))
    np.testing.assert_array_equal(filled.flux, image.flux)  # the header knows better
    same = read(path, flux=FluxScale("MJy/sr"))
    np.testing.assert_array_equal(same.flux, stored.flux)


def test_what_does_not_fit(path: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.fits"
    fits.PrimaryHDU(BITS[0, :4]).writeto(small)
    with pytest.raises(
        DataError,
        match=r"small\.fits, HDU 0: the mask is 1 × 4 × 5 but the image is 2 × 6 × 5; .*data\.mask\.hdu",
    ):
        probe(path, mask=Mask(), mask_path=small)
    with pytest.raises(DataError, match=r"ONE\): the variance is 1 × 6 × 5 but .*data\.variance\.files"):
        probe(path, variance=Variance("ONE"))
    with pytest.raises(DataError, match=r"has no HDU 'DQ'.*data\.mask\.hdu=\.\.\."):
        probe(path, mask=Mask("DQ"))
    with pytest.raises(DataError, match=r"a\.fits, HDU 5 \(IVAR\): the mask holds values that are not whole"):
        read(path, mask=Mask("IVAR"))
    with pytest.raises(
        DataError, match=r"no pixel is valid \(all NaN or BLANK, masked, or without a variance"
    ):
        read(path, mask=Mask("VETO"))


def test_options_that_say_nothing() -> None:
    assert Mask.of(None) is None
    assert Mask.of({"hdu": None, "files": None, "bits": None}) is None
    assert Variance.of({"hdu": None, "files": None, "kind": "variance"}) is None
    assert Mask.of({"hdu": "MASK", "bits": ["SAT"]}) == Mask("MASK", bits=["SAT"])
    assert FluxScale.of(None, None, 0.2) is None
    with pytest.raises(
        ConfigError, match=r"data\.mask=.*'bits': \['SAT'\]} does not say where the planes are"
    ):
        Mask.of({"bits": ["SAT"]})
    with pytest.raises(
        ConfigError, match=r"data\.variance\.\*='typ' is not known; choose from hdu, files, kind"
    ):
        Variance.of({"typ": "rms"})
    with pytest.raises(ConfigError, match=r"data\.variance\.kind='sigma' is not known"):
        Variance.of({"hdu": 2, "kind": "sigma"})
    with pytest.raises(ConfigError, match=r"data\.zero_point=27\.0 .*data\.flux_unit"):
        FluxScale.of(None, 27.0, None)
    with pytest.raises(ConfigError, match=r"'27' is no magnitude"):
        FluxScale.of("nJy", {"g": "27"}, None)


@pytest.mark.parametrize(
    ("folder", "n", "n_bad"), [("testcase3", 8, 0), ("testcase4", 1, 177), ("mzlsbass3", 8, 0)]
)
def test_real_triplets_of_image_mask_and_weight(realdata: RealData, folder: str, n: int, n_bad: int) -> None:
    """The community pipeline's ooi, ood and oow, by astropy's reading of each."""
    root = realdata(f"fits/legacysurvey/{folder}/images")
    images = sorted(root.rglob("*_ooi_*.fits*"))
    assert len(images) == n
    masked = 0
    for path in images:
        mask, weight = (path.parent / path.name.replace("_ooi_", f"_{kind}_") for kind in ("ood", "oow"))
        image = read(
            path,
            mask=Mask(),
            mask_path=mask,
            variance=Variance(kind="weight"),
            variance_path=weight,
            sky=False,
        )
        data, bits, weights = (fits.getdata(p, 1) for p in (path, mask, weight))
        good = (bits == 0) & (weights > 0) & np.isfinite(data)
        np.testing.assert_array_equal(image.valid[0], good)
        np.testing.assert_array_equal(image.flux[0], np.where(good, data, 0))
        np.testing.assert_allclose(image.variance[0][good], 1 / weights[good].astype(float), rtol=1e-6)
        masked += (~good).sum()
    assert masked == n_bad


def test_real_decam_image_in_nanojansky(realdata: RealData) -> None:
    folder = realdata("fits/legacysurvey/testcase4/images/decam/CP/V4.8.2/CP20170315")
    path = next(iter(sorted(folder.glob("*_ooi_*"))))
    zero_point = fits.getval(path, "MAGZERO", 0)
    stored, image = read(path, sky=False), read(path, sky=False, flux=FluxScale("nJy"))
    np.testing.assert_allclose(image.flux, stored.flux * (zero_point * u.ABmag).to_value(u.nJy), rtol=1e-4)


def test_real_hsc_zero_point_is_27(realdata: RealData) -> None:
    for path in sorted(realdata("fits/hsc_cutouts/images").glob("*.fits")):
        stored, image = read(path, sky=False), read(path, sky=False, flux=FluxScale("nMgy"))
        np.testing.assert_allclose(image.flux, stored.flux * 10 ** (0.4 * (22.5 - 27)), rtol=1e-6)


def test_real_hubble_image_is_by_its_exposure_time(realdata: RealData) -> None:
    path = realdata("fits/wcs/cosmos_147246_masknoise.fits")
    header = fits.getheader(path)
    assert header["BUNIT"] == "ELECTRONS"
    image, stored = read(path, sky=False, flux=FluxScale("nJy")), read(path, sky=False)
    flam = header["PHOTFLAM"] * u.erg / u.s / u.cm**2 / u.AA
    njy = flam.to_value(u.nJy, u.spectral_density(header["PHOTPLAM"] * u.AA)) / header["EXPTIME"]
    np.testing.assert_allclose(image.flux, stored.flux * njy, rtol=1e-5)


def test_the_radio_image_keeps_its_gaps(realdata: RealData) -> None:
    path, rms = realdata("radio/1904-66_SIN.fits"), realdata("radio/1904-66_SIN_rms.fits")
    image = read(path, variance=Variance(kind="rms"), variance_path=rms, sky=False)
    expected = np.isfinite(fits.getdata(path)) & np.isfinite(fits.getdata(rms))
    np.testing.assert_array_equal(image.valid[0], expected)
    assert 0.35 < (~image.valid).mean() < 0.45
    np.testing.assert_allclose(image.variance[0][expected], fits.getdata(rms)[expected] ** 2.0, rtol=1e-6)
    brightness = read(path, flux=FluxScale("MJy/sr"), sky=False)
    header = fits.getheader(path)
    beam = 2 * np.pi * (header["BMAJ"] * header["BMIN"]) / (8 * np.log(2)) * u.deg**2
    expected = (fits.getdata(path) * u.Jy / u.beam).to_value(u.MJy / u.sr, u.beam_angular_area(beam))
    np.testing.assert_allclose(
        brightness.flux[0][brightness.valid[0]], expected[brightness.valid[0]], rtol=1e-5
    )


def test_the_users_pixel_scale_counts_without_a_wcs(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(CUBE, fits.Header({"BUNIT": "MJy/sr"})).writeto(path)
    with pytest.raises(DataError, match=r"a\.fits, HDU 0: data\.flux_unit=nJy needs the area of a pixel"):
        probe(path, flux=FluxScale("nJy"))
    image = read(path, flux=FluxScale("nJy", pixel_scale_arcsec=0.5))
    njy = (1 * u.MJy / u.sr * 0.25 * u.arcsec**2).to_value(u.nJy)
    np.testing.assert_allclose(image.flux, CUBE * njy, rtol=1e-6)
