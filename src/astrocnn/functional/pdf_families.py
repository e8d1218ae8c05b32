"""The families of densities by name, and densities back from a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.errors import DataError, choose, listed
from astrocnn.functional.bounded_mixtures import LogitNormalMixture, LogNormalMixture
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.pdf import PDF
from astrocnn.functional.piecewise import Histogram, Quantiles

__all__ = ["FAMILIES", "read_pdf"]

FAMILIES: dict[str, type[PDF]] = {
    kind.family: kind
    for kind in (GaussianMixture, LogNormalMixture, LogitNormalMixture, Histogram, Quantiles)
}


def read_pdf(columns: Mapping[str, NDArray[Any] | Tensor], description: Mapping[str, Any]) -> PDF:
    """Densities, in double precision, from the columns of a table.

    Args:
        columns: those of :meth:`PDF.columns`, (N, ...) each, and any others.
        description: :attr:`PDF.description`: 'family' and its options.

    Raises:
        ConfigError: a family that does not exist.
        DataError: a column is missing.
    """
    options = dict(description)
    kind = choose("pdf", str(options.pop("family", None)), dict(FAMILIES))
    numbers = {
        name: torch.from_numpy(np.array(values, np.float64))
        for name, values in columns.items()
        if name.startswith("pdf_")
    }
    try:
        return kind.from_columns(numbers, **options)
    except KeyError as error:
        raise DataError(
            f"densities of the family {kind.family!r} need the column {error}, and the table has "
            f"{listed(list(columns), most=20)}."
        ) from None
