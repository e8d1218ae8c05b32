"""What a look-alike takes over from its twin among the lenses."""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.population import Columns

__all__ = ["host_truth", "log_uniform", "near_ring", "turned"]

Array = NDArray[np.float64]


def turned(rng: np.random.Generator, twins: Columns) -> Columns:
    """The twins' deflectors at another angle and place in the pixel."""
    n = len(twins["phi"])
    x, y, phi = rng.uniform(-0.1, 0.1, n), rng.uniform(-0.1, 0.1, n), rng.uniform(0.0, np.pi, n)
    return twins | {"x": x, "y": y, "phi": phi}


def host_truth(galaxy: Columns) -> Columns:
    """Columns for the catalogue of a scene whose main galaxy is the twin's deflector."""
    return {name: galaxy[name] for name in ("x", "y", "z_l", "sigma_v", "mag_lens_i")}


def near_ring(rng: np.random.Generator, twins: Columns) -> Array:
    """The twins' Einstein radii, loosely (arcsec): where a look-alike puts what would be the arcs."""
    return np.maximum(twins["theta_E"] * np.exp(0.15 * rng.standard_normal(len(twins["theta_E"]))), 0.6)


def log_uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Array:
    """Draw evenly in the logarithm."""
    return np.asarray(low * (high / low) ** rng.random(n))
