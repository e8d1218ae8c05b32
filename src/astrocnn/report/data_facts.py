"""What the pixels of a sample of objects are like, band by band, before and after normalisation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.batch import Batch

__all__ = [
    "AXES",
    "QUANTILES",
    "BandFacts",
    "Histogram",
    "PixelFacts",
    "counts_between",
    "histogram",
    "measure",
    "spread_of",
]

AXES = ("time", "phase")  # channels of a light curve that say when, not how much
QUANTILES = (0.0, 0.01, 0.5, 0.99, 1.0)
FEWEST_BINS, MOST_BINS = 10, 120
MAD_TO_SIGMA = 1.4826  # of a normal distribution
OBJECTS_AT_ONCE = 256
LAGS = (1, 3)  # pixels; the noise of neighbours may be correlated, that of pixels further apart hardly

Floats = NDArray[np.float32]
Normalise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Histogram:
    """``counts`` (K,) of the values between ``edges`` (K + 1,): every value is counted.

    The bins are even near ``middle`` and widen like sinh from ``knee`` away from it.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    middle: float
    knee: float


@dataclass(frozen=True)
class BandFacts:
    """One band (or feature of a table) in its own unit; figures are of valid values.

    ``quantiles`` are those of :data:`QUANTILES`, ``middle`` and ``width`` median and 1.4826 times the median
    absolute deviation. ``n_zero`` values are exactly 0, ``n_least`` and ``n_greatest`` exactly the outermost.
    ``by_class`` holds a histogram a class, in the bins of ``flux``, when asked for. ``noise_ratio`` (n,) is the
    noise of each object's pixels over what its variance states, from pixels three apart; ``neighbours`` the
    median over the objects of that ratio from neighbours.
    """

    name: str
    n: int
    n_valid: int
    quantiles: tuple[float, ...]
    middle: float
    width: float
    n_zero: int
    n_least: int
    n_greatest: int
    flux: Histogram | None
    normalised: Histogram | None
    by_class: tuple[Histogram, ...] = ()
    noise_ratio: Floats | None = None
    neighbours: float | None = None

    @property
    def digits(self) -> int:
        """How many digits tell values apart that differ by a hundredth of the width."""
        spans = abs(self.middle) / self.width if self.width > 0 else 1.0
        return int(np.clip(math.ceil(math.log10(max(spans, 1.0))) + 3, 4, 8))

    @property
    def invalid_fraction(self) -> float:
        """Of all values of the sample."""
        return 1 - self.n_valid / max(self.n, 1)

    @property
    def median_noise_ratio(self) -> float | None:
        """The median of ``noise_ratio``; None without variance."""
        return None if self.noise_ratio is None else _median(self.noise_ratio)


@dataclass(frozen=True)
class PixelFacts:
    """The bands of ``n_objects``; ``invalid`` (C, ...) is the fraction of them without data at each place, and
    ``constant`` (n,) tells the objects of which some band holds one value only.
    """

    n_objects: int
    bands: tuple[BandFacts, ...]
    invalid: Floats
    constant: NDArray[np.bool_]


def measure(
    sample: Batch,
    *,
    bands: Sequence[str],
    normalise: Normalise | None = None,
    labels: NDArray[np.int64] | None = None,
    n_classes: int = 0,
) -> PixelFacts:
    """The facts of a sample.

    Args:
        sample: ``image`` (n, C, ...) and ``valid``, and ``variance`` where known.
        bands: names of the C bands.
        normalise: gives the normalised pixels of flux and validity; None leaves them out.
        labels: (n,) class numbers, for histograms by class.
        n_classes: how many classes; 0 leaves these histograms out.
    """
    flux, valid = sample["image"].numpy(), sample["valid"].numpy()
    normal = None if normalise is None else _normalised(sample["image"], sample["valid"], normalise)
    ratios = _noise_ratios(sample) if "variance" in sample and flux.ndim > 2 else None
    facts = []
    for c, name in enumerate(bands):
        known = valid[:, c]
        values = flux[:, c][known]
        spread = spread_of(values)
        pixels = None if normal is None else normal[:, c][known]
        whole = histogram(values, **spread)
        of_class: list[Histogram] = []
        if labels is not None and whole is not None:
            chosen = [flux[:, c][known & _like(labels == k, known)] for k in range(n_classes)]
            of_class = [replace(whole, counts=counts_between(part, whole.edges)) for part in chosen]
        facts.append(
            BandFacts(
                name=str(name),
                n=known.size,
                n_valid=len(values),
                quantiles=tuple(np.quantile(values, QUANTILES).tolist()) if len(values) else (),
                **spread,
                n_zero=int((values == 0).sum()),
                n_least=int((values == values.min()).sum()) if len(values) else 0,
                n_greatest=int((values == values.max()).sum()) if len(values) else 0,
                flux=whole,
                normalised=None if pixels is None else histogram(pixels, **spread_of(pixels)),
                by_class=tuple(of_class),
                noise_ratio=None if ratios is None else ratios[-1][:, c],
                neighbours=None if ratios is None else _median(ratios[0][:, c]),
            )
        )
    invalid = np.stack([1 - valid[:, c].mean(axis=0, dtype=np.float32) for c in range(flux.shape[1])])
    return PixelFacts(len(flux), tuple(facts), invalid, _constant(flux, valid))


