"""What fools lens finders: one generator for each kind of scene without a lens.

Each scene has a twin among the accepted lenses. A scene with an early-type galaxy takes the twin's deflector
(turned, and at another place in its pixel); what surrounds it, or the whole galaxy, takes its brightness from the
twin, so that a kind is told by its form alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.draw import Drawn, Generator, early_type, sersics, stars_at
from astrocnn.simulate.population import Columns
from astrocnn.simulate.scene import Components
from astrocnn.simulate.templates import Colours, to_flux, to_mag

__all__ = ["KINDS", "SHARES"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


def _turned(rng: np.random.Generator, twins: Columns) -> Columns:
    """The twins' deflectors at another angle and place in the pixel."""
    n = len(twins["phi"])
    x, y, phi = rng.uniform(-0.1, 0.1, n), rng.uniform(-0.1, 0.1, n), rng.uniform(0.0, np.pi, n)
    return twins | {"x": x, "y": y, "phi": phi}


def _host_truth(galaxy: Columns) -> Columns:
    return {name: galaxy[name] for name in ("x", "y", "z_l", "sigma_v", "mag_lens_i")}


def _total_mag(twins: Columns) -> Array:
    """I magnitude of the twins' deflectors and arcs together."""
    return to_mag(to_flux(twins["mag_lens_i"]) + to_flux(twins["mag_arc_i"]))


def _log_uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Array:
    return np.asarray(low * (high / low) ** rng.random(n))


def _near_ring(rng: np.random.Generator, twins: Columns) -> Array:
    """The twins' Einstein radii, loosely (arcsec): where a look-alike puts what would be the arcs."""
    return np.maximum(twins["theta_E"] * np.exp(0.15 * rng.standard_normal(len(twins["theta_E"]))), 0.6)


