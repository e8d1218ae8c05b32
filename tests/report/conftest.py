"""A synthetic run: a table of predictions, its metrics and images that need no file."""

import copy
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from astropy.table import Table

from astrocnn.functional.classification import summarise

KINDS = ("ring", "edge_on", "<b>odd & $x$</b>")


@dataclass
class Run:
    metrics: dict[str, Any]
    predictions: Table
    history: dict[str, Any]

    @staticmethod
    def images(rows, n_bands=3, side=24):
        """Faint noise with a source whose brightness grows with the row; a corner without data."""
        rng = np.random.default_rng(5)
        y, x = np.mgrid[:side, :side] - side / 2
        source = np.exp(-(x**2 + y**2) / 8)
        flux = rng.normal(0, 1, (len(rows), n_bands, side, side))
        flux += (20 + np.asarray(rows)[:, None, None, None] / 10) * source
        valid = np.ones(flux.shape, dtype=bool)
        valid[:, :, :3, :3] = False
        return {
            "image": torch.from_numpy(np.where(valid, flux, 0).astype(np.float32)),
            "valid": torch.from_numpy(valid),
            "index": torch.as_tensor(np.asarray(rows)),
        }


@pytest.fixture
def run(made_run: Run) -> Run:
    return copy.deepcopy(made_run)


@pytest.fixture
def multiclass(made_multiclass: Run) -> Run:
    return copy.deepcopy(made_multiclass)


@pytest.fixture(scope="session")
def made_run() -> Run:
    rng = np.random.default_rng(3)
    n = 400
    label = np.tile([0, 1], n // 2)
    theta = np.where(label == 1, rng.uniform(0.5, 2.5, n), np.nan)
    snr = np.where(label == 1, 10 ** rng.uniform(1, 2.5, n), np.nan)
    score = np.where(label == 1, 1.5, -1.5) + rng.logistic(size=n)
    p = 1 / (1 + np.exp(-score))
    kind = np.where(label == 1, "lens", np.array(KINDS)[rng.integers(0, len(KINDS), n)])
    table = Table(
        {
            "id": [f"{i:06d}" for i in range(n)],
            "index": np.arange(n) + 1000,
            "label": label,
            "split": ["test"] * n,
            "p": p,
            "kind": kind,
            "theta_E": theta,
            "snr_arc": snr,
        }
    )
    summary = summarise(
        p,
        label,
        classes=["non-lens", "lens"],
        truth={name: np.asarray(table[name]) for name in table.colnames},
        selections={"clear": {"theta_E": 1.2, "snr_arc": 20}},
        strata=["theta_E", "snr_arc"],
        kind="kind",
        n_bootstrap=50,
    )
    steps, epochs = np.arange(200), np.arange(19, 200, 20)
    history = {
        "train/loss": (steps, np.exp(-steps / 80)),
        "val/loss": (epochs, np.exp(-epochs / 70)),
        "val/auroc": (epochs, 1 - 0.5 * np.exp(-epochs / 70)),
        "lr-AdamW/pg1": (steps, 1e-3 * (1 - steps / 200)),
        "lr-AdamW/pg2": (steps, 1e-3 * (1 - steps / 200)),
        "epoch": (steps, steps // 20),
    }
    return Run(json.loads(json.dumps({"splits": {"test": summary}})), table, history)


@pytest.fixture(scope="session")
def made_multiclass() -> Run:
    rng = np.random.default_rng(4)
    n, classes = 300, ["elliptical", "spiral", "merger"]
    label = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + 2 * np.eye(3)[label]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    columns = {f"p_{k}": p[:, k] for k in range(3)}
    ids = [f"g{i}" for i in range(n)]
    table = Table({"id": ids, "index": np.arange(n), "label": label, "p": p.max(1), **columns})
    summary = summarise(p, label, classes=classes, n_bootstrap=50)
    return Run(json.loads(json.dumps({"splits": {"test": summary}})), table, {})
