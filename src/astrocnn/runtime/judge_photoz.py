"""How redshift PDFs are recalibrated, measured and shown."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datasets.features import magnitude_and_colour
from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.completeness import numbers
from astrocnn.functional.figures import entry
from astrocnn.functional.pdf import PDF
from astrocnn.functional.pdf_families import read_pdf
from astrocnn.functional.qp_parameters import qp_parameters
from astrocnn.functional.redshift_pdfs import PdfFigures, PdfScores, pdf_scores
from astrocnn.functional.redshift_summary import POINT, figures_of, pit_counts, summarise_redshifts
from astrocnn.functional.tomography import tomographic_bins
from astrocnn.inference.predict import predict_all
from astrocnn.io.qp_file import write_qp
from astrocnn.report.redshift_page import write_redshift_report
from astrocnn.report.redshift_tables import print_redshift_summary
from astrocnn.runtime.attach import attach
from astrocnn.runtime.judge import About, Judge, Judged, Predicted, store
from astrocnn.tasks.base import BaseTask
from astrocnn.tasks.photoz import PhotozTask
from astrocnn.tasks.recalibration import CONFORMAL_LEVELS

__all__ = ["PhotozJudge", "densities_of", "recalibrate_mixture", "redshift_table", "write_pdfs"]

EXAMPLES = 6  # of either kind
POINTS = ("mean", "median", "mode")


class PhotozJudge(Judge):
    """Of densities over redshift."""

    task: PhotozTask

    def calibrate(self, checkpoint: Path) -> dict[str, Predicted]:
        """Fit recalibration and conformal intervals on the validation split and store them in the checkpoint."""
        said = self.recalibrate()
        store(self.task, checkpoint)
        return {"val": said}

    def recalibrate(self) -> Predicted:
        """Fit recalibration and conformal intervals on the validation split; what the task says of it."""
        data, task = self.data, self.task
        said = predict_all(task, data.loader(data.rows("val")), description="recalibrating")
        base, z, known = densities_of(task, said), *true_redshifts(data, said)
        of_known, true = base[torch.from_numpy(known)], torch.from_numpy(z[known])
        task.recalibration.fit(of_known.cdf(true), inside=of_known.inside(true))
        return said | {name: values.numpy() for name, values in task.described(base).items()}

    def measure(
        self,
        split: str,
        *,
        options: DictConfig,
        seed: int,
        said: Predicted | None = None,
        prevalence: Any = None,
    ) -> Judged:
        """Figures of the objects whose redshift is known, and a table of all of them."""
        del prevalence
        data, task = self.data, self.task
        said = said or predict_all(task, data.loader(data.rows(split)), description=f"predicting {split}")
        base, z, known = densities_of(task, said), *true_redshifts(data, said)
        rows, true = torch.from_numpy(known), z[known]
        pdf = task.recalibration(base)
        scores = pdf_scores(pdf[rows], true)
        how = {"n_bootstrap": options.n_bootstrap, "seed": seed}
        points = {name: np.asarray(said[f"z_{name}"], np.float64)[known] for name in POINTS}
        of_objects = {name: of[said["index"]][known] for name, of in properties(data).items()}
        metrics = summarise_redshifts(scores, points, true, against=of_objects, **how)
        metrics["tomography"] = tomographic_bins(pdf[rows], points[POINT], true, **how)
        metrics["conformal"] = conformal(said, z, known)
        metrics["n_unknown"] = int((~known).sum())
        metrics["n_outside"] = int((~pdf.inside(torch.from_numpy(true))).sum())
        metrics["support"] = [end if np.isfinite(end) else None for end in pdf.support]
        table = redshift_table(task, said, data.catalog)
        add_scores(table, z, known, scores)
        if task.recalibration.fitted:
            before = pdf_scores(base[rows], true)
            metrics["before_recalibration"] = figures_of(PdfFigures(before), len(true), **how)
            metrics["pit_before_recalibration"] = pit_counts(before.pit)
            add_scores(table, z, known, before, suffix="_before")
        return Judged(metrics, {"predictions": table}, shown=(pdf, z, known, scores))

    def keep(self, folder: Path, judged: Judged) -> None:
        """The PDFs as an ensemble of qp."""
        write_pdfs(folder / "pdfs.hdf5", judged.shown[0], judged.tables["predictions"])

    def show(self, path: Path, judged: Judged, about: About) -> None:
        """The page with plots and examples, and the short table."""
        table, (pdf, z, known, scores) = judged.tables["predictions"], judged.shown
        examples = examples_of(pdf, table, np.flatnonzero(known), z, scores)
        write_redshift_report(path, predictions=table[known], examples=examples, **about.page)
        print_redshift_summary(about.metrics, path)


def recalibrate_mixture(cfg: DictConfig, saved: DictConfig, task: BaseTask) -> None:
    """Where an ensemble or dropout was asked for, recalibrate the mixed densities on the run's own validation split."""
    if cfg.ensemble or cfg.dropout_samples is not None:
        assert isinstance(task, PhotozTask)
        own = attach(OmegaConf.create({"run": cfg.run, "batch_size": cfg.batch_size}), saved)
        PhotozJudge(task, own).recalibrate()


