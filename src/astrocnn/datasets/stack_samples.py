"""The arrays of one row of a stack (image, mask, variance) into a sample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError
from astrocnn.io.float32 import Scaling, to_float32
from astrocnn.io.layers import Mask, Variance
from astrocnn.io.quality import good_pixels
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.stack import Row, Stack, by, on_grid
from astrocnn.io.variance import to_variance

__all__ = ["RowSamples"]


class RowSamples:
    """Called with the number of a row and its arrays, it gives the sample, or why it cannot be used.

    Args:
        images: the stacks of the images, one for all bands or one a band.
        layers: those of the ``mask`` and the ``variance``.
        grids: (C, H, W) of a row of each stack.
        info: of every sample.
        mask, variance: what these layers hold.
        factor: (C, 1, 1), what each plane is multiplied with; None for nothing.
    """

    def __init__(
        self,
        images: Sequence[Stack],
        layers: Mapping[str, Sequence[Stack]],
        grids: Mapping[Stack, tuple[int, int, int]],
        *,
        info: SampleInfo,
        mask: Mask | None,
        variance: Variance | None,
        factor: NDArray[np.float64] | None,
    ) -> None:
        self.images, self.layers, self.grids, self.info = images, layers, grids, info
        self.mask, self.variance, self.factor = mask, variance, factor

    def __call__(self, row: int, parts: Sequence[Row]) -> Sample | DataError:
        bad = next((part for part in parts if isinstance(part, DataError)), None)
        if bad is not None:
            return DataError(f"row {row}: {bad}")
        try:
            sample = self._sample([part for part in parts if not isinstance(part, DataError)])
        except DataError as error:
            return DataError(f"{self.images[0].label}, row {row}: {error}")
        if not sample.valid.any():
            return DataError(
                f"{self.images[0].label}, row {row}: no pixel is valid (all NaN, masked, or without a variance); "
                "leave the object out, or set data.on_bad=skip."
            )
        if not sample.valid.all():
            sample.flux[~sample.valid] = 0
            if sample.variance is not None:
                sample.variance[~sample.valid] = 0
        return sample

    def _sample(self, arrays: list[NDArray[Any]]) -> Sample:
        left = iter(arrays)
        flux = np.concatenate([self._values(stack, next(left)) for stack in self.images])  # (C, H, W)
        exact = flux.dtype == np.float32
        if self.factor is not None:
            flux = flux * self.factor
        single = flux if flux.dtype == np.float32 else to_float32(flux, exact=exact)
        valid = np.isfinite(single)
        if self.mask is not None:
            stacks = self.layers["mask"]
            good = [good_pixels(self._grid(s, next(left)), s.header, self.mask.bits) for s in stacks]
            valid &= np.concatenate(good)  # (C, H, W) or (1, H, W)
        if self.variance is None:
            return Sample(self.info, single, valid)
        noise, known = to_variance(
            np.concatenate([self._values(stack, next(left)) for stack in self.layers["variance"]]),
            self.variance.kind,
            factor=1.0 if self.factor is None else self.factor,
        )
        return Sample(self.info, single, valid & known, noise)

    def _values(self, stack: Stack, row: NDArray[Any]) -> NDArray[Any]:
        """Physical values (C, H, W): float32 where that loses nothing, else float64."""
        scaling = Scaling.of(stack.header)
        exact = (row.dtype.kind == "f" and row.dtype.itemsize <= 4) or row.dtype.itemsize == 1
        if exact and scaling.linear and scaling.blank is None:
            return self._grid(stack, row).astype(np.float32)
        return self._grid(stack, scaling.physical(row))

    def _grid(self, stack: Stack, row: NDArray[Any]) -> NDArray[Any]:
        """A row as (C, H, W)."""
        if row.shape != stack.shape[1:]:
            raise DataError(f"it is {by(row.shape)} but the others are {by(stack.shape[1:])}.")
        return on_grid(row, self.grids[stack])
