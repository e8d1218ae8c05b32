"""Cutouts held as FITS files: one file an object, or one file an object and band."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from astrocnn.datasets.patterns import found
from astrocnn.datasets.source import Source, without_suffix
from astrocnn.errors import DataError, listed
from astrocnn.io.fits import HDUS, probe, read
from astrocnn.io.sample import Sample, SampleInfo

__all__ = ["CutoutFiles"]


class CutoutFiles(Source):
    """The objects whose cutouts match ``images``, sorted by path.

    Args:
        images: a glob pattern (one file an object), or a mapping from band to pattern (one file an object and
            band). An object's id is what the last ``*`` matched, without suffixes of FITS. Where the patterns
            of all bands have equally many wildcards, the files of an object agree in what each one matched.
        hdu: which HDU holds the image, as in :func:`astrocnn.io.fits.read`.
        variance_hdu: which HDU holds the variance, if any.

    Attributes:
        bands: the mapping's keys; None for one file an object.

    Raises:
        DataError: a pattern matches nothing.
    """

    def __init__(
        self, images: str | Mapping[str, str], *, hdu: HDUS = None, variance_hdu: HDUS = None
    ) -> None:
        self.images, self.hdu, self.variance_hdu = images, hdu, variance_hdu
        self.bands = tuple(str(band) for band in images) if isinstance(images, Mapping) else None
        patterns = [str(p) for p in images.values()] if isinstance(images, Mapping) else [str(images)]
        if not patterns:
            raise DataError("data.images={} is empty; give a pattern, or one pattern a band.")
        matches = [found(pattern, "data.images") for pattern in patterns]
        self.incomplete: list[tuple[str, str]] = []
        paths: list[tuple[str, tuple[str, ...]]]
        paths = (
            [(key[-1], (path,)) for key, path in matches[0]] if self.bands is None else self._joined(matches)
        )
        paths.sort(key=lambda item: item[1])
        self.ids = [without_suffix(key) or without_suffix(os.path.basename(files[0])) for key, files in paths]
        self.paths = [files for _, files in paths]

    def _joined(self, matches: list[list[tuple[tuple[str, ...], str]]]) -> list[tuple[str, tuple[str, ...]]]:
        whole = len({len(files[0][0]) for files in matches}) == 1
        tables: list[dict[tuple[str, ...], str]] = []
        for files in matches:
            table: dict[tuple[str, ...], str] = {}
            for key, path in files:
                key = key if whole else key[-1:]
                if key in table:
                    raise DataError(
                        f"{table[key]} and {path} are of the same object ({key[-1]}) and band; "
                        "make the pattern narrower (data.images)."
                    )
                table[key] = path
            tables.append(table)
        joined = []
        for key in sorted(set().union(*tables)):
            missing = [band for band, table in zip(self.bands or (), tables, strict=True) if key not in table]
            if missing:
                self.incomplete.append((key[-1], f"no image in band {listed(missing)}"))
            else:
                joined.append((key[-1], tuple(table[key] for table in tables)))
        if not joined:
            raise DataError(
                f"no object has an image in every band {listed(self.bands or ())}: what the last * matches "
                f"differs ({listed([next(iter(table))[-1] for table in tables])}); "
                "place the last * of each pattern at the object's name (data.images)."
            )
        return joined

    @property
    def options(self) -> dict[str, Any]:
        return {"hdu": self.hdu, "variance_hdu": self.variance_hdu, "by_band": self.bands}

    @property
    def has_variance(self) -> bool:
        return self.variance_hdu is not None

    def probe(self, number: int) -> SampleInfo:
        """The headers of object ``number``, of all its bands."""
        infos = [probe(path, hdu=self.hdu, variance_hdu=self.variance_hdu) for path in self.paths[number]]
        return infos[0] if self.bands is None else self._stacked(number, infos)

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """The pixels of object ``number``, bands stacked."""
        parts = [
            read(path, hdu=self.hdu, variance_hdu=self.variance_hdu, sky=sky) for path in self.paths[number]
        ]
        if self.bands is None:
            return parts[0]
        info = self._stacked(number, [part.info for part in parts])
        variances = [part.variance for part in parts if part.variance is not None]
        return Sample(
            info,
            np.concatenate([part.flux for part in parts]),  # (C, H, W)
            np.concatenate([part.valid for part in parts]),
            np.concatenate(variances) if variances else None,
        )

    def _stacked(self, number: int, infos: list[SampleInfo]) -> SampleInfo:
        for path, info in zip(self.paths[number], infos, strict=True):
            if info.shape[0] != 1:
                raise DataError(
                    f"{path} holds {info.shape[0]} planes; with one file a band (data.images as a mapping) "
                    "each must hold one; give a single pattern for files with several planes."
                )
            if info.shape != infos[0].shape:
                raise DataError(
                    f"{path} is {info.shape[1]} × {info.shape[2]} pixels but {self.paths[number][0]} is "
                    f"{infos[0].shape[1]} × {infos[0].shape[2]}; all bands of an object need one pixel grid."
                )
        first = infos[0]
        shape = (len(infos), *first.shape[1:])
        return SampleInfo(
            shape, self.bands or (), True, first.ra, first.dec, first.pixel_scale_arcsec, first.unit
        )
