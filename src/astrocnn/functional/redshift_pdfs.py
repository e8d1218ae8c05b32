"""Figures of redshift PDFs: are they true (PIT, coverage), and are they sharp as well (CRPS, CDE loss, likelihood)."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError
from astrocnn.functional.pdf import PDF
from astrocnn.functional.pit import DISTANCES, check_pit
from astrocnn.functional.probabilities import LEAST_P
from astrocnn.functional.redshift_points import resampled

__all__ = ["LEVELS", "PdfFigures", "PdfScores", "covered", "pdf_scores"]

Floats = NDArray[np.float64]

LEVELS = {"coverage_68": 0.68, "coverage_95": 0.95}


@dataclass(frozen=True)
class PdfScores:
    """What the PDFs of N objects say of their true redshifts z, each (N,).

    Attributes:
        pit: probability integral transform, the cumulative distribution at z.
        crps: ∫ (F(x) − [x ≥ z])² dx, in units of redshift.
        density: p(z).
        square_integral: ∫ p² dx.
    """

    pit: Floats
    crps: Floats
    density: Floats
    square_integral: Floats

    def __getitem__(self, rows: object) -> "PdfScores":
        """The scores of some objects."""
        return PdfScores(*(getattr(self, each.name)[rows] for each in fields(self)))

    def __len__(self) -> int:
        return len(self.pit)

    @property
    def log_density(self) -> Floats:
        """(N,) ln p(z), where p(z) counts as at least 2⁻²³: what is less is rounding, not knowledge."""
        return np.asarray(np.log(self.density.clip(LEAST_P)))

    @property
    def cde_loss(self) -> Floats:
        """(N,) ∫ p² dx − 2 p(z), whose mean estimates the CDE loss (Izbicki & Lee 2017, eq. 6)."""
        return self.square_integral - 2 * self.density


def pdf_scores(pdf: PDF, z: ArrayLike) -> PdfScores:
    """The scores of N PDFs at the true redshifts z (N,).

    Raises:
        DataError: a PDF that is not finite.
    """
    true = torch.as_tensor(np.asarray(z, np.float64)).to(pdf.device)
    pdf = pdf.double()
    found = (pdf.cdf(true), pdf.crps(true), pdf.log_prob(true).exp(), pdf.square_integral())
    arrays = [values.detach().cpu().numpy() for values in found]
    bad = ~np.logical_and.reduce([np.isfinite(values) for values in arrays])
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of {len(bad)} redshift PDFs are not finite; look for objects without a valid value, "
            "or train again if the network itself gives NaN."
        )
    return PdfScores(*arrays)


def covered(pit: Floats, level: float) -> NDArray[np.bool_]:
    """Whether the true redshift lies in the equal-tailed interval of probability ``level``: |2 PIT − 1| ≤ level."""
    return np.asarray(np.abs(2 * pit - 1) <= level)


class PdfFigures:
    """Figures of PDFs, as a function of how often each object counts.

    - ``log_likelihood``: mean of ln p(z), larger is better; see :attr:`PdfScores.log_density`
    - ``cde_loss``: mean of ∫ p² − 2 p(z); ``crps``: mean, both better the smaller
    - ``coverage_68``, ``coverage_95``: fraction of true redshifts inside the equal-tailed interval
    - ``pit_ks``, ``pit_cvm``, ``pit_ad``: D, W² and A² of the PITs against the uniform distribution
      (:mod:`astrocnn.functional.pit`)

    Args:
        scores: of the N objects.
    """

    names = ("log_likelihood", "cde_loss", "crps", *LEVELS, *DISTANCES)

    def __init__(self, scores: PdfScores) -> None:
        pit = check_pit(scores.pit)
        inside = [covered(pit, level) for level in LEVELS.values()]
        self.columns = np.stack([scores.log_density, scores.cde_loss, scores.crps, *inside], axis=1)
        self.order = np.argsort(pit, kind="stable")
        self.pit = pit[self.order]

    def __call__(self, counts: Floats) -> Floats:
        """(b, 8) figures of counts (b, N), all rows of one sum."""
        drawn = resampled(self.pit, counts[:, self.order])  # (b, n), increasing
        distances = [distance(drawn) for distance in DISTANCES.values()]
        means = counts @ self.columns / counts.sum(1, keepdims=True)
        return np.hstack([means, np.stack(distances, axis=1)])
