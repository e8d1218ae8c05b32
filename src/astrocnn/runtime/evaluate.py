"""Figures, tables and the report of a trained task on labelled data."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from omegaconf import DictConfig, ListConfig, OmegaConf

from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.errors import ConfigError
from astrocnn.functional.calibration import reweight_prevalence
from astrocnn.functional.classification import summarise
from astrocnn.inference.predict import predict_all
from astrocnn.io.atomic import write_text
from astrocnn.io.tables import write_table
from astrocnn.report.history import read_history
from astrocnn.report.page import write_report
from astrocnn.report.terminal import print_summary
from astrocnn.runtime.attach import attach, uses_own_data
from astrocnn.runtime.checkpoint import best_checkpoint, load, read_config, read_record
from astrocnn.tasks.base import BaseTask
from astrocnn.tasks.classification import ClassificationTask

__all__ = [
    "classifier",
    "device_of",
    "evaluate",
    "evaluate_task",
    "predictions_table",
    "prevalence_of",
]

FIRST = ("id", "index", "ra", "dec", "label", "split")


def device_of(name: str) -> str:
    """The device of an option: 'auto' is an accelerator where there is one.

    Raises:
        ConfigError: the device is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device={name} cannot be used ({error}); use device=cpu or device=auto."
        ) from error
    return name


def classifier(task: BaseTask) -> ClassificationTask:
    """The same task, known to classify.

    Raises:
        ConfigError: it does something else.
    """
    if not isinstance(task, ClassificationTask):
        raise ConfigError(
            f"{type(task).__name__} gives no class probabilities, which are what is scored here."
        )
    return task


def predictions_table(
    task: ClassificationTask, predicted: dict[str, np.ndarray], catalog: Table, *, prevalence: Any = None
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


def probabilities_of(table: Table, n_classes: int) -> np.ndarray:
    """(N,) probabilities of the second of two classes, or (N, K), of a predictions table."""
    if n_classes == 2:
        return np.asarray(table["p"])
    return np.stack([table[f"p_{number}"] for number in range(n_classes)], 1)


def evaluate_task(
    task: ClassificationTask,
    datamodule: ObjectDataModule,
    folder: Path,
    *,
    splits: tuple[str, ...],
    options: DictConfig,
    run_info: dict[str, Any],
    seed: int,
    history_of: Path | None = None,
    prevalence: Any = None,
    predicted: Mapping[str, dict[str, np.ndarray]] | None = None,
) -> dict[str, Any]:
    """Predict, measure, write tables, metrics.json and report.html, and show the short table.

    Args:
        task: trained and calibrated.
        datamodule: set up, labelled.
        folder: where the results go.
        splits: which parts of the data; the first one is the report's.
        options: ``evaluation`` of the configuration.
        run_info: identity of the run, for the report.
        seed: of the bootstrap.
        history_of: the run whose learning curves the report shows; None shows none.
        prevalence: see :func:`predictions_table`.
        predicted: what the task says of the splits that it has seen already.

    Returns:
        What metrics.json holds.
    """
    metrics: dict[str, Any] = {"task": task.report, "classes": list(task.classes), "splits": {}}
    tables = {}
    for split in splits:
        rows = datamodule.rows(split)
        said = (predicted or {}).get(split) or predict_all(
            task, datamodule.loader(rows), description=f"predicting {split}"
        )
        table = predictions_table(task, said, datamodule.catalog, prevalence=prevalence)
        metrics["splits"][split] = summarise(
            probabilities_of(table, len(task.classes)),
            np.asarray(table["label"]),
            classes=list(task.classes),
            truth={name: np.asarray(table[name]) for name in table.colnames if name not in FIRST},
            selections=datamodule.selections or {},
            strata=datamodule.strata,
            kind=datamodule.kind,
            n_bootstrap=options.n_bootstrap,
            seed=seed,
            threshold=options.threshold,
        )
        tables[split] = table
    name = "predictions" if len(splits) > 1 else f"predictions_{splits[0]}"
    everything = stacked(list(tables.values()))
    write_table(everything, folder / f"{name}.fits", header=everything.meta)
    write_table(everything, folder / f"{name}.parquet", header=everything.meta)
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False))
    main = splits[0]
    page = write_report(
        folder / "report.html",
        title=str(run_info.get("title", "astrocnn")),
        metrics=metrics,
        predictions=tables[main],
        history=read_history(history_of) if history_of else {},
        run_info=run_info,
        images=datamodule.gather,
        bands=list(datamodule.spec.bands),
        pixel_scale_arcsec=datamodule.spec.pixel_scale_arcsec,
    )
    print_summary(metrics, page)
    return metrics


def stacked(tables: list[Table]) -> Table:
    """The tables one under the other, with the first one's header."""
    from astropy.table import vstack

    table = vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0]
    table.meta = tables[0].meta
    return table


def prevalence_of(cfg: DictConfig) -> float | list[float] | None:
    """The option as a number or a list of numbers."""
    given = OmegaConf.select(cfg, "prevalence")
    return list(given) if isinstance(given, ListConfig) else given


def evaluate(cfg: DictConfig) -> None:
    """``scripts/evaluate.py``: every figure of a run again, or on other labelled data."""
    run = Path(cfg.run)
    saved = read_config(run)
    task = classifier(load(run, device=device_of(cfg.device)))
    own = uses_own_data(cfg)
    datamodule = attach(cfg, saved)
    datamodule.require_labels()
    output = Path(cfg.output) if cfg.output else run / ("evaluation" if own else "evaluation_other")
    info = run_information(run, saved, task)
    evaluate_task(
        task,
        datamodule,
        output,
        splits=("test", "val") if own else ("all",),
        options=cfg.evaluation,
        run_info=info,
        seed=saved.seed,
        history_of=run if own else None,
        prevalence=prevalence_of(cfg),
    )


def run_information(run: Path, cfg: DictConfig, task: BaseTask) -> dict[str, Any]:
    """What identifies a run, for its report: run.json, the checkpoint and the size of the network."""
    recorded = read_record(run)
    network = cfg.model._target_.rsplit(".", 1)[-1]
    git = recorded.get("git") or {}
    return {
        "title": f"{recorded.get('model', network)} on {recorded.get('data', 'data')}",
        "model": network,
        "data": recorded.get("data"),
        "date": recorded["attempts"][0]["started"] if recorded.get("attempts") else None,
        "n_parameters": sum(p.numel() for p in task.network.parameters() if p.requires_grad),
        "training_seconds": recorded.get("seconds"),
        "git": f"{git['commit'][:12]}{' with changes' if git['changed'] else ''}"
        if git.get("commit")
        else None,
        "command": recorded.get("command"),
        "versions": recorded.get("versions", {}),
        "seed": recorded.get("seed"),
        "checkpoint": best_checkpoint(run).name,
    }