def densities_of(task: PhotozTask, said: Predicted) -> PDF:
    """The densities before recalibration, in double precision, of what a task said."""
    return read_pdf(said, task.pdf.description)


def true_redshifts(data: ObjectDataModule, said: Predicted) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The true redshifts (N,) of what was predicted, and which of them are known."""
    column = data.targets["redshift"]
    z = numbers(column, data.catalog[column])[said["index"]]
    return z, np.isfinite(z) & (z >= 0)


def properties(data: ObjectDataModule) -> dict[str, NDArray[np.float64]]:
    """In what figures are binned, a column (rows of the catalogue,) each: those of ``data.strata``, or else a magnitude
    and a colour, as far as the catalogue's columns tell them.
    """
    if data.strata:
        return {name: numbers(name, data.catalog[name]) for name in data.strata}
    return magnitude_and_colour(data.catalog, data.spec.bands)


def conformal(said: Predicted, z: NDArray[np.float64], known: NDArray[np.bool_]) -> dict[str, Any]:
    """{level: {coverage, width}} of the conformal intervals, as measured on the known redshifts."""
    found = {}
    for level in CONFORMAL_LEVELS:
        low, high = (said[f"z_{end}{100 * level:.0f}"].astype(np.float64)[known] for end in ("low", "high"))
        n, hits = len(low), int(((low <= z[known]) & (z[known] <= high)).sum())
        width = float(np.median(high - low))
        found[f"{level:g}"] = {
            "coverage": entry(hits / n, *wilson_interval(hits, n)),
            "width": width if np.isfinite(width) else None,
        }
    return found


def redshift_table(task: PhotozTask, said: Predicted, catalog: Table) -> Table:
    """Catalogue rows beside point estimates, quantiles, conformal intervals and the parameters of the densities before
    recalibration. Their family and its options, for :func:`~astrocnn.functional.pdf_families.read_pdf`, are JSON in
    the header's PDF, the recalibration beside it.
    """
    table = catalog[said["index"]]
    for name, values in said.items():
        if name != "index":
            put(table, name, values)
    table.meta = {"PDF": json.dumps(task.pdf.description), **task.recalibration.description}
    return table


def add_scores(
    table: Table, z: NDArray[np.float64], known: NDArray[np.bool_], scores: PdfScores, *, suffix: str = ""
) -> None:
    """Add true redshifts and what the PDFs say of them, NaN where they are unknown."""
    columns = {"z_spec": z[known]} if not suffix else {}
    columns |= {f"{name}{suffix}": values for name, values in vars(scores).items()}
    for name, values in columns.items():
        column = np.full(len(table), np.nan)
        column[known] = values
        put(table, name, column)


def put(table: Table, name: str, values: NDArray[Any]) -> None:
    """Add a column; one of the user's that has the name is called ``<name>_given``."""
    if name in table.colnames:
        table.rename_column(name, f"{name}_given")
    table[name] = values


def write_pdfs(path: Path, pdf: PDF, table: Table) -> None:
    """Write PDFs as an ensemble of qp, with ids, point estimates and, where known, true redshifts of their table."""
    names = [
        "id",
        *(name for name in ("z_spec", *(f"z_{point}" for point in POINTS)) if name in table.colnames),
    ]
    write_qp(path, **qp_parameters(pdf), ancil={name: np.asarray(table[name]) for name in names})


def examples_of(
    pdf: PDF, table: Table, rows: NDArray[np.int64], z: NDArray[np.float64], scores: PdfScores
) -> list[dict[str, Any]]:
    """PDFs of objects evenly spaced in true redshift, and of those that were least expected."""
    by_redshift = np.argsort(z[rows], kind="stable")
    places = np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows)) + 2).round().astype(int)[1:-1]
    worst = np.argsort(scores.density, kind="stable")[:EXAMPLES]
    examples = []
    for title, chosen in (("Evenly spaced in redshift", by_redshift[places]), ("Least expected", worst)):
        for number in chosen.tolist():
            row = int(rows[number])
            one = pdf[[row]]
            levels = torch.linspace(0.002, 0.998, 200, dtype=one.dtype)
            quantiles = one.quantile(levels)[0].cpu().numpy()
            start, end = min(quantiles[0], z[row]), max(quantiles[-1], z[row])
            margin = 0.05 * (end - start) + 1e-6
            grid = np.sort(np.concatenate([np.linspace(start - margin, end + margin, 200), quantiles]))
            low, high = one.quantile([0.16, 0.84])[0].tolist()
            examples.append(
                {
                    "id": table["id"][row],
                    "title": title,
                    "z_spec": float(z[row]),
                    "z_phot": float(table[f"z_{POINT}"][row]),
                    "interval": (low, high),
                    "pit": float(scores.pit[number]),
                    "grid": grid,
                    "density": one.density(torch.as_tensor(grid))[0].cpu().numpy(),
                }
            )
    return examples
