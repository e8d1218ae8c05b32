"""One chunk of a simulated photometric-redshift survey: stamps of galaxies, their truth and their photometry.

A chunk depends on the options and its number alone, so that it does not matter which process makes it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.functional.extinction import SURVEYS
from astrocnn.functional.seeding import seed_of
from astrocnn.simulate.bulge_disc import draw_galaxies, light_of
from astrocnn.simulate.matched_photometry import Measured, measure, to_mag_or_limit
from astrocnn.simulate.observe import Survey, draw_seeing, observe
from astrocnn.simulate.population import Columns, magnitudes, sky_positions, take
from astrocnn.simulate.render import draw_stamps
from astrocnn.simulate.sources import Parts
from astrocnn.simulate.templates import BANDS, Colours, to_mag

__all__ = ["PhotozChunk", "PhotozOptions", "completeness", "make_galaxies", "units"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Images = NDArray[np.float32]

PIXEL_SCALE_ARCSEC = 0.2
MAG_RANGE = (17.5, 25.3)  # i band
NEIGHBOUR_MAG_RANGE = (17.5, 26.0)
NEIGHBOURS_PER_ARCMIN2 = 65.0  # of that range
MARGIN_PIX = 5.0  # neighbours lie at most so far beyond the stamp's edges
APART_ARCSEC = 1.0  # and at least so far from the middle: nearer ones would not be told from it
REDDENING_MEAN = 0.05  # of the exponential distribution of the Milky Way's E(B-V)
REDDENING_RANGE = (0.01, 0.30)
SPEC_MAG = 22.8  # i, of a galaxy with g - i = 1 of which half have a spectrum
SPEC_COLOUR = 0.5  # mag fainter for each mag bluer: emission lines
SPEC_WIDTH = 0.35  # mag


@dataclass(frozen=True)
class PhotozOptions:
    """What a simulated set is a function of."""

    n_images: int
    depth: str
    bands: tuple[str, ...]
    size: int
    seed: int


@dataclass(frozen=True)
class PhotozChunk:
    """Observed galaxies with their rows of the catalogue.

    Attributes:
        image: (N, C, H, W) float32, nJy.
        variance: (N, C, H, W) float32, nJy².
        clean: the galaxy in the middle alone, after the seeing and without noise, as ``image``.
        place: of that galaxy, 0-based pixels (x, y), (N, 2).
        columns: the catalogue's, see :func:`units`, (N,) each.
    """

    image: Images
    variance: Images
    clean: Images
    place: Array
    columns: dict[str, NDArray[Any]]


def units(bands: tuple[str, ...]) -> dict[str, str]:
    """The columns of the catalogue behind ``id``, with their units."""
    columns = {"ra": "deg", "dec": "deg", "redshift": "", "in_spec": "", "ebv": "mag"}
    columns |= {f"seeing_{band}": "arcsec" for band in bands}
    for band in bands:
        columns |= {f"mag_{band}": "mag", f"mag_err_{band}": "mag"}
    columns |= {"size_arcsec": "arcsec", "ellipticity": "", "measured": "", "blending": ""}
    columns |= {f"true_{band}": "mag" for band in bands}
    return columns | {
        "true_quiescent": "",
        "true_type": "",
        "true_bulge": "",
        "true_dust": "mag",
        "true_absolute_r": "mag",
        "true_radius_arcsec": "arcsec",
        "true_axis_ratio": "",
    }


def make_galaxies(options: PhotozOptions, number: int, n_images: int) -> PhotozChunk:
    """Simulate ``n_images`` galaxies, each in the middle of a stamp with what lies around it."""
    rng = np.random.default_rng(seed_of(options.seed, number))
    survey = Survey.of(options.depth, options.bands, PIXEL_SCALE_ARCSEC)
    ra, dec = sky_positions(rng, n_images)
    ebv = np.clip(rng.exponential(REDDENING_MEAN, n_images), *REDDENING_RANGE)
    planes = [BANDS.index(band) for band in options.bands]
    seeing = draw_seeing(rng, n_images, Survey.of(options.depth, BANDS, PIXEL_SCALE_ARCSEC))[:, planes]
    place = (options.size - 1) / 2 + rng.uniform(-0.5, 0.5, (n_images, 2))  # anywhere in its pixel
    galaxies = draw_galaxies(rng, magnitudes(rng, n_images, *MAG_RANGE))
    light = _reddened(light_of(galaxies, Colours(BANDS)), ebv)
    total = np.zeros((n_images, len(BANDS)))
    np.add.at(total, light.owner, light.flux)
    in_spec = rng.random(n_images) < completeness(to_mag(total))

    central = _draw(np.arange(n_images), place, _in_bands(light, planes), seeing, survey, options.size)
    around, there = _neighbours(rng, n_images, options.size)
    beside = light_of(draw_galaxies(rng, magnitudes(rng, len(around), *NEIGHBOUR_MAG_RANGE)), Colours(BANDS))
    beside = _in_bands(_reddened(beside, ebv[around]), planes)
    others = _draw(around, there, beside, seeing, survey, options.size)
    image, variance = observe(rng, torch.from_numpy(central + others), survey)

    seen = measure(image, variance, place, seeing, survey)
    columns: dict[str, NDArray[Any]] = {"ra": ra, "dec": dec, "redshift": galaxies["z"], "in_spec": in_spec}
    columns |= {"ebv": ebv} | {f"seeing_{band}": seeing[:, b] for b, band in enumerate(options.bands)}
    columns |= _photometry(seen, options.bands) | {"blending": _blending(seen, central, others)}
    columns |= {f"true_{band}": to_mag(total[:, p]) for band, p in zip(options.bands, planes, strict=True)}
    return PhotozChunk(image, variance, central, place, columns | _truth(galaxies))


def completeness(mag: Array) -> Array:
    """The share of galaxies of magnitudes ``mag`` (N, 6), ugrizy, whose redshift a spectrograph finds, (N,).

    A half at i = 22.8 - 0.5 (g - i - 1), and 1 / (1 + exp(x / 0.35)) where i is x fainter.
    """
    i, blue = mag[:, BANDS.index("i")], mag[:, BANDS.index("g")] - mag[:, BANDS.index("i")]
    return np.asarray(1 / (1 + np.exp((i - SPEC_MAG + SPEC_COLOUR * (blue - 1)) / SPEC_WIDTH)))


def _reddened(parts: Parts, ebv: Array) -> Parts:
    """Light of objects behind the Milky Way's dust, E(B-V) (N,); fluxes in ugrizy."""
    coefficients = np.array([SURVEYS["lsst"][band] for band in BANDS])
    dimming = 10 ** (-0.4 * coefficients * ebv[parts.owner, None])
    return Parts(parts.owner, parts.flux * dimming, parts.columns)


