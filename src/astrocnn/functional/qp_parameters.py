"""Redshift PDFs in the parameterizations of qp."""

from typing import Any

import numpy as np
import torch

from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.pdf import PDF
from astrocnn.functional.piecewise import Histogram

__all__ = ["qp_parameters"]

TAIL = 5e-4  # probability that may be outside of a grid, on either side
STEP = 0.25  # of a grid, in units of the half-width of narrow PDFs
LEAST_POINTS = 300
MOST_VALUES = 50_000_000  # of all objects together


def qp_parameters(pdf: PDF) -> dict[str, Any]:
    """The arguments ``parameterization``, ``data`` and ``shared`` of :func:`astrocnn.io.qp_file.write_qp`.

    Mixtures of Gaussians and bins are exact ('mixmod', 'hist'). Any other PDF is given by densities on one grid
    ('interp'), with a step of a quarter of the narrowest PDFs' half-width where 50 million values allow that.

    Args:
        pdf: of N objects.
    """
    if isinstance(pdf, GaussianMixture):
        parts = {name: values.double().cpu().numpy() for name, values in pdf.parts.items()}
        weights = np.exp(parts["log_weight"])
        data = {
            "means": parts["mean"],
            "stds": parts["sigma"],
            "weights": weights / weights.sum(1, keepdims=True),
        }
        return {"parameterization": "mixmod", "data": data, "shared": {}}
    if isinstance(pdf, Histogram):
        density = pdf.log_p.double().exp().cpu().numpy() / np.diff(pdf.edges)
        return {
            "parameterization": "hist",
            "data": {"pdfs": density},
            "shared": {"bins": np.asarray(pdf.edges)},
        }
    pdf = pdf.double()
    low, q16, q84, high = pdf.quantile([TAIL, 0.16, 0.84, 1 - TAIL]).cpu().numpy().T
    start, end = max(float(low.min()), pdf.support[0]), min(float(high.max()), pdf.support[1])
    narrow = max(float(np.quantile(q84 - q16, 0.01)) / 2, 1e-6)
    wanted = (end - start) / (STEP * narrow)
    grid = np.linspace(
        start, end, int(np.clip(wanted, LEAST_POINTS, max(LEAST_POINTS, MOST_VALUES // len(pdf)))) + 1
    )
    density = pdf.density(torch.as_tensor(grid)).float().cpu().numpy()
    return {"parameterization": "interp", "data": {"yvals": density}, "shared": {"xvals": grid}}
