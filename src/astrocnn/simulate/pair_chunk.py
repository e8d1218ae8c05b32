"""One chunk of simulated blends: a galaxy in the middle of each cutout, alone and with its neighbours.

A chunk depends on the options and its number alone, so that it does not matter which process makes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.functional.seeding import seed_of
from astrocnn.simulate.footprints import truth
from astrocnn.simulate.observe import Survey, draw_seeing, lose_pixels, observe
from astrocnn.simulate.population import magnitudes
from astrocnn.simulate.render import draw_stamps
from astrocnn.simulate.sources import DISC, IRREGULAR, SPHEROID, Parts, components, galaxies_of
from astrocnn.simulate.templates import Colours

__all__ = ["PairChunk", "PairOptions", "make_pairs", "truth_units"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Images = NDArray[np.float32]

MAG_RANGE = (20.0, 25.0)  # of the central galaxy, i band
MAG_DIFFERENCE = 2.0  # a neighbour is at most so much brighter or fainter
SEPARATION_RANGE_ARCSEC = (0.6, 3.0)
DEC_RANGE_DEG = (-65.0, 5.0)
FORMS = {SPHEROID: "spheroid", DISC: "disc", IRREGULAR: "irregular"}
SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}


@dataclass(frozen=True)
class PairOptions:
    """What a simulated set of blends is a function of."""

    n_images: int
    depth: str
    bands: tuple[str, ...]
    size: int
    pixel_scale_arcsec: float
    max_neighbours: int
    seed: int


@dataclass(frozen=True)
class PairChunk:
    """Observed blends and what they are made of.

    Attributes:
        image: (N, C, H, W) float32, nJy, NaN where there is no data.
        variance: (N, C, H, W) float32, nJy².
        target: the central galaxy alone as the telescope sees it, without noise, (N, C, H, W) float32, nJy.
        neighbours: the light of all others, as ``target``.
        place: of the central galaxy, 0-based pixels (x, y), (N, 2).
        columns: ``ra``, ``dec`` (deg), ``split`` and those of :func:`truth_units`, (N,) each.
    """

    image: Images
    variance: Images
    target: Images
    neighbours: Images
    place: Array
    columns: dict[str, NDArray[Any]]


def truth_units(names: Iterable[str]) -> dict[str, str]:
    """Units of those of the catalogue's columns that are true of a blend."""
    units = {"kind": "", "mag": "mag", "radius_arcsec": "arcsec", "z": ""}
    units |= {"n_neighbours": "", "blended": "", "mag_neighbour": "mag", "separation_arcsec": "arcsec"}
    units |= {name: "nJy" for name in names if name.startswith("flux_")}
    return units | {name: "arcsec" for name in names if name.startswith("seeing_")}


def make_pairs(options: PairOptions, number: int, n_images: int) -> PairChunk:
    """Simulate ``n_images`` blends."""
    rng = np.random.default_rng(seed_of(options.seed, number))
    colours = Colours(options.bands)
    survey = Survey.of(options.depth, options.bands, options.pixel_scale_arcsec)

    most = options.max_neighbours
    count = rng.integers(1, most + 1, n_images) if most else np.zeros(n_images, np.int64)
    image_of = np.concatenate([np.arange(n_images), np.repeat(np.arange(n_images), count)])
    mag = magnitudes(rng, n_images, *MAG_RANGE)[image_of]
    beside = np.arange(len(mag)) >= n_images  # neighbours follow the central galaxies
    mag[beside] += rng.uniform(-MAG_DIFFERENCE, MAG_DIFFERENCE, beside.sum())
    galaxies = galaxies_of(rng, mag)
    parts = components(rng, galaxies, colours)
    flux = np.zeros((len(mag), len(options.bands)))
    np.add.at(flux, parts.owner, parts.flux)

    middle = (options.size - 1) / 2 + rng.uniform(-0.5, 0.5, (n_images, 2))  # anywhere in its pixel
    separation = np.where(beside, rng.uniform(*SEPARATION_RANGE_ARCSEC, len(mag)), 0.0)
    angle = rng.uniform(0.0, 2 * np.pi, len(mag))
    offset = np.stack([np.cos(angle), np.sin(angle)], axis=1) * separation[:, None]
    place = middle[image_of] + offset / options.pixel_scale_arcsec  # (objects, 2)

    seeing = draw_seeing(rng, n_images, survey)
    shape = (n_images, len(options.bands), options.size, options.size)
    target, neighbours, touching = (
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(n_images, bool),
    )
    for n in range(n_images):
        rows = np.flatnonzero(image_of == n)  # the central galaxy is first
        x, y = place[rows].T
        stamps = draw_stamps(x, y, _of(parts, rows), seeing[n], survey, options.size)
        for stamp, into in zip(stamps, [target[n], *[neighbours[n]] * (len(rows) - 1)], strict=True):
            into[(slice(None), *stamp.place)] += stamp.image
        about = {"x": x, "y": y, "label": galaxies["label"][rows], "ignore": np.zeros(len(rows))}
        touching[n] = truth(stamps, about, survey, options.size).columns["blended"][0] > 0

    clean = torch.from_numpy(target + neighbours)
    image, variance = observe(rng, clean, survey)
    lost = lose_pixels(rng, clean, survey)
    image[lost] = np.nan
    variance[lost] = np.nan

    low, high = np.sin(np.radians(DEC_RANGE_DEG))
    brightest = _brightest(image_of[beside], mag[beside], n_images)
    columns: dict[str, NDArray[Any]] = {
        "ra": rng.uniform(0.0, 360.0, n_images),
        "dec": np.degrees(np.arcsin(rng.uniform(low, high, n_images))),
        "split": rng.choice(list(SPLITS), n_images, p=list(SPLITS.values())),
        "kind": np.array([FORMS[int(label)] for label in galaxies["label"][:n_images]]),
        "mag": mag[:n_images],
        "radius_arcsec": galaxies["radius"][:n_images],
        "z": galaxies["z"][:n_images],
        "n_neighbours": count,
        "blended": touching,
        "mag_neighbour": _of_brightest(mag[beside], brightest),
        "separation_arcsec": _of_brightest(separation[beside], brightest),
    }
    for b, band in enumerate(options.bands):
        columns[f"flux_{band}"] = flux[:n_images, b]
        columns[f"flux_neighbour_{band}"] = _of_brightest(flux[beside, b], brightest)
        columns[f"seeing_{band}"] = seeing[:, b]
    return PairChunk(image, variance, target, neighbours, middle, columns)


def _of(parts: Parts, objects: Rows) -> Parts:
    """The components of some objects, which are numbered anew in their order."""
    mine = np.flatnonzero(np.isin(parts.owner, objects))
    columns = {name: values[mine] for name, values in parts.columns.items()}
    return Parts(np.searchsorted(objects, parts.owner[mine]), parts.flux[mine], columns)


def _brightest(image_of: Rows, mag: Array, n_images: int) -> Rows:
    """The row of each image's brightest neighbour, -1 where it has none."""
    order = np.argsort(-mag, kind="stable")  # the brightest is written last
    row = np.full(n_images, -1)
    row[image_of[order]] = order
    return row


def _of_brightest(values: Array, row: Rows) -> Array:
    """Values of the brightest neighbours, NaN where there is none."""
    return np.append(values, np.nan)[row]
