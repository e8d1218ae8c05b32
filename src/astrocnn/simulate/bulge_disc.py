"""Galaxies as bulges and discs whose spectra, dust, sizes and shapes go with redshift and luminosity.

Everything is drawn from a numpy generator in columns. What evolves is tabulated against redshift, so that the colours
of a magnitude-limited sample follow those that surveys and mock catalogues show.
"""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.lensing import arcsec_per_kpc, distance_modulus
from astrocnn.simulate.population import Columns, source_redshifts
from astrocnn.simulate.sources import Parts
from astrocnn.simulate.templates import Colours, to_flux

__all__ = ["draw_galaxies", "light_of"]

Array = NDArray[np.float64]

Z_RANGE = (0.01, 3.5)
REFERENCE_KIND = 1.5  # between Sbc and Scd: the spectrum behind the luminosity by which types are drawn
QUIESCENT_SHARE = 0.7  # of very luminous galaxies at redshift 0
QUIESCENT_MAG = -20.6  # absolute, r, at redshift 0: half of that share; brighter by as much as the redshift
DISC_Z = (0.0, 0.3, 0.7, 0.9, 1.2, 1.6, 3.5)
DISC_KIND = (2.1, 1.75, 1.9, 2.3, 2.75, 2.9, 2.9)  # of discs of i = 24 at these redshifts
DISC_DUST = (-0.02, 0.0, -0.03, -0.08, -0.15, -0.18, -0.15)  # least E(B-V) beyond that of the templates there
KIND_SLOPE = 0.10  # types of discs with magnitude: the fainter, the later
KIND_SCATTER = 0.6
DUST_MEAN = 0.06  # of the exponential distribution of further E(B-V) in discs
DUST_INCLINED = 0.15  # E(B-V) = 0.15 (log10 q)² more in a disc that is seen from the side
DUST_MAX = 0.7
THICKNESS = 0.2  # axis ratio of a disc from the side
RADIUS_RANGE_ARCSEC = (0.05, 4.0)

# Shen et al. (2003, MNRAS 343, 978), equations 14 to 16 and table 1: half-light radii by Sérsic fits, SDSS r.
LATE = {"alpha": 0.21, "beta": 0.53, "gamma": -1.31}
EARLY = {"a": 0.60, "b": -4.63}
SIZE_MAG = -20.52
SIZE_SCATTER = (0.48, 0.25)  # of ln radius: faint, luminous
# Van der Wel et al. (2014, ApJ 788, 28): sizes go as (1 + z) to these powers.
LATE_EVOLUTION, EARLY_EVOLUTION = -0.75, -1.48


def draw_galaxies(rng: np.random.Generator, mag_i: Array) -> Columns:
    """Galaxies of given magnitudes, before the dust of the Milky Way.

    - Redshifts go with magnitude as in :func:`astrocnn.simulate.population.source_redshifts`, 0.01 to 3.5.
    - A luminous galaxy is the more often quiescent, with a share 0.7 / (1 + z) / (1 + exp((M_r + 20.6 + z) / 0.8)):
      an elliptical, or a lenticular with 40 to 90 % of its rest-frame r light in the bulge.
    - Others are discs with a bulge of at most half that light, smaller at higher redshift; the larger it is, and the
      brighter the galaxy, the earlier the disc's spectrum.
    - Dust in a disc is exponential, more in one that is seen from the side.
    - Sizes at given luminosity and their scatter are those of Shen et al. (2003) for early and late types and evolve
      as of van der Wel et al. (2014).

    Returns:
        ``mag`` (AB, i), ``z``, ``quiescent`` (0 or 1), ``bulge`` (share of the rest-frame r light), ``kind_bulge``,
        ``kind_disc`` (0 E to 3 Im), ``dust`` (E(B-V) of the disc beyond that of the templates), ``mag_abs`` (r, rest
        frame), ``radius`` (half-light along the major axis, arcsec), ``q`` (of the disc, or of an elliptical),
        ``q_bulge``, ``phi`` (from the x axis, radians), ``index`` (Sérsic, of the bulge), ``bulge_radius`` (arcsec),
        (N,) each.
    """
    colours = Colours(("i",))
    n, z = len(mag_i), _redshifts(rng, mag_i)
    rough = mag_i - colours.mag_i(np.full(n, REFERENCE_KIND), z, distance_modulus(z))
    share = QUIESCENT_SHARE / (1 + z) / (1 + np.exp((rough - QUIESCENT_MAG + z) / 0.8))
    quiescent = rng.random(n) < share
    elliptical = quiescent & (rng.random(n) < 0.5)
    small = 0.5 * rng.random(n) ** 2 * (1 + z) ** -0.5
    bulge = np.where(elliptical, 1.0, np.where(quiescent, rng.uniform(0.4, 0.9, n), small))

    disc_kind = np.interp(z, DISC_Z, DISC_KIND) + KIND_SLOPE * (mag_i - 24) - 1.5 * (small - 0.08)
    disc_kind = np.clip(disc_kind + KIND_SCATTER * rng.standard_normal(n), 0.7, 3.0)
    cos2 = rng.random(n) ** 2
    q_disc = np.sqrt(cos2 + THICKNESS**2 * (1 - cos2))
    dust = np.interp(z, DISC_Z, DISC_DUST) + rng.exponential(DUST_MEAN, n)
    dust = np.minimum(dust + DUST_INCLINED * np.log10(q_disc) ** 2, DUST_MAX)
    columns = {
        "mag": mag_i,
        "z": z,
        "quiescent": quiescent.astype(np.float64),
        "bulge": bulge,
        "kind_bulge": np.minimum(rng.exponential(0.25, n), 0.8),
        "kind_disc": np.where(quiescent, rng.uniform(0.3, 1.0, n), disc_kind),
        "dust": np.where(quiescent, 0.0, dust),
        "q": np.where(elliptical, rng.uniform(0.5, 1.0, n), q_disc),
        "q_bulge": np.where(elliptical, 1.0, np.sqrt(cos2 + 0.6**2 * (1 - cos2))),
        "phi": rng.uniform(0.0, np.pi, n),
        "index": np.where(quiescent, rng.normal(4.0, 0.5, n), rng.uniform(1.5, 4.0, n)).clip(1.0, 5.0),
    }
    columns["q_bulge"] = np.where(elliptical, columns["q"], columns["q_bulge"])
    columns["mag_abs"] = _absolute_mag(columns)
    radius = _radius_kpc(rng, columns["mag_abs"], z, early=quiescent) * arcsec_per_kpc(z)
    columns["radius"] = np.clip(radius, *RADIUS_RANGE_ARCSEC)
    beside = np.where(
        elliptical, 1.0, np.where(quiescent, rng.uniform(0.4, 0.7, n), rng.uniform(0.15, 0.4, n))
    )
    columns["bulge_radius"] = columns["radius"] * beside
    return columns


