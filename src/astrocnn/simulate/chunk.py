"""One chunk of a simulated set: lenses, and non-lenses made from the same chunk's accepted lenses.

A chunk depends on the options and its number alone, so that it does not matter which process makes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.functional.seeding import seed_of
from astrocnn.simulate import population, strong
from astrocnn.simulate.draw import Drawn, early_type, sersics, stars_at
from astrocnn.simulate.nonlenses import KINDS, SHARES
from astrocnn.simulate.observe import Survey, blur, draw_seeing, lose_pixels, observe, point_sources
from astrocnn.simulate.population import Columns, take
from astrocnn.simulate.scene import Components, Grid, add_light
from astrocnn.simulate.templates import Colours, to_mag

__all__ = ["TRUTH_UNITS", "Chunk", "Options", "make_chunk"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Images = NDArray[np.float32]

SNR_ARC_MIN = 10.0
CANDIDATES = 48  # lenses that are traced together
STARS_PER_CUTOUT = 0.12  # of 14 < i < 24, of either class

TRUTH_UNITS = {
    "theta_E": "arcsec",
    "snr_arc": "",
    "z_l": "",
    "z_s": "",
    "sigma_v": "km / s",
    "mag_lens_i": "mag",
    "mag_source_i": "mag",
    "mag_arc_i": "mag",
    "q_mass": "",
    "gamma_1": "",
    "gamma_2": "",
}


@dataclass(frozen=True)
class Options:
    """What a simulated set is a function of."""

    n_images: int
    depth: str
    bands: tuple[str, ...]
    size: int
    pixel_scale_arcsec: float
    seed: int


@dataclass(frozen=True)
class Chunk:
    """Observed cutouts in the order of their ids, with their rows of the catalogue.

    Attributes:
        image: (N, C, H, W) float32, nJy, NaN where there is no data.
        variance: (N, C, H, W) float32, nJy².
        kind: names, (N,).
        columns: ``ra``, ``dec`` (deg), ``x``, ``y`` (the target's place, arcsec from the cutout's centre), the
            truth and the seeing, (N,) each.
    """

    image: Images
    variance: Images
    kind: NDArray[np.str_]
    columns: Columns


def make_chunk(options: Options, number: int, n_images: int) -> Chunk:
    """Simulate ``n_images`` cutouts, half of them lenses (one less when odd), in random order."""
    rng = np.random.default_rng(seed_of(options.seed, number))
    grid = Grid(options.size, options.pixel_scale_arcsec)
    colours = Colours(options.bands)
    survey = Survey.of(options.depth, options.bands, options.pixel_scale_arcsec)

    lenses, lens_images, lens_seeing = _accepted_lenses(rng, n_images // 2, survey, grid, colours)
    others, kinds, other_images, other_seeing = _nonlenses(
        rng, n_images - n_images // 2, lenses, survey, grid, colours
    )
    clean = torch.cat([lens_images, other_images])
    seeing = np.concatenate([lens_seeing, other_seeing])
    _add_stars(rng, clean, seeing, grid, colours)

    n = len(clean)
    image, variance = observe(rng, clean, survey)
    lost = lose_pixels(rng, clean, survey)
    image[lost] = np.nan
    variance[lost] = np.nan
    columns = {name: np.concatenate([_column(lenses, name, n_images // 2), others[name]]) for name in others}
    columns["ra"], columns["dec"] = population.sky_positions(rng, n)
    columns |= {f"seeing_{band}": seeing[:, b] for b, band in enumerate(options.bands)}
    kind = np.concatenate([np.full(n_images // 2, "lens"), kinds])
    order = rng.permutation(n)
    return Chunk(image[order], variance[order], kind[order], take(columns, order))


def _column(columns: Columns, name: str, n: int) -> Array:
    return columns.get(name, np.full(n, np.nan))


def _accepted_lenses(
    rng: np.random.Generator, n: int, survey: Survey, grid: Grid, colours: Colours
) -> tuple[Columns, Tensor, Array]:
    """The first ``n`` candidates whose arcs are bright enough: their columns, images without noise, and seeing."""
    kept: list[tuple[Columns, Tensor, Array]] = []
    pool: Columns = {}
    while sum(len(seeing) for _, _, seeing in kept) < n:
        if len(pool.get("theta_E", ())) < CANDIDATES:
            pool = population.lens_candidates(rng, 4 * CANDIDATES, colours)
        tried, pool = (take(pool, part) for part in _split(len(pool["theta_E"]), CANDIDATES))
        seeing = draw_seeing(rng, CANDIDATES, survey)
        arcs, host = _lens_light(rng, tried, seeing, grid, colours)
        tried["snr_arc"] = arc_snr(arcs, host, survey)
        good = np.flatnonzero(tried["snr_arc"] > SNR_ARC_MIN)
        kept.append((take(tried, good), (arcs + host)[torch.from_numpy(good)], seeing[good]))
    lenses = {name: np.concatenate([part[name] for part, _, _ in kept])[:n] for name in kept[0][0]}
    return lenses, torch.cat([image for _, image, _ in kept])[:n], np.concatenate([s for _, _, s in kept])[:n]


def arc_snr(arcs: Tensor, host: Tensor, survey: Survey) -> Array:
    """S/N of the arcs, √Σ(arc²/σ²), in the band where it is greatest, (B,).

    σ² is the variance of the sky and of the photons of the deflector and of all other light.

    Args:
        arcs: (B, C, H, W) nJy, after the seeing, without noise.
        host: all other light, as ``arcs``.
        survey: sky and gain.
    """
    signal, other = arcs.double().numpy(), np.maximum(host.double().numpy(), 0.0)
    photons = other / survey.electrons_per_njy[:, None, None]
    noise2 = survey.sky_variance[:, None, None] + photons
    return np.asarray(np.sqrt((signal**2 / noise2).sum(axis=(2, 3))).max(axis=1))


def _split(n: int, first: int) -> Iterator[Rows]:
    yield np.arange(first)
    yield np.arange(first, n)


def _lens_light(
    rng: np.random.Generator, lenses: Columns, seeing: Array, grid: Grid, colours: Colours
) -> tuple[Tensor, Tensor]:
    """Images of the arcs and of all else (deflectors, field), (B, C, H, W) each; adds the column ``mag_arc_i``."""
    n, image = len(seeing), np.arange(len(seeing))
    with_i = Colours((*colours.bands, "i")) if "i" not in colours.bands else colours
    arcs = torch.zeros(n, len(with_i.bands), grid.side, grid.side)
    for components in strong.source(rng, image, lenses, with_i):
        add_light(arcs, components, grid, lens=strong.mass(lenses))
    i_flux = arcs[:, with_i.bands.index("i")].double().sum(dim=(1, 2)).numpy()
    lenses["mag_arc_i"] = to_mag(np.maximum(i_flux, 1e-3))
    host = torch.zeros(n, len(colours.bands), grid.side, grid.side)
    add_light(host, early_type(image, lenses, colours), grid)
    add_light(host, _field(rng, n, grid, colours), grid)
    return blur(arcs[:, : len(colours.bands)], seeing, grid), blur(host, seeing, grid)


def _nonlenses(
    rng: np.random.Generator, n: int, lenses: Columns, survey: Survey, grid: Grid, colours: Colours
) -> tuple[Columns, NDArray[np.str_], Tensor, Array]:
    """Non-lenses of the kinds' shares: truth columns, kinds, images without noise, and seeing."""
    kinds = np.sort(rng.choice(list(SHARES), n, p=np.array(list(SHARES.values())) / sum(SHARES.values())))
    seeing = draw_seeing(rng, n, survey)
    twin_of = _twins(rng, n, len(lenses["theta_E"]))
    truth = {name: np.full(n, np.nan) for name in TRUTH_UNITS} | {"x": np.zeros(n), "y": np.zeros(n)}
    scene = torch.zeros(n, len(colours.bands), grid.side, grid.side)
    stars = []
    for kind, generator in KINDS.items():
        rows = np.flatnonzero(kinds == kind)
        drawn: Drawn = generator(rng, rows, take(lenses, twin_of[rows]), colours)
        for components in drawn.components:
            add_light(scene, components, grid)
        stars += drawn.stars
        for name, values in drawn.truth.items():
            truth[name][rows] = values
    add_light(scene, _field(rng, n, grid, colours), grid)
    image = blur(scene, seeing, grid)
    for places, flux in stars:
        point_sources(image, places, flux, seeing, grid)
    return truth, kinds, image, seeing


