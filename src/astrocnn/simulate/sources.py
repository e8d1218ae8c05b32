"""Who is in a survey scene: galaxies of three forms and stars, as components of Sérsic light.

Everything is drawn from a numpy generator. A component's light is the same in all bands but for its flux.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.draw import stars_at
from astrocnn.simulate.population import Columns, magnitudes, source_redshifts, take
from astrocnn.simulate.templates import Colours

__all__ = ["DISC", "IRREGULAR", "SPHEROID", "STAR", "Parts", "components", "draw_sources", "galaxies_of"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

STAR, SPHEROID, DISC, IRREGULAR = 1, 2, 3, 4
GALAXY_MAG_RANGE = (17.0, 26.0)
STAR_MAG_RANGE = (14.0, 26.0)
STAR_SLOPE = 0.15  # counts of stars rise as 10^(0.15 m)
Z_MAX = 3.5
MAG_NODES = (17.0, 20.0, 23.0, 26.0)
SPHEROID_SHARE = (0.45, 0.35, 0.22, 0.15)  # of the galaxies at these magnitudes
IRREGULAR_SHARE = (0.05, 0.08, 0.18, 0.30)
RADIUS_AT_24_ARCSEC = 0.35
RADIUS_SLOPE = -0.12  # of log radius with magnitude
RADIUS_SCATTER_DEX = 0.20
SPHEROID_RADIUS = 0.7  # over that of other forms of the same magnitude
RADIUS_RANGE_ARCSEC = (0.08, 2.5)
THICKNESS = 0.2  # axis ratio of a disc from the side
KNOTS_RANGE = (2, 7)
KNOT_RADIUS_ARCSEC = (0.05, 0.12)


@dataclass(frozen=True)
class Parts:
    """M components of light.

    Attributes:
        owner: the object that each belongs to, (M,).
        flux: of the whole plane in each band, (M, C) nJy.
        columns: ``x``, ``y`` (arcsec from the object's place), ``radius`` (half-light, along the major axis, arcsec;
            0 for a point), ``q``, ``phi`` (major axis from the x axis, radians), ``index`` (Sérsic, in steps of
            0.1, so that few profiles are transformed), (M,) each.
    """

    owner: Rows
    flux: Array
    columns: Columns


def draw_sources(
    rng: np.random.Generator, n_galaxies: int, n_stars: int, colours: Colours
) -> tuple[Columns, Parts]:
    """Objects from the brightest to the faintest, and their components.

    Returns:
        Columns ``label`` (1 star, 2 spheroid, 3 disc, 4 irregular), ``mag`` (AB, i), ``z`` (NaN for stars),
        ``radius`` (half-light, arcsec; 0 for stars), (N,) each; and the components.
    """
    galaxies = galaxies_of(rng, magnitudes(rng, n_galaxies, *GALAXY_MAG_RANGE))
    stars = {
        "label": np.full(n_stars, float(STAR)),
        "mag": magnitudes(rng, n_stars, *STAR_MAG_RANGE, slope=STAR_SLOPE),
        "z": np.full(n_stars, np.nan),
        "radius": np.zeros(n_stars),
    }
    objects = {name: np.concatenate([galaxies[name], stars[name]]) for name in galaxies}
    objects = take(objects, np.argsort(objects["mag"], kind="stable"))
    return objects, components(rng, objects, colours)


def components(rng: np.random.Generator, objects: Columns, colours: Colours) -> Parts:
    """The components of objects that have the columns of :func:`draw_sources`."""
    forms = {STAR: _stars, SPHEROID: _spheroids, DISC: _discs, IRREGULAR: _irregulars}
    parts = []
    for label, form in forms.items():
        rows = np.flatnonzero(objects["label"] == label)
        drawn = form(rng, take(objects, rows), colours)
        parts.append(Parts(rows[drawn.owner], drawn.flux, drawn.columns))
    return _joined(parts)


def galaxies_of(rng: np.random.Generator, mag: Array) -> Columns:
    """Redshifts, sizes and forms of galaxies of given magnitudes, as columns of :func:`draw_sources`.

    The half-light radius is 0.35″ at i = 24 and goes as 10^(-0.12 i), scattered by 0.2 dex; spheroids have 0.7 of it.
    """
    n = len(mag)
    spheroid = np.interp(mag, MAG_NODES, SPHEROID_SHARE)
    irregular = np.interp(mag, MAG_NODES, IRREGULAR_SHARE)
    u = rng.random(n)
    label = np.where(u < spheroid, SPHEROID, np.where(u < spheroid + irregular, IRREGULAR, DISC))
    dex = RADIUS_SLOPE * (mag - 24) + RADIUS_SCATTER_DEX * rng.standard_normal(n)
    radius = RADIUS_AT_24_ARCSEC * 10**dex * np.where(label == SPHEROID, SPHEROID_RADIUS, 1.0)
    return {
        "label": label.astype(np.float64),
        "mag": mag,
        "z": np.minimum(source_redshifts(rng, mag), Z_MAX),
        "radius": np.clip(radius, *RADIUS_RANGE_ARCSEC),
    }


def _stars(rng: np.random.Generator, stars: Columns, colours: Colours) -> Parts:
    n = len(stars["mag"])
    rows, zeros = np.arange(n), np.zeros(n)
    _, flux = stars_at(rng, rows, zeros, zeros, stars["mag"], colours)
    return _parts(rows, flux, radius=zeros)


def _spheroids(rng: np.random.Generator, galaxies: Columns, colours: Colours) -> Parts:
    """One component of Sérsic index 2.5 to 5 and the spectrum of an E, or a little later."""
    n = len(galaxies["mag"])
    kind = np.minimum(rng.exponential(0.3, n), 1.0)
    q = rng.uniform(0.5, 1.0, n)
    return _parts(
        np.arange(n),
        colours.galaxy(kind, galaxies["z"], galaxies["mag"]),
        radius=galaxies["radius"],
        q=q,
        phi=rng.uniform(0.0, np.pi, n),
        index=np.clip(rng.normal(4.0, 0.6, n), 2.5, 5.0),
    )


def _discs(rng: np.random.Generator, galaxies: Columns, colours: Colours) -> Parts:
    """An exponential disc that is seen from any side, with a bulge of at most half the light.

    The bulge has the spectrum of an E or Sbc; the smaller it is, the later the spectrum of the disc.
    """
    n = len(galaxies["mag"])
    rows, z, mag = np.arange(n), galaxies["z"], galaxies["mag"]
    in_bulge = 0.5 * rng.random(n) ** 2
    cos2 = rng.random(n) ** 2
    q = np.sqrt(cos2 + THICKNESS**2 * (1 - cos2))
    phi = rng.uniform(0.0, np.pi, n)
    disc_kind = np.clip(2.4 - 2.5 * in_bulge + 0.4 * rng.standard_normal(n), 0.8, 3.0)
    disc = _parts(
        rows,
        colours.galaxy(disc_kind, z, mag) * (1 - in_bulge)[:, None],
        radius=galaxies["radius"] * (1 + 0.5 * in_bulge),
        q=q,
        phi=phi,
        index=1.0,
    )
    bulge = _parts(
        rows,
        colours.galaxy(rng.uniform(0.0, 0.7, n), z, mag) * in_bulge[:, None],
        radius=galaxies["radius"] * rng.uniform(0.15, 0.4, n),
        q=np.sqrt(cos2 + 0.6**2 * (1 - cos2)),
        phi=phi,
        index=rng.uniform(2.0, 4.0, n),
    )
    return _joined([disc, bulge])


def _irregulars(rng: np.random.Generator, galaxies: Columns, colours: Colours) -> Parts:
    """A flat body, a second one beside it, and 2 to 7 blue knots about a point off the middle.

    The second body has 15 to 40 % of the light and lies 0.5 to 1.2 half-light radii away; each knot has 3 to 10 %, and
    the spectrum of an Im. The object's place is its centre of light.
    """
    n = len(galaxies["mag"])
    rows, z, mag, radius = np.arange(n), galaxies["z"], galaxies["mag"], galaxies["radius"]
    kind, q, phi = rng.uniform(2.0, 3.0, n), rng.uniform(0.35, 0.9, n), rng.uniform(0.0, np.pi, n)
    knots = rng.integers(KNOTS_RANGE[0], KNOTS_RANGE[1] + 1, n)
    owner = np.repeat(rows, knots)
    in_knot = rng.uniform(0.03, 0.10, len(owner))
    in_bodies = 1 - np.bincount(owner, in_knot, minlength=n)
    second = rng.uniform(0.15, 0.40, n)
    away = radius * rng.uniform(0.5, 1.2, n)
    beside = rng.uniform(0.0, 2 * np.pi, n)
    x2, y2 = away * np.cos(beside), away * np.sin(beside)
    spread = 1.2 * radius[owner] * np.sqrt(rng.random(len(owner)))
    around = rng.uniform(0.0, 2 * np.pi, len(owner))

    flux = colours.galaxy(kind, z, mag)
    shares = [in_bodies * (1 - second), in_bodies * second, in_knot]
    bodies = [
        _parts(
            rows,
            flux * shares[0][:, None],
            radius=radius,
            q=q,
            phi=phi,
            index=rng.uniform(0.5, 1.2, n),
        ),
        _parts(
            rows,
            flux * shares[1][:, None],
            x=x2,
            y=y2,
            radius=0.7 * radius,
            q=rng.uniform(0.4, 1.0, n),
            phi=rng.uniform(0.0, np.pi, n),
            index=rng.uniform(0.5, 1.2, n),
        ),
    ]
    light = colours.galaxy(np.full(len(owner), 3.0), z[owner], mag[owner])
    knotted = _parts(
        owner,
        light * in_knot[:, None],
        x=0.5 * x2[owner] + spread * np.cos(around),
        y=0.5 * y2[owner] + spread * q[owner] * np.sin(around),
        radius=rng.uniform(*KNOT_RADIUS_ARCSEC, len(owner)),
        index=0.5,
    )
    parts = _joined([*bodies, knotted])
    share = np.concatenate(shares)
    for axis in ("x", "y"):
        middle = np.bincount(parts.owner, share * parts.columns[axis], minlength=n)
        parts.columns[axis] -= middle[parts.owner]
    return parts


def _parts(
    owner: Rows,
    flux: Array,
    *,
    radius: Array,
    q: float | Array = 1.0,
    phi: float | Array = 0.0,
    index: float | Array = 0.5,
    x: float | Array = 0.0,
    y: float | Array = 0.0,
) -> Parts:
    ones = np.ones(len(owner))
    columns = {"x": x * ones, "y": y * ones, "radius": radius, "q": q * ones, "phi": phi * ones}
    return Parts(owner, flux, columns | {"index": np.round(index * ones, 1)})


def _joined(parts: list[Parts]) -> Parts:
    return Parts(
        np.concatenate([part.owner for part in parts]),
        np.concatenate([part.flux for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )
