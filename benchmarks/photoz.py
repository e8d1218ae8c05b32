"""Photometric redshifts from tables, beside a random forest, kernels on neighbours and on leaves, and FlexZBoost.

    python benchmarks/photoz.py [--sets dc2 mgs] [--source FOLDER] [--out FOLDER] [overrides of train.py ...]

``dc2``: cosmoDC2 photometry (LSSTDESC/rail_base) in five folds, figures of the rows of all folds together; ``mgs``:
SDSS main galaxies (mgckind/MLZ), trained on one file and tested on the other. A seventh of the training rows chooses
options and, for astrocnn, weights and recalibration; the classical methods then learn from it too. Methods that are
done are kept in --out. FlexZBoost needs ``pip install flexcode xgboost``.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from common import ROOT, cores, machine, print_table, trained
from photoz_baselines import METHODS, Found, Rows
from sklearn.model_selection import KFold

from astrocnn.functional.bootstrap import bootstrap, percentile_interval
from astrocnn.functional.pit import of_perfect_pdfs
from astrocnn.functional.redshift_pdfs import PdfFigures, PdfScores
from astrocnn.functional.redshift_points import PointFigures
from astrocnn.io.tables import read_table, write_table

POINTS = {"sigma_nmad": 4, "outliers_005": 4, "outliers_015": 4}
PDFS = {"cde_loss": 2, "log_likelihood": 3, "crps": 4, "pit_ks": 4}
LARGER_IS_BETTER = ("log_likelihood",)
N_RESAMPLES = 1000
OURS = "astrocnn, model=mdn_table"
BEFORE = f"{OURS}, before recalibration"


def dc2(source: Path) -> tuple[Table, list[tuple[np.ndarray, np.ndarray]]]:
    """The table with magnitudes, errors and redshifts, and (training, test) rows of each fold."""
    table = read_table(source / "test_dc2_training_9816.hdf5")
    folds = KFold(5, shuffle=True, random_state=0).split(np.arange(len(table)))
    return table, list(folds)


def mgs(source: Path) -> tuple[Table, list[tuple[np.ndarray, np.ndarray]]]:
    """As :func:`dc2`, of SDSS."""
    rows = np.concatenate([np.loadtxt(source / f"SDSS_MGS.{part}") for part in ("train", "test")])
    table = Table({"id": np.arange(len(rows)), "redshift": rows[:, 0]})
    for number, band in enumerate("ugriz"):
        table[f"mag_{band}"], table[f"mag_err_{band}"] = rows[:, 1 + number], rows[:, 10 + number]
    return table, [(np.arange(5000), np.arange(5000, 10000))]


SETS: dict[str, Callable[[Path], tuple[Table, list[tuple[np.ndarray, np.ndarray]]]]] = {
    "dc2": dc2,
    "mgs": mgs,
}
FEATURES = {"dc2": ("mag_*_lsst", "mag_err_*_lsst", "ugrizy"), "mgs": ("mag_*", "mag_err_*", "ugriz")}


def features(name: str, table: Table) -> np.ndarray:
    """The r magnitude and the colours of neighbouring bands; non-detections half a magnitude below the faintest."""
    pattern, _, bands = FEATURES[name]
    mags = np.stack([np.asarray(table[pattern.replace("*", band)], float) for band in bands], axis=1)
    mags = np.where(mags > 90, np.nan, mags)
    mags = np.where(np.isnan(mags), np.nanmax(mags, axis=0) + 0.5, mags)
    return np.hstack([mags[:, [2]], -np.diff(mags, axis=1)])


def parts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows."""
    mixed = np.random.default_rng(0).permutation(rows)
    return mixed[len(rows) // 7 :], mixed[: len(rows) // 7]


def ours(
    name: str, fold: int, table: Table, train: np.ndarray, test: np.ndarray, out: Path, more: list[str]
) -> dict[str, Found]:
    """Train through the command, or read the run that is there: with the recalibration and before it."""
    folder = out / f"{name}_{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    catalog = folder / "catalog.fits"
    training, validation = parts(train)
    table = table.copy()
    table["split"] = np.full(len(table), "", dtype="U5")
    for rows, part in ((training, "train"), (validation, "val"), (test, "test")):
        table["split"][rows] = part
    if not catalog.exists():
        write_table(table, catalog)
    pattern, errors, _ = FEATURES[name]
    start = time.monotonic()
    trained(
        folder / "run", "experiment=dc2_table", f"data.catalog={catalog}", f"data.features={pattern}",
        f"data.errors={errors}", "data.redshift=redshift", *more,
    )  # fmt: skip
    print(f"{name}, fold {fold}: {OURS}, {time.monotonic() - start:.0f} s", flush=True)
    said = read_table(folder / "run" / "predictions.parquet")
    said = said[np.asarray(said["split"]).astype(str) == "test"]
    place = {str(identity): row for row, identity in enumerate(said["id"])}
    said = said[[place[str(identity)] for identity in table["id"][test]]]
    points = {point: np.asarray(said[f"z_{point}"]) for point in ("mean", "median", "mode")}
    return {
        label: Found(
            points, PdfScores(*(np.asarray(said[f"{each.name}{suffix}"]) for each in fields(PdfScores)))
        )
        for label, suffix in ((OURS, ""), (BEFORE, "_before"))
    }


def kept(path: Path, make: Callable[[], Found]) -> Found:
    """What was found, from a file where it was found before."""
    if not path.exists():
        found = make()
        arrays = {f"point_{key}": values for key, values in found.points.items()}
        if found.scores is not None:
            arrays |= {each.name: getattr(found.scores, each.name) for each in fields(PdfScores)}
        np.savez(path, **arrays)
    stored = np.load(path)
    points = {key.removeprefix("point_"): stored[key] for key in stored if key.startswith("point_")}
    names = [each.name for each in fields(PdfScores)]
    return Found(points, PdfScores(*(stored[each] for each in names)) if names[0] in stored else None)


def gathered(name: str, source: Path, out: Path, more: list[str]) -> tuple[dict[str, Found], np.ndarray]:
    """What each method says of the test rows of all folds, and their true redshifts."""
    table, folds = SETS[name](source)
    x, z = features(name, table), np.asarray(table["redshift"], float)
    rows = Rows(x, z)
    found: dict[str, list[Found]] = {}
    for fold, (train, test) in enumerate(folds):
        training, validation = parts(train)
        for label, of in ours(name, fold, table, train, test, out, more).items():
            found.setdefault(label, []).append(of)
        for label, method in METHODS.items():
            path = out / f"{name}_{fold}" / f"{label.replace(' ', '_').replace('(', '').replace(')', '')}.npz"
            start = time.monotonic()
            try:
                one = kept(path, partial(method, rows[training], rows[validation], rows[test], seed=fold))
            except ImportError as error:
                print(f"{label} is left out: {error}; pip install flexcode xgboost", flush=True)
                continue
            found.setdefault(label, []).append(one)
            print(f"{name}, fold {fold}: {label}, {time.monotonic() - start:.0f} s", flush=True)
    order = np.concatenate([test for _, test in folds])
    return {label: together(parts_of) for label, parts_of in found.items()}, z[order]


def together(several: list[Found]) -> Found:
    """The rows of all folds."""
    points = {key: np.concatenate([each.points[key] for each in several]) for key in several[0].points}
    if several[0].scores is None:
        return Found(points, None)
    scores = [np.concatenate([getattr(each.scores, of.name) for each in several]) for of in fields(PdfScores)]
    return Found(points, PdfScores(*scores))


def statistics(found: Found, z: np.ndarray) -> dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]]:
    """By the name of a figure: a function of counts, and the figure's column in what it gives."""
    made = [PointFigures(found.points["median"], z)] + ([PdfFigures(found.scores)] if found.scores else [])
    return {key: (figures, column) for figures in made for column, key in enumerate(figures.names)}