def light_of(galaxies: Columns, colours: Colours) -> Parts:
    """Discs and bulges of galaxies with the columns of :func:`draw_galaxies`; what has no disc has one part."""
    bulge, disc = (_mag_i_of_unit(galaxies, of) for of in ("bulge", "disc"))
    in_bulge = galaxies["bulge"] * to_flux(bulge)
    share = in_bulge / (in_bulge + (1 - galaxies["bulge"]) * to_flux(disc))  # in the observed i band
    z, mag = galaxies["z"], galaxies["mag"]
    rows = np.arange(len(z))
    flux = {
        "bulge": colours.galaxy(galaxies["kind_bulge"], z, mag) * share[:, None],
        "disc": colours.galaxy(galaxies["kind_disc"], z, mag, galaxies["dust"]) * (1 - share)[:, None],
    }
    shape = {
        "bulge": {"radius": galaxies["bulge_radius"], "q": galaxies["q_bulge"], "index": galaxies["index"]},
        "disc": {"radius": galaxies["radius"], "q": galaxies["q"], "index": np.ones(len(rows))},
    }
    there = {"bulge": galaxies["bulge"] > 0, "disc": galaxies["bulge"] < 1}
    names = ("disc", "bulge")
    columns = {name: _both(*(shape[part][name][there[part]] for part in names)) for name in shape["disc"]}
    columns["index"] = np.round(columns["index"], 1)  # so that few profiles are transformed
    columns["phi"] = _both(*(galaxies["phi"][there[part]] for part in names))
    columns |= {axis: np.zeros(len(columns["phi"])) for axis in ("x", "y")}
    owner = np.concatenate([rows[there[part]] for part in names])
    return Parts(owner, np.concatenate([flux[part][there[part]] for part in names]), columns)


def _both(one: Array, other: Array) -> Array:
    return np.concatenate([one, other])


def _redshifts(rng: np.random.Generator, mag_i: Array) -> Array:
    """Redshifts within the range; those beyond it are drawn again."""
    z = source_redshifts(rng, mag_i)
    while (out := np.flatnonzero((z < Z_RANGE[0]) | (z > Z_RANGE[1]))).size:
        z[out] = source_redshifts(rng, mag_i[out])
    return z


def _mag_i_of_unit(galaxies: Columns, part: str) -> Array:
    """Observed i magnitude of a component whose rest-frame r magnitude is 0, beyond the distance modulus."""
    dust = galaxies["dust"] if part == "disc" else None
    return Colours(("i",)).mag_i(galaxies[f"kind_{part}"], galaxies["z"], np.zeros(len(galaxies["z"])), dust)


def _absolute_mag(galaxies: Columns) -> Array:
    """Rest-frame r magnitudes of galaxies of observed magnitudes ``mag``."""
    share = {"bulge": galaxies["bulge"], "disc": 1 - galaxies["bulge"]}
    unit = np.sum([share[part] * 10 ** (-0.4 * _mag_i_of_unit(galaxies, part)) for part in share], axis=0)
    return np.asarray(galaxies["mag"] + 2.5 * np.log10(unit) - distance_modulus(galaxies["z"]))


def _radius_kpc(rng: np.random.Generator, mag_abs: Array, z: Array, *, early: NDArray[np.bool_]) -> Array:
    """Half-light radii, kpc, of galaxies of absolute r magnitudes at redshifts."""
    bright = 10 ** (-0.4 * (mag_abs - SIZE_MAG))
    late = (
        -0.4 * LATE["alpha"] * mag_abs + (LATE["beta"] - LATE["alpha"]) * np.log10(1 + bright) + LATE["gamma"]
    )
    late = late + LATE_EVOLUTION * np.log10(1 + z)
    mean = np.where(early, -0.4 * EARLY["a"] * mag_abs + EARLY["b"] + EARLY_EVOLUTION * np.log10(1 + z), late)
    scatter = SIZE_SCATTER[1] + (SIZE_SCATTER[0] - SIZE_SCATTER[1]) / (1 + bright**2)
    return np.asarray(10**mean * np.exp(scatter * rng.standard_normal(len(z))))
