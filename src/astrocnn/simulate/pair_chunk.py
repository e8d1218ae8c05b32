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
from astrocnn.simulate.population import Columns, magnitudes, sky_positions, take
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
    """Simulate ``n_images`` blends; the central galaxies are the same for any number of neighbours."""
    rng = np.random.default_rng(seed_of(options.seed, number))
    colours = Colours(options.bands)
    survey = Survey.of(options.depth, options.bands, options.pixel_scale_arcsec)
    ra, dec = sky_positions(rng, n_images)
    columns: dict[str, NDArray[Any]] = {
        "ra": ra,
        "dec": dec,
        "split": rng.choice(list(SPLITS), n_images, p=list(SPLITS.values())),
    }
    seeing = draw_seeing(rng, n_images, survey)
    middle = (options.size - 1) / 2 + rng.uniform(-0.5, 0.5, (n_images, 2))  # anywhere in its pixel
    central = _Galaxies.of(rng, magnitudes(rng, n_images, *MAG_RANGE), np.arange(n_images), middle, colours)
    others, separation = _neighbours(central, options, number, colours)

    shape = (n_images, len(options.bands), options.size, options.size)
    target, neighbours = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    blended = np.zeros(n_images, bool)
    for n in range(n_images):
        both = _Galaxies.together(central.of_image(n), others.of_image(n))
        x, y = both.place.T
        stamps = draw_stamps(x, y, both.parts, seeing[n], survey, options.size)
        for k, stamp in enumerate(stamps):
            light = target[n] if k == 0 else neighbours[n]
            light[(slice(None), *stamp.place)] += stamp.image
        about = {"x": x, "y": y, "label": both.columns["label"], "ignore": np.zeros(len(stamps))}
        blended[n] = truth(stamps, about, survey, options.size).columns["blended"][0] > 0

    clean = torch.from_numpy(target + neighbours)
    image, variance = observe(rng, clean, survey)
    lost = lose_pixels(rng, clean, survey)
    image[lost] = np.nan
    variance[lost] = np.nan
    columns |= _truth(central, others, separation, options.bands)
    columns |= {"blended": blended} | {f"seeing_{band}": seeing[:, b] for b, band in enumerate(options.bands)}
    return PairChunk(image, variance, target, neighbours, middle, columns)


@dataclass(frozen=True)
class _Galaxies:
    """Galaxies, the cutout that each is in (N,), their places in pixels (N, 2), columns and components."""

    image: Rows
    place: Array
    columns: Columns
    parts: Parts

    @classmethod
    def of(
        cls, rng: np.random.Generator, mag: Array, image: Rows, place: Array, colours: Colours
    ) -> "_Galaxies":
        """Galaxies of given magnitudes."""
        columns = galaxies_of(rng, mag)
        return cls(image, place, columns, components(rng, columns, colours))

    @property
    def flux(self) -> Array:
        """Total fluxes, (N, C) nJy."""
        flux = np.zeros((len(self.image), self.parts.flux.shape[1]))
        np.add.at(flux, self.parts.owner, self.parts.flux)
        return flux

    def of_image(self, number: int) -> "_Galaxies":
        """Those of one cutout."""
        rows = np.flatnonzero(self.image == number)
        mine = np.flatnonzero(np.isin(self.parts.owner, rows))
        owner = np.searchsorted(rows, self.parts.owner[mine])
        parts = Parts(owner, self.parts.flux[mine], take(self.parts.columns, mine))
        return _Galaxies(self.image[rows], self.place[rows], take(self.columns, rows), parts)

    @staticmethod
    def together(one: "_Galaxies", other: "_Galaxies") -> "_Galaxies":
        """Those of both, in order."""
        owner = np.concatenate([one.parts.owner, other.parts.owner + len(one.image)])
        flux = np.concatenate([one.parts.flux, other.parts.flux])
        return _Galaxies(
            np.concatenate([one.image, other.image]),
            np.concatenate([one.place, other.place]),
            _concatenated(one.columns, other.columns),
            Parts(owner, flux, _concatenated(one.parts.columns, other.parts.columns)),
        )


def _concatenated(one: Columns, other: Columns) -> Columns:
    return {name: np.concatenate([values, other[name]]) for name, values in one.items()}


def _neighbours(
    central: _Galaxies, options: PairOptions, number: int, colours: Colours
) -> tuple[_Galaxies, Array]:
    """One to ``max_neighbours`` galaxies beside each central one, and how far away they are in arcsec."""
    rng = np.random.default_rng(seed_of(options.seed, number, 1))
    n, most = len(central.image), options.max_neighbours
    beside = np.repeat(central.image, rng.integers(1, most + 1, n) if most else 0)
    m = len(beside)
    mag = central.columns["mag"][beside] + rng.uniform(-MAG_DIFFERENCE, MAG_DIFFERENCE, m)
    separation, angle = rng.uniform(*SEPARATION_RANGE_ARCSEC, m), rng.uniform(0.0, 2 * np.pi, m)
    offset = np.stack([np.cos(angle), np.sin(angle)], axis=1) * separation[:, None]
    place = central.place[beside] + offset / options.pixel_scale_arcsec
    return _Galaxies.of(rng, mag, beside, place, colours), separation


def _truth(
    central: _Galaxies, others: _Galaxies, separation: Array, bands: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Columns about the central galaxies and the brightest neighbour of each, NaN where there is none."""
    n = len(central.image)
    order = np.argsort(-others.columns["mag"], kind="stable")  # the brightest is written last
    brightest = np.full(n, -1)
    brightest[others.image[order]] = order

    def of_brightest(values: Array) -> Array:
        return np.asarray(np.append(values, np.nan)[brightest])

    columns: dict[str, NDArray[Any]] = {
        "kind": np.array([FORMS[int(label)] for label in central.columns["label"]]),
        "mag": central.columns["mag"],
        "radius_arcsec": central.columns["radius"],
        "z": central.columns["z"],
        "n_neighbours": np.bincount(others.image, minlength=n),
        "mag_neighbour": of_brightest(others.columns["mag"]),
        "separation_arcsec": of_brightest(separation),
    }
    for b, band in enumerate(bands):
        columns[f"flux_{band}"] = central.flux[:, b]
        columns[f"flux_neighbour_{band}"] = of_brightest(others.flux[:, b])
    return columns