def _in_bands(parts: Parts, planes: list[int]) -> Parts:
    return Parts(parts.owner, parts.flux[:, planes], parts.columns)


def _neighbours(rng: np.random.Generator, n_images: int, size: int) -> tuple[Rows, Array]:
    """The image of each galaxy in the line of sight (M,), ascending, and its place in pixels (M, 2)."""
    side = size + 2 * MARGIN_PIX
    mean = NEIGHBOURS_PER_ARCMIN2 * (side * PIXEL_SCALE_ARCSEC / 60) ** 2
    image = np.repeat(np.arange(n_images), rng.poisson(mean, n_images))
    place = rng.uniform(-MARGIN_PIX - 0.5, size + MARGIN_PIX - 0.5, (len(image), 2))
    apart = np.hypot(*(place - (size - 1) / 2).T) * PIXEL_SCALE_ARCSEC > APART_ARCSEC
    return image[apart], place[apart]


def _draw(image: Rows, place: Array, parts: Parts, seeing: Array, survey: Survey, size: int) -> Images:
    """Images (N, C, size, size) of the light of galaxies ``image`` (M,), ascending, at ``place`` (M, 2)."""
    drawn = np.zeros((len(seeing), len(survey.bands), size, size), np.float32)
    by_owner = np.argsort(parts.owner, kind="stable")
    owner = parts.owner[by_owner]
    for n in np.unique(image):
        first, last = np.searchsorted(image, [n, n + 1])
        rows = by_owner[slice(*np.searchsorted(owner, [first, last]))]
        mine = Parts(parts.owner[rows] - first, parts.flux[rows], take(parts.columns, rows))
        x, y = place[first:last].T
        for stamp in draw_stamps(x, y, mine, seeing[n], survey, size):
            drawn[(n, slice(None), *stamp.place)] += stamp.image
    return drawn


def _photometry(seen: Measured, bands: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    mag, error = to_mag_or_limit(seen.flux, seen.error)
    for b, band in enumerate(bands):
        columns |= {f"mag_{band}": mag[:, b], f"mag_err_{band}": error[:, b]}
    intrinsic2 = np.maximum(seen.sigma_pix**2 - seen.psf_sigma_pix**2, 0.0)
    columns["size_arcsec"] = np.sqrt(intrinsic2) * PIXEL_SCALE_ARCSEC
    return columns | {"ellipticity": seen.ellipticity, "measured": seen.matched}


def _blending(seen: Measured, central: Images, others: Images) -> Array:
    """The neighbours' share of the light that the fluxes hold, over all bands, (N,)."""
    one, other = (np.abs((seen.weight * light).sum(axis=(1, 2, 3))) for light in (central, others))
    return np.asarray(other / (one + other))


def _truth(galaxies: Columns) -> dict[str, NDArray[Any]]:
    bulge = galaxies["bulge"]
    return {
        "true_quiescent": galaxies["quiescent"] > 0,
        "true_type": bulge * galaxies["kind_bulge"] + (1 - bulge) * galaxies["kind_disc"],
        "true_bulge": bulge,
        "true_dust": galaxies["dust"],
        "true_absolute_r": galaxies["mag_abs"],
        "true_radius_arcsec": galaxies["radius"],
        "true_axis_ratio": galaxies["q"],
    }