def compare(name: str, found: dict[str, Found], z: np.ndarray) -> None:
    """Print the figures of all methods, and the differences from ours with their intervals by a paired bootstrap."""
    n, zeros = len(z), np.zeros(len(z), np.int64)
    drawn: dict[str, dict[str, np.ndarray]] = {}
    rows = []
    for label, of in found.items():
        figures = statistics(of, z)
        values, resamples = {}, {}
        for statistic in dict.fromkeys(statistic for statistic, _ in figures.values()):
            whole = statistic(np.ones((1, n)))[0]
            again = bootstrap(
                statistic, zeros, n_resamples=N_RESAMPLES, seed=0
            )  # the same draws for all methods
            for key, (same, column) in figures.items():
                if same is statistic:
                    values[key], resamples[key] = whole[column], again[:, column]
        drawn[label] = {key: np.append(resamples[key], values[key]) for key in values}
        shown = [
            f"{values[key]:.{digits}f}" if key in values else "" for key, digits in (POINTS | PDFS).items()
        ]
        shown += [
            f"{100 * values[key]:.1f} %" if key in values else "" for key in ("coverage_68", "coverage_95")
        ]
        rows.append([label, *shown])
    perfect = of_perfect_pdfs(n)["pit_ks"]
    print(f"\n{name}: {n:,} test rows; {machine()}, {cores()}")
    print(f"PIT KS of true PDFs: {perfect['mean']:.4f} in the mean, below {perfect['q95']:.4f} in 95 %\n")
    print_table(["method", *POINTS, *PDFS, "cover 68 %", "cover 95 %"], rows)
    print(
        f"\nDifferences {OURS} − method with 95 % intervals; * marks where ours is ahead, ! where it is behind\n"
    )
    rows = []
    for label in found:
        if label in (OURS, BEFORE):
            continue
        cells = []
        for key, digits in (POINTS | PDFS).items():
            if key not in drawn[label]:
                cells.append("")
                continue
            difference = drawn[OURS][key] - drawn[label][key]
            low, high = percentile_interval(difference[:-1])
            sign = -1 if key in LARGER_IS_BETTER else 1
            mark = (
                "*" if max(sign * low, sign * high) < 0 else "!" if min(sign * low, sign * high) > 0 else ""
            )
            cells.append(f"{difference[-1]:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]{mark}")
        rows.append([label, *cells])
    print_table(["method", *POINTS, *PDFS], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(os.environ.get("ASTROCNN_REALDATA", ROOT.parent / "shared" / "realdata"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--source", type=Path, default=folder / "photoz")
    parser.add_argument("--out", type=Path, default=Path("outputs/photoz"))
    options, overrides = parser.parse_known_args()
    for name in options.sets:
        compare(name, *gathered(name, options.source, options.out, overrides))


if __name__ == "__main__":
    main()
