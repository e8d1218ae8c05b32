"""Coefficients of Galactic extinction for the features of a table."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, choose, listed
from astrocnn.functional.extinction import SURVEYS

__all__ = ["coefficients"]


def coefficients(
    given: str | Mapping[str, float] | Sequence[float] | None, features: Sequence[str]
) -> NDArray[np.float64]:
    """A_b / E(B−V) of each feature (F,).

    Args:
        given: a survey, whose bands are recognised in the features' names; a number for each feature, by name or
            in their order (0 leaves a feature as it is).
        features: names of columns.

    Raises:
        ConfigError: nothing is given, a survey is not known, or a feature has no coefficient.
    """
    if given is None:
        raise ConfigError(
            "data.extinction names a column, but no coefficients are given: data.extinction_coefficients="
            f"{' | '.join(SURVEYS)}, or one A_b/E(B-V) for each feature."
        )
    if isinstance(given, str):
        survey = choose("data.extinction_coefficients", given, SURVEYS)
        found = [_of_band(name, survey) for name in features]
    elif isinstance(given, Mapping):
        found = [given.get(name) for name in features]
    else:
        found = list(given) if len(given) == len(features) else [None] * len(features)
    without = [name for name, value in zip(features, found, strict=True) if value is None]
    if without:
        raise ConfigError(
            f"data.extinction_coefficients={given if isinstance(given, str) else dict.fromkeys(without)} gives none "
            f"for {listed(without, most=12)}; give a number for each of the {len(features)} features, "
            f"as {{{features[0]}: 3.2}}; 0 leaves one as it is."
        )
    return np.array(found, dtype=np.float64)


def _of_band(name: str, survey: Mapping[str, float]) -> float | None:
    """The coefficient of the only band of the survey that is a word of ``name``."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    found = {word for word in words if word in survey}
    if not found:
        either = {band.swapcase(): band for band in survey}
        found = {either[word] for word in words if word in either}
    return survey[found.pop()] if len(found) == 1 else None
