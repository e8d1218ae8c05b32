"""What fools lens finders, by its own form: spirals, rings, edge-on discs and mergers.

Each scene has a twin among the accepted lenses. Its old light is as bright and as extended as the twin's deflector,
its young light about as bright as the twin's arcs or somewhat brighter, so that a kind is told by its form.
"""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.draw import Drawn, early_type, sersics
from astrocnn.simulate.population import Columns
from astrocnn.simulate.scene import Components
from astrocnn.simulate.templates import Colours, to_flux, to_mag
from astrocnn.simulate.twins import host_truth, log_uniform, near_ring, turned

__all__ = ["edge_on", "merger", "ring", "spiral"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


def spiral(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A spiral seen within 60 degrees of its pole: red bulge and disc, blue arms with knots.

    The old light is as bright as the twin's deflector, the arms 0.7 to 2.7 mag brighter than the twin's arcs.
    """
    n = len(image)
    galaxy = turned(rng, twins)
    place = {name: galaxy[name] for name in ("x", "y", "phi")}
    scale = np.clip(galaxy["radius"] * log_uniform(rng, 0.3, 0.8, n), 0.3, 0.9)
    q, bulge = rng.uniform(0.5, 1.0, n), rng.uniform(0.7, 0.97, n)
    old, z = galaxy["mag_lens_i"], galaxy["z_l"] * rng.uniform(0.85, 1.0, n)
    core = sersics(
        image,
        colours.galaxy(galaxy["kind"], z, old) * bulge[:, None],
        index=4.0,
        radius=0.9 * galaxy["radius"],
        q=np.maximum(q, 0.75),
        **place,
    )
    disc_flux = colours.galaxy(rng.uniform(0.0, 0.8, n), z, old) * (1 - bulge)[:, None]
    body = sersics(image, disc_flux, index=1.0, radius=1.678 * scale, q=q, **place)
    swept = {
        "scale": scale,
        "q": q,
        "arms": rng.choice([1.0, 2.0, 2.0, 2.0, 3.0, 4.0], n),
        "pitch": np.radians(rng.uniform(10, 30, n)),
        "phase": rng.uniform(0, 2 * np.pi, n),
        "sharpness": rng.uniform(1.5, 5.0, n),
        "hole": 2.0 * scale,
        "patch": rng.uniform(0.0, 0.5, n),
    }
    in_arms = colours.galaxy(rng.uniform(2.6, 3.0, n), z, galaxy["mag_arc_i"] - rng.uniform(0.7, 2.7, n))
    in_knots = rng.uniform(0.1, 0.4, n)[:, None]
    wound = Components("spiral", image, in_arms * (1 - in_knots), {**place, **swept})
    knots = _knots_on_arms(rng, image, place, swept, in_arms * in_knots)
    return Drawn([core, body, wound, knots], truth={"x": place["x"], "y": place["y"]})


def _knots_on_arms(
    rng: np.random.Generator, image: Rows, place: Columns, swept: Columns, flux: Array
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
        flux[parent] / number[parent][:, None],
        x=p["x"] + u * cos - v * sin,
        y=p["y"] + u * sin + v * cos,
        phi=rng.uniform(0, np.pi, m),
        radius=rng.uniform(0.08, 0.2, m),
        q=rng.uniform(0.6, 1.0, m),
        index=0.5,
    )


def ring(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A ring galaxy: a red core inside an inclined, uneven blue ring, often off centre.

    A faint disc fills the ring in half of the scenes.
    """
    n = len(image)
    galaxy = turned(rng, twins)
    core = early_type(image, galaxy, colours)
    radius = near_ring(rng, twins) * log_uniform(rng, 0.8, 1.8, n)
    offset, towards = 0.25 * radius * rng.random(n), rng.uniform(0, 2 * np.pi, n)
    place = {
        "x": galaxy["x"] + offset * np.cos(towards),
        "y": galaxy["y"] + offset * np.sin(towards),
        "phi": rng.uniform(0, np.pi, n),
    }
    q, z = rng.uniform(0.35, 0.95, n), galaxy["z_l"]
    mag = twins["mag_arc_i"] - rng.uniform(-0.3, 2.8, n)
    filled = np.where(rng.random(n) < 0.5, rng.uniform(0.1, 0.5, n), 0.0)
    flux = colours.galaxy(rng.uniform(1.5, 3.0, n), z, mag)
    around = {
        "ring": radius,
        "width": radius * rng.uniform(0.08, 0.25, n),
        "q": q,
        "lopsided": rng.uniform(0, 0.7, n),
        "double": rng.uniform(0, 0.4, n),
        "knots": rng.uniform(0, 0.8, n),
        "phase": rng.uniform(0, 2 * np.pi, n),
    }
    circle = Components("ring", image, flux * (1 - filled)[:, None], {**place, **around})
    disc = sersics(image, flux * filled[:, None], index=1.0, radius=0.8 * radius, q=q, **place)
    return Drawn([core, circle, disc], truth=host_truth(galaxy))


def edge_on(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """A disc from the side, some warped or with a dust lane, in a red bulge; together as bright as the twin."""
    n = len(image)
    galaxy = turned(rng, twins)
    place = {name: galaxy[name] for name in ("x", "y", "phi")}
    scale = np.clip(galaxy["radius"] * log_uniform(rng, 0.7, 1.4, n), 0.5, 1.8)
    bulge, z = rng.uniform(0.45, 0.85, n), galaxy["z_l"]
    mag = to_mag(to_flux(galaxy["mag_lens_i"]) + to_flux(galaxy["mag_arc_i"]))
    side = {
        "scale": scale,
        "height": scale * rng.uniform(0.1, 0.25, n),
        "dust": np.where(rng.random(n) < 0.4, rng.uniform(0.3, 0.8, n), 0.0),
        "warp": np.where(rng.random(n) < 0.3, 0.08 * scale * rng.uniform(-1, 1, n), 0.0),
    }
    disc_flux = colours.galaxy(rng.uniform(1.5, 3.0, n), z, mag) * (1 - bulge)[:, None]
    disc = Components("edge_on", image, disc_flux, {**place, **side})
    core = sersics(
        image,
        colours.galaxy(galaxy["kind"], z, mag) * bulge[:, None],
        index=4.0,
        radius=galaxy["radius"],
        q=rng.uniform(0.55, 1.0, n),
        **place,
    )
    return Drawn([disc, core], truth={"x": place["x"], "y": place["y"]})


def merger(rng: np.random.Generator, image: Rows, twins: Columns, colours: Colours) -> Drawn:
    """Two galaxies 0.4 to 1.2 arcsec apart, with one to three tidal tails that curve around them.

    Both galaxies together are as bright as the twin's deflector, the tails 0.7 to 2.4 mag brighter than its arcs.
    """
    n = len(image)
    galaxy = turned(rng, twins)
    second, apart, angle = rng.uniform(0.03, 0.2, n), rng.uniform(0.4, 1.2, n), rng.uniform(0, 2 * np.pi, n)
    away = {"x": galaxy["x"] + apart * np.cos(angle), "y": galaxy["y"] + apart * np.sin(angle)}
    main = galaxy | {
        "mag_lens_i": galaxy["mag_lens_i"] - 2.5 * np.log10(1 - second),
        "radius": 0.85 * galaxy["radius"],
    }
    other = {
        "mag_lens_i": galaxy["mag_lens_i"] - 2.5 * np.log10(second),
        "radius": galaxy["radius"] * rng.uniform(0.4, 0.8, n),
        "kind": rng.uniform(0.0, 1.0, n),
        "phi": rng.uniform(0, np.pi, n),
    }
    bodies = [early_type(image, main, colours), early_type(image, galaxy | away | other, colours)]

    tails = rng.integers(1, 4, n)
    parent = np.repeat(np.arange(n), tails)
    m = len(parent)
    start = near_ring(rng, twins)[parent] * log_uniform(rng, 0.9, 1.4, m)
    shift = rng.uniform(0, 0.4, n)
    curve = {
        "x": (galaxy["x"] + shift * apart * np.cos(angle))[parent],
        "y": (galaxy["y"] + shift * apart * np.sin(angle))[parent],
        "phi": rng.uniform(0, 2 * np.pi, m),
        "start": start,
        "opening": rng.uniform(0.02, 0.25, m),
        "length": rng.uniform(0.7, 2.6, m),
        "width": start * rng.uniform(0.07, 0.2, m),
        "hand": rng.choice([-1.0, 1.0], n)[parent],
    }
    mag = galaxy["mag_arc_i"] - rng.uniform(0.7, 2.4, n) + 2.5 * np.log10(tails)
    flux = colours.galaxy(rng.uniform(2.3, 3.0, n)[parent], galaxy["z_l"][parent], mag[parent])
    drawn = [*bodies, Components("tail", image[parent], flux, curve)]
    return Drawn(drawn, truth={"x": galaxy["x"], "y": galaxy["y"]})
