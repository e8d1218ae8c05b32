"""SExtractor's algorithm (``sep``) given every chance, for the benchmarks of deblending and of whole scenes.

Sources are found on the inverse-variance-weighted sum of the bands with a filter matched to the PSF. Their fluxes are
those in Kron's ellipse, the same in every band, with the pixels of neighbours replaced by their mirror images about
the source (what SExtractor does by default) and corrected for what an aperture loses of an isolated source.
Threshold, deblending and aperture are tuned on training images for whatever a benchmark measures.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray

sep.set_sub_object_limit(100_000)  # low thresholds join half an image
sep.set_extract_pixstack(1_000_000)

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]
Segments = NDArray[np.int32]


@dataclass(frozen=True)
class Settings:
    """What is tuned.

    Attributes:
        threshold: of detection, in sigma of the filtered band sum.
        contrast: share of the light that a branch must hold to be a source of its own (DEBLEND_MINCONT).
        kron_factor: the ellipse reaches so many Kron radii (PHOT_AUTOPARAMS).
        filter_width: of the filter, in FWHM of the PSF; 1 is the matched one, a narrower one parts more; 0 is none.
        noise: 'one' thresholds and deblends the filtered flux, with one noise for the image, as SExtractor does; 'map'
            signal to noise, with each pixel's own.
        least_area: pixels.
        levels: of deblending (DEBLEND_NTHRESH).
    """

    threshold: float = 1.5
    contrast: float = 0.005
    kron_factor: float = 2.5
    filter_width: float = 1.0
    noise: str = "one"
    least_area: int = 5
    levels: int = 64


@dataclass(frozen=True)
class Found:
    """Sources of one image.

    Attributes:
        objects: sep's table.
        segments: (H, W), 0 background, 1.. the rows of the table.
        x, y: 0-based pixels, (N,).
    """

    objects: NDArray[np.void]
    segments: Segments

    @property
    def x(self) -> Array:
        return np.asarray(self.objects["x"])

    @property
    def y(self) -> Array:
        return np.asarray(self.objects["y"])


def grid(**values: tuple[Any, ...]) -> Iterator[Settings]:
    """All combinations of the values of the named settings."""
    for combination in itertools.product(*values.values()):
        yield Settings(**dict(zip(values, combination, strict=True)))


def tune(candidates: Iterator[Settings], error: Callable[[Settings], float]) -> tuple[Settings, float]:
    """The settings of the least error, with it."""
    tried = [(settings, error(settings)) for settings in candidates]
    return min(tried, key=lambda pair: pair[1])


def psf_kernel(fwhm_pix: float) -> Array:
    """A Moffat profile (beta 3.5) of unit sum, three FWHM across at least and odd on a side."""
    half = max(2, round(1.5 * fwhm_pix))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    scale = fwhm_pix / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
    kernel = (1 + (x**2 + y**2) / scale**2) ** -3.5
    return np.asarray(kernel / kernel.sum())


def band_sum(image: Array, valid: Bool, variance: Array) -> tuple[Array, Array, Bool]:
    """The sum of the bands, each by the inverse of its sky's variance, with its sigma, and where no band has data.

    Args:
        image: (C, H, W).
        valid: False = no data, (C, H, W).
        variance: (C, H, W); the sky's is taken to be its median in each band, lest sources weigh themselves down.
    """
    known = np.where(valid, variance, np.nan)
    sky = np.array(
        [np.nanmedian(plane) if seen.any() else np.inf for plane, seen in zip(known, valid, strict=True)]
    )
    weight = valid / sky[:, None, None]  # (C, H, W)
    total = (np.where(valid, image, 0.0) * weight).sum(axis=0)
    sigma = np.sqrt((np.where(valid, variance, 0.0) * weight**2).sum(axis=0))
    empty = ~valid.any(axis=0)
    return total, np.where(empty, 1.0, sigma), empty


def detect(image: Array, valid: Bool, variance: Array, fwhm_pix: float, settings: Settings) -> Found:
    """Sources on the weighted band sum, by a filter matched to a PSF of ``fwhm_pix``."""
    total, sigma, empty = band_sum(image, valid, variance)
    kernel = psf_kernel(settings.filter_width * fwhm_pix) if settings.filter_width else np.ones((1, 1))
    if settings.noise == "one":
        filtered = np.median(sigma[~empty]) if not empty.all() else 1.0
        noise, how = float(filtered * np.sqrt((kernel**2).sum())), "conv"
    else:
        noise, how = np.ascontiguousarray(sigma), "matched"
    objects, segments = sep.extract(
        np.ascontiguousarray(total),
        settings.threshold,
        err=noise,
        mask=empty,
        minarea=settings.least_area,
        filter_kernel=kernel if settings.filter_width else None,
        filter_type=how,
        deblend_nthresh=settings.levels,
        deblend_cont=settings.contrast,
        segmentation_map=True,
    )
    return Found(objects, segments)


def kron_fluxes(
    image: Array,
    valid: Bool,
    variance: Array,
    found: Found,
    settings: Settings,
    *,
    which: NDArray[np.int64] | None = None,
    least_radius_pix: float = 3.5,
) -> tuple[Array, Array]:
    """Flux within each source's Kron ellipse in each band, and its error, (N, C) each.

    Pixels of other sources, and those without data, take the value of the pixel opposite; where that is no better, 0.

    Args:
        image, valid, variance: (C, H, W).
        found: the sources.
        settings: the aperture.
        which: rows of the sources to measure; all by default.
        least_radius_pix: a smaller ellipse is replaced by a circle of this radius.
    """
    rows = np.arange(len(found.objects)) if which is None else which
    total, _, _ = band_sum(image, valid, variance)
    pixels, noise2 = np.where(valid, image, 0.0), np.where(valid, variance, 0.0)
    flux, error = np.zeros((len(rows), len(image))), np.zeros((len(rows), len(image)))
    for n, row in enumerate(rows):
        source = found.objects[row]
        others = (found.segments != 0) & (found.segments != row + 1)
        x, y, a, b = (float(source[name]) for name in ("x", "y", "a", "b"))
        theta = float(np.clip(source["theta"], -np.pi / 2, np.pi / 2))
        clean = _mirrored(total, others, x, y)
        kron = float(sep.kron_radius(clean, [x], [y], [a], [b], [theta], [6.0])[0][0])
        reach = settings.kron_factor * kron if np.isfinite(kron) else 0.0
        if not reach * np.sqrt(a * b) >= least_radius_pix:
            a = b = 1.0
            reach, theta = least_radius_pix, 0.0
        for band, plane in enumerate(pixels):
            hidden = others | ~valid[band]
            aperture = ([x], [y], [a], [b], [theta], [reach])
            flux[n, band] = sep.sum_ellipse(_mirrored(plane, hidden, x, y), *aperture)[0][0]
            error[n, band] = sep.sum_ellipse(noise2[band], *aperture)[0][0] ** 0.5
    return flux, error


def _mirrored(plane: Array, hidden: Bool, x: float, y: float) -> Array:
    """The plane with hidden pixels replaced by those opposite (x, y), 0 where these are hidden or outside."""
    rows, columns = np.nonzero(hidden)
    opposite_rows, opposite_columns = np.rint(2 * y - rows).astype(int), np.rint(2 * x - columns).astype(int)
    inside = (opposite_rows >= 0) & (opposite_rows < plane.shape[0])
    inside &= (opposite_columns >= 0) & (opposite_columns < plane.shape[1])
    new = np.zeros(len(rows))
    seen = inside.copy()
    seen[inside] = ~hidden[opposite_rows[inside], opposite_columns[inside]]
    new[seen] = plane[opposite_rows[seen], opposite_columns[seen]]
    filled = np.ascontiguousarray(plane, dtype=np.float64).copy()
    filled[rows, columns] = new
    return filled


def nearest(found: Found, x: float, y: float, within_pix: float) -> int | None:
    """The row of the source nearest to a place, None if there is none within ``within_pix``."""
    if len(found.objects) == 0:
        return None
    distance = np.hypot(found.x - x, found.y - y)
    row = int(distance.argmin())
    return row if distance[row] <= within_pix else None


@dataclass(frozen=True)
class ApertureCorrection:
    """By what the flux in the aperture is multiplied: a factor for each band, that depends on the signal to noise.

    Kron's ellipse holds less of a faint source than of a bright one; the factors are medians over isolated sources of
    known flux, between which logarithms of the signal to noise are interpolated.

    Attributes:
        log_snr: of the nodes, (K,).
        factor: (K, C).
    """

    log_snr: Array
    factor: Array

    @classmethod
    def fitted(cls, flux: Array, error: Array, true: Array, *, n_nodes: int = 5) -> "ApertureCorrection":
        """From the measured fluxes of isolated sources, their errors and true fluxes, (N, C) each."""
        snr = _log_snr(flux, error)
        bins = np.array_split(np.argsort(snr), n_nodes)
        nodes = np.array([np.median(snr[rows]) for rows in bins])
        # The ratio of medians of many noisy ratios: a band in which a source is not seen has flux/true about 0.
        factor = np.array([1 / np.median(flux[rows] / true[rows], axis=0) for rows in bins])
        return cls(nodes, factor)

    def __call__(self, flux: Array, error: Array) -> Array:
        """Corrected fluxes, (N, C)."""
        snr = _log_snr(flux, error)
        columns = [np.interp(snr, self.log_snr, self.factor[:, band]) for band in range(flux.shape[1])]
        return np.asarray(flux * np.stack(columns, axis=1))


def _log_snr(flux: Array, error: Array) -> Array:
    """log10 of the signal to noise over all bands, (N,)."""
    snr = np.sqrt((np.maximum(flux, 0.0) ** 2 / np.maximum(error, 1e-30) ** 2).sum(axis=1))
    return np.asarray(np.log10(np.maximum(snr, 1e-3)))
