"""The rows of light curves."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from doc_rows import CLASS, KEYS, N, labels, masked, row

RNG = np.random.default_rng(3)
EPOCHS = 30
DAYS = np.arange(EPOCHS) * 0.5
CURVE = (100 + RNG.normal(0, 1, (N, EPOCHS))).astype(np.float32)
QUALITY = np.zeros(EPOCHS, np.int32)
QUALITY[4], QUALITY[7] = 1 << 3, 1 << 9
SERIES = {"shape": (2, EPOCHS), "bands": ("time", "flux")}


def curves(bad: np.ndarray) -> np.ndarray:
    """(N, 2, 30): the times from the first good one, and the fluxes with NaN where ``bad``."""
    return np.stack([np.tile(DAYS, (N, 1)), masked(CURVE, bad)], axis=1)


def tess_files() -> None:
    Path("tess").mkdir()
    for key, curve in zip(KEYS, CURVE, strict=True):
        table = Table({"TIME": 1325.0 + DAYS, "SAP_FLUX": np.zeros(EPOCHS, "f4"), "PDCSAP_FLUX": curve})
        table["PDCSAP_FLUX_ERR"], table["QUALITY"] = np.ones(EPOCHS, "f4"), QUALITY
        hdus = [fits.PrimaryHDU(), fits.BinTableHDU(table, name="LIGHTCURVE")]
        fits.HDUList(hdus).writeto(f"tess/{key}_lc.fits")


@row("Kepler, K2 or TESS", **SERIES, classes=("0", "1"), image=curves(QUALITY > 0))
def tess() -> None:
    tess_files()
    labels("stars.csv")


@row("… of which only some quality flags matter", **SERIES, image=curves((QUALITY & 0b101000) > 0))
def tess_flags() -> None:
    tess_files()


def star_tables() -> None:
    Path("lc").mkdir()
    for key, curve in zip(KEYS, CURVE, strict=True):
        Table({"t": 59000.0 + DAYS, "m": curve / 5, "dm": np.full(EPOCHS, 0.1)}).write(f"lc/{key}.csv")


MAGNITUDES = np.stack([np.tile(DAYS, (N, 1)), CURVE / 5], axis=1)


def check_noise(data: Any) -> None:
    np.testing.assert_allclose(data.gather(np.arange(N))["variance"][:, 1], 0.01, rtol=1e-6)


@row("a table a star, with columns of other names", **SERIES, image=MAGNITUDES, check=check_noise)
def star_files() -> None:
    star_tables()


LONG = {"shape": (3, EPOCHS), "bands": ("time", "g", "r")}


@row(
    "one long table, bands in a column",
    **LONG,
    classes=("II", "Ia"),
    image=np.stack([np.tile(DAYS, (N, 1)), CURVE, CURVE + 5], axis=1),
)
def long_table() -> None:
    rows = [
        (key, 59000.0 + day, band, value + offset)
        for key, curve in zip(KEYS, CURVE, strict=True)
        for day, value in zip(DAYS, curve, strict=True)
        for band, offset in (("r", 5.0), ("g", 0.0))
    ]
    Table(rows=rows, names=("snid", "mjd", "band", "flux")).write("alerts.parquet")
    labels("types.csv", snid=KEYS, type=np.array(["Ia", "II"])[CLASS])


LATER = 0.25
BOTH = np.sort(np.concatenate([DAYS, DAYS + LATER]))
TURNS = np.full((N, 3, 2 * EPOCHS), np.nan)
TURNS[:, 0], TURNS[:, 1, ::2], TURNS[:, 2, 1::2] = BOTH, CURVE / 5, CURVE / 5 + 1


@row("a column a band", shape=(3, 2 * EPOCHS), bands=("time", "g", "r"), image=TURNS)
def columns_by_band() -> None:
    Path("lc").mkdir()
    for key, curve in zip(KEYS, CURVE, strict=True):
        table = Table({"t_g": DAYS, "mag_g": curve / 5, "t_r": DAYS + LATER, "mag_r": curve / 5 + 1})
        table.write(f"lc/{key}.dat", format="ascii")


def check_folded(data: Any) -> None:
    batch = data.gather(np.arange(N))
    phase = (np.arange(25) + 0.5) / 25
    np.testing.assert_allclose(batch["image"][:, 0], np.tile(phase, (N, 1)), rtol=1e-6)
    # every star is a sine of its own period, whose phase is that of its first observation
    good = batch["valid"][:, 1].numpy()
    assert good.mean() > 0.9
    np.testing.assert_allclose(
        batch["image"][:, 1].numpy()[good], np.tile(wave(phase), (N, 1))[good], atol=0.13
    )


def wave(phase: np.ndarray) -> np.ndarray:
    return 10 + np.sin(2 * np.pi * phase)


@row("periods, to fold by", shape=(2, 25), bands=("phase", "flux"), classes=("0", "1"), check=check_folded)
def folded() -> None:
    Path("lc").mkdir()
    period = RNG.uniform(0.4, 0.9, N)
    for key, days in zip(KEYS, period, strict=True):
        time = np.concatenate([[0.0], np.sort(RNG.uniform(0, 50, 299))])
        Table({"mjd": 59000 + time, "flux": wave(time / days % 1)}).write(f"lc/{key}.csv")
    labels("stars.csv", id=KEYS, label=CLASS, P=period)


@row(
    "light curves to average in bins of time",
    shape=(2, 20),
    bands=("time", "flux"),
    image=np.stack([np.tile((np.arange(20) + 0.5) * 14.5 / 20, (N, 1)), np.full((N, 20), 7.0)], axis=1),
)
def binned() -> None:
    Path("lc").mkdir()
    for key in KEYS:
        Table({"mjd": 59000 + DAYS, "flux": np.full(EPOCHS, 7.0)}).write(f"lc/{key}.csv")
