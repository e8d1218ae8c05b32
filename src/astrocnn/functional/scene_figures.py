"""Figures of a set of scenes with intervals from a bootstrap over scenes, and their differences paired by scene.

A statistic takes counts (b, S), how often each of S scenes was drawn in each of b resamples, and gives (b, M): the
M figures ``names``. Pixels and objects of one scene share its seeing, its noise and its blends: scenes are what
can be drawn independently.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError
from astrocnn.functional.bootstrap import bootstrap
from astrocnn.functional.figures import entry

__all__ = ["INTERVALS", "SceneFigures", "paired_differences", "scene_estimates", "scene_intervals"]

Floats = NDArray[np.float64]

INTERVALS = "95 %; bootstrap over scenes, {n} resamples"
LEAST_KNOWN = 0.5  # of the resamples: a figure that most of them cannot give has no interval


class SceneFigures(Protocol):
    """A statistic of scenes: see the head of this file."""

    @property
    def names(self) -> Sequence[str]:
        """Of the M figures."""

    @property
    def n_scenes(self) -> int:
        """S."""

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, S), NaN where a resample holds nothing to measure."""


def scene_estimates(figures: SceneFigures, *, n_resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    """Every figure's value and 95 % percentile interval; no interval for one scene or 0 resamples."""
    value = figures(np.ones((1, figures.n_scenes)))[0]
    low, high = scene_intervals(figures, n_resamples=n_resamples, seed=seed)
    return {name: entry(v, lo, hi) for name, v, lo, hi in zip(figures.names, value, low, high, strict=True)}


def paired_differences(
    figures: SceneFigures, others: SceneFigures, *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Figures of one method less those of another on the same scenes, with their 95 % intervals.

    Both are measured on the same resamples of the scenes; a method is ahead where the interval excludes 0.

    Args:
        figures: of the first method.
        others: of the second, on the same scenes in the same order. Figures that it lacks are left out.
        n_resamples: number of resamples.
        seed: of the draws.

    Raises:
        ConfigError: different numbers of scenes.
    """
    if figures.n_scenes != others.n_scenes:
        raise ConfigError(
            f"paired differences need the same scenes, and there are {figures.n_scenes} and {others.n_scenes}."
        )
    return scene_estimates(_Difference(figures, others), n_resamples=n_resamples, seed=seed)


class _Difference:
    def __init__(self, figures: SceneFigures, others: SceneFigures) -> None:
        self.both = figures, others
        self.n_scenes = figures.n_scenes
        self.names = [name for name in figures.names if name in others.names]
        self.columns = [[list(each.names).index(name) for name in self.names] for each in self.both]

    def __call__(self, counts: Floats) -> Floats:
        one, other = (each(counts)[:, columns] for each, columns in zip(self.both, self.columns, strict=True))
        return np.asarray(one - other)


def scene_intervals(figures: SceneFigures, *, n_resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Lower and upper bounds (M,) of 95 %, NaN where there is no interval."""
    none = np.full(len(figures.names), np.nan)
    if n_resamples == 0 or figures.n_scenes < 2:
        return none, none
    values = bootstrap(figures, np.zeros(figures.n_scenes), n_resamples=n_resamples, seed=seed)
    known = np.isfinite(values).mean(0) >= LEAST_KNOWN
    low, high = none.copy(), none.copy()
    if known.any():
        low[known], high[known] = np.nanquantile(values[:, known], [0.025, 0.975], axis=0)
    return low, high
