"""Which columns of a table are the photometry: named, by a pattern, or by the names that catalogues use."""

import re
from collections.abc import Sequence

import numpy as np
from astropy.table import Column, Table
from numpy.typing import NDArray

from astrocnn.datasets.missing import known, sentinels
from astrocnn.errors import DataError, listed

__all__ = ["find_errors", "find_features", "magnitude_and_colour"]

BANDS = (*("FUV", "NUV"), *"uUBgGVrRiIzZyYJHK", *("Ks", "W1", "W2", "W3", "W4"))
"""In the order of wavelength, in which features found by name stand."""
COLOURS = (("g", "i"), ("g", "z"), ("r", "z"), ("g", "r"))
ERRORS = re.compile(r"err|sigma|unc|ivar|std|^e_|_e$|flag|quality", re.IGNORECASE)
WORDS = {"magnitude": re.compile("mag", re.IGNORECASE), "flux": re.compile("flux", re.IGNORECASE)}
ANY = "|".join(sorted(BANDS, key=len, reverse=True))
WORD = re.compile(f"({ANY})|({ANY})(?i:mag|flux)|(?i:mag|flux)({ANY})")  # g, gmag (VizieR), magG


def find_features(
    wanted: Sequence[str] | str | None,
    columns: Sequence[str],
    *,
    quantity: str,
    source: object,
    option: str = "data.features",
) -> list[str]:
    """The columns that are features.

    Args:
        wanted: names; or a pattern in which * stands for a band (letters and digits, no '_'); None looks for the
            largest family of columns whose names differ in the band alone, as mag_u_lsst, mag_g_lsst, ...
        columns: those of the table.
        quantity: 'magnitude' or 'flux': what such names contain.
        source: the table, for messages.
        option: which option asks for them.

    Raises:
        DataError: a pattern matches nothing, or no family is found, or two that are equally large.
    """
    if wanted is None:
        family = _largest_family(columns, quantity, source)
        return [family[band] for band in _by_wavelength(family)]
    if not isinstance(wanted, str):
        return [str(name) for name in wanted]
    if "*" not in wanted:
        return [wanted]
    matched = _matched(wanted, columns)
    if not matched:
        raise DataError(
            f"no column of {source} matches {option}={wanted!r} (* stands for letters and digits, not for "
            f"'_'); its columns are {listed(columns, most=30)}."
        )
    return [matched[band] for band in _by_wavelength(matched)]


