"""Redshifts from simulated images against the same galaxies' photometry and shapes through the table model.

    python benchmarks/photoz_images.py [--out FOLDER] [--n-images N] [overrides of both trainings ...]

Both learn from the same galaxies and are tested on the same others. The table has the PSF-matched magnitudes with their
errors, the sizes and the ellipticities that simulate/matched_photometry.py measures on the same pixels; neighbours are
in both. Differences are images − table with 95 % intervals of a paired bootstrap over galaxies. Finished runs are read
again.
"""

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
from astropy.table import Table
from common import cores, cpu_seconds, machine, print_table, trained

from astrocnn.datamodules.photoz import PhotozDataModule
from astrocnn.functional.bootstrap import bootstrap, percentile_interval
from astrocnn.functional.redshift_pdfs import PdfFigures, PdfScores
from astrocnn.functional.redshift_points import PointFigures
from astrocnn.io.tables import read_table, write_table

FIGURES = {
    "sigma_nmad": 4,
    "outliers_005": 4,
    "outliers_015": 4,
    "crps": 4,
    "cde_loss": 2,
    "log_likelihood": 3,
    "pit_ks": 3,
}
SIZE_ERROR, ELLIPTICITY_ERROR = 0.05, 0.05  # the same for all: it tells the network nothing
ISOLATED = 0.01  # neighbours' share of the light in the magnitudes
N_RESAMPLES = 1000
BANDS = "ugrizy"


def table_of(catalog: Path, target: Path) -> Path:
    """The photometry as data=photoz_table reads it: nine features with an error each."""
    table = read_table(catalog)
    photometry = Table({"id": table["id"], "redshift": table["redshift"]})
    for band in BANDS:
        photometry[f"mag_{band}"] = table[f"mag_{band}"]
        photometry[f"err_{band}"] = table[f"mag_err_{band}"]
    photometry["size"], photometry["ellipticity"] = table["size_arcsec"], table["ellipticity"]
    photometry["err_size"] = np.full(len(table), SIZE_ERROR)
    photometry["err_ellipticity"] = np.full(len(table), ELLIPTICITY_ERROR)
    if not target.exists():
        write_table(photometry, target)
    return target


def told(seconds: float | None, before: float) -> str:
    return "read" if seconds is None else f"{seconds:.0f} s, {cpu_seconds() - before:.0f} s of processor time"


def predictions(run: Path) -> Table:
    """The test galaxies in the order of their ids."""
    said = read_table(run / "predictions.parquet")
    said = said[np.asarray(said["split"]).astype(str) == "test"]
    return said[np.argsort(np.asarray(said["id"]).astype(str))]


def statistics(said: Table, z: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The figures (b, 7) of ``FIGURES`` as a function of counts (b, N)."""
    scores = PdfScores(*(np.asarray(said[each.name], float) for each in fields(PdfScores)))
    made = [PointFigures(np.asarray(said["z_median"], float), z), PdfFigures(scores)]
    names = [name for each in made for name in each.names]
    columns = [names.index(name) for name in FIGURES]
    return lambda counts: np.concatenate([each(counts) for each in made], axis=1)[:, columns]


def compare(name: str, images: Table, table: Table, rows: np.ndarray) -> list[list[str]]:
    """Three rows of the printed table: images, table, their difference with its interval."""
    z = np.asarray(images["redshift"], float)[rows]
    once, zeros = np.ones((1, len(z))), np.zeros(len(z), np.int64)
    whole, again = [], []
    for said in (images, table):
        figures = statistics(said[rows], z)
        whole.append(figures(once)[0])
        again.append(bootstrap(figures, zeros, n_resamples=N_RESAMPLES, seed=0))  # the same draws for both
    low, high = percentile_interval(again[0] - again[1])
    shown = [[f"{v:.{d}f}" for v, d in zip(of, FIGURES.values(), strict=True)] for of in whole]
    difference = [
        f"{a - b:+.{d}f} [{lo:+.{d}f}, {hi:+.{d}f}]"
        for a, b, lo, hi, d in zip(*whole, low, high, FIGURES.values(), strict=True)
    ]
    return [
        [f"{name}, {len(z):,}", "images", *shown[0]],
        ["", "table", *shown[1]],
        ["", "images − table", *difference],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/photoz_images"))
    parser.add_argument("--root", default="data/photoz", help="folder of the simulated sets")
    parser.add_argument("--n-images", type=int, default=20000)
    options, overrides = parser.parse_known_args()
    simulated = PhotozDataModule(root=options.root, n_images=options.n_images)
    catalog = simulated.simulate() / "catalog.fits"
    options.out.mkdir(parents=True, exist_ok=True)
    runs = {"images": options.out / "images", "table": options.out / "table"}
    before = cpu_seconds()
    seconds = trained(
        runs["images"], "experiment=photoz_lsst", f"data.root={options.root}",
        f"data.n_images={options.n_images}", *overrides,
    )  # fmt: skip
    print(f"images: {told(seconds, before)}")
    features = [*(f"mag_{band}" for band in BANDS), "size", "ellipticity"]
    errors = [*(f"err_{band}" for band in BANDS), "err_size", "err_ellipticity"]
    before = cpu_seconds()
    seconds = trained(
        runs["table"], "experiment=dc2_table", f"data.catalog={table_of(catalog, options.out / 'table.fits')}",
        f"data.features=[{','.join(features)}]", f"data.errors=[{','.join(errors)}]", *overrides,
    )  # fmt: skip
    print(f"table: {told(seconds, before)}")

    images, table = (predictions(run) for run in runs.values())
    if list(images["id"]) != list(table["id"]):
        raise SystemExit("the runs were tested on different galaxies; remove them and train again.")
    truth = read_table(catalog)
    place = {str(key): row for row, key in enumerate(truth["id"])}
    truth = truth[[place[str(key)] for key in images["id"]]]
    mag, blending = np.asarray(truth["true_i"]), np.asarray(truth["blending"])
    parts = {
        "all": np.ones(len(mag), bool),
        "isolated": blending < ISOLATED,
        "blended": blending >= ISOLATED,
        "i < 23": mag < 23,
        "23 < i < 24.5": (mag >= 23) & (mag < 24.5),
        "i > 24.5": mag >= 24.5,
    }
    print(f"\n{machine()}, {cores()}\n")
    rows = [row for name, part in parts.items() for row in compare(name, images, table, np.flatnonzero(part))]
    print_table(["galaxies", "from", *FIGURES], rows)


if __name__ == "__main__":
    main()
