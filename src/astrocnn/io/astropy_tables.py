"""The formats of tables that astropy reads and writes for us: FITS, VOTable and ECSV."""

from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.io.votable import from_table, parse
from astropy.io.votable.tree import Param
from astropy.table import Table

from astrocnn.errors import DataError, listed
from astrocnn.io.hdus import astropy_file

__all__ = ["read_ecsv", "read_fits", "read_votable", "write_ecsv", "write_fits", "write_votable"]


def read_fits(path: Path, part: str | None) -> Table:
    """The first table of the file, or the one in the HDU that ``part`` names or numbers."""
    labels = []
    with astropy_file(path) as hdus:
        for number, hdu in enumerate(hdus):  # no further than the table: what follows it may be no HDU
            if not isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)):
                continue
            if part is None or part in (str(number), hdu.name) or part.upper() == hdu.name:
                return Table.read(
                    hdu, format="fits", character_as_bytes=False, unit_parse_strict="silent", memmap=False
                )
            labels.append(f"{number} ({hdu.name})" if hdu.name else str(number))
        if not labels:
            raise DataError(
                f"{path} holds no table, only images; give the catalogue's file (data.catalog=...)."
            )
        raise DataError(f"{path} holds no table {part!r}; its tables are the HDUs {listed(labels, most=12)}.")


def write_fits(table: Table, path: Path, header: dict[str, Any]) -> None:
    """A binary table CATALOG; ``header`` becomes keywords."""
    copy = Table(table, copy=False)
    copy.meta = {}
    hdu = fits.table_to_hdu(copy)
    hdu.name = "CATALOG"
    for key, value in header.items():
        if value is not None:
            hdu.header[key if len(key) <= 8 else f"HIERARCH {key}"] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def read_votable(path: Path, part: str | None) -> Table:
    """The only table of the file, or the one that ``part`` names (NAME or ID) or numbers (from 0)."""
    document = parse(path, verify="ignore", columns=None)
    tables = list(document.iter_tables())
    labels = [f"{i} ({t.name or t.ID})" if t.name or t.ID else str(i) for i, t in enumerate(tables)]
    if part is not None:
        tables = [t for i, t in enumerate(tables) if part in (str(i), t.name, t.ID)]
    if not tables:
        what = "no table" if part is None else f"no table {part!r}"
        raise DataError(f"{path} holds {what}; its tables are {listed(labels, most=12) or 'none'}.")
    if len(tables) > 1:
        raise DataError(
            f"{path} holds {len(tables)} tables: {listed(labels, most=12)}; choose one with {path}::0"
        )
    table = tables[0].to_table(use_names_over_ids=True)
    table.meta = {param.name: param.value for param in tables[0].params}
    return table


def write_votable(table: Table, path: Path, header: dict[str, Any]) -> None:
    """VOTable 1.4 in TABLEDATA, which every reader knows; ``header`` becomes PARAM elements of the table."""
    copy = Table(table, copy=False)
    copy.meta = {}
    document = from_table(copy)
    content = next(document.iter_tables())
    content.name = "catalog"
    for key, value in header.items():
        if value is not None:
            content.params.append(Param(document, name=key, ID=key, **_typed(value)))
    document.to_xml(str(path), tabledata_format="tabledata")


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"datatype": "boolean", "value": value}
    if isinstance(value, int):
        return {"datatype": "long", "value": value}
    if isinstance(value, float):
        return {"datatype": "double", "value": value}
    return {"datatype": "unicodeChar", "arraysize": "*", "value": str(value)}


def read_ecsv(path: Path) -> Table:
    """A table whose header says types, units and meta."""
    return Table.read(path, format="ascii.ecsv")


def write_ecsv(table: Table, path: Path, header: dict[str, Any]) -> None:
    """A table with types and units; ``header`` becomes its meta."""
    copy = Table(table, copy=False)
    copy.meta = header
    copy.write(path, format="ascii.ecsv")
