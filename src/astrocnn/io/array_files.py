"""NumPy files with one image each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, reason
from astrocnn.io.float32 import to_float32
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.stack import by, grid_shape, on_grid

__all__ = ["SUFFIX", "probe", "read"]

SUFFIX = ".npy"


def probe(path: str, *, channels: str | None = None) -> SampleInfo:
    """The shape of the image in ``path``, without reading its values.

    Args:
        path: an ``.npy`` file of (H, W), (C, H, W) or (H, W, C).
        channels: 'first' or 'last'; None finds out, as :func:`astrocnn.io.stack.grid_shape` does.

    Raises:
        DataError: the file cannot be read, or holds no image.
    """
    with _opened(path) as values:
        return SampleInfo(grid_shape(values.shape, channels, path))


def read(path: str, *, channels: str | None = None) -> Sample:
    """The image in ``path``; values that are NaN or infinite are not valid. Arguments as in :func:`probe`.

    Raises:
        DataError: as in :func:`probe`; or no pixel is valid, or the values do not fit into float32.
    """
    with _opened(path) as values:
        grid = grid_shape(values.shape, channels, path)
        flux = np.ascontiguousarray(on_grid(np.asarray(values), grid))  # (C, H, W)
    try:
        single = flux.astype(np.float32) if flux.dtype.itemsize < 4 else to_float32(flux.astype(np.float64))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    valid = np.isfinite(single)
    if not valid.any():
        raise DataError(
            f"{path}: no pixel is valid (all NaN); leave the object out, or set data.on_bad=skip."
        )
    single[~valid] = 0
    return Sample(SampleInfo(grid), single, valid)


@contextmanager
def _opened(path: str) -> Iterator[NDArray[Any]]:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header makes numpy raise nearly every kind
        raise DataError(
            f"{path} cannot be read: {reason(error)}; check that it is a whole .npy file."
        ) from error
    if values.dtype.kind not in "fiub" or values.ndim not in (2, 3) or 0 in values.shape:
        raise DataError(
            f"{path} holds {by(values.shape)} values of type {values.dtype}; an image is rows × columns of numbers, "
            "with bands first or last; set data.stacked=true where the first axis counts the objects."
        )
    yield values
