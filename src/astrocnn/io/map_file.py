"""Maps that have been written, read in windows."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError
from astrocnn.io.tiles import image_hdus
from astrocnn.io.windows import OpenImage

__all__ = ["MapFile"]


class MapFile:
    """A file of :func:`~astrocnn.io.map_writer.write_maps`, open; use it in a ``with`` statement, in one thread."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        """Open the planes ``names`` of the file. Raises a :class:`DataError` where one is not there."""
        hdus = {hdu.name: hdu for hdu in image_hdus(path, lambda found: [hdu for hdu, _ in found])}
        missing = [name for name in names if name not in hdus]
        if missing:
            raise DataError(
                f"{path} has no map {missing[0]}; it is not what this run wrote; give another output=..."
            )
        with ExitStack() as stack:
            self._images = {name: stack.enter_context(OpenImage(path, hdus[name])) for name in names}
            self._stack = stack.pop_all()

    def __enter__(self) -> "MapFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def read(self, names: Sequence[str], top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
        """A window (len(names), bottom − top, right − left) of these planes."""
        box = np.array([[top, bottom, left, right]])
        parts = []
        for name in names:
            (part,) = self._images[name].windows(box)
            if isinstance(part, DataError):
                raise part
            parts.append(part.astype(part.dtype.newbyteorder("="), copy=False))
        return np.stack(parts)
