"""Sources as a catalogue: where on the sky, how bright, of which class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Column, Table
from numpy.typing import NDArray

from astrocnn.datasets.mosaics import Mosaic

__all__ = ["source_table"]


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
        ``number`` (that of the instance map), ``ra`` and ``dec`` (degrees, ICRS; without a WCS neither), ``x``, ``y``
        (0-based pixels), ``area_pix``, ``area_arcsec2``, ``flux_<band>`` and, of known variances, ``flux_err_<band>``,
        ``class``, ``p`` (of that class) and ``p_<class>`` (means over the source's pixels), ``blended``.
    """
    table = Table({"number": found["number"]})
    if mosaic.wcs is not None:
        ra, dec = mosaic.wcs.sky(found["x"], found["y"])
        table["ra"] = Column(ra, unit="deg", description="right ascension, ICRS")
        table["dec"] = Column(dec, unit="deg", description="declination, ICRS")
    table["x"] = Column(found["x"], unit="pix", description="column, the first is 0")
    table["y"] = Column(found["y"], unit="pix", description="row, the first is 0")
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
