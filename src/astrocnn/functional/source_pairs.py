"""Close pairs of true objects, and of which both are found."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from astrocnn.functional.source_matches import MatchedSources
from astrocnn.functional.source_rates import rates, snr_edges

__all__ = ["PairFigures", "Pairs", "close_pairs", "pairs_by_separation", "pairs_by_snr"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """P pairs of true objects, (P,) each.

    Attributes:
        scene: of each.
        apart: how far from each other the two are, in pixels.
        snr: S/N of the one that is the harder to see; NaN where it is not known.
        blended: whether both are.
        found: whether both are.
    """

    scene: NDArray[np.int64]
    apart: Floats
    snr: Floats
    blended: NDArray[np.bool_]
    found: NDArray[np.bool_]


def close_pairs(matched: MatchedSources) -> Pairs:
    """The pairs of true objects that are each other's nearest, among those that count."""
    true = matched.true
    parts: list[tuple[Any, ...]] = [
        (np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, bool), np.empty(0, bool))
    ]
    for scene in range(matched.n_scenes):
        rows = np.flatnonzero((true["scene"] == scene) & ~true["ignore"])
        if len(rows) < 2:
            continue
        places = np.stack([true["x"][rows], true["y"][rows]], 1)
        distance, near = cKDTree(places).query(places, k=2)
        partner = near[:, 1]
        own = np.flatnonzero((partner[partner] == np.arange(len(rows))) & (np.arange(len(rows)) < partner))
        one, other = rows[own], rows[partner[own]]
        parts.append(
            (
                np.full(len(own), scene),
                distance[own, 1],
                np.minimum(true["snr"][one], true["snr"][other]),
                (true["blended"][one] == 1) & (true["blended"][other] == 1),
                (true["partner"][one] >= 0) & (true["partner"][other] >= 0),
            )
        )
    return Pairs(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def pairs_by_separation(matched: MatchedSources, *, widest_pix: float, n_bins: int = 10) -> dict[str, Any]:
    """How often both of a pair are found, in bins of their separation.

    Args:
        matched: of :func:`astrocnn.functional.source_matches.match_scenes`.
        widest_pix: end of the last bin.
        n_bins: from 0 on.

    Returns:
        ``edges`` in pixels; ``n``, ``value``, ``low`` and ``high`` (Wilson, 95 %) of each bin, None in empty ones.
    """
    pairs = close_pairs(matched)
    edges = np.linspace(0, widest_pix, n_bins + 1)
    return {"edges": edges.tolist()} | rates(pairs.apart, pairs.found, edges)


def pairs_by_snr(matched: MatchedSources) -> dict[str, Any] | None:
    """How often both of a blended pair are found, in bins of the lower one's S/N, as by separation.

    None where it is not known which objects are blended, or no S/N is.
    """
    pairs = close_pairs(matched)
    known = pairs.blended & np.isfinite(pairs.snr)
    if not known.any():
        return None
    edges = snr_edges(pairs.snr[known])
    return {"edges": edges.tolist()} | rates(
        np.maximum(pairs.snr, edges[0])[known], pairs.found[known], edges
    )


class PairFigures:
    """``pairs``: of blended pairs within a range of separations, the share of which both are found.

    Args:
        matched: of :func:`astrocnn.functional.source_matches.match_scenes`.
        between_pix: least and greatest separation.
    """

    names = ("pairs",)

    def __init__(self, matched: MatchedSources, *, between_pix: tuple[float, float]) -> None:
        pairs = close_pairs(matched)
        chosen = pairs.blended & (pairs.apart >= between_pix[0]) & (pairs.apart < between_pix[1])
        self.n_scenes = matched.n_scenes
        self.trials = np.bincount(pairs.scene[chosen], minlength=self.n_scenes).astype(np.float64)
        self.hits = np.bincount(pairs.scene[chosen & pairs.found], minlength=self.n_scenes).astype(np.float64)

    def __call__(self, counts: Floats) -> Floats:
        """(b, 1) share in resamples of the scenes (b, S)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((counts @ self.hits / (counts @ self.trials))[:, None])
