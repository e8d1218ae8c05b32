"""What a generator of scenes returns, and the pieces of light that several kinds share."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.population import Columns
from astrocnn.simulate.scene import Components
from astrocnn.simulate.templates import Colours

__all__ = ["Drawn", "Generator", "early_type", "sersics", "stars_at"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Mags = NDArray[np.float64]


@dataclass
class Drawn:
    """The light of some cutouts.

    Attributes:
        components: extended light.
        stars: ``image``, ``x``, ``y`` (arcsec), (N,) each, and their flux, (N, C) nJy: one pair for each set.
        truth: columns for the catalogue, one row for each cutout; ``x`` and ``y`` (arcsec) are the target's place.
    """

    components: list[Components]
    stars: list[tuple[Columns, Array]] = field(default_factory=list)
    truth: Columns = field(default_factory=dict)


# generator(rng, image, twins, colours): ``image`` (n,) are the cutouts to fill; ``twins`` holds n accepted lenses,
# whose deflectors and brightnesses the scene takes over, so that neither tells the class.
Generator = Callable[[np.random.Generator, Rows, Columns, Colours], Drawn]


def sersics(
    image: Rows,
    flux: Array,
    *,
    x: Array,
    y: Array,
    phi: Array,
    radius: Array,
    q: Array,
    index: float | Array = 1.0,
    soft: float | Array = 0.0,
) -> Components:
    """Sérsic components: half-light radius (major axis) in arcsec, see :func:`profiles.sersic`."""
    ones = np.ones(len(image))
    parameters = {
        "x": x,
        "y": y,
        "phi": phi,
        "radius": radius,
        "q": q,
        "index": index * ones,
        "soft": soft * ones,
    }
    return Components("sersic", image, flux, parameters)


def early_type(image: Rows, galaxy: Columns, colours: Colours) -> Components:
    """De Vaucouleurs light of the deflectors in ``galaxy`` (columns of :func:`population.deflectors`)."""
    flux = colours.galaxy(galaxy["kind"], galaxy["z_l"], galaxy["mag_lens_i"])
    names = ("x", "y", "phi", "radius", "q")
    return sersics(image, flux, index=4.0, **{name: galaxy[name] for name in names})


def stars_at(
    rng: np.random.Generator, image: Rows, x: Array, y: Array, mag_i: Mags, colours: Colours
) -> tuple[Columns, Array]:
    """Stars of 3000 to 8000 K (the cool ones more common), with their fluxes."""
    temperature = 3000.0 * (8000 / 3000) ** (rng.random(len(image)) ** 2)
    return {"image": image.astype(np.float64), "x": x, "y": y}, colours.star(temperature, mag_i)
