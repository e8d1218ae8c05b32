"""Galaxies as maps of stars: where their mass is, how old and how rich in metals it is, and what light it gives.

A galaxy is a bulge of old stars, a disc whose age and metallicity fall outwards, and young stars on spiral arms and in
knots, behind dust. It stands in for the simulated galaxies of Buck & Wolf (2021, arXiv:2111.01154): the relations are
of the right size, none is fitted.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.simulate.draw import sersics
from astrocnn.simulate.lensing import arcsec_per_kpc, distance_modulus
from astrocnn.simulate.population import Columns
from astrocnn.simulate.require import galsim
from astrocnn.simulate.scene import Components, Grid, add_light
from astrocnn.simulate.templates import TYPES, Colours, to_mag

__all__ = ["PLANES", "StellarMaps", "draw_galaxies", "light", "stellar_maps"]

Array = NDArray[np.float64]

PLANES = {"log_mass": "dex(Msun)", "log_sfr": "dex(Msun/yr)", "log_age": "dex(yr)", "log_metallicity": "dex"}

SUN_MAG_R = 4.65  # absolute AB magnitude of the Sun (Willmer 2018, ApJS 236, 47)
YOUNG_YEARS = 1e8  # over which stars have formed at today's rate
YOUNG_LOG_AGE = 7.7  # their mean age
YOUNG_MASS_TO_LIGHT = 0.15  # in r, solar units
OLDEST = 10.0  # log10 of the age in years at which the spectrum is that of type E
YOUNGEST_BY = 0.9  # dex before that it is that of type Im
METALS_AS_AGE = 0.4  # a dex of metals reddens as much as so many dex of age (Worthey 1994, ApJS 95, 107)
DUST_SLOPE = -0.7  # Charlot & Fall (2000, ApJ 539, 718)


@dataclass(frozen=True)
class StellarMaps:
    """What is in each fine pixel of N galaxies, (N, side, side) float32 each.

    Attributes:
        bulge: old mass of the bulge, Msun.
        disc: old mass of the disc, Msun.
        sfr: star-formation rate, Msun/yr.
        log_age: log10 of the disc's age in years.
        metallicity: log10 Z/Zsun of disc and young stars.
        dust: extinction of the disc at 550 nm, mag.
    """

    bulge: Tensor
    disc: Tensor
    sfr: Tensor
    log_age: Tensor
    metallicity: Tensor
    dust: Tensor

    def moments(self, galaxies: Columns) -> Tensor:
        """(N, 4, side, side): mass, star-formation rate, mass times age, mass times metals, which smoothing conserves.

        Ages in units of 10^10 years, metals in units of the Sun's.
        """
        of = {name: _column(galaxies[name]) for name in ("bulge_log_age", "bulge_metallicity")}
        young = YOUNG_YEARS * self.sfr
        mass = self.bulge + self.disc + young
        age = self.bulge * 10 ** (of["bulge_log_age"] - 10) + self.disc * 10 ** (self.log_age - 10)
        age = age + young * 10 ** (YOUNG_LOG_AGE - 10)
        metals = self.bulge * 10 ** of["bulge_metallicity"] + (self.disc + young) * 10**self.metallicity
        return torch.stack([mass, self.sfr, age, metals], 1)


def draw_galaxies(rng: np.random.Generator, n: int, grid: Grid) -> Columns:
    """Galaxies of 10^9 to 10^11.3 solar masses at redshifts 0.05 to 0.35, near the middle of their cutouts.

    Larger masses have larger discs (scale 2.5 kpc at 10^10, M^0.25, 0.12 dex of scatter, kept between three pixels and
    a tenth of the cutout), larger bulges, older and richer stars. Star formation follows log SFR = 0.75 (log M − 10)
    with 0.3 dex of scatter; a part that grows with mass forms a thirtieth of that.
    """
    log_mass = rng.uniform(9.0, 11.3, n)
    z = rng.uniform(0.05, 0.35, n)
    kpc = 2.5 * 10 ** (0.25 * (log_mass - 10) + 0.12 * rng.standard_normal(n))
    least, most = 3 * grid.pixel_scale_arcsec, 0.1 * grid.size * grid.pixel_scale_arcsec
    massive = np.clip((log_mass - 9.0) / 2.3, 0, 1)
    quiet = rng.random(n) < 0.6 * massive**2
    step = grid.pixel_scale_arcsec
    return {
        "log_mass": log_mass,
        "z": z,
        "scale": np.clip(kpc * arcsec_per_kpc(z), least, most),
        "x": rng.uniform(-step, step, n),
        "y": rng.uniform(-step, step, n),
        "phi": rng.uniform(0, np.pi, n),
        "q": rng.uniform(0.3, 1.0, n),
        "bulge": np.clip(0.05 + 0.5 * massive * rng.random(n) + 0.25 * quiet, 0, 0.8),
        "bulge_radius": rng.uniform(0.4, 0.8, n),  # over the disc's scale
        "log_sfr": 0.75 * (log_mass - 10) + 0.3 * rng.standard_normal(n) - 1.5 * quiet,
        "log_age": 9.55 + 0.25 * massive + 0.1 * rng.standard_normal(n) + 0.15 * quiet,
        "age_slope": -rng.uniform(0.0, 0.12, n),  # dex a disc scale
        "metallicity": -0.45 + 0.6 * massive + 0.08 * rng.standard_normal(n),
        "metallicity_slope": -rng.uniform(0.03, 0.15, n),
        "bulge_log_age": rng.uniform(9.85, 10.1, n),
        "bulge_metallicity": -0.2 + 0.5 * massive + 0.08 * rng.standard_normal(n),
        "dust": np.where(quiet, 0.1, rng.uniform(0.1, 1.0, n)),
        "arms": rng.choice([2.0, 2.0, 3.0, 4.0], n),
        "pitch": np.radians(rng.uniform(10, 30, n)),
        "phase": rng.uniform(0, 2 * np.pi, n),
        "sharpness": rng.uniform(1.0, 3.0, n),
        "patch": rng.uniform(0.2, 0.7, n),
        "in_knots": rng.uniform(0.1, 0.4, n),
    }


def stellar_maps(rng: np.random.Generator, galaxies: Columns, grid: Grid) -> StellarMaps:
    """Lay mass and star formation of the galaxies (N of each column) on the fine grid."""
    n = len(galaxies["z"])
    rows = np.arange(n)
    mass = 10 ** galaxies["log_mass"]
    place = {name: galaxies[name] for name in ("x", "y", "phi")}
    scale, q = galaxies["scale"], galaxies["q"]
    bulge_q, bulge_radius = 0.5 + 0.5 * q, galaxies["bulge_radius"] * scale
    parts = torch.zeros(n, 3, grid.side, grid.side)

    def only(channel: int, values: Array) -> Array:
        flux = np.zeros((len(values), 3))
        flux[:, channel] = values
        return flux

    def disc(channel: int, values: Array) -> Components:
        return sersics(rows, only(channel, values), index=1.0, radius=1.678 * scale, q=q, **place)

    bulge = only(0, mass * galaxies["bulge"])
    add_light(parts, sersics(rows, bulge, index=3.0, radius=bulge_radius, q=bulge_q, **place), grid)
    add_light(parts, disc(1, mass * (1 - galaxies["bulge"])), grid)
    rate = 10 ** galaxies["log_sfr"]
    add_light(parts, disc(2, 0.3 * rate), grid)  # between the arms
    shape = {name: galaxies[name] for name in ("arms", "pitch", "phase", "sharpness", "patch")}
    swept = {**place, **shape, "scale": scale, "q": q, "hole": 0.7 * scale}
    in_arms = 0.7 * rate * (1 - galaxies["in_knots"])
    add_light(parts, Components("spiral", rows, only(2, in_arms), swept), grid)
    add_light(parts, _knots(rng, galaxies, only(2, 0.7 * rate * galaxies["in_knots"])), grid)
    radius = _disc_radius(galaxies, grid)
    age, metals = (
        _column(galaxies[name]) + _column(galaxies[f"{name.removeprefix('log_')}_slope"]) * radius
        for name in ("log_age", "metallicity")
    )
    dust = _column(galaxies["dust"] / np.sqrt(q)) * (-radius / 2).exp()
    return StellarMaps(parts[:, 0], parts[:, 1], parts[:, 2].clamp_min(0), age.clamp_min(9.0), metals, dust)


def light(maps: StellarMaps, galaxies: Columns, colours: Colours) -> Tensor:
    """The galaxies' light without atmosphere, (N, C, side, side) nJy in a fine pixel.

    Old stars have the template between E (10 Gyr) and Im (1.3 Gyr) that goes with their age and metallicity, with the
    mass-to-light ratio of Bell+03 (ApJS 149, 289) for its colour; young ones that of type Im.
    """
    z = galaxies["z"]
    per_sun = _flux_per_sun(z, colours)  # (N, 4, C)
    old = _template(_column(galaxies["bulge_log_age"]), _column(galaxies["bulge_metallicity"]))
    ratio = torch.from_numpy(_mass_to_light()).float()
    bulge = maps.bulge[:, None] * old / ratio[:, None, None]  # (N, 4, side, side)
    disc = maps.disc[:, None] * _template(maps.log_age, maps.metallicity) / ratio[:, None, None]
    disc[:, -1] += YOUNG_YEARS * maps.sfr / YOUNG_MASS_TO_LIGHT
    scene = torch.empty(len(z), len(colours.bands), *maps.sfr.shape[1:])
    for b, band in enumerate(colours.bands):
        wave = _wavelength_nm(band) / (1 + z)
        seen = 10 ** (-0.4 * maps.dust * _column((wave / 550) ** DUST_SLOPE))
        flux = torch.from_numpy(per_sun[:, :, b]).float()[:, :, None, None]
        scene[:, b] = ((bulge + disc * seen[:, None]) * flux).sum(1)
    return scene


def _knots(rng: np.random.Generator, galaxies: Columns, rate: Array) -> Components:
    """Three to eight round knots in each disc, that share its rate (N, 3), denser inside."""
    number = rng.integers(3, 9, len(rate))
    parent = np.repeat(np.arange(len(rate)), number)
    p = {name: galaxies[name][parent] for name in ("x", "y", "phi", "q", "scale")}
    m = len(parent)
    r, angle = p["scale"] * rng.gamma(2.0, 0.8, m), rng.uniform(0, 2 * np.pi, m)
    u, v = r * np.cos(angle), r * np.sin(angle) * p["q"]
    cos, sin = np.cos(p["phi"]), np.sin(p["phi"])
    return sersics(
        parent,
        rate[parent] / number[parent][:, None],
        x=p["x"] + u * cos - v * sin,
        y=p["y"] + u * sin + v * cos,
        phi=np.zeros(m),
        radius=p["scale"] * rng.uniform(0.1, 0.25, m),
        q=np.ones(m),
        index=0.6,
    )


def _disc_radius(galaxies: Columns, grid: Grid) -> Tensor:
    """Radius in the plane of each disc in units of its scale, (N, side, side)."""
    x, y = grid.coordinates()
    dx, dy = x - _column(galaxies["x"]), y - _column(galaxies["y"])
    cos, sin = (_column(f(galaxies["phi"])) for f in (np.cos, np.sin))
    u, v = dx * cos + dy * sin, (dy * cos - dx * sin) / _column(galaxies["q"])
    return (u**2 + v**2).sqrt() / _column(galaxies["scale"])


def _template(log_age: Tensor, metallicity: Tensor) -> Tensor:
    """Share of each of the four templates, (N, 4, ...)."""
    young = (OLDEST - log_age - METALS_AS_AGE * metallicity) / YOUNGEST_BY
    kind = (len(TYPES) - 1) * young.clamp(0, 1)
    return torch.stack([(1 - (kind - k).abs()).clamp_min(0) for k in range(len(TYPES))], 1)


def _flux_per_sun(z: Array, colours: Colours) -> Array:
    """(N, 4, C) nJy of each template for one solar luminosity in the rest-frame r band."""
    mag_r = SUN_MAG_R + distance_modulus(z)
    kinds = [np.full(len(z), float(k)) for k in range(len(TYPES))]
    return np.stack([colours.galaxy(kind, z, colours.mag_i(kind, z, mag_r)) for kind in kinds], axis=1)


@lru_cache(maxsize=1)
def _mass_to_light() -> Array:
    """(4,) of the templates in r, solar: log M/L = −0.306 + 1.097 (g − r), less 0.15 for a Kroupa mass function."""
    kinds = np.arange(len(TYPES), dtype=float)
    mags = to_mag(Colours(("g", "r")).galaxy(kinds, np.zeros(len(TYPES)), np.full(len(TYPES), 20.0)))
    return np.asarray(10 ** (-0.306 + 1.097 * (mags[:, 0] - mags[:, 1]) - 0.15))


@lru_cache(maxsize=8)
def _wavelength_nm(band: str) -> float:
    return float(galsim().Bandpass(f"LSST_{band}.dat", "nm").effective_wavelength)


def _column(values: Array) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float64)).float()[:, None, None]
