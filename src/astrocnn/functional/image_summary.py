"""Everything that is said of predicted images against their targets, as one JSON-able dict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.bootstrap import bootstrap, percentile_interval
from astrocnn.functional.figures import entry, estimates
from astrocnn.functional.images import ImageSums

__all__ = ["PlaneFigures", "RootMeanSquareRatio", "additive", "summarise_images"]

Floats = NDArray[np.float64]
Summary = dict[str, Any]

LEAST_NET = 0.1  # sum over sum of absolute values, of what counts as a flux


class PlaneFigures:
    """Figures of one plane of N images, as a function of how often each image counts.

    - ``rmse``, ``mae``, ``bias``: √⟨e²⟩, ⟨|e|⟩ and ⟨e⟩ over the valid pixels of all images, e = predicted − true
    - ``r2``: 1 − Σe² / Σ(t − ⟨t⟩)², the share of the target's variance that is explained
    - ``psnr``: mean over the images of 20 log₁₀(L / √⟨e²⟩) in dB, L the range of the image's target
    - ``ssim``: mean over the images
    - ``flux_ratio``: ΣΣp / ΣΣt over all images; ``flux_error``: mean over the images of |Σp / Σt − 1| (MAPE);
      ``flux_error_median``: its median; of images whose target sums up to more than 0

    Args:
        sums: of the images.
        plane: number of the plane.
        flux: whether sums over an image mean something, so that the three figures of flux are wanted.
    """

    def __init__(self, sums: ImageSums, plane: int, *, flux: bool = True) -> None:
        self.n, self.squares, self.absolutes, self.predicted, self.true, self.true_squares = (
            part[:, plane]
            for part in (
                *(sums.n, sums.squares, sums.absolutes),
                *(sums.predicted, sums.true, sums.true_squares),
            )
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            self.psnr = 10 * np.log10(sums.data_range[:, plane] ** 2 * self.n / self.squares)
            self.error = np.where(self.true > 0, np.abs(self.predicted / self.true - 1), np.nan)
        self.ssim = sums.ssim[:, plane]
        self.flux = flux
        self.names = ["rmse", "mae", "bias", "r2", "psnr", "ssim"]
        self.names += ["flux_ratio", "flux_error", "flux_error_median"] if flux else []

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, N)."""
        columns = (self.n, self.squares, self.absolutes, self.predicted, self.true, self.true_squares)
        n, squares, absolutes, predicted, true, true_squares = (counts @ np.stack(columns, 1)).T
        with np.errstate(divide="ignore", invalid="ignore"):
            found = [np.sqrt(squares / n), absolutes / n, (predicted - true) / n]
            found += [1 - squares / (true_squares - true**2 / n)]
            found += [_mean(self.psnr, counts), _mean(self.ssim, counts)]
            if self.flux:
                positive = self.true > 0
                weights = counts * positive
                found.append((weights @ self.predicted) / (weights @ self.true))
                found += [_mean(self.error, counts), _median(self.error, counts)]
        return np.stack(found, 1)


class RootMeanSquareRatio:
    """RMSE of one prediction over that of another on the same images: below 1 the first is nearer to the truth.

    Args:
        sums: of the one prediction.
        other: of the other one.
        plane: number of the plane.
    """

    names = ("rmse",)

    def __init__(self, sums: ImageSums, other: ImageSums, plane: int) -> None:
        self.squares = np.stack([sums.squares[:, plane], other.squares[:, plane]], 1)

    def __call__(self, counts: Floats) -> Floats:
        """(b, 1) ratios of counts (b, N)."""
        ours, theirs = (counts @ self.squares).T
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sqrt(ours / theirs)[:, None])


