"""Where the objects are: a field on the sky, a cap around a pole, or the whole sphere."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from astrocnn.functional.sphere import unit_vectors
from astrocnn.report.curves import legend_above
from astrocnn.report.style import INK, PAPER, RULE

__all__ = ["MOST_POINTS", "WIDE_DEG", "Centre", "sky", "sky_centre"]

MOST_POINTS = 2000
WIDE_DEG = 60.0  # a set that reaches further from its centre is drawn on the whole sphere
PLATE = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
POLAR_DEG = 75.0  # a field that comes nearer to a pole is drawn around its centre

Centre = tuple[float, float, float]
Floats = NDArray[np.float64]


def sky_centre(ra: Floats, dec: Floats) -> Centre:
    """Right ascension and declination of the mean direction, and the greatest distance from it; all in degrees."""
    unit = unit_vectors(np.stack([ra, dec], axis=1))  # (N, 3)
    mean = unit.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-3:  # as much on one side as on the other
        return 0.0, 0.0, 180.0
    mean /= length
    # arctan2 keeps its digits where the arc cosine of a small angle has none left
    across = np.linalg.norm(np.cross(unit, mean), axis=1)
    radius = float(np.degrees(np.arctan2(across, unit @ mean)).max())
    return math.degrees(math.atan2(mean[1], mean[0])) % 360, math.degrees(math.asin(mean[2])), radius


def sky(
    axes: Axes,
    ra: Floats,
    dec: Floats,
    groups: NDArray[np.str_],
    *,
    colors: Mapping[str, str],
    centre: Centre,
    seed: int = 0,
) -> None:
    """Positions (degrees, ICRS), a colour a group; east is to the left. At most 2,000 are drawn.

    Fields are drawn in right ascension and declination, whichever side of 0 h they are on; near a pole as
    offsets from the centre; sets that span the sky in Hammer's equal-area projection.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(ra))[:MOST_POINTS])
    ra0, dec0, radius = centre
    if radius > WIDE_DEG:
        ra0 = 30 * round(ra0 / 30)
        x, y = _hammer(ra[rows], dec[rows], ra0)
        _sphere(axes, ra0)
    elif np.abs(dec).max() > POLAR_DEG:
        x, y = _offsets(ra[rows], dec[rows], ra0, dec0)
        axes.set(xlabel="Offset to the east (degrees)", ylabel="Offset to the north (degrees)")
        axes.invert_xaxis()
        axes.set_aspect("equal", adjustable="datalim")
    else:
        x, y = ra0 + (ra[rows] - ra0 + 180) % 360 - 180, dec[rows]
        axes.set(xlabel="Right ascension (degrees)", ylabel="Declination (degrees)")
        axes.invert_xaxis()
        axes.set_aspect(1 / math.cos(math.radians(dec0)), adjustable="datalim")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value % 360, 6):g}"))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{round(value, 6):g}".replace("-", "−"))
        )
        axes.xaxis.set_major_locator(MaxNLocator(5))
    size = float(np.clip(60 / math.sqrt(len(rows)), 1.6, 5))
    for name, color in colors.items():
        chosen = groups[rows] == name
        if chosen.any():
            axes.plot(x[chosen], y[chosen], "o", color=color, ms=size, mew=0, alpha=0.8)
            axes.plot([], [], "o", color=color, ms=5, mew=0, label=name)
    legend_above(axes, columns=4)


def _offsets(ra: Floats, dec: Floats, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """Zenithal equidistant offsets from the centre, in degrees (ARC of Calabretta & Greisen 2002, §5.1.5)."""
    a, d, d0 = np.radians(ra - ra0), np.radians(dec), math.radians(dec0)
    east = np.cos(d) * np.sin(a)
    north = np.sin(d) * math.cos(d0) - np.cos(d) * math.sin(d0) * np.cos(a)
    up = np.sin(d) * math.sin(d0) + np.cos(d) * math.cos(d0) * np.cos(a)
    across = np.hypot(east, north)
    scale = np.degrees(np.arctan2(across, up)) / np.where(across > 0, across, 1)
    return east * scale, north * scale


def _hammer(ra: Floats, dec: Floats, ra0: float) -> tuple[Floats, Floats]:
    """Hammer's equal-area projection, x to the west: x in ±2√2, y in ±√2."""
    a, d = np.radians((ra - ra0 + 180) % 360 - 180) / 2, np.radians(dec)
    return _hammer_of(a, d)


def _hammer_of(half: Floats, d: Floats) -> tuple[Floats, Floats]:
    scale = math.sqrt(2) / np.sqrt(1 + np.cos(d) * np.cos(half))
    return -2 * scale * np.cos(d) * np.sin(half), scale * np.sin(d)


def _sphere(axes: Axes, ra0: float) -> None:
    """The outline of the sphere with a line every 60° of right ascension and 30° of declination."""
    fine = np.radians(np.linspace(-90, 90, 91))
    for offset in range(-180, 181, 60):
        axes.plot(*_hammer_of(np.full(91, math.radians(offset / 2)), fine), color=RULE, lw=0.6, zorder=1)
        if abs(offset) < 180:
            x, y = _hammer_of(np.array([math.radians(offset / 2)]), np.zeros(1))
            axes.text(
                x[0],
                y[0],
                f"{(ra0 + offset) % 360:.0f}°",
                color=INK,
                fontsize=7,
                ha="center",
                va="bottom",
                bbox=PLATE,
            )
    for d in range(-60, 61, 30):
        x, y = _hammer_of(fine, np.full(91, math.radians(d)))
        axes.plot(x, y, color=RULE, lw=0.6, zorder=1)
        axes.text(x[0], y[0], f" {d}°".replace("-", "−"), color=INK, fontsize=7, ha="left", va="center")
    axes.set_aspect("equal")
    axes.set_axis_off()
