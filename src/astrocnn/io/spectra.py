"""One file of spectra, whatever its layout: wavelengths in vacuum, flux, variance, and which pixels are good."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astropy.io import fits

from astrocnn.errors import DataError, listed
from astrocnn.io.hdus import astropy_file
from astrocnn.io.spectrum_arms import Arm, Reading, Spectra
from astrocnn.io.spectrum_layouts import LAYOUTS, from_columns
from astrocnn.io.tables import SUFFIXES, read_table

__all__ = ["Arm", "Reading", "Spectra", "open_spectra"]

FITS_SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fts", ".fz")


@contextmanager
def open_spectra(path: str | os.PathLike[str], reading: Reading) -> Iterator[Spectra]:
    """The spectra of ``path``; a layout is known by what the file holds.

    ========================  =================================================================================
    layout                    data model
    ========================  =================================================================================
    SDSS, BOSS, eBOSS, lite   spec-PLATE-MJD-FIBER.fits, table COADD: flux, loglam, ivar, and_mask (vacuum)
                              https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/PLATE4/spec.html
    DESI                      coadd-*.fits, spectra-*.fits: B_, R_ and Z_ FLUX, IVAR, MASK (fibre × pixel) and
                              WAVELENGTH, table FIBERMAP (vacuum) https://desidatamodel.readthedocs.io/
    LAMOST to DR7             spec-*.fits.gz: rows of the first image are flux, inverse variance, wavelength,
                              and-mask, or-mask (vacuum) http://dr7.lamost.org/v2.0/doc/lr-data-production-description
    LAMOST from DR8           table COADD (medium resolution: COADD_B and COADD_R), one row of vectors
                              http://www.lamost.org/dr8/v1.0/doc/lr-data-production-description
    any table                 columns of wavelength and flux, and of ivar or error: one pixel a row, or one
                              spectrum a row (vectors); FITS and every other format of tables
    any 1-D image             wavelengths by CRVAL1, CDELT1 (or CD1_1) and CTYPE1, DC-FLAG, COEFF0 and COEFF1
    ========================  =================================================================================

    Raises:
        DataError: the file cannot be read, or its layout is none of these.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} cannot be read: no such file; check the path.")
    name = path.name.lower()
    if not name.endswith(FITS_SUFFIXES):
        if not name.endswith(SUFFIXES):
            known = dict.fromkeys((*FITS_SUFFIXES, *SUFFIXES))
            raise DataError(
                f"{path}: {path.suffix or 'no suffix'} is not a known format of spectra; use one of "
                f"{listed(list(known), most=len(known))}."
            )
        table = read_table(path)
        columns = {c: (table[c], str(table[c].unit or "")) for c in table.colnames}
        yield _known(path, from_columns(path, columns, reading, table.meta), list(columns))
        return
    with astropy_file(path, memmap=True) as hdus:
        for layout in LAYOUTS:
            found = layout(path, hdus, reading)
            if found is not None:
                break
        content = [" ".join(filter(None, (str(i), hdu.name, _shape(hdu)))) for i, hdu in enumerate(hdus)]
        yield _known(path, found, content)


def _known(path: Path, found: Spectra | None, content: list[str]) -> Spectra:
    if found is None:
        raise DataError(
            f"{path} holds no spectrum in a known layout (SDSS, DESI, LAMOST, a table with columns of wavelength "
            f"and flux, an image with wavelengths in its header); it holds {listed(content, most=20)}; name the "
            "columns with data.wave=... data.flux=..., or the HDU with data.hdu=..."
        )
    return found


def _shape(hdu: Any) -> str:
    if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)):
        return f"(table of {listed(hdu.columns.names, most=8)})"
    return " × ".join(map(str, hdu.shape)) or "(empty)"
