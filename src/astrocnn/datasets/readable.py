"""A first look at the files of a set, some of which may be damaged: what cannot be read is passed over."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from astrocnn.errors import DataError

__all__ = ["readable", "spread"]

T = TypeVar("T")
N_PROBED = 16
# a wrong option, which no file can be read with, is told before all of a large set are tried
MOST_TRIED = 256


def readable(look: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
    """What ``look`` finds in each of ``numbers`` that can be read; packing, or joining, lists the others.

    Raises:
        DataError: none can be read; the first one's.
    """
    first: DataError | None = None
    some = False
    for number in numbers:
        try:
            found = look(number)
        except DataError as error:
            first = first or error
            continue
        some = True
        yield found
    if first is not None and not some:
        raise first


def spread(n: int) -> list[int]:
    """Which of ``n`` objects to look at, in this order: the first, others up to 16 spread over the set, then more."""
    near, far = (np.unique(np.linspace(0, n - 1, most).astype(int)) for most in (N_PROBED, MOST_TRIED))
    return list(dict.fromkeys([*near.tolist(), *far.tolist()]))
