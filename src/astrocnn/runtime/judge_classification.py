"""How classifications are calibrated, measured and shown."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.batch import DataSpec
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.functional.calibration import reweight_prevalence
from astrocnn.functional.classification import summarise
from astrocnn.inference.predict import predict_all
from astrocnn.report.page import write_report
from astrocnn.report.terminal import print_summary
from astrocnn.runtime.judge import About, Judge, Judged, Predicted, store
from astrocnn.tasks.classification import ClassificationTask

__all__ = ["ClassificationJudge", "predictions_table"]

FIRST = ("id", "index", "ra", "dec", "label", "split")


class ClassificationJudge(Judge):
    """Of class probabilities of whole objects."""

    facts = ("classes",)
    task: ClassificationTask

    @staticmethod
    def class_counts(data: ObjectDataModule, spec: DataSpec) -> NDArray[np.float64]:
        """(K,) number of training objects in each class."""
        labels = np.asarray(data.catalog["label"])[data.rows("train")]
        n_classes = len(spec.classes)
        return np.bincount(labels[labels >= 0], minlength=n_classes)[:n_classes].astype(np.float64)

    def calibrate(self, checkpoint: Path) -> dict[str, Predicted]:
        """Fit the calibration on the validation split and store it in the checkpoint."""
        task, data = self.task, self.data
        said = predict_all(task, data.loader(data.rows("val")), description="calibrating")
        labels = np.asarray(data.catalog["label"])[said["index"]]
        task.calibration.fit(said["logits"][labels >= 0], labels[labels >= 0])
        store(task, checkpoint)
        p = task.probabilities(torch.from_numpy(said["logits"]).to(task.device))
        return {"val": said | {"p": p.cpu().numpy()}}

    def measure(
        self,
        split: str,
        *,
        options: DictConfig,
        seed: int,
        said: Predicted | None = None,
        prevalence: Any = None,
    ) -> Judged:
        """Figures of the labelled objects, and a table of all of them."""
        data, n_classes = self.data, len(self.task.classes)
        said = said or predict_all(
            self.task, data.loader(data.rows(split)), description=f"predicting {split}"
        )
        table = predictions_table(self.task, said, data.catalog, prevalence=prevalence)
        metrics = summarise(
            probabilities_of(table, n_classes),
            np.asarray(table["label"]),
            classes=list(self.task.classes),
            truth={name: np.asarray(table[name]) for name in table.colnames if name not in FIRST},
            selections=data.selections or {},
            strata=data.strata,
            kind=data.kind,
            n_bootstrap=options.n_bootstrap,
            seed=seed,
            threshold=options.threshold,
        )
        return Judged(metrics, {"predictions": table})

    def show(self, path: Path, judged: Judged, about: About) -> None:
        """The page with curves and galleries, and the short table."""
        page = write_report(
            path, predictions=judged.tables["predictions"], images=self.data.gather, **about.page
        )
        print_summary(about.metrics, page)


def predictions_table(
    task: ClassificationTask, predicted: Predicted, catalog: Table, *, prevalence: Any = None
) -> Table:
    """Catalogue rows beside the probabilities, with the mixture of classes they hold for in the header.

    Args:
        task: what predicted.
        predicted: from :func:`astrocnn.inference.predict.predict_all`.
        catalog: rows that ``predicted['index']`` counts.
        prevalence: of the second class, or of each class, where the probabilities shall hold; None keeps that
            of the training set.
    """
    p, prior = predicted["p"].astype(np.float64), task.prior.numpy(force=True).astype(np.float64)
    if prevalence is not None:
        p = reweight_prevalence(p, prior[1] if p.ndim == 1 else prior, prevalence)
        given = np.asarray(prevalence, float)
        prior = np.array([1 - given, given]) if given.ndim == 0 else given
    table = catalog[predicted["index"]]
    ours = {"p", "predicted", "valid_fraction", *(f"p_{number}" for number in range(len(task.classes)))}
    for name in ours.intersection(table.colnames):  # a column of the user's that has one of our names
        table.rename_column(name, f"{name}_given")
    table["p"] = p if p.ndim == 1 else p.max(1)
    if p.ndim == 2:
        table["predicted"] = np.array(task.classes)[p.argmax(1)]
        for number in range(p.shape[1]):
            table[f"p_{number}"] = p[:, number]
    table["valid_fraction"] = predicted["valid_fraction"]
    table.meta = {"CLASSES": ",".join(task.classes)}
    table.meta |= {f"PREVAL{number}": float(value) for number, value in enumerate(prior)}
    return table


def probabilities_of(table: Table, n_classes: int) -> NDArray[np.float64]:
    """(N,) probabilities of the second of two classes, or (N, K), of a predictions table."""
    if n_classes == 2:
        return np.asarray(table["p"])
    return np.stack([table[f"p_{number}"] for number in range(n_classes)], 1)