def deflector(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """An early-type galaxy alone."""
    galaxy = _turned(rng, twins)
    return Drawn([early_type(image, galaxy, colours)], truth=_host_truth(galaxy))


def companions(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A red galaxy with one to four blue companions about where the twin's arcs are, and together as bright.

    Three in ten lie along the circle around the red galaxy within 25 degrees, as arcs do; in three of ten scenes
    they share one spectrum, as images of one source do.
    """
    galaxy = _turned(rng, twins)
    n = len(image)
    parent = np.repeat(np.arange(n), rng.integers(1, 5, n))
    m = len(parent)
    distance = _near_ring(rng, twins)[parent] * _log_uniform(rng, 0.8, 1.8, m)
    angle = rng.uniform(0.0, 2 * np.pi, m)
    tangential = angle + np.pi / 2 + np.radians(25) * rng.uniform(-1, 1, m)
    weight = rng.uniform(0.2, 1.0, m)
    weight = weight / np.bincount(parent, weight, minlength=n)[parent]
    own = (rng.random(n) < 0.7)[parent]
    kind = np.where(own, rng.uniform(1.0, 3.0, m), twins["source_kind"][parent])
    redshift = np.where(own, rng.uniform(0.2, 1.5, m), twins["z_s"][parent])
    mag = to_mag(to_flux(twins["mag_arc_i"])[parent] * weight) + 0.2 * rng.standard_normal(n)[parent]
    blue = sersics(
        image[parent],
        colours.galaxy(kind, redshift, mag),
        x=galaxy["x"][parent] + distance * np.cos(angle),
        y=galaxy["y"][parent] + distance * np.sin(angle),
        phi=np.where(rng.random(m) < 0.3, tangential, rng.uniform(0, np.pi, m)),
        radius=_log_uniform(rng, 0.15, 0.7, m),
        q=rng.uniform(0.2, 0.9, m),
        index=1.0,
    )
    return Drawn([early_type(image, galaxy, colours), blue], truth=_host_truth(galaxy))


def spiral(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A spiral seen within 60 degrees of its pole: red bulge, disc, blue arms with knots."""
    n = len(image)
    place = {"x": rng.uniform(-0.1, 0.1, n), "y": rng.uniform(-0.1, 0.1, n), "phi": rng.uniform(0, np.pi, n)}
    z = rng.uniform(0.15, 0.6, n)
    mag = _total_mag(twins) + 0.3 * rng.standard_normal(n) + 0.2
    scale = np.clip(0.75 * twins["radius"] * _log_uniform(rng, 0.7, 1.4, n), 0.35, 1.5)
    q = rng.uniform(0.5, 1.0, n)
    bulge, arms = rng.uniform(0.25, 0.6, n), rng.uniform(0.15, 0.4, n)
    disc = 1 - bulge - 0.7 * arms
    pitch, phase = np.radians(rng.uniform(10, 30, n)), rng.uniform(0, 2 * np.pi, n)
    number = rng.choice([1.0, 2.0, 2.0, 2.0, 3.0, 4.0], n)

    def flux(kind: Array, part: Array) -> Array:
        return colours.galaxy(kind, z, mag) * part[:, None]

    core = sersics(
        image,
        flux(rng.uniform(0.0, 0.4, n), bulge),
        index=2.5,
        radius=0.5 * scale,
        q=np.maximum(q, 0.75),
        **place,
    )
    body = sersics(image, flux(rng.uniform(0.2, 1.0, n), disc), index=1.0, radius=1.678 * scale, q=q, **place)
    swept = {
        "scale": 1.2 * scale,
        "q": q,
        "arms": number,
        "pitch": pitch,
        "phase": phase,
        "sharpness": rng.uniform(1.0, 4.0, n),
        "hole": 0.8 * scale,
        "patch": rng.uniform(0.0, 0.5, n),
    }
    wound = Components("spiral", image, flux(rng.uniform(1.8, 3.0, n), 0.7 * arms), {**place, **swept})
    knots = _knots_on_arms(rng, image, place, swept, lambda rows: flux(np.full(n, 3.0), 0.3 * arms)[rows])
    return Drawn([core, body, wound, knots], truth={"x": place["x"], "y": place["y"]})


def _knots_on_arms(
    rng: np.random.Generator, image: Rows, place: Columns, swept: Columns, flux_of: Callable[[Rows], Array]
) -> Components:
    """Two to six star-forming knots on the ridges of each spiral's arms, sharing the flux."""
    n = len(image)
    number = rng.integers(2, 7, n)
    parent = np.repeat(np.arange(n), number)
    p = {name: values[parent] for name, values in (place | swept).items()}
    m = len(parent)
    r = p["scale"] * rng.uniform(0.7, 2.2, m)
    arm = np.floor(rng.random(m) * p["arms"])
    # The ridge: arms * (θ - ln(r / scale) / tan(pitch)) + phase is a whole number of turns.
    angle = (2 * np.pi * arm - p["phase"]) / p["arms"] + np.log(r / p["scale"]) / np.tan(p["pitch"])
    u, v = r * np.cos(angle), r * np.sin(angle) * p["q"]
    cos, sin = np.cos(p["phi"]), np.sin(p["phi"])
    return sersics(
        image[parent],
        flux_of(parent) / number[parent][:, None],
        x=p["x"] + u * cos - v * sin,
        y=p["y"] + u * sin + v * cos,
        phi=rng.uniform(0, np.pi, m),
        radius=rng.uniform(0.08, 0.2, m),
        q=rng.uniform(0.6, 1.0, m),
        index=0.5,
    )


def ring(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A ring galaxy: a red core inside an inclined, uneven blue ring of its own redshift, often off centre.

    A faint disc fills the ring in half of the scenes.
    """
    n = len(image)
    galaxy = _turned(rng, twins)
    core = early_type(image, galaxy | {"radius": 0.6 * galaxy["radius"]}, colours)
    radius = _near_ring(rng, twins) * _log_uniform(rng, 0.9, 1.8, n)
    offset, towards = 0.25 * radius * rng.random(n), rng.uniform(0, 2 * np.pi, n)
    place = {
        "x": galaxy["x"] + offset * np.cos(towards),
        "y": galaxy["y"] + offset * np.sin(towards),
        "phi": rng.uniform(0, np.pi, n),
    }
    q, z = rng.uniform(0.35, 0.95, n), rng.uniform(0.1, 0.5, n)
    mag = twins["mag_arc_i"] - rng.uniform(0.5, 3.0, n)
    filled = np.where(rng.random(n) < 0.5, rng.uniform(0.1, 0.5, n), 0.0)
    flux = colours.galaxy(rng.uniform(1.5, 3.0, n), z, mag)
    around = {
        "ring": radius,
        "width": radius * rng.uniform(0.1, 0.3, n),
        "q": q,
        "lopsided": rng.uniform(0, 0.7, n),
        "double": rng.uniform(0, 0.4, n),
        "knots": rng.uniform(0, 0.8, n),
        "phase": rng.uniform(0, 2 * np.pi, n),
    }
    circle = Components("ring", image, flux * (1 - filled)[:, None], {**place, **around})
    disc = sersics(image, flux * filled[:, None], index=1.0, radius=0.8 * radius, q=q, **place)
    return Drawn([core, circle, disc], truth=_host_truth(galaxy))


def edge_on(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A disc from the side, some warped or with a dust lane, with a red bulge."""
    n = len(image)
    place = {"x": rng.uniform(-0.1, 0.1, n), "y": rng.uniform(-0.1, 0.1, n), "phi": rng.uniform(0, np.pi, n)}
    z = rng.uniform(0.15, 0.7, n)
    mag = _total_mag(twins) + 0.3 * rng.standard_normal(n)
    scale = np.clip(twins["radius"] * _log_uniform(rng, 0.8, 1.6, n), 0.5, 1.8)
    bulge = rng.uniform(0.15, 0.6, n)
    side = {
        "scale": scale,
        "height": scale * rng.uniform(0.1, 0.25, n),
        "dust": np.where(rng.random(n) < 0.4, rng.uniform(0.3, 0.8, n), 0.0),
        "warp": np.where(rng.random(n) < 0.3, 0.08 * scale * rng.uniform(-1, 1, n), 0.0),
    }
    disc_flux = colours.galaxy(rng.uniform(0.2, 1.6, n), z, mag) * (1 - bulge)[:, None]
    disc = Components("edge_on", image, disc_flux, {**place, **side})
    core = sersics(
        image,
        colours.galaxy(rng.uniform(0.0, 0.4, n), z, mag) * bulge[:, None],
        index=2.5,
        radius=0.4 * scale,
        q=rng.uniform(0.55, 1.0, n),
        **place,
    )
    return Drawn([disc, core], truth={"x": place["x"], "y": place["y"]})


def merger(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """Two galaxies 0.6 to 2 arcsec apart, with one to three tidal tails that curve around them."""
    n = len(image)
    z = rng.uniform(0.2, 0.7, n)
    mag = _total_mag(twins) + 0.3 * rng.standard_normal(n)
    tails = rng.integers(1, 4, n)
    in_tails, second = rng.uniform(0.05, 0.2, n), rng.uniform(0.1, 0.4, n)
    radius = np.clip(twins["radius"] * _log_uniform(rng, 0.5, 1.0, n), 0.3, 1.2)
    apart, angle = rng.uniform(0.6, 2.0, n), rng.uniform(0, 2 * np.pi, n)
    x, y = rng.uniform(-0.1, 0.1, n), rng.uniform(-0.1, 0.1, n)

    def body(part: Array, size: Array, reach: Array) -> Components:
        return sersics(
            image,
            colours.galaxy(rng.uniform(0.0, 0.6, n), z, mag) * part[:, None],
            x=x + reach * np.cos(angle),
            y=y + reach * np.sin(angle),
            phi=rng.uniform(0, np.pi, n),
            radius=size,
            q=rng.uniform(0.5, 1.0, n),
            index=rng.uniform(1.5, 4.0, n),
        )

    bodies = [
        body((1 - in_tails) * (1 - second), radius, np.zeros(n)),
        body((1 - in_tails) * second, radius * rng.uniform(0.4, 0.8, n), apart),
    ]
    parent = np.repeat(np.arange(n), tails)
    m = len(parent)
    start = _near_ring(rng, twins)[parent] * _log_uniform(rng, 0.9, 1.8, m)
    curve = {
        "x": (x + rng.uniform(0, 0.4, n) * apart * np.cos(angle))[parent],
        "y": (y + rng.uniform(0, 0.4, n) * apart * np.sin(angle))[parent],
        "phi": rng.uniform(0, 2 * np.pi, m),
        "start": start,
        "opening": rng.uniform(0.05, 0.5, m),
        "length": rng.uniform(0.7, 2.6, m),
        "width": start * rng.uniform(0.07, 0.2, m),
        "hand": rng.choice([-1.0, 1.0], n)[parent],
    }
    part = (in_tails / tails)[parent]
    flux = colours.galaxy(rng.uniform(0.5, 2.5, n)[parent], z[parent], mag[parent]) * part[:, None]
    return Drawn([*bodies, Components("tail", image[parent], flux, curve)], truth={"x": x, "y": y})


def star_galaxy(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A galaxy with one to three stars about where the twin's arcs are, each about as bright as those."""
    n = len(image)
    galaxy = _turned(rng, twins)
    parent = np.repeat(np.arange(n), rng.choice([1, 2, 2, 3], n))
    m = len(parent)
    distance, angle = (
        _near_ring(rng, twins)[parent] * _log_uniform(rng, 0.7, 1.7, m),
        rng.uniform(0, 2 * np.pi, m),
    )
    mag = twins["mag_arc_i"][parent] + rng.uniform(-1.0, 1.0, m)
    x, y = galaxy["x"][parent] + distance * np.cos(angle), galaxy["y"][parent] + distance * np.sin(angle)
    stars = stars_at(rng, image[parent], x, y, mag, colours)
    return Drawn([early_type(image, galaxy, colours)], [stars], _host_truth(galaxy))


KINDS: dict[str, Generator] = {
    "deflector": deflector,
    "spiral": spiral,
    "ring": ring,
    "edge_on": edge_on,
    "companions": companions,
    "merger": merger,
    "star_galaxy": star_galaxy,
}

# Part of the non-lenses that each kind makes up.
SHARES = {
    "deflector": 0.38,
    "spiral": 0.14,
    "ring": 0.08,
    "edge_on": 0.09,
    "companions": 0.15,
    "merger": 0.08,
    "star_galaxy": 0.08,
}
