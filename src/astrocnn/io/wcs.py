"""Sky positions to pixels and back, for arrays of them, as astropy's WCS of an image has it."""

import logging
import os
import warnings
from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import ICRS, UnitSphericalRepresentation
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area, wcs_to_celestial_frame
from numpy.typing import NDArray

from astrocnn.io.headers import ASTROPY, Header
from astrocnn.io.iraf_wcs import with_readable_coefficients

__all__ = ["SkyWcs", "separation_deg", "sky_wcs", "tangent_basis"]

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
# distortions that stand in HDUs of their own, for which astropy wants the file
IN_TABLES = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2")
# cylinders: a column and the one 360° of native longitude further are the same meridian
CYLINDERS = ("CYP", "CEA", "CAR", "MER")
TOLERANCE_PIX = 0.01
EDGE = 9


def sky_wcs(
    header: fits.Header | Header, height: int, width: int, *, path: str | os.PathLike[str]
) -> "SkyWcs | None":
    """The celestial WCS of the image's two last axes; None where the header has none that astropy can use.

    ``path`` is opened only for distortions that are kept in tables of the file.
    """
    if not (
        header.get("CTYPE1") or header.get("AMDX1")
    ):  # AMDX1: a plate solution of the Digitized Sky Survey
        return None
    with ASTROPY, warnings.catch_warnings():
        # about dates, units and the form of cards, mended on reading; the positions are not touched
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            cards = header.astropy() if isinstance(header, Header) else header
            cards = with_readable_coefficients(cards)
            if any(key in cards for key in IN_TABLES):
                with fits.open(path) as hdus:
                    wcs = WCS(cards, fobj=hdus, naxis=2)
            else:
                wcs = WCS(cards, naxis=2)
            if not wcs.has_celestial:
                return None
            frame = wcs_to_celestial_frame(wcs)
        except Exception as error:  # wcslib and astropy raise many kinds; the caller says what to do without
            log.info("%s: no position from the WCS: %s", path, error)
            return None
    if not frame.is_transformable_to(ICRS()):  # of a planet
        return None
    return SkyWcs(wcs, frame, height, width)


