"""Everything that is said of predicted class maps pixel by pixel, as one JSON-able dict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.functional.figures import entry, turned_entry
from astrocnn.functional.probabilities import N_BINS, bin_numbers
from astrocnn.functional.scene_figures import INTERVALS, scene_estimates, scene_intervals

__all__ = [
    "PixelCounts",
    "PixelFigures",
    "join_pixel_counts",
    "join_summaries",
    "pixel_counts",
    "summarise_pixels",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OVERALL = ("mean_iou", "mean_dice", "pixel_accuracy", "foreground_iou", "foreground_dice")
PER_CLASS = ("iou", "dice", "recall", "precision")


@dataclass(frozen=True)
class PixelCounts:
    """What is kept of S scenes: numbers of pixels, from which every figure follows.

    ``confusion`` (S, K, K): pixels of each true class (rows) by predicted class. ``foreground`` (S, 2, 2): truly
    background or source (rows) by what was predicted. ``in_bin``, ``came_true`` (S, bins) and ``stated``
    (S, bins, float): pixels whose likeliest class has a probability in the bin, those of them where it is true,
    and the sum of these probabilities.
    """

    confusion: Ints
    foreground: Ints
    in_bin: Ints
    came_true: Ints
    stated: Floats


def pixel_counts(p: ArrayLike, class_map: ArrayLike, *, full_map: ArrayLike | None = None) -> PixelCounts:
    """The counts of B scenes.

    A pixel's predicted class is its likeliest; it is predicted to be source where the background, class 0, has a
    probability below ½.

    Args:
        p: (B, K, H, W) class probabilities.
        class_map: (B, H, W) true classes, −1 where a pixel does not count for classes.
        full_map: (B, H, W) true classes by which source is told from background, −1 where a pixel does not count
            for that; ``class_map`` where None. It holds the objects that are too faint for their class to count.

    Raises:
        DataError: shapes that do not go together, classes beyond the K, or probabilities that are NaN in pixels
            that count.
    """
    chances, true = np.asarray(p), np.asarray(class_map)
    full = true if full_map is None else np.asarray(full_map)
    if chances.ndim != 4 or chances[:, 0].shape != true.shape or full.shape != true.shape:
        raise DataError(
            f"class maps are scored from p (B, K, H, W) and maps (B, H, W); these are {chances.shape}, "
            f"{true.shape} and {full.shape}."
        )
    B, K = chances.shape[:2]
    if true.size and max(true.max(), full.max()) >= K:
        raise DataError(
            f"a class map holds class {max(true.max(), full.max())}, and p has the classes 0 to {K - 1}."
        )
    largest, predicted = chances.max(1), chances.argmax(1)  # NaN is the largest
    if n_bad := int(np.isnan(largest[(true >= 0) | (full >= 0)]).sum()):
        raise DataError(
            f"{n_bad} pixels that count have NaN for a probability; set their class map to −1 (no data there?)."
        )

    def table(known: NDArray[np.bool_], number: NDArray[Any], n: int, weight: Any = None) -> NDArray[Any]:
        """(B, n) sums by number over the pixels that are known."""
        scene = np.broadcast_to(np.arange(B)[:, None, None], known.shape)[known]
        found = np.bincount(scene * n + number, None if weight is None else weight[known], B * n)
        return found.reshape(B, n)

    known, in_full = true >= 0, full >= 0
    right = (predicted == true)[known]
    number = bin_numbers(largest[known].astype(np.float64), N_BINS)
    source = (chances[:, 0] < 0.5)[in_full]
    return PixelCounts(
        confusion=table(known, true[known] * K + predicted[known], K * K).reshape(B, K, K),
        foreground=table(in_full, (full[in_full] > 0) * 2 + source, 4).reshape(B, 2, 2),
        in_bin=table(known, number, N_BINS),
        came_true=table(known, 2 * number + right, 2 * N_BINS)[:, 1::2],
        stated=table(known, number, N_BINS, largest),
    )


def join_pixel_counts(counts: Iterable[PixelCounts]) -> PixelCounts:
    """The counts of all scenes together, in their order.

    Raises:
        DataError: there is none.
    """
    parts = list(counts)
    if not parts:
        raise DataError("there is no scene with a class map to score; check the split and data.*.")
    names = [field.name for field in fields(PixelCounts)]
    return PixelCounts(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


class PixelFigures:
    """Intersection over union and Dice coefficient of every class, their means, and those of source.

    A class that no pixel belongs to, in truth or prediction, is left out of the means.

    Args:
        counts: of S scenes.
        classes: names of the K classes.
    """

    def __init__(self, counts: PixelCounts, classes: Sequence[str]) -> None:
        self.n_scenes, self.K = counts.confusion.shape[:2]
        self.columns = np.concatenate(
            [counts.confusion.reshape(self.n_scenes, -1), counts.foreground.reshape(self.n_scenes, -1)],
            axis=1,
        ).astype(np.float64)
        self.names = ["mean_iou", "mean_dice", "pixel_accuracy", "foreground_iou", "foreground_dice"]
        self.names += [
            f"{kind}_{name}" for kind in ("iou", "dice", "recall", "precision") for name in classes
        ]

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, S)."""
        sums = counts @ self.columns
        table = sums[:, : self.K**2].reshape(-1, self.K, self.K)
        source = sums[:, self.K**2 :].reshape(-1, 2, 2)
        hits = np.diagonal(table, axis1=1, axis2=2)  # (b, K)
        true, predicted = table.sum(2), table.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            iou, dice = hits / (true + predicted - hits), 2 * hits / (true + predicted)
            means = [_mean(iou), _mean(dice), hits.sum(1) / true.sum(1)]
            both, of_source = source[:, 1, 1], source[:, 1].sum(1) + source[:, :, 1].sum(1)
            means += [both / (of_source - both), 2 * both / of_source]
            return np.concatenate([np.stack(means, 1), iou, dice, hits / true, hits / predicted], axis=1)


