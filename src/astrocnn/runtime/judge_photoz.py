"""How photometric redshifts are measured and shown."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.functional.pdf import PDF
from astrocnn.functional.pdf_families import read_pdf
from astrocnn.inference.predict import predict_all
from astrocnn.io.atomic import write_text
from astrocnn.report.document import document, table
from astrocnn.report.figures import training_plots
from astrocnn.report.tables import run_list
from astrocnn.runtime.judge import About, Judge, Judged, Predicted
from astrocnn.tasks.photoz import PhotozTask

__all__ = ["PhotozJudge", "densities_of", "redshift_table"]


class PhotozJudge(Judge):
    """Of densities over redshift."""

    task: PhotozTask

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
        del options, seed, prevalence
        data = self.data
        said = said or predict_all(
            self.task, data.loader(data.rows(split)), description=f"predicting {split}"
        )
        found = redshift_table(self.task, said, data.catalog)
        z = np.asarray(data.catalog[data.targets["redshift"]], dtype=np.float64)[said["index"]]
        known = np.isfinite(z) & (z >= 0)
        pdf = densities_of(self.task, said)[torch.from_numpy(known)]
        metrics = figures(pdf, np.asarray(said["z_median"], np.float64)[known], z[known])
        return Judged(metrics, {"predictions": found})

    def show(self, path: Path, judged: Judged, about: About) -> None:
        """The page, and the figures in the terminal."""
        rows = [[name, f"{value:.4g}"] for name, value in judged.metrics.items()]
        sections = [
            ("figures", "Figures of merit", table(["Figure", "Value"], rows)),
            training_plots(about.history or {}),
            ("run", "The run", run_list(about.run_info)),
        ]
        write_text(path, document(str(about.page["title"]), "", sections))
        for name, value in rows:
            print(f"{name:16s} {value}")
        print(f"report: {path}")


def densities_of(task: PhotozTask, said: Predicted) -> PDF:
    """The densities, in double precision, of what a task said."""
    return read_pdf(said, task.pdf.description)


def redshift_table(task: PhotozTask, said: Predicted, catalog: Table) -> Table:
    """Catalogue rows beside point estimates, quantiles and the densities' parameters; their family and
    its options, for :func:`~astrocnn.functional.pdf_families.read_pdf`, as JSON in the header's PDF.
    """
    found = catalog[said["index"]]
    ours = {name: values for name, values in said.items() if name != "index"}
    for name in set(ours).intersection(found.colnames):
        found.rename_column(name, f"{name}_given")
    for name, values in ours.items():
        found[name] = values
    found.meta = {"PDF": json.dumps(task.pdf.description)}
    return found


def figures(pdf: PDF, median: NDArray[np.float64], z: NDArray[np.float64]) -> dict[str, float]:
    """Log-likelihood, CRPS, and the figures of the median: Δz = (z_p − z) / (1 + z)."""
    truth = torch.from_numpy(z)
    error = (median - z) / (1 + z)
    inside = pdf.inside(truth)
    return {
        "n": len(z),
        "nll": float(-pdf[inside].log_prob(truth[inside]).mean()),
        "crps": float(pdf.crps(truth).mean()),
        "bias": float(error.mean()),
        "sigma_nmad": float(1.4826 * np.median(np.abs(error - np.median(error)))),
        "outliers_0.15": float((np.abs(error) > 0.15).mean()),
    }
