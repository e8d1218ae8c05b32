"""The rows of spectra."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from doc_rows import KEYS, KIND, N, Z, check_redshifts, labels, row

PIXELS = 200
LOGLAM = np.linspace(np.log10(3800), np.log10(9200), PIXELS)
LEVEL = np.arange(1.0, N + 1)  # of each spectrum, which is flat
STARS = {"classes": ("galaxy", "star")}


def flat(n: int, hole: slice = slice(0)) -> np.ndarray:
    """(N, 1, n) flat spectra, with nothing in ``hole``."""
    image = np.tile(LEVEL[:, None, None], (1, 1, n))
    image[:, :, hole] = np.nan
    return image


def spectrum_files(pattern: str, write: Any) -> None:
    for key, level in zip(KEYS, LEVEL, strict=True):
        path = Path(pattern.format(key))
        path.parent.mkdir(exist_ok=True)
        write(level, path)


def sdss(level: float, path: Path) -> None:
    flux, ivar = np.full(PIXELS, level, "f4"), np.full(PIXELS, 4.0, "f4")
    ivar[50:60] = 0
    table = Table({"flux": flux, "loglam": LOGLAM, "ivar": ivar, "and_mask": np.zeros(PIXELS, "i4")})
    primary = fits.PrimaryHDU(header=fits.Header({"PLUG_RA": 10.0 + level, "PLUG_DEC": -5.0}))
    fits.HDUList([primary, fits.BinTableHDU(table, name="COADD")]).writeto(path)


def check_position(data: Any) -> None:
    np.testing.assert_allclose(data.catalog["ra"], 10.0 + LEVEL)


SPECTRUM = {"shape": (1, PIXELS), "bands": ("flux",)}


@row("SDSS, BOSS or eBOSS", **SPECTRUM, **STARS, image=flat(PIXELS, slice(50, 60)), check=check_position)
def sdss_spectra() -> None:
    spectrum_files("sdss/spec-{}.fits", sdss)
    labels(**{"id": KEYS, "class": KIND})


ARMS = {"B": (3600.0, 5800.0), "R": (5760.0, 7620.0), "Z": (7520.0, 9824.0)}
WAVES = {arm: np.arange(low, high + 1, 8.0) for arm, (low, high) in ARMS.items()}
STEP = np.median(np.concatenate([np.diff(np.log(wave)) for wave in WAVES.values()]))
N_DESI = round(np.log(9824 / 3600) / STEP) + 1


@row("DESI, many objects a file", shape=(1, N_DESI), bands=("flux",), check=check_redshifts)
def desi() -> None:
    Path("desi").mkdir()
    ids = 39628000000000000 + np.arange(N)
    fibres = Table({"TARGETID": ids, "TARGET_RA": LEVEL, "TARGET_DEC": LEVEL})
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(fibres, name="FIBERMAP")]
    for arm, wave in WAVES.items():
        flux = np.tile(LEVEL[:, None], len(wave)).astype("f4")
        for name, values in (("WAVELENGTH", wave), ("FLUX", flux), ("IVAR", np.ones_like(flux))):
            hdus.append(fits.ImageHDU(values, name=f"{arm}_{name}"))
    fits.HDUList(hdus).writeto("desi/coadd-main-dark-1.fits")
    Table({"TARGETID": ids, "Z": Z}).write("targets.fits")


@row("LAMOST", **SPECTRUM, classes=("0", "1"), image=flat(PIXELS, slice(20, 30)), check=check_position)
def lamost() -> None:
    def write(level: float, path: Path) -> None:
        rows = np.zeros((5, PIXELS), "f4")
        rows[0], rows[1], rows[2] = level, 4.0, 10**LOGLAM
        rows[3, 20:30] = 1
        header = fits.Header({"TELESCOP": "LAMOST", "RA": 10.0 + level, "DEC": -5.0})
        fits.PrimaryHDU(rows, header).writeto(path)

    spectrum_files("lamost/spec-{}.fits.gz", write)
    labels()


def check_vacuum(data: Any) -> None:
    name, wave = data.origin()[0].axis
    assert name == "Wavelength in vacuum (Å)"
    np.testing.assert_allclose(
        wave[[0, -1]], [4001.131, 9002.470], atol=0.01
    )  # Edlén's air, as of Morton (1991)


@row(
    "a table a spectrum, with columns of other names",
    shape=(1, PIXELS),
    bands=("flux",),
    image=flat(PIXELS),
    check=check_vacuum,
)
def own_columns() -> None:
    def write(level: float, path: Path) -> None:
        lam = np.geomspace(400.0, 900.0, PIXELS)
        Table({"lam": lam, "f": np.full(PIXELS, level), "df": np.ones(PIXELS)}).write(path)

    spectrum_files("mine/{}.csv", write)


@row("1-D FITS images with the wavelengths in the header", **SPECTRUM, image=flat(PIXELS))
def images_with_waves() -> None:
    header = fits.Header(
        {"CTYPE1": "LINEAR", "CRVAL1": LOGLAM[0], "CD1_1": LOGLAM[1] - LOGLAM[0], "CRPIX1": 1.0}
    )
    header["DC-FLAG"] = 1
    spectrum_files(
        "iraf/{}.fits", lambda level, path: fits.PrimaryHDU(np.full(PIXELS, level), header).writeto(path)
    )


def check_grid(data: Any) -> None:
    wave = data.origin()[0].axis[1]
    np.testing.assert_allclose(wave, np.geomspace(4000, 9000, 500))
    batch = data.gather(np.arange(N))
    place = np.log10(wave / 3800) / (
        LOGLAM[1] - LOGLAM[0]
    )  # in pixels of the files, of which 50 to 59 are bad
    good = np.tile((place < 49.5) | (place > 59.5), (N, 1, 1))
    np.testing.assert_array_equal(batch["valid"], good)
    np.testing.assert_allclose(batch["image"], np.where(good, LEVEL[:, None, None], 0), rtol=1e-6)
    assert (batch["variance"].numpy()[good] > 0).all()


@row("a grid of your own, and the variance in the batches", shape=(1, 500), bands=("flux",), check=check_grid)
def own_grid() -> None:
    spectrum_files("sdss/spec-{}.fits", sdss)
