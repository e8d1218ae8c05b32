"""Volumes held as files: one FITS file a volume, an HDU of three axes for each of its channels."""

import os
from typing import Any

from astrocnn.datasets.patterns import found
from astrocnn.datasets.source import Source, Words, without_suffix
from astrocnn.errors import DataError, listed
from astrocnn.io import fits
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.select import HDUS, Walk, with_hdus

__all__ = ["VolumeFiles"]


class VolumeFiles(Source):
    """The volumes whose files match ``volumes``, sorted by path.

    Args:
        volumes: a glob pattern, one file a volume; its id is what the last ``*`` matched, without suffixes of FITS.
        hdu: names or numbers of the HDUs that hold the channels, in their order; None takes every one of three axes.
        option: what the pattern is called in messages.

    Raises:
        DataError: no file matches.
    """

    words = Words("volume", "volumes", "voxel", "data.volumes")
    own_files = True

    def __init__(self, volumes: str, *, hdu: HDUS = None, option: str = "data.volumes") -> None:
        self.hdu, self.option = hdu, option
        files = found(volumes, option)
        self.ids = [without_suffix(key[-1]) or without_suffix(os.path.basename(path)) for key, path in files]
        self.paths = [(path,) for _, path in files]
        self.incomplete: list[tuple[str, str]] = []

    @property
    def options(self) -> dict[str, Any]:
        return {"hdu": self.hdu}

    def probe(self, number: int) -> SampleInfo:
        """The headers of volume ``number``: (C, D, H, W), named by its HDUs."""
        return self._channels(number)[0]

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """The voxels of volume ``number``."""
        del sky  # a volume has no place on it
        info, hdus = self._channels(number)
        planes = fits.read(self.paths[number][0], hdu=hdus, sky=False)  # (C*D, H, W)
        return Sample(info, planes.flux.reshape(info.shape), planes.valid.reshape(info.shape))

    def _channels(self, number: int) -> tuple[SampleInfo, list[int]]:
        path = self.paths[number][0]

        def use(walk: Walk) -> tuple[SampleInfo, list[int]]:
            if self.hdu is None:
                chosen = [hdu for hdu in walk.every() if len(hdu.shape) == 3]
            else:
                chosen = walk.select(self.hdu, f"{self.option.removesuffix('.files')}.hdu")
            shapes = {hdu.shape for hdu in chosen}
            if len(shapes) != 1 or len(next(iter(shapes))) != 3:
                each = [
                    f"{hdu.label}: {' × '.join(map(str, hdu.shape)) or 'no image'}"
                    for hdu in chosen or walk.every()
                ]
                raise DataError(
                    f"{path} holds no volume whose channels are HDUs of three axes and one size; it has "
                    f"{listed(each, most=8)}; write one HDU a channel, or choose among them with data.hdu=[...]."
                )
            names = [hdu.name.strip() for hdu in chosen]
            named = all(names) and len(set(names)) == len(names)
            units = tuple(str(hdu.header.get("BUNIT") or "").strip() or None for hdu in chosen)
            shape = (len(chosen), *next(iter(shapes)))
            info = SampleInfo(shape, tuple(names) if named else (), named, unit=units)
            return info, [hdu.number for hdu in chosen]

        return with_hdus(path, use)
