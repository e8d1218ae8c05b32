"""What fools lens finders, by chance of the sky: companions and stars beside an early-type galaxy.

Each scene has a twin among the accepted lenses. It takes the twin's deflector, turned and at another place in its
pixel, and what surrounds it takes its brightness and reach from the twin's arcs, so that a kind is told by its form.
"""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.draw import Drawn, early_type, sersics, stars_at
from astrocnn.simulate.population import Columns
from astrocnn.simulate.templates import Colours, to_flux, to_mag
from astrocnn.simulate.twins import host_truth, log_uniform, near_ring, turned

__all__ = ["companions", "deflector", "star_galaxy"]

Rows = NDArray[np.int64]


def deflector(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """An early-type galaxy alone."""
    galaxy = turned(rng, twins)
    return Drawn([early_type(image, galaxy, colours)], truth=host_truth(galaxy))


def companions(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A red galaxy with one to four blue companions about where the twin's arcs are, and together as bright.

    They lie there by chance: each has its own spectrum, redshift and position angle.
    """
    galaxy = turned(rng, twins)
    n = len(image)
    parent = np.repeat(np.arange(n), rng.integers(1, 5, n))
    m = len(parent)
    distance = near_ring(rng, twins)[parent] * log_uniform(rng, 0.7, 1.8, m)
    angle = rng.uniform(0.0, 2 * np.pi, m)
    weight = rng.uniform(0.2, 1.0, m)
    weight = weight / np.bincount(parent, weight, minlength=n)[parent]
    mag = to_mag(to_flux(twins["mag_arc_i"])[parent] * weight) + 0.5 * rng.standard_normal(n)[parent]
    blue = sersics(
        image[parent],
        colours.galaxy(rng.uniform(1.3, 3.0, m), rng.uniform(0.4, 2.0, m), mag),
        x=galaxy["x"][parent] + distance * np.cos(angle),
        y=galaxy["y"][parent] + distance * np.sin(angle),
        phi=rng.uniform(0.0, np.pi, m),
        radius=log_uniform(rng, 0.15, 0.7, m),
        q=rng.uniform(0.2, 0.9, m),
        index=1.0,
    )
    return Drawn([early_type(image, galaxy, colours), blue], truth=host_truth(galaxy))


def star_galaxy(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A galaxy with one to three stars about where the twin's arcs are, each about as bright as those."""
    n = len(image)
    galaxy = turned(rng, twins)
    parent = np.repeat(np.arange(n), rng.choice([1, 2, 2, 3], n))
    m = len(parent)
    distance, angle = (
        near_ring(rng, twins)[parent] * log_uniform(rng, 0.6, 1.6, m),
        rng.uniform(0, 2 * np.pi, m),
    )
    mag = twins["mag_arc_i"][parent] + rng.uniform(-0.8, 1.2, m)
    x, y = galaxy["x"][parent] + distance * np.cos(angle), galaxy["y"][parent] + distance * np.sin(angle)
    stars = stars_at(rng, image[parent], x, y, mag, colours)
    return Drawn([early_type(image, galaxy, colours)], [stars], host_truth(galaxy))