def summarise_images(
    sums: ImageSums,
    *,
    planes: Sequence[str],
    trivial: Mapping[str, ImageSums] | None = None,
    units: Sequence[str | None] | None = None,
    edges: Floats | None = None,
    noun: str = "image",
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Summary:
    """Figures, spectra and the table of predicted against true values, plane by plane.

    Intervals are 95 % percentiles of the bootstrap over images. An image without a valid pixel in a plane counts in
    none of that plane's figures.

    Args:
        sums: what :func:`astrocnn.functional.images.image_sums` kept of the N images, joined.
        planes: names of the K planes of the target.
        trivial: sums of predictions that need no network, by name, of the same images in the same order.
        units: of the planes; see :func:`additive` for which have figures of flux.
        edges: (K, m + 1) those of ``sums.density``.
        noun: what one of the images is called.
        n_bootstrap: number of resamples; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        ``n``, ``noun``, ``planes``, ``units``, ``n_images`` {plane: n}, ``figures`` {plane: {name: {value, low, high}}}
        (see :class:`PlaneFigures`), ``trivial`` {name: the same}, ``gain`` {name: {plane: {'rmse': {value, low,
        high}}}} (see :class:`RootMeanSquareRatio`), ``power`` {plane: {n, k, ratio, low, high, r, r_low, r_high}}
        (P_p / P_t and P_pt / √(P_p P_t) in bins of k, cycles a pixel) and ``density`` {plane: {edges, counts}}, the
        rows true values. Numbers, strings, lists and None only.

    Raises:
        DataError: no image, or no valid pixel in a plane.
        ConfigError: ``n_bootstrap`` below 0.
    """
    if n_bootstrap < 0:
        raise ConfigError(f"n_bootstrap={n_bootstrap} must be 0 or more.")
    n_images = (sums.n > 0).sum(0)
    if empty := [name for name, n in zip(planes, n_images, strict=True) if n == 0]:
        raise DataError(
            f"no target of these {len(sums.n)} {noun}s has a valid pixel in plane {empty[0]}; choose other {noun}s."
        )
    options = {"n_resamples": n_bootstrap, "seed": seed}
    strata = np.zeros(len(sums.n), dtype=np.int64)
    flux = additive(sums, units or [None] * len(planes))

    def figures(of: ImageSums) -> Summary:
        return {
            name: estimates(PlaneFigures(of, k, flux=flux[k]), strata, **options)
            for k, name in enumerate(planes)
        }

    return {
        "n": len(sums.n),
        "noun": noun,
        "planes": list(planes),
        "units": list(units or [None] * len(planes)),
        "n_images": {name: int(n) for name, n in zip(planes, n_images, strict=True)},
        "intervals": f"95 %; {n_bootstrap} bootstrap resamples of the {noun}s",
        "figures": figures(sums),
        "trivial": {name: figures(other) for name, other in (trivial or {}).items()},
        "gain": {
            name: {
                plane: estimates(RootMeanSquareRatio(sums, other, k), strata, **options)
                for k, plane in enumerate(planes)
            }
            for name, other in (trivial or {}).items()
        },
        "power": {name: found for k, name in enumerate(planes) if (found := _power(sums, k, options))},
        "density": {
            name: {"edges": edges[k].tolist(), "counts": sums.density[k].tolist()}
            for k, name in enumerate(planes)
            if edges is not None
        },
    }


def additive(sums: ImageSums, units: Sequence[str | None]) -> list[bool]:
    """Whether the sum of an image's pixels means something, plane by plane: not for logarithms ('dex', 'dex(Msun)',
    'mag', 'log ...'), nor for what has either sign, such as a velocity, whose sum is small against that of its
    absolute values.
    """
    logarithms = ("dex", "mag", "log")
    signed = sums.true.sum(0) < LEAST_NET * sums.true_absolutes.sum(0)
    return [
        not negative and (unit is None or not unit.lower().startswith(logarithms))
        for negative, unit in zip(signed, units, strict=True)
    ]


def _power(sums: ImageSums, plane: int, options: dict[str, int]) -> Summary:
    """Ratio and correlation of the spectra of the whole images of a plane; nothing where there are none."""
    rows = sums.whole[:, plane]
    if not rows.any() or not len(sums.k):
        return {}
    parts = [power[rows, plane] for power in (sums.power_predicted, sums.power_true, sums.power_cross)]
    n_bins = len(sums.k)

    def statistic(counts: Floats) -> Floats:
        predicted, true, cross = np.split(counts @ np.hstack(parts), 3, axis=1)  # (b, n_bins)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.hstack([predicted / true, cross / np.sqrt(predicted * true)])

    value = statistic(np.ones((1, int(rows.sum()))))[0]
    low = high = np.full(2 * n_bins, np.nan)
    if options["n_resamples"]:
        low, high = percentile_interval(bootstrap(statistic, np.zeros(int(rows.sum())), **options))
    curves = {"ratio": value[:n_bins], "low": low[:n_bins], "high": high[:n_bins]}
    curves |= {"r": value[n_bins:], "r_low": low[n_bins:], "r_high": high[n_bins:]}
    return {
        "n": int(rows.sum()),
        "k": sums.k.tolist(),
        **{name: [entry(number)["value"] for number in curve] for name, curve in curves.items()},
    }


def _mean(values: Floats, counts: Floats) -> Floats:
    """(b,) means of the finite values (N,); NaN where none counts."""
    finite = np.isfinite(values)
    weights = counts[:, finite]
    return np.asarray((weights @ values[finite]) / weights.sum(1))


def _median(values: Floats, counts: Floats) -> Floats:
    """(b,) medians of the finite values (N,), each as often as it counts; NaN where none does."""
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return np.full(len(counts), np.nan)
    order = finite[np.argsort(values[finite])]
    below = np.cumsum(counts[:, order], axis=1)
    half = below[:, -1:] / 2
    middle = values[order][(below >= half).argmax(1)] + values[order][(below > half).argmax(1)]
    return np.where(half[:, 0] > 0, middle / 2, np.nan)
