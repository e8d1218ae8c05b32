"""The layouts of spectra: each function says what a file holds, or None where it is of another layout."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.spectrum_arms import Arm, Reading, Spectra, make_arm
from astrocnn.io.wavelengths import to_angstrom

__all__ = ["LAYOUTS", "from_columns"]

Columns = Mapping[str, tuple[Any, str]]  # values and unit by name
NAMES = {
    "wave": ("wave", "wavelength", "lambda", "lam", "loglam", "log_lambda", "wl", "wavelengths"),
    "flux": ("flux", "flam", "f_lambda", "flux_density", "flux_reduced", "spec", "spectrum", "fluxes"),
    "ivar": ("ivar", "invvar", "inv_var", "inverse_variance"),
    "error": (
        "error",
        "err",
        "flux_err",
        "fluxerr",
        "flux_error",
        "err_flux",
        "sigma",
        "e_flux",
        "err_reduced",
        "std",
    ),
    "mask": ("and_mask", "andmask", "mask", "pixmask", "qual", "dq"),
}
ARMS = ("COADD_B", "COADD_R")  # LAMOST, medium resolution
POSITIONS = (("PLUG_RA", "PLUG_DEC"), ("RA_OBJ", "DEC_OBJ"), ("RA_TARG", "DEC_TARG"), ("RA", "DEC"))
LOGARITHMIC, LINEAR = ("WAVE-LOG", "AWAV-LOG"), ("WAVE", "AWAV", "LAMBDA", "LINEAR", "WAVELENGTH", "")


def many_fibres(path: Path, hdus: fits.HDUList, reading: Reading) -> Spectra | None:
    """DESI, and other images of many spectra: FLUX (spectrum × pixel), with wavelengths in an HDU or its header."""
    images = _images(hdus)
    prefixes = [n.removesuffix("FLUX") for n, h in images.items() if n.endswith("FLUX") and len(h.shape) == 2]
    waves = {prefix: _wave_of(path, prefix, images, reading) for prefix in prefixes}
    waves = {prefix: wave for prefix, wave in waves.items() if wave is not None}
    if not waves:
        return None
    first = images[f"{next(iter(waves))}FLUX"]
    n = first.shape[0]
    if any(images[f"{prefix}FLUX"].shape[0] != n for prefix in waves):
        raise DataError(f"{path}: its arms hold different numbers of spectra; copy or download it again.")

    def read(row: int) -> list[Arm]:
        found = []
        for prefix, wave in waves.items():
            of = {
                key: images[f"{prefix}{name.upper()}"].data[row]
                for key in ("ivar", "error", "mask")
                if (name := next((n for n in NAMES[key] if f"{prefix}{n.upper()}" in images), None))
            }
            found.append(make_arm(path, reading, wave=wave, flux=images[f"{prefix}FLUX"].data[row], **of))
        return found

    table = next((h for h in hdus if h.name in ("FIBERMAP", "PLUGMAP") and h.header.get("NAXIS2") == n), None)
    ids = position = None
    if table is not None:
        ids = _column(table.data, "TARGETID", "OBJID")
        ra, dec = _column(table.data, "TARGET_RA", "RA"), _column(table.data, "TARGET_DEC", "DEC")
        position = None if ra is None or dec is None else np.stack([ra, dec], 1).astype(np.float64)
    names = None if ids is None or np.ndim(ids) != 1 else [str(i) for i in ids]
    layout = "images" if "" in waves else "DESI"
    return Spectra(layout, n, read, True, names, position, first.header.get("BUNIT"))


def _images(hdus: fits.HDUList) -> dict[str, Any]:
    """The images that have a name and pixels; these are not loaded yet."""
    return {hdu.name: hdu for hdu in hdus if not hasattr(hdu, "columns") and hdu.name and hdu.shape}


def _wave_of(
    path: Path, prefix: str, images: Mapping[str, Any], reading: Reading
) -> NDArray[np.float64] | None:
    """Wavelengths (n,) in Å of the pixels of the HDU ``<prefix>FLUX``."""
    name = next((n for w in NAMES["wave"] if (n := f"{prefix}{w.upper()}") in images), None)
    if name is not None and len(images[name].shape) == 1:
        unit = images[name].header.get("BUNIT")
        return to_angstrom(path, name.removeprefix(prefix), images[name].data, unit, reading.wave_unit)
    flux = images[f"{prefix}FLUX"]
    return _wave_by_header(path, flux.header, flux.shape[1], reading)


def _column(table: Any, *names: str) -> Any:
    return next((table[name] for name in names if name in table.dtype.names), None)


def lamost_rows(path: Path, hdus: fits.HDUList, reading: Reading) -> Spectra | None:
    """LAMOST to DR7: rows of the first image."""
    hdu = hdus[0]
    if len(hdu.shape) != 2 or hdu.shape[0] != 5:
        return None
    if "LAMOST" not in f"{hdu.header.get('TELESCOP', '')} {hdu.header.get('ORIGIN', '')}":
        return None
    flux, ivar, wave, mask, _ = hdu.data
    if not (np.diff(wave) > 0).all():  # the pilot survey kept another row there
        wave = 10 ** (float(hdu.header["COEFF0"]) + float(hdu.header["COEFF1"]) * np.arange(len(flux)))

    def read(row: int) -> list[Arm]:
        return [make_arm(path, reading, wave=wave, flux=flux, ivar=ivar, mask=mask)]

    return Spectra("LAMOST image", 1, read, position=_position(hdus), unit=hdu.header.get("BUNIT"))


def tables(path: Path, hdus: fits.HDUList, reading: Reading) -> Spectra | None:
    """SDSS, LAMOST from DR8, and any table with columns of wavelength and flux; the first such table is taken."""
    found = []
    for number, hdu in enumerate(hdus):
        if not hasattr(hdu, "columns") or not _meant(hdu, number, reading):
            continue
        columns = {
            c.name: (hdu.data[c.name], c.unit or "") for c in hdu.columns if _interesting(c.name, reading)
        }
        header = dict(hdus[0].header) | dict(hdu.header)
        spectra = from_columns(path, columns, reading, header)
        if spectra is not None:
            found.append((hdu.name, spectra))
            if hdu.name not in ARMS:
                break
    if not found:
        return None
    parts = [s for name, s in found if name in ARMS] or [found[0][1]]
    first = parts[0]

    def read(row: int) -> list[Arm]:
        return [arm for part in parts for arm in part.arms(row)]

    position = first.position if first.many else _position(hdus)
    return Spectra(first.layout, first.n, read, first.many, first.ids, position, first.unit)


def _interesting(name: str, reading: Reading) -> bool:
    asked = {getattr(reading, key) for key in NAMES}
    known = {n for names in NAMES.values() for n in names} | {"ra", "dec", "id", "targetid"}
    return name in asked or name.lower() in known


def _meant(hdu: Any, number: int, reading: Reading) -> bool:
    if reading.hdu is None:
        return True
    return str(reading.hdu) == str(number) or str(reading.hdu).upper() == hdu.name.upper()


def from_columns(path: Path, columns: Columns, reading: Reading, header: Mapping[str, Any]) -> Spectra | None:
    """A table: one spectrum with a pixel a row, or one spectrum a row where the columns hold vectors."""
    of = {key: _named(path, columns, key, reading) for key in NAMES}
    if of["wave"] is None or of["flux"] is None:
        return None
    flux, unit = columns[of["flux"]]
    vectors = np.ndim(flux) > 1 or np.asarray(flux).dtype.kind == "O"
    air = str(header.get("AIRORVAC", "")).lower().startswith("air") or header.get("VACUUM") in (False, "F")

    def read(row: int) -> list[Arm]:
        picked = {
            k: (columns[n][0][row] if vectors else columns[n][0]) for k, n in of.items() if n is not None
        }
        name = str(of["wave"])
        picked["wave"] = to_angstrom(path, name, picked["wave"], columns[name][1], reading.wave_unit)
        return [make_arm(path, reading, air=air, **picked)]

    lower = {name.lower(): name for name in columns}
    many = vectors and len(flux) > 1
    id_column = next((lower[n] for n in ("id", "targetid") if n in lower), None)
    ids = [str(i) for i in columns[id_column][0]] if many and id_column else None
    position = None
    if many and {"ra", "dec"} <= set(lower):
        position = np.stack([np.asarray(columns[lower[n]][0], np.float64) for n in ("ra", "dec")], 1)
    kind = "table, a spectrum a row" if many else "table"
    return Spectra(kind, len(flux) if vectors else 1, read, many, ids, position, unit or None)


def _named(path: Path, columns: Columns, key: str, reading: Reading) -> str | None:
    """The column for ``key``: the one asked for, or one of a usual name."""
    asked = getattr(reading, key)
    if asked is not None:
        if asked not in columns:
            raise DataError(
                f"{path} has no column {asked!r}; its columns are {listed(list(columns), most=30)}; choose one with "
                f"data.{key}=<column>."
            )
        return str(asked)
    lower = {name.lower(): name for name in reversed(list(columns))}
    return next((lower[name] for name in NAMES[key] if name in lower), None)


def image(path: Path, hdus: fits.HDUList, reading: Reading) -> Spectra | None:
    """A 1-D image with wavelengths in its header, and beside it images of its inverse variance, error or mask."""
    images = {i: h for i, h in enumerate(hdus) if not hasattr(h, "columns") and h.shape}
    chosen = next((h for i, h in images.items() if _meant(h, i, reading)), None)
    if chosen is None or _wave_by_header(path, chosen.header, 2, reading) is None:
        return None
    flux = np.squeeze(chosen.data)
    if flux.ndim != 1:
        raise DataError(
            f"{path}: an image of {' × '.join(map(str, chosen.shape))} with wavelengths along its rows; which row is "
            "the spectrum is not known; write one spectrum a file."
        )
    wave = _wave_by_header(path, chosen.header, len(flux), reading)
    of: dict[str, NDArray[Any]] = {}
    for key in ("ivar", "error", "mask"):
        names = (str(getattr(reading, key)).lower(),) if getattr(reading, key) is not None else NAMES[key]
        hdu = next((h for h in images.values() if h.name.lower() in names and h is not chosen), None)
        if hdu is not None:
            of[key] = np.squeeze(hdu.data)

    def read(row: int) -> list[Arm]:
        air = (
            str(chosen.header.get("CTYPE1", "")).startswith("AWAV") or chosen.header.get("AIRORVAC") == "air"
        )
        return [make_arm(path, reading, wave=wave, flux=flux, air=air, **of)]

    return Spectra("image", 1, read, position=_position(hdus), unit=chosen.header.get("BUNIT"))


def _wave_by_header(path: Path, header: Any, n: int, reading: Reading) -> NDArray[np.float64] | None:
    """Wavelengths (n,) in Å of the pixels along axis 1; None where the header gives none.

    Linear, log-linear as IRAF writes it (DC-FLAG = 1, or COEFF0 and COEFF1 of SDSS: the logarithm of Å), and
    WAVE-LOG (Greisen et al. 2006, A&A 446, 747, eq. 5): λ = λ_r exp(w / λ_r).
    """
    pixel = np.arange(n) + 1 - float(header.get("CRPIX1", 0.0))  # the standard's default
    if "COEFF0" in header and "COEFF1" in header:
        return np.asarray(10 ** (float(header["COEFF0"]) + float(header["COEFF1"]) * np.arange(n)))
    step = header.get("CD1_1", header.get("CDELT1"))
    kind, start = str(header.get("CTYPE1", "")).strip().upper(), header.get("CRVAL1")
    if step is None or start is None or not math.isfinite(float(step)) or kind not in (*LINEAR, *LOGARITHMIC):
        return None
    start, offset = float(start), pixel * float(step)
    if header.get("DC-FLAG") == 1:
        return np.asarray(10 ** (start + offset))
    values = start * np.exp(offset / start) if kind in LOGARITHMIC else start + offset
    unit = str(header.get("CUNIT1", "") or "")
    if not unit and kind in ("WAVE", "AWAV", *LOGARITHMIC):
        unit = "m"  # the standard's unit of wavelength
        if start >= 1:  # 5000 m: written without heed of the standard
            unit = ""
    return to_angstrom(path, "CRVAL1", values, unit, reading.wave_unit)


def _position(hdus: Sequence[Any]) -> NDArray[np.float64] | None:
    """Position of the one object by the headers, (1, 2) degrees."""
    for header in [hdu.header for hdu in hdus[:2]]:
        for names in POSITIONS:
            values = [header.get(name) for name in names]
            if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
                return np.array([values], dtype=np.float64)
    return None


LAYOUTS: tuple[Callable[[Path, Any, Reading], Spectra | None], ...] = (
    many_fibres,
    lamost_rows,
    tables,
    image,
)
