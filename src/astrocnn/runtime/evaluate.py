"""Figures, tables and the report of a trained task on data whose truth is known."""

import json
from pathlib import Path
from typing import Any

import torch
from astropy.table import Table
from omegaconf import DictConfig, ListConfig, OmegaConf

from astrocnn.errors import ConfigError
from astrocnn.io.atomic import write_text
from astrocnn.io.tables import write_table
from astrocnn.report.history import read_history
from astrocnn.runtime.attach import attach, uses_own_data
from astrocnn.runtime.checkpoint import best_checkpoint, load, read_config, read_record
from astrocnn.runtime.describe import count_parameters
from astrocnn.runtime.judge import About, Judge, Judged, Predicted, judge_of
from astrocnn.runtime.judge_photoz import recalibrate_mixture
from astrocnn.tasks.base import BaseTask

__all__ = ["device_of", "evaluate", "evaluate_task", "prevalence_of", "run_information"]


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


def evaluate_task(
    judge: Judge,
    folder: Path,
    *,
    splits: tuple[str, ...],
    options: DictConfig,
    run_info: dict[str, Any],
    seed: int,
    history_of: Path | None = None,
    prevalence: Any = None,
    predicted: dict[str, Predicted] | None = None,
) -> dict[str, Any]:
    """Predict, measure, write tables, metrics.json and report.html, and show the short table.

    Args:
        judge: of the task, trained and calibrated, and its data.
        folder: where the results go.
        splits: which parts of the data; the first one is the report's.
        options: ``evaluation`` of the configuration.
        run_info: identity of the run, for the report.
        seed: of the bootstrap.
        history_of: the run whose learning curves the report shows; None shows none.
        prevalence: of the classes, where probabilities shall hold; None keeps that of the training set.
        predicted: what the task says of the splits that it has seen already.

    Returns:
        What metrics.json holds.
    """
    metrics: dict[str, Any] = {"task": judge.task.report}
    metrics |= {name: list(getattr(judge.task, name)) for name in judge.facts}
    judged: dict[str, Judged] = {}
    for split in splits:
        judged[split] = judge.measure(
            split, options=options, seed=seed, said=(predicted or {}).get(split), prevalence=prevalence
        )
    metrics["splits"] = {split: found.metrics for split, found in judged.items()}
    for name in judged[splits[0]].tables:
        table = stacked([found.tables[name] for found in judged.values()])
        stem = name if len(splits) > 1 else f"{name}_{splits[0]}"
        write_table(table, folder / f"{stem}.fits", header=table.meta)
        write_table(table, folder / f"{stem}.parquet", header=table.meta)
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False))
    judge.keep(folder, judged[splits[0]])
    spec = judge.data.spec
    about = About(
        metrics,
        read_history(history_of) if history_of else {},
        run_info,
        list(spec.bands),
        spec.pixel_scale_arcsec,
    )
    judge.show(folder / "report.html", judged[splits[0]], about)
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
    task = load(run, device=device_of(cfg.device), ensemble=cfg.ensemble, dropout_samples=cfg.dropout_samples)
    own = uses_own_data(cfg)
    recalibrate_mixture(cfg, saved, task)
    datamodule = attach(cfg, saved)
    datamodule.require_labels()
    output = Path(cfg.output) if cfg.output else run / ("evaluation" if own else "evaluation_other")
    info = run_information(run, saved, task)
    evaluate_task(
        judge_of(task)(task, datamodule),
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
        **count_parameters(task.network, cfg.get("freeze")),
        "training_seconds": recorded.get("seconds"),
        "git": f"{git['commit'][:12]}{' with changes' if git['changed'] else ''}"
        if git.get("commit")
        else None,
        "command": recorded.get("command"),
        "versions": recorded.get("versions", {}),
        "seed": recorded.get("seed"),
        "checkpoint": best_checkpoint(run).name,
    }