class SkyWcs:
    """The WCS of one image of ``height`` × ``width`` pixels; positions are ICRS in degrees, pixels 0-based.

    Right is what :mod:`astropy.wcs` says: SIP, TPV, TNX and ZPX polynomials, distortion tables, plate solutions.
    An object is not to be shared by threads (astropy issue 16245: wcslib keeps state).
    """

    def __init__(self, wcs: Any, frame: Any, height: int, width: int) -> None:
        self._wcs, self._frame, self._shape = wcs, frame, (height, width)
        self._lng, self._lat = int(wcs.wcs.lng), int(wcs.wcs.lat)
        self._icrs = isinstance(frame, ICRS)
        centre = np.array([(width - 1) / 2]), np.array([(height - 1) / 2])
        self._turn = self._full_turn()
        if self._turn is not None:
            wcs.wcs.bounds_check(False, True)  # pixels beyond half a turn are on the sky as well
        scale = float(np.sqrt(self.pixel_area_arcsec2(*centre))[0])
        # a map of the whole sky may have its middle beside the sky
        self.scale_arcsec = scale if scale > 0 else 3600 * float(np.sqrt(proj_plane_pixel_area(wcs)))

    def sky(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Right ascension in [0, 360) and declination of pixels, any shape; NaN where the pixel is not on the sky."""
        lon, lat = self._native(np.ravel(x), np.ravel(y))
        if not self._icrs:
            lon, lat = _transformed(lon, lat, self._frame, ICRS())
        return (lon % 360.0).reshape(np.shape(x)), lat.reshape(np.shape(x))

    def pixel(self, ra: Array, dec: Array) -> tuple[Array, Array]:
        """Pixels of positions, any shape; NaN where the projection does not show the position.

        An inversion that does not lead back to within 0.01 pixel (a distortion far outside the image, the far
        side of the sky) is none.
        """
        lon, lat = np.ravel(ra), np.ravel(dec)
        if not self._icrs:
            lon, lat = _transformed(lon, lat, ICRS(), self._frame)
        x, y = np.full(lon.shape, np.nan), np.full(lon.shape, np.nan)
        known = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
        if len(known):
            world = np.empty((len(known), 2))
            world[:, self._lng], world[:, self._lat] = lon[known], lat[known]
            x[known], y[known] = self._unwrapped(self._inverse(world)).T
            back = self._native(x[known], y[known])
            off = separation_deg(*back, lon[known], lat[known]) * 3600
            wrong = known[np.logical_not(off <= TOLERANCE_PIX * self.scale_arcsec)]
            x[wrong] = y[wrong] = np.nan
        return x.reshape(np.shape(ra)), y.reshape(np.shape(ra))

    def apart_pix(self, other: "SkyWcs", height: int, width: int) -> float:
        """How many pixels of ``height`` rows and ``width`` columns are from where ``other`` has the same position, at
        most; inf where it has none.
        """
        x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, width - 1, 5), np.linspace(0, height - 1, 5)))
        ra, dec = self.sky(x, y)
        there = other.pixel(ra, dec)
        off = np.hypot(there[0] - x, there[1] - y)[np.isfinite(ra)]
        return float(np.nan_to_num(off, nan=np.inf).max(initial=0))

    def jacobian(self, x: Array, y: Array) -> Array:
        """Degrees to the east and to the north of a step of one pixel in x and in y: (N, 2, 2), [:, 0] is east."""
        east, north, _ = tangent_basis(*self.sky(x, y))  # (N, 3)
        columns = []
        for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
            after, before = (_vectors(*self.sky(x + s * dx, y + s * dy)) for s in (1, -1))
            step = np.degrees(after - before)  # (N, 3)
            columns.append(np.stack([(step * east).sum(-1), (step * north).sum(-1)], axis=-1))
        return np.stack(columns, axis=-1)

    def pixel_area_arcsec2(self, x: Array, y: Array) -> Array:
        """The area (N,) of these pixels."""
        (a, b), (c, d) = np.moveaxis(self.jacobian(x, y), 0, 2)
        area: Array = np.abs(a * d - b * c) * 3600.0**2
        return area

    def cap(self) -> tuple[Array, float]:
        """A circle on the sky around the image: unit vector (3,) of its centre, and radius in degrees."""
        height, width = self._shape
        x, y = np.meshgrid(np.linspace(-0.5, width - 0.5, EDGE), np.linspace(-0.5, height - 0.5, EDGE))
        points = _vectors(*self.sky(x.ravel(), y.ravel()))  # (81, 3)
        centre = points.mean(axis=0)
        length = np.linalg.norm(centre)
        if not np.isfinite(length) or length < 0.1:
            return np.array([0.0, 0.0, 1.0]), 180.0
        centre /= length
        radius = np.degrees(np.arccos(np.clip(points @ centre, -1, 1))).max()
        return centre, float(min(180.0, 1.1 * radius + 2 * self.scale_arcsec / 3600))

    def _native(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Longitude and latitude (N,) in the image's own frame."""
        lon, lat = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if len(known):
            world = _in_parts(
                lambda pixel: self._wcs.all_pix2world(pixel, 0), np.stack([x, y], axis=1)[known]
            )
            lon[known], lat[known] = world[:, self._lng], world[:, self._lat]
        return lon, lat

    def _inverse(self, world: Array) -> Array:
        """Pixels (N, 2) of positions (N, 2) in the order of the image's axes."""
        return _in_parts(lambda part: self._wcs.all_world2pix(part, 0, quiet=True), world)

    def _full_turn(self) -> Array | None:
        """Pixels (2,) in x and y that are 360° of native longitude, of a projection onto a cylinder."""
        if str(self._wcs.wcs.ctype[self._lng])[5:8] not in CYLINDERS:
            return None
        step = np.zeros(2)
        step[self._lng] = 360.0
        turn: Array = np.linalg.solve(self._wcs.pixel_scale_matrix, step)
        return turn

    def _unwrapped(self, pixel: Array) -> Array:
        """The same positions (N, 2) a full turn further where that lies in the image."""
        if self._turn is None:
            return pixel
        for turn in (self._turn, -self._turn):
            moved = pixel + turn
            pixel = np.where((self._inside(moved) & ~self._inside(pixel))[:, None], moved, pixel)
        return pixel

    def _inside(self, pixel: Array) -> NDArray[np.bool_]:
        height, width = self._shape
        last = np.array([width, height]) - 0.5
        return np.asarray(((pixel >= -0.5) & (pixel <= last)).all(axis=1))


def tangent_basis(ra: Array, dec: Array) -> tuple[Array, Array, Array]:
    """Unit vectors (..., 3) to the east, to the north and to the position itself, for positions in degrees."""
    a, d = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(a)
    east = np.stack([-np.sin(a), np.cos(a), zero], axis=-1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=-1)
    return east, north, _vectors(ra, dec)


def separation_deg(lon1: Array, lat1: Array, lon2: Array, lat2: Array) -> Array:
    """Angle between positions, degrees; exact to rounding also for small ones: 2 arcsin(chord / 2)."""
    chord = np.linalg.norm(_vectors(lon1, lat1) - _vectors(lon2, lat2), axis=-1)
    angle: Array = np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1)))
    return angle


def _vectors(lon: Array, lat: Array) -> Array:
    """Unit vectors (..., 3)."""
    a, d = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def _transformed(lon: Array, lat: Array, start: Any, end: Any) -> tuple[Array, Array]:
    """Positions of the frame ``start`` in the frame ``end``, degrees."""
    data = UnitSphericalRepresentation(lon * units.deg, lat * units.deg)
    found = start.realize_frame(data).transform_to(end).represent_as(UnitSphericalRepresentation)
    return np.asarray(found.lon.deg), np.asarray(found.lat.deg)


def _in_parts(function: Any, rows: Array) -> Array:
    """``function`` (N, 2) → (N, 2); rows for which it raises are NaN: wcslib refuses all of them for one."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function(rows))
    except Exception:
        if len(rows) == 1:
            return np.full((1, 2), np.nan)
        half = len(rows) // 2
        return np.concatenate([_in_parts(function, rows[:half]), _in_parts(function, rows[half:])])
