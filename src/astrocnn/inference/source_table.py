"""Sources as a catalogue: where on the sky, how bright, of which class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Column, Table
from numpy.typing import NDArray

from astrocnn.datasets.mosaics import Mosaic
from astrocnn.io.wcs import SkyWcs

__all__ = ["sky_errors", "source_table"]


def source_table(
    found: dict[str, NDArray[Any]], mosaic: Mosaic, *, classes: Sequence[str], surface: Sequence[bool]
) -> Table:
    """The catalogue of a mosaic.

    Args:
        found: of N sources, from :func:`~astrocnn.inference.sources.find_sources`.
        mosaic: in whose pixels they are.
        classes: names of the classes.
        surface: whether the values of each band are a surface brightness, of which a sum over pixels is no flux yet.

    Returns:
        ``number`` (that of the instance map), ``ra`` and ``dec`` (degrees, ICRS) with ``ra_err`` and ``dec_err`` (1σ,
        arcsec on the sky: that of ``ra`` holds cos dec; without a WCS none of them), ``x``, ``y`` (0-based pixels)
        with ``x_err`` and ``y_err`` (1σ), ``snr``, ``area_pix``, ``area_arcsec2``, ``flux_<band>`` and, of known
        variances, ``flux_err_<band>``, ``class``, ``p`` (of that class) and ``p_<class>`` (means over the source's
        pixels), ``blended``.
    """
    noise = "the pixels' variances" if "flux_err" in found else "the scatter of the sky"
    table = Table({"number": found["number"]})
    if mosaic.wcs is not None:
        ra, dec = mosaic.wcs.sky(found["x"], found["y"])
        table["ra"] = Column(ra, unit="deg", description="right ascension, ICRS")
        table["dec"] = Column(dec, unit="deg", description="declination, ICRS")
        east, north = sky_errors(found, mosaic.wcs)
        table["ra_err"] = Column(
            east, unit="arcsec", description=f"1 sigma of ra, times cos(dec), by {noise}"
        )
        table["dec_err"] = Column(north, unit="arcsec", description=f"1 sigma of dec, by {noise}")
    table["x"] = Column(found["x"], unit="pix", description="column, the first is 0")
    table["y"] = Column(found["y"], unit="pix", description="row, the first is 0")
    for name in ("x", "y"):
        table[f"{name}_err"] = Column(
            found[f"{name}_err"], unit="pix", description=f"1 sigma of {name}, by {noise}"
        )
    table["snr"] = Column(found["snr"], description=f"S/N of all bands in a Gaussian window, by {noise}")
    table["area_pix"] = found["area_pix"]
    if mosaic.wcs is not None:
        one = mosaic.wcs.pixel_area_arcsec2(found["x"], found["y"])
        table["area_arcsec2"] = Column(found["area_pix"] * one, unit="arcsec2")
    for name in ("flux", "flux_err"):
        for n, band in enumerate(mosaic.bands if name in found else ()):
            table[f"{name}_{band}"] = Column(found[name][:, n], unit=_unit(mosaic.units[n], surface[n]))
    label = found["label"].astype(np.int64)
    table["class"] = np.array(classes, dtype=str)[label]
    table["p"] = found["p_class"][np.arange(len(label)), label]
    for n, name in enumerate(classes):
        table[f"p_{name}"] = found["p_class"][:, n]
    table["blended"] = found["blended"]
    return table


def sky_errors(
    found: dict[str, NDArray[Any]], wcs: SkyWcs
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors (N,) and (N,) to the east and to the north, in arcsec on the sky, of positions in pixels.

    Args:
        found: ``x``, ``y``, ``x_err``, ``y_err`` in pixels and ``xy_covariance`` in pixels², of N sources.
        wcs: of these pixels.
    """
    step = 3600 * wcs.jacobian(found["x"], found["y"])  # (N, 2, 2) arcsec a pixel
    mixed = found["xy_covariance"]
    rows = [[found["x_err"] ** 2, mixed], [mixed, found["y_err"] ** 2]]
    variance = np.einsum("nij,jkn,nik->in", step, np.array(rows), step)  # (2, N)
    east, north = np.sqrt(np.maximum(variance, 0))
    return east, north


def _unit(text: str | None, surface: bool) -> units.UnitBase | None:
    """The unit of a sum over pixels; None where the pixels' is not known."""
    if text is None:
        return None
    for spelling in (text, text.replace("JY", "Jy").lower().replace("jy", "Jy")):
        unit = units.Unit(spelling, parse_strict="silent")
        if isinstance(unit, units.UnrecognizedUnit):
            continue
        total = unit * units.pix if surface else unit
        try:
            total.to_string("fits")
        except ValueError:  # FITS tables have no name for it
            return None
        return total
    return None