def find_errors(
    wanted: Sequence[str] | str | None,
    features: Sequence[str],
    pattern: Sequence[str] | str | None,
    columns: Sequence[str],
    *,
    option: str,
    source: object,
) -> list[str] | None:
    """The columns that hold the features' errors (or limits), in the features' order; None where none are wanted.

    Args:
        wanted: one name a feature; or a pattern in which * stands for the feature's band.
        features: the columns whose errors they are.
        pattern: of the features, if a pattern found them.
        columns: those of the table.
        option: which option asks for them: data.errors or data.limits.
        source: the table, for messages.

    Raises:
        DataError: not one column a feature.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        names = [str(name) for name in wanted]
        if len(names) != len(features):
            raise DataError(
                f"{option} names {len(names)} columns for {len(features)} features "
                f"({listed(features, most=12)}); give one for each, in their order."
            )
        return names
    if "*" not in wanted:
        if len(features) == 1:
            return [wanted]
        raise DataError(
            f"{option}={wanted!r} is one column for {len(features)} features ({listed(features, most=12)}); give a "
            "pattern with * for the band, or a list with one for each."
        )
    matched = _matched(wanted, columns)
    bands = [_band_of(name, pattern) for name in features]
    missing = [name for name, band in zip(features, bands, strict=True) if band not in matched]
    if missing:
        raise DataError(
            f"{option}={wanted!r} gives no column of {source} for {listed(missing, most=12)} (it matches "
            f"{listed(list(matched.values()), most=12) or 'none'}); give a list with one for each feature."
        )
    return [matched[str(band)] for band in bands]


def magnitude_and_colour(table: Table, preferred: Sequence[str] = ()) -> dict[str, NDArray[np.float64]]:
    """A magnitude and a colour (N,) by their names, NaN where not measured: i and g − i, or the bands that there are.

    The columns are those whose names differ in the band alone, as mag_g and mag_r; nothing where there are none.

    Args:
        table: of N objects.
        preferred: names of columns among which is looked first.
    """
    for names in ([name for name in preferred if name in table.colnames], table.colnames):
        try:
            family = _largest_family(names, "magnitude", "the table")
        except DataError:
            continue
        bands = _by_wavelength(family)
        middle = next((band for band in "irz" if band in family), bands[len(bands) // 2])
        blue, red = next((pair for pair in COLOURS if set(pair) <= set(family)), (bands[0], bands[-1]))
        values = {band: _measured(table[family[band]]) for band in (middle, blue, red)}
        return {family[middle]: values[middle], f"{blue} − {red}": values[blue] - values[red]}
    return {}


def _measured(column: Column) -> NDArray[np.float64]:
    values = np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
    return np.where(known(values, sentinels("magnitude", None)), values, np.nan)


def _matched(pattern: str, columns: Sequence[str]) -> dict[str, str]:
    """{what * stands for: column}, in the table's order."""
    expression = re.compile("([A-Za-z0-9]+)".join(re.escape(part) for part in pattern.split("*", 1)))
    hits = [(hit, name) for name in columns if (hit := expression.fullmatch(name))]
    return {hit[1]: name for hit, name in hits}


def _by_wavelength(bands: Sequence[str] | dict[str, str]) -> list[str]:
    """In the order of wavelength where all are known bands; else as they come."""
    names = list(bands)
    return sorted(names, key=BANDS.index) if set(names) <= set(BANDS) else names


def _band_of(name: str, pattern: Sequence[str] | str | None) -> str | None:
    """What tells this feature from the others: what * stood for, or the only word that is a band."""
    if isinstance(pattern, str) and "*" in pattern:
        return next(iter(_matched(pattern, [name])), None)
    found = {band for _, band in _bands_in(name)}
    return found.pop() if len(found) == 1 else None


def _bands_in(name: str) -> list[tuple[str, str]]:
    """(the name with * for the band, band) of each word of a name that is a band."""
    words = re.split(r"([^A-Za-z0-9]+)", name)
    found = []
    for i, word in enumerate(words):
        if hit := WORD.fullmatch(word):
            start, end = next(span for span in hit.regs[1:] if span != (-1, -1))
            masked = f"{word[:start]}*{word[end:]}"
            found.append(("".join([*words[:i], masked, *words[i + 1 :]]), word[start:end]))
    return found


def _largest_family(columns: Sequence[str], quantity: str, source: object) -> dict[str, str]:
    """{band: column}."""
    families: dict[str, dict[str, str]] = {}
    for name in columns:
        if not ERRORS.search(name) and (name in BANDS or WORDS[quantity].search(name)):
            for family, band in _bands_in(name):
                families.setdefault(family, {})[band] = name
    sizes = sorted((len(members) for members in families.values()), reverse=True)
    if not sizes or sizes[0] < 2 or (len(sizes) > 1 and sizes[0] == sizes[1]):
        several = [name for name, members in families.items() if sizes and len(members) == sizes[0]]
        found = f"several fit equally well ({listed(several)})" if len(several) > 1 else "none is found"
        raise DataError(
            f"which columns of {source} are the {quantity}s? Looking for names that differ in the band alone, as "
            f"mag_g and mag_r, {found}; name them with data.features=[...] or data.features='mag_*'; its columns "
            f"are {listed(columns, most=30)}."
        )
    return max(families.values(), key=len)
