"""Who is in the sky: deflectors, sources, their alignment, and the galaxies and stars of the field.

Everything is drawn from a numpy generator in columns: a population is a dict of arrays of one length.
"""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.lensing import (
    arcsec_per_kpc,
    comoving_distance_mpc,
    cut_axes,
    distance_modulus,
    einstein_radius_arcsec,
)
from astrocnn.simulate.templates import Colours

__all__ = [
    "Columns",
    "deflectors",
    "field_galaxies",
    "lens_candidates",
    "magnitudes",
    "sky_positions",
    "source_radius_arcsec",
    "take",
]

Array = NDArray[np.float64]
Columns = dict[str, Array]

SIGMA_RANGE_KM_S = (150.0, 350.0)
Z_LENS_RANGE = (0.2, 0.9)
Z_SOURCE_MAX = 3.5
Z_GAP = 0.1  # the least distance in redshift from deflector to source
THETA_E_RANGE_ARCSEC = (0.5, 3.0)
SOURCE_MAG_RANGE = (21.0, 26.0)
COUNT_SLOPE = 0.3  # counts rise as 10^(0.3 m)
SHEAR_MAX = 0.1
IMPACT_MAX = 0.36  # of the cut: an isothermal sphere magnifies a point there 5.6 times
DEC_RANGE_DEG = (-65.0, 5.0)  # of the survey
FIELD_PER_ARCMIN2 = 20.0  # galaxies with 22 < i < 26


