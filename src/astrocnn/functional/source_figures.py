"""The figures of the objects found in a set of scenes, each a function of how often every scene counts."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.functional.ranking import area, rank
from astrocnn.functional.source_matches import MatchedSources

__all__ = ["SNR_EDGES", "SourceFigures", "snr_bins"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SNR_EDGES = (5.0, 10.0, 20.0, 50.0, 100.0, np.inf)
WEIGHTS_AT_ONCE = 4_000_000  # 32 MB of weights of objects in resamples


class SourceFigures:
    """Figures of matched sources; those whose truth is not known, or that no object bears on, are left out.

    ``completeness`` is the fraction of the true objects that were found, ``purity`` the fraction of the measured
    ones that are true, ``f1`` their harmonic mean. A true object is isolated or blended by its truth, a measured
    one by touching another. ``star_completeness`` is the fraction of the true stars that were found and called
    stars, ``star_purity`` the fraction of the measured stars that truly are; ``star_auroc`` is that of p_star
    among the objects found, in all and (``star_auroc_0`` …) in bins of S/N. ``class_accuracy`` and its mean over
    classes are of the scored objects found. ``instance_iou`` is the mean overlap of the true objects' pixels with
    those of their partner, 0 without one. ``position_median_pix`` is the median distance of the pairs.

    Args:
        sources: of :func:`astrocnn.functional.source_matches.match_scenes`.
        n_classes: K with the background.
        star: class of the stars, None where there is none.
    """

    def __init__(self, sources: MatchedSources, *, n_classes: int, star: int | None = None) -> None:
        self.n_scenes = sources.n_scenes
        true, found = sources.true, sources.found
        self.sums: dict[str, tuple[Floats, Floats]] = {}  # (S,) hits and trials
        self.curves: dict[str, Callable[[Floats], Floats]] = {}
        self.counted, self.hit = ~true["ignore"], true["partner"] >= 0
        reported, real = found["counts"], found["partner"] >= 0
        self._rate("completeness", true, self.hit, self.counted)
        self._rate("purity", found, real, reported)
        for name, sign in (("isolated", False), ("blended", True)):
            self._rate(f"{name}_completeness", true, self.hit, self.counted & (true["blended"] == sign))
            self._rate(f"{name}_purity", found, real, reported & (found["blended"] == sign))
        overlap = self.counted & np.isfinite(true["iou"])
        self._rate("instance_iou", true, true["iou"], overlap)
        for name, sign in (("isolated", False), ("blended", True)):
            self._rate(f"{name}_instance_iou", true, true["iou"], overlap & (true["blended"] == sign))
        judged = self.counted & self.hit & true["scored"] & (true["label"] > 0)
        right = true["called"] == true["label"]
        self._rate("class_accuracy", true, right, judged)
        of_class = [(k, judged & (true["label"] == k)) for k in range(1, n_classes)]
        self.by_class = [f"class {k}" for k, member in of_class if member.any()]
        for k, member in of_class:
            self._rate(f"class {k}", true, right, member)
        if star is not None:
            self._stars(sources, star)
        distance = np.hypot(*(found[axis][true["partner"][self.hit]] - true[axis][self.hit] for axis in "xy"))
        self._median("position_median_pix", distance, true["scene"][self.hit])
        self.rates = list(self.sums)
        kinds = ("", "isolated_", "blended_")
        self.both = [kind for kind in kinds if {f"{kind}completeness", f"{kind}purity"} <= set(self.rates)]
        derived = [
            *(f"{kind}f1" for kind in self.both),
            *(["class_balanced_accuracy"] if self.by_class else []),
        ]
        self.names = [*(name for name in self.rates if name not in self.by_class), *derived, *self.curves]

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, S), NaN where a resample holds nothing to measure."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = {
                name: counts @ hits / (counts @ trials) for name, (hits, trials) in self.sums.items()
            }  # (b,)
            for kind in self.both:
                completeness, purity = rates[f"{kind}completeness"], rates[f"{kind}purity"]
                rates[f"{kind}f1"] = 2 * completeness * purity / (completeness + purity)
        if self.by_class:
            rates["class_balanced_accuracy"] = np.mean([rates[name] for name in self.by_class], axis=0)
        rates |= {name: curve(counts) for name, curve in self.curves.items()}
        return np.stack([rates[name] for name in self.names], axis=1) if self.names else counts[:, :0]

    def _rate(self, name: str, table: dict[str, Any], hit: NDArray[Any], among: Bools) -> None:
        if among.any():
            scene = table["scene"][among]
            hits, trials = np.zeros((2, self.n_scenes))
            np.add.at(hits, scene, hit[among])
            np.add.at(trials, scene, 1)
            self.sums[name] = hits, trials

    def _stars(self, sources: MatchedSources, star: int) -> None:
        true, found = sources.true, sources.found
        is_star = true["label"] == star
        self._rate("star_completeness", true, true["called"] == star, self.counted & is_star)
        self._rate("star_purity", found, found["truly"] == star, found["counts"] & (found["label"] == star))
        p_star = np.append(found["p_star"], np.nan)[true["partner"]]
        known = self.counted & (true["label"] > 0) & np.isfinite(p_star)
        self._area("star_auroc", p_star, is_star, true["scene"], known)
        for number, inside in enumerate(snr_bins(true["snr"])):
            self._area(f"star_auroc_{number}", p_star, is_star, true["scene"], known & inside)

    def _area(self, name: str, score: Floats, positive: Bools, scene: NDArray[Any], among: Bools) -> None:
        score, positive, scene = score[among], positive[among], scene[among]
        if positive.all() or not positive.any():
            return
        ranking = rank(score)

        def auroc(weight: Floats) -> Floats:
            with np.errstate(invalid="ignore", divide="ignore"):
                return area(ranking.curve(positive, weight))

        self.curves[name] = _by_object(auroc, scene)

    def _median(self, name: str, value: Floats, scene: NDArray[Any]) -> None:
        if not len(value):
            return
        order = np.argsort(value)
        ordered = value[order]

        def median(weight: Floats) -> Floats:
            """The mean of the values on both sides of the middle, each taken as often as its weight says."""
            totals = np.cumsum(weight, axis=1)
            places = np.stack([(totals[:, -1] - 1) // 2, totals[:, -1] // 2], axis=1)
            sides = np.stack(
                [np.searchsorted(total, at, side="right") for total, at in zip(totals, places, strict=True)]
            )
            middle = ordered[np.minimum(sides, len(ordered) - 1)].mean(1)
            return np.where(totals[:, -1] > 0, middle, np.nan)

        self.curves[name] = _by_object(median, scene[order])


def snr_bins(snr: Floats) -> list[Bools]:
    """Which objects lie in each bin of :data:`SNR_EDGES`."""
    return [(snr >= low) & (snr < high) for low, high in pairwise(SNR_EDGES)]


def _by_object(measure: Callable[[Floats], Floats], scene: NDArray[Any]) -> Callable[[Floats], Floats]:
    """A function of counts (b, S) from one of the weights (b, N) of objects, some resamples at a time."""

    def of_counts(counts: Floats) -> Floats:
        at_once = max(WEIGHTS_AT_ONCE // len(scene), 1)
        return np.concatenate(
            [measure(counts[first : first + at_once][:, scene]) for first in range(0, len(counts), at_once)]
        )

    return of_counts
