"""The lenses: what is in front of and behind each deflector, and the light of both."""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.draw import sersics
from astrocnn.simulate.population import Columns
from astrocnn.simulate.scene import Components
from astrocnn.simulate.templates import Colours

__all__ = ["mass", "source"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

SOFT_ARCSEC = 0.05  # half a fine pixel: smooths the source's cusp for the rays
CLUMPS_MAX = 5
CLUMP_KIND = 3.0  # the irregular galaxy's spectrum


def mass(lenses: Columns) -> Columns:
    """The deflectors as :func:`lensing.trace` takes them."""
    names = {"theta_e": "theta_E", "q": "q_mass", "phi": "phi_mass"}
    same = ("x", "y", "gamma_1", "gamma_2")
    return {**{new: lenses[old] for new, old in names.items()}, **{name: lenses[name] for name in same}}


def source(rng: np.random.Generator, image: Rows, lenses: Columns, colours: Colours) -> list[Components]:
    """Unlensed sources: an inclined disc of Sérsic index 0.8 to 1.3 and 0 to 5 clumps that form stars.

    A clump has 4 to 15 % of the light, lies within 1.5 half-light radii, and has the bluest template's spectrum.
    """
    n = len(image)
    clumps = rng.integers(0, CLUMPS_MAX + 1, n)
    parent = np.repeat(np.arange(n), clumps)
    m = len(parent)
    part = rng.uniform(0.04, 0.15, m)
    in_clumps = np.bincount(parent, part, minlength=n)
    q, phi = rng.uniform(0.3, 1.0, n), rng.uniform(0.0, np.pi, n)
    radius, mag = lenses["source_radius"], lenses["mag_source_i"]
    flux = colours.galaxy(lenses["source_kind"], lenses["z_s"], mag) * (1 - in_clumps)[:, None]
    disc = sersics(
        image,
        flux,
        x=lenses["source_x"],
        y=lenses["source_y"],
        phi=phi,
        radius=radius,
        q=q,
        index=rng.uniform(0.8, 1.3, n),
        soft=SOFT_ARCSEC,
    )
    distance, angle = 1.5 * radius[parent] * np.sqrt(rng.random(m)), rng.uniform(0.0, 2 * np.pi, m)
    u, v = distance * np.cos(angle), distance * q[parent] * np.sin(angle)
    cos, sin = np.cos(phi[parent]), np.sin(phi[parent])
    clump_flux = colours.galaxy(np.full(m, CLUMP_KIND), lenses["z_s"][parent], mag[parent]) * part[:, None]
    knots = sersics(
        image[parent],
        clump_flux,
        x=lenses["source_x"][parent] + u * cos - v * sin,
        y=lenses["source_y"][parent] + u * sin + v * cos,
        phi=np.zeros(m),
        radius=np.full(m, 0.08),
        q=np.ones(m),
        index=0.5,
    )
    return [disc, knots]
