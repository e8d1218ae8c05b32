"""The rows of photometry."""

from typing import Any

import h5py
import numpy as np
from astropy.table import Table
from doc_rows import KEYS, KIND, N, Z, check_redshifts, masked, row

RNG = np.random.default_rng(2)
MAG = RNG.uniform(18, 25, (N, 3))
ERROR = np.full((N, 3), 0.1)
BANDS = "gri"
MAGS = {"shape": (3,), "bands": ("mag_g", "mag_r", "mag_i"), "image": MAG.astype(np.float32)}
KINDS = {"classes": ("galaxy", "star")}


def photometry(mag: np.ndarray = MAG, error: np.ndarray | None = ERROR) -> dict[str, Any]:
    """Columns of magnitudes, and of their errors where there are any."""
    columns = {f"mag_{band}": mag[:, c] for c, band in enumerate(BANDS)}
    return columns if error is None else columns | {f"magerr_{b}": error[:, c] for c, b in enumerate(BANDS)}


@row("magnitudes and errors in a FITS table", **MAGS, **KINDS, variance=0.01)
def fits_table() -> None:
    Table({"id": KEYS, "kind": KIND, **photometry()}).write("galaxies.fits")


@row("Parquet, with redshifts to learn", **MAGS, check=check_redshifts)
def parquet_table() -> None:
    Table({"id": KEYS, "z_spec": Z, **photometry(error=None)}).write("galaxies.parquet")


LSST = MAGS | {"bands": tuple(f"mag_{band}_lsst" for band in BANDS)}


@row("HDF5, one table of several", **LSST, variance=0.01, check=check_redshifts)
def hdf5_table() -> None:
    with h5py.File("survey.hdf5", "w") as file:
        file["spectroscopy/z"] = np.arange(3.0)
        for c, band in enumerate(BANDS):
            file[f"photometry/mag_{band}_lsst"] = MAG[:, c]
            file[f"photometry/mag_err_{band}_lsst"] = ERROR[:, c]
        file["photometry/redshift"] = Z


COUNTS = RNG.normal(0, 50, (N, 2))
COUNTS[3, 0] = -99.0


@row(
    "CSV with fluxes",
    shape=(2,),
    bands=("flux_g", "flux_r"),
    **KINDS,
    image=masked(COUNTS, COUNTS == -99),
    variance=25.0,
)
def csv_fluxes() -> None:
    fluxes = {f"flux_{band}": COUNTS[:, c] for c, band in enumerate("gr")}
    errors = {f"fluxerr_{band}": np.full(N, 5.0) for band in "gr"}
    Table({"id": KEYS, "kind": KIND, **fluxes, **errors}).write("fluxes.csv")


DEEP, DEEP_ERROR = MAG.copy(), ERROR.copy()
DEEP[2, 0], DEEP_ERROR[2, 0] = 99.0, 26.6  # looked for and not found
DEEP[4, 1] = -99.0  # not observed
LIMITS = np.full((N, 3), np.nan)
LIMITS[2, 0] = 26.6


def check_limits(data: Any) -> None:
    batch = data.gather(np.arange(N))
    np.testing.assert_allclose(batch["variance"][:, 3:], 0)
    np.testing.assert_allclose(batch["variance"][:, :3][batch["valid"][:, :3]], 0.01, rtol=1e-6)


@row(
    "ECSV, where 99 is a non-detection and its error the limit",
    shape=(6,),
    bands=(*MAGS["bands"], "mag_g_limit", "mag_r_limit", "mag_i_limit"),
    **KINDS,
    image=np.hstack([masked(DEEP, np.abs(DEEP) == 99), LIMITS]),
    check=check_limits,
)
def limits() -> None:
    Table({"id": KEYS, "kind": KIND, **photometry(DEEP, DEEP_ERROR)}).write("deep.ecsv")


EBV = np.linspace(0, 0.3, N)
SDSS = np.array([3.303, 2.285, 1.698])  # Schlafly & Finkbeiner (2011), table 6


@row("VOTable, to be corrected for dust", **MAGS | {"image": MAG - EBV[:, None] * SDSS}, **KINDS)
def votable() -> None:
    columns = {"id": KEYS, "kind": KIND, "EBV": EBV, **photometry(error=None)}
    Table(columns).write("galaxies.vot", format="votable")


NONE, WIDE = MAG.copy(), ERROR.copy()
NONE[1, 2], WIDE[5, 0] = -1.0, 0.8


@row(
    "text, with a number of its own for no measurement",
    **MAGS | {"image": masked(MAG, (NONE == -1) | (WIDE > 0.5))},
    **KINDS,
    variance=0.01,
)
def text_table() -> None:
    Table({"id": KEYS, "kind": KIND, **photometry(NONE, WIDE)}).write("galaxies.dat", format="ascii")