class _CalibrationFigure:
    names = ("ece",)

    def __init__(self, counts: PixelCounts) -> None:
        self.n_scenes = len(counts.in_bin)
        # Within a bin the number of pixels cancels: n |mean p − fraction| = |Σ (p − y)|.
        self.gaps, self.n = counts.stated - counts.came_true, counts.in_bin.sum(1)

    def __call__(self, counts: Floats) -> Floats:
        n = counts @ self.n
        return np.asarray(np.abs(counts @ self.gaps).sum(1) / np.where(n > 0, n, np.nan))[:, None]


def summarise_pixels(
    counts: PixelCounts, classes: Sequence[str], *, n_bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Figures, confusion and reliability of the pixels of a set of scenes.

    Args:
        counts: of :func:`pixel_counts`, all scenes joined.
        classes: names of the K classes, the background first.
        n_bootstrap: number of resamples of the scenes; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        ``n_scenes``, ``n_pixels``, ``classes``, ``intervals``; ``figures`` {name: {value, low, high}}:
        ``mean_iou``, ``mean_dice``, ``pixel_accuracy``, ``foreground_iou``, ``foreground_dice``, ``ece``;
        ``per_class`` {class: {iou, dice, recall, precision, n_pixels}}; ``confusion`` (rows are the true
        classes); ``reliability`` of the likeliest class. Numbers, strings, lists and None only.

    Raises:
        ConfigError: names that do not fit the classes, or ``n_bootstrap`` below 0.
        DataError: no pixel has a class.
    """
    K = counts.confusion.shape[1]
    if len(classes) != K:
        raise ConfigError(f"{len(classes)} class names ({listed(classes)}) for {K} classes; name each.")
    if n_bootstrap < 0:
        raise ConfigError(f"n_bootstrap={n_bootstrap} must be 0 or more.")
    confusion = counts.confusion.sum(0)
    if not confusion.any():
        raise DataError("no pixel has a class to score; check the class maps and their ignored value.")
    options = {"n_resamples": n_bootstrap, "seed": seed}
    found = scene_estimates(PixelFigures(counts, classes), **options)
    calibration = _CalibrationFigure(counts)
    ece = float(calibration(np.ones((1, len(counts.in_bin))))[0, 0])
    low, high = (bound[0] for bound in scene_intervals(calibration, **options))
    figures = {name: found[name] for name in OVERALL}
    figures["ece"] = turned_entry(ece, low, high) if np.isfinite(low) else entry(ece)
    if absent := [name for k, name in enumerate(classes) if not confusion[k].any()]:
        for name in ("mean_iou", "mean_dice"):
            figures[name] = {**figures[name], "note": f"no pixel is truly {listed(absent)}"}
    return {
        "n_scenes": len(counts.confusion),
        "n_pixels": int(confusion.sum()),
        "classes": list(classes),
        "intervals": INTERVALS.format(n=n_bootstrap),
        "figures": figures,
        "per_class": {
            name: {kind: found[f"{kind}_{name}"] for kind in PER_CLASS}
            | {"n_pixels": int(confusion[k].sum())}
            for k, name in enumerate(classes)
        },
        "confusion": confusion.tolist(),
        "reliability": _reliability(counts),
    }


def join_summaries(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Summaries of the same scenes as one, their ``figures`` together."""
    joined = {key: value for part in parts for key, value in part.items()}
    return joined | {"figures": {key: value for part in parts for key, value in part["figures"].items()}}


def _mean(values: Floats) -> Floats:
    """(b,) means over the classes (b, K) that are not NaN."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0).sum(1) / np.maximum(known.sum(1), 1))


def _reliability(counts: PixelCounts) -> dict[str, Any]:
    n = counts.in_bin.sum(0)
    share = np.maximum(n, 1)
    means = {"mean_p": counts.stated.sum(0) / share, "fraction": counts.came_true.sum(0) / share}
    listed_bins = {
        name: [float(v) if k else None for v, k in zip(values, n, strict=True)]
        for name, values in means.items()
    }
    return {"edges": np.linspace(0, 1, N_BINS + 1).tolist(), **listed_bins, "n": n.tolist()}