def take(columns: Columns, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Columns:
    """The given rows of every column."""
    return {name: values[rows] for name, values in columns.items()}


def sky_positions(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Right ascensions and declinations (degrees) anywhere in the survey."""
    low, high = np.sin(np.radians(DEC_RANGE_DEG))
    ra = rng.uniform(0.0, 360.0, n)
    return ra, np.degrees(np.arcsin(rng.uniform(low, high, n)))


def _from_density(rng: np.random.Generator, n: int, grid: Array, density: Array) -> Array:
    """Draw from a density tabulated on an even grid, by its inverted cumulative."""
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.asarray(np.interp(rng.random(n), cumulative / cumulative[-1], grid))


def velocity_dispersions(rng: np.random.Generator, n: int) -> Array:
    """Velocity dispersions of early-type galaxies, km/s: the function of Choi, Park & Vogeley (2007, ApJ 658, 884).

    dn/dσ ∝ (σ/σ*)^α exp(-(σ/σ*)^β) / σ with σ* = 161 km/s, α = 2.32, β = 2.67, from 150 to 350 km/s.
    """
    sigma = np.linspace(*SIGMA_RANGE_KM_S, 2001)
    s = sigma / 161.0
    return _from_density(rng, n, sigma, s**2.32 * np.exp(-(s**2.67)) / sigma)


def lens_redshifts(rng: np.random.Generator, n: int) -> Array:
    """Redshifts 0.2 to 0.9 at constant comoving density: dN/dz ∝ χ² dχ/dz."""
    z = np.linspace(*Z_LENS_RANGE, 701)
    return _from_density(rng, n, z, np.gradient(comoving_distance_mpc(z) ** 3, z))


def magnitudes(
    rng: np.random.Generator, n: int, bright: float, faint: float, *, slope: float = COUNT_SLOPE
) -> Array:
    """Magnitudes between two limits with counts that rise as 10^(slope m)."""
    low, high = 10 ** (slope * bright), 10 ** (slope * faint)
    return np.asarray(np.log10(low + (high - low) * rng.random(n)) / slope)


def source_redshifts(rng: np.random.Generator, mag_i: Array) -> Array:
    """Redshifts of field galaxies of a magnitude: p(z) ∝ z² exp(-z/z₀), z₀ = 0.0417 (i + 1.45) - 0.744.

    The LSST Science Book (arXiv:0912.0201) gives this gamma distribution with z₀ = 0.0417 i - 0.744 for all
    galaxies brighter than i. Where counts rise as 10^(0.3 i), those *of* magnitude i are, to first order, as
    those brighter than i + 1 / (0.3 ln 10) = i + 1.45.
    """
    beyond = 1 / (COUNT_SLOPE * np.log(10))
    return np.asarray(rng.gamma(3.0, 0.0417 * (mag_i + beyond) - 0.744))


def source_radius_arcsec(rng: np.random.Generator, mag_i: Array) -> Array:
    """Half-light radii of faint field galaxies: 0.25″ at i = 24, 10^(-0.1 m), 0.15 dex of scatter, 0.1″ to 1.2″."""
    radius = 0.25 * 10 ** (-0.1 * (mag_i - 24) + 0.15 * rng.standard_normal(len(mag_i)))
    return np.clip(radius, 0.1, 1.2)


def deflectors(rng: np.random.Generator, sigma_v: Array, z_l: Array, colours: Colours) -> Columns:
    """Early-type galaxies of given velocity dispersion and redshift.

    The absolute r magnitude at given σ_v is the mean that goes with the Faber-Jackson relation of Bernardi et
    al. (2003, AJ 125, 1849), log σ = 2.203 - 0.102 (M_r + 21.15) with a scatter of 0.07, over their Gaussian
    luminosity function 0.84 mag wide: M_r = -21.15 - 5.8 (log σ - 2.203), with a scatter of 0.5 mag. The
    half-light radius at given σ_v and its scatter are those of LensPop (Collett 2015, ApJ 811, 20). The
    spectrum is the E template, a quarter of the way to Sbc on average (exponential), for a few still form stars.
    Nothing evolves with redshift.

    Returns:
        ``z_l``, ``sigma_v``, ``mag_lens_i`` (AB), ``radius`` (arcsec, along the major axis such that the
        geometric mean is the law's), ``q`` and ``phi`` of the light, ``kind`` of the spectrum, ``x`` and ``y``
        (arcsec from the cutout's centre: a target sits anywhere in its pixel).
    """
    n = len(sigma_v)
    v = np.log10(sigma_v)
    mag_r = -21.15 - 5.8 * (v - 2.203) + 0.5 * rng.standard_normal(n)
    radius_kpc = 10 ** (2.46 - 2.79 * v + 0.84 * v**2 + 0.11 * rng.standard_normal(n))
    kind = np.minimum(rng.exponential(0.3, n), 1.0)
    q = 1 - np.clip(rng.rayleigh(0.22, n), 0.0, 0.6)
    return {
        "z_l": z_l,
        "sigma_v": sigma_v,
        "mag_lens_i": colours.mag_i(kind, z_l, mag_r + distance_modulus(z_l)),
        "radius": radius_kpc * arcsec_per_kpc(z_l) / np.sqrt(q),
        "q": q,
        "phi": rng.uniform(0.0, np.pi, n),
        "kind": kind,
        "x": rng.uniform(-0.1, 0.1, n),
        "y": rng.uniform(-0.1, 0.1, n),
    }


def lens_candidates(rng: np.random.Generator, n: int, colours: Colours) -> Columns:
    """At least ``n`` alignments of a deflector and a source that pass the cut on θ_E and are multiply imaged.

    A pair is kept with a probability proportional to θ_E², the area in which a source is imaged twice; the
    source falls uniformly on the inner part of the cut, at most 0.36 of its way out, where a point is
    magnified 5.6 times or more (the rim gives one image and a speck).

    Returns:
        The columns of :func:`deflectors`; ``theta_E``, ``q_mass``, ``phi_mass``, ``gamma_1``, ``gamma_2`` of
        the mass; ``z_s``, ``mag_source_i`` (unlensed), ``source_radius``, ``source_x``, ``source_y``,
        ``source_kind`` of the source.
    """
    kept: list[Columns] = []
    while sum(len(part["theta_E"]) for part in kept) < n:
        tries = 100 * n
        sigma_v, z_l = velocity_dispersions(rng, tries), lens_redshifts(rng, tries)
        mag = magnitudes(rng, tries, *SOURCE_MAG_RANGE)
        z_s = source_redshifts(rng, mag)
        theta_e = einstein_radius_arcsec(sigma_v, z_l, np.minimum(z_s, Z_SOURCE_MAX))
        low, high = THETA_E_RANGE_ARCSEC
        good = (z_s > z_l + Z_GAP) & (z_s < Z_SOURCE_MAX) & (theta_e > low) & (theta_e < high)
        good &= rng.random(tries) < (theta_e / high) ** 2
        pairs = {"sigma_v": sigma_v, "z_l": z_l, "mag_source_i": mag, "z_s": z_s, "theta_E": theta_e}
        kept.append(take(pairs, good))
    pairs = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
    m = len(pairs["theta_E"])

    lens = deflectors(rng, pairs.pop("sigma_v"), pairs.pop("z_l"), colours)
    q_mass = np.clip(lens["q"] + 0.08 * rng.standard_normal(m), 0.35, 0.98)
    phi_mass = lens["phi"] + np.radians(8.0) * rng.standard_normal(m)
    shear, shear_angle = rng.uniform(0.0, SHEAR_MAX, m), rng.uniform(0.0, np.pi, m)
    along, across = cut_axes(q_mass)
    distance, angle = IMPACT_MAX * np.sqrt(rng.random(m)) * pairs["theta_E"], rng.uniform(0.0, 2 * np.pi, m)
    u, v = distance * along * np.cos(angle), distance * across * np.sin(angle)
    return (
        lens
        | pairs
        | {
            "q_mass": q_mass,
            "phi_mass": phi_mass,
            "gamma_1": shear * np.cos(2 * shear_angle),
            "gamma_2": shear * np.sin(2 * shear_angle),
            "source_radius": source_radius_arcsec(rng, pairs["mag_source_i"]),
            "source_x": lens["x"] + u * np.cos(phi_mass) - v * np.sin(phi_mass),
            "source_y": lens["y"] + u * np.sin(phi_mass) + v * np.cos(phi_mass),
            "source_kind": rng.uniform(2.0, 3.0, m),
        }
    )


def field_galaxies(rng: np.random.Generator, n_images: int, half_width_arcsec: float) -> Columns:
    """Unrelated galaxies, scattered evenly over the cutouts (a little beyond their edges), 22 < i < 26.

    Returns:
        ``image`` (which cutout, 0 to n_images - 1), ``x``, ``y``, ``mag_i``, ``z``, ``kind``, ``radius``,
        ``q``, ``phi``, ``index`` (Sérsic).
    """
    area_arcmin2 = (2 * half_width_arcsec / 60) ** 2
    image = np.repeat(np.arange(n_images), rng.poisson(FIELD_PER_ARCMIN2 * area_arcmin2, n_images))
    n = len(image)
    mag = magnitudes(rng, n, 22.0, 26.0)
    red = rng.random(n) < 0.15
    return {
        "image": image.astype(np.float64),
        "x": rng.uniform(-half_width_arcsec, half_width_arcsec, n),
        "y": rng.uniform(-half_width_arcsec, half_width_arcsec, n),
        "mag_i": mag,
        "z": np.minimum(source_redshifts(rng, mag), Z_SOURCE_MAX),
        "kind": np.where(red, rng.uniform(0.0, 0.5, n), rng.uniform(1.0, 3.0, n)),
        "radius": source_radius_arcsec(rng, mag),
        "q": rng.uniform(0.3, 1.0, n),
        "phi": rng.uniform(0.0, np.pi, n),
        "index": np.where(red, 3.0, 1.0),
    }