def histogram(values: Floats, *, middle: float, width: float) -> Histogram | None:
    """All values; the bins widen beyond three times the width."""
    if not len(values):
        return None
    reach = float(np.abs(values - np.float32(middle)).max())
    if reach == 0:  # one value: a bin about it, of its own size
        half = abs(middle) / 2 or 1.0
        return Histogram(np.array([middle - half, middle + half]), np.array([len(values)]), middle, half)
    knee = 3 * (width or reach)
    bent = np.arcsinh((values - np.float32(middle)) / np.float32(knee))
    bins = int(np.clip(math.sqrt(len(values)), FEWEST_BINS, MOST_BINS))
    counts, edges = np.histogram(bent, bins=bins, range=(float(bent.min()), float(bent.max())))
    return Histogram(middle + knee * np.sinh(edges), counts, middle, knee)


def counts_between(values: Floats, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many lie between the edges; those beyond the outermost, by rounding, belong to the last bin there."""
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(place, minlength=len(edges) - 1)


def spread_of(values: Floats) -> dict[str, float]:
    """Median and robust deviation; the plain deviation where more than half of the values are equal."""
    if not len(values):
        return {"middle": 0.0, "width": 0.0}
    middle = np.median(values)
    width = MAD_TO_SIGMA * float(np.median(np.abs(values - middle)))
    return {"middle": float(middle), "width": width or float(values.std(dtype=np.float64))}


def _like(chosen: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) as (n, 1, ...) of as many axes as ``known``."""
    return chosen.reshape(-1, *[1] * (known.ndim - 1))


def _normalised(image: Tensor, valid: Tensor, normalise: Normalise) -> Floats:
    out = np.empty(tuple(image.shape), np.float32)
    with torch.no_grad():
        for start in range(0, len(image), OBJECTS_AT_ONCE):
            rows = slice(start, start + OBJECTS_AT_ONCE)
            out[rows] = normalise(image[rows], valid[rows]).numpy()
    return out


def _constant(flux: Floats, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) objects of which some band holds at least two valid values, all equal."""
    constant = np.zeros(len(flux), np.bool_)
    size = math.prod(flux.shape[2:])
    for start in range(0, len(flux), OBJECTS_AT_ONCE):
        rows = slice(start, start + OBJECTS_AT_ONCE)
        pixels, known = (part[rows].reshape(-1, flux.shape[1], size) for part in (flux, valid))  # (b, C, P)
        low = np.where(known, pixels, np.inf).min(axis=2)  # (b, C)
        high = np.where(known, pixels, -np.inf).max(axis=2)
        constant[rows] = ((low == high) & (known.sum(axis=2) > 1)).any(axis=1)
    return constant


def _noise_ratios(sample: Batch) -> list[Floats]:
    """For each of :data:`LAGS` (n, C): the robust scatter of second differences along the last axis, in units of
    the σ that the variances state for them; NaN where there are none.

    Second differences, f(x − lag) − 2 f(x) + f(x + lag), see neither a level nor a slope, the border of an image
    holds little of its object, and a median does not see the few pixels of other sources.
    """
    parts: list[list[Floats]] = [[] for _ in LAGS]
    border = _border(sample["image"].shape[2:])
    for start in range(0, len(sample["image"]), OBJECTS_AT_ONCE):
        rows = slice(start, start + OBJECTS_AT_ONCE)
        flux, variance = sample["image"][rows], sample["variance"][rows]
        valid = sample["valid"][rows] & border
        for part, lag in zip(parts, LAGS, strict=True):
            left, middle, right = slice(None, -2 * lag), slice(lag, -lag), slice(2 * lag, None)
            known = (valid[..., left] & valid[..., middle] & valid[..., right]).flatten(2)  # (b, C, P)
            bend = (flux[..., left] - 2 * flux[..., middle] + flux[..., right]).abs().flatten(2)
            sigma = (variance[..., left] + 4 * variance[..., middle] + variance[..., right]).sqrt().flatten(2)
            known &= sigma > 0
            pull = torch.where(known, bend / torch.where(known, sigma, 1), torch.nan)
            if pull.shape[-1]:
                part.append((MAD_TO_SIGMA * torch.nanmedian(pull, dim=-1).values).numpy())
            else:
                part.append(np.full(pull.shape[:2], np.nan, np.float32))
    return [np.concatenate(part) for part in parts]


def _border(shape: tuple[int, ...]) -> Tensor:
    """The frame of an eighth of an image's side; of a series everything."""
    border = torch.ones(shape, dtype=torch.bool)
    if len(shape) > 1:
        y, x = (max(1, size // 8) for size in shape[-2:])
        border[..., y:-y, x:-x] = False
    return border


def _median(values: Floats) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None