def _twins(rng: np.random.Generator, n: int, n_lenses: int) -> Rows:
    """Which lens each non-lens copies from: every lens once before any is taken again."""
    rounds = [rng.permutation(n_lenses) for _ in range(-(-n // n_lenses))]
    return np.concatenate(rounds)[:n]


def _field(rng: np.random.Generator, n: int, grid: Grid, colours: Colours) -> Components:
    """Unrelated galaxies in the line of sight of ``n`` cutouts, alike for both classes."""
    galaxies = population.field_galaxies(rng, n, grid.half_width_arcsec)
    flux = colours.galaxy(galaxies["kind"], galaxies["z"], galaxies["mag_i"])
    names = ("x", "y", "phi", "radius", "q", "index")
    return sersics(galaxies["image"].astype(np.int64), flux, **{name: galaxies[name] for name in names})


def _add_stars(rng: np.random.Generator, image: Tensor, seeing: Array, grid: Grid, colours: Colours) -> None:
    """Stars in the line of sight, alike for both classes; in place."""
    target = np.repeat(np.arange(len(image)), rng.poisson(STARS_PER_CUTOUT, len(image)))
    n, half = len(target), grid.size * grid.pixel_scale_arcsec / 2
    x, y = rng.uniform(-half, half, n), rng.uniform(-half, half, n)
    places, flux = stars_at(rng, target, x, y, rng.uniform(14.0, 24.0, n), colours)
    point_sources(image, places, flux, seeing, grid)
