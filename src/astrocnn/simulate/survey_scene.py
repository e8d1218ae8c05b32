"""One survey scene: what is there, what the telescope sees of it, and the truth.

A scene depends on the options and its number alone.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.functional.seeding import seed_of
from astrocnn.io.stamps import Stamp
from astrocnn.simulate.footprints import IGNORE_SNR, SCORED_SNR, Truth, isolated_snr, truth
from astrocnn.simulate.observe import Survey, chip_gaps, draw_seeing, observe
from astrocnn.simulate.population import Columns, sky_positions
from astrocnn.simulate.render import draw_stamps
from astrocnn.simulate.saturation import saturated
from astrocnn.simulate.sources import draw_sources
from astrocnn.simulate.templates import Colours, to_mag

__all__ = ["Options", "Scene", "make_scene"]

Images = NDArray[np.float32]

LEAST_FLUX_NJY = 1e-3  # blue of the Lyman limit there is none
STARS_PER_ARCMIN2 = 11.0  # of 14 < i < 26
UNIT_ARCMIN2 = (256 * 0.2 / 60) ** 2  # the area to which ``density`` refers


@dataclass(frozen=True)
class Options:
    """What a simulated set of scenes is a function of."""

    n_scenes: int
    size: int
    bands: tuple[str, ...]
    depth: str
    pixel_scale_arcsec: float
    density: float
    correlated_noise: bool
    seed: int


@dataclass(frozen=True)
class Scene:
    """An observed scene and its truth.

    Attributes:
        image: (C, H, W) float32, nJy, NaN where there is no data.
        variance: (C, H, W) float32, nJy².
        ra: of the middle, degrees.
        dec: of the middle, degrees.
        seeing_arcsec: FWHM in each band, (C,).
        stamps: of the objects, in their order; they add up to the scene without noise.
        truth: maps.
        objects: columns of the N objects.
    """

    image: Images
    variance: Images
    ra: float
    dec: float
    seeing_arcsec: NDArray[np.float64]
    stamps: list[Stamp]
    truth: Truth
    objects: Columns


def make_scene(options: Options, number: int) -> Scene:
    """Simulate the scene of that number."""
    rng = np.random.default_rng(seed_of(options.seed, number))
    size = options.size
    colours = Colours(options.bands)
    survey = _survey(options.depth, options.bands, options.pixel_scale_arcsec)
    area = (size * options.pixel_scale_arcsec / 60) ** 2
    (ra,), (dec,) = sky_positions(rng, 1)
    seeing = draw_seeing(rng, 1, survey)[0]

    n_galaxies, n_stars = rng.poisson([options.density * area / UNIT_ARCMIN2, STARS_PER_ARCMIN2 * area])
    objects, parts = draw_sources(rng, n_galaxies, n_stars, colours)
    n = len(objects["mag"])
    objects["x"], objects["y"] = rng.uniform(-0.5, size - 0.5, (2, n))
    stamps = draw_stamps(objects["x"], objects["y"], parts, seeing, survey, size)
    clean = np.zeros((len(options.bands), size, size), dtype=np.float32)
    for stamp in stamps:
        clean[(slice(None), *stamp.place)] += stamp.image

    image, variance = observe(rng, torch.from_numpy(clean[None]), survey, correlated=options.correlated_noise)
    full = saturated(clean, survey)
    lost = full | chip_gaps(rng, image.shape)[0]
    image[0, lost], variance[0, lost] = np.nan, np.nan

    flux = np.zeros((n, len(options.bands)))
    np.add.at(flux, parts.owner, parts.flux)
    for b, band in enumerate(options.bands):
        objects |= {f"mag_{band}": to_mag(np.maximum(flux[:, b], LEAST_FLUX_NJY)), f"flux_{band}": flux[:, b]}
    objects["snr"] = isolated_snr(stamps, ~lost, survey)
    objects["ignore"] = (objects["snr"] < IGNORE_SNR).astype(float)
    objects["scored"] = (objects["snr"] > SCORED_SNR).astype(float)
    found = truth(stamps, objects, survey, size)
    objects |= found.columns
    hidden = np.bincount(found.owner[full.any(axis=0)], minlength=n + 1)[1:]
    objects["saturated"] = (hidden > 0).astype(float)
    return Scene(image[0], variance[0], float(ra), float(dec), seeing, stamps, found, objects)


@lru_cache(maxsize=4)
def _survey(depth: str, bands: tuple[str, ...], pixel_scale_arcsec: float) -> Survey:
    return Survey.of(depth, bands, pixel_scale_arcsec)
