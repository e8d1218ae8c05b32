"""Close pairs of true objects, and of which both are found."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.source_matches import MatchedSources

__all__ = ["PairFigures", "close_pairs", "pairs_by_separation"]

Floats = NDArray[np.float64]


def close_pairs(
    matched: MatchedSources,
) -> tuple[NDArray[np.int64], Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """The pairs of true objects that are each other's nearest, among those that count.

    Returns:
        Arrays (P,): the scene of each; how far apart the two are, in pixels; whether both are blended; whether both are
        found.
    """
    true = matched.true
    parts: list[tuple[Any, ...]] = [
        (np.empty(0, np.int64), np.empty(0), np.empty(0, bool), np.empty(0, bool))
    ]
    for scene in range(matched.n_scenes):
        rows = np.flatnonzero((true["scene"] == scene) & ~true["ignore"])
        if len(rows) < 2:
            continue
        places = np.stack([true["x"][rows], true["y"][rows]], 1)
        distance, near = cKDTree(places).query(places, k=2)
        partner = near[:, 1]
        own = np.flatnonzero((partner[partner] == np.arange(len(rows))) & (np.arange(len(rows)) < partner))
        found, blended = true["partner"][rows] >= 0, true["blended"][rows] == 1
        parts.append(
            (
                np.full(len(own), scene),
                distance[own, 1],
                blended[own] & blended[partner[own]],
                found[own] & found[partner[own]],
            )
        )
    scene_of, apart, both_blended, both_found = (np.concatenate(each) for each in zip(*parts, strict=True))
    return scene_of, apart, both_blended, both_found


def pairs_by_separation(matched: MatchedSources, *, widest_pix: float, n_bins: int = 10) -> dict[str, Any]:
    """How often both of a pair are found, in bins of their separation.

    Args:
        matched: of :func:`astrocnn.functional.source_matches.match_scenes`.
        widest_pix: end of the last bin.
        n_bins: from 0 on.

    Returns:
        ``edges`` in pixels; ``n``, ``value``, ``low`` and ``high`` (Wilson, 95 %) of each bin, None in empty ones.
    """
    _, apart, _, found = close_pairs(matched)
    edges = np.linspace(0, widest_pix, n_bins + 1)
    n, hits = (np.histogram(of, edges)[0] for of in (apart, apart[found]))
    low, high = wilson_interval(hits, n)
    rates = {"value": hits / np.maximum(n, 1), "low": low, "high": high}
    return {"edges": edges.tolist(), "n": n.tolist()} | {
        name: [float(v) if k else None for v, k in zip(of, n, strict=True)] for name, of in rates.items()
    }


class PairFigures:
    """``pairs``: of blended pairs within a range of separations, the share of which both are found.

    Args:
        matched: of :func:`astrocnn.functional.source_matches.match_scenes`.
        between_pix: least and greatest separation.
    """

    names = ("pairs",)

    def __init__(self, matched: MatchedSources, *, between_pix: tuple[float, float]) -> None:
        scene, apart, blended, found = close_pairs(matched)
        chosen = blended & (apart >= between_pix[0]) & (apart < between_pix[1])
        self.n_scenes = matched.n_scenes
        self.trials = np.bincount(scene[chosen], minlength=self.n_scenes).astype(np.float64)
        self.hits = np.bincount(scene[chosen & found], minlength=self.n_scenes).astype(np.float64)

    def __call__(self, counts: Floats) -> Floats:
        """(b, 1) share in resamples of the scenes (b, S)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((counts @ self.hits / (counts @ self.trials))[:, None])
