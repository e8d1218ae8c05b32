"""Cutouts held as files: one file an object, or one file an object and band; masks and variances beside them."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from astrocnn.datasets.patterns import by_band, found
from astrocnn.datasets.source import Source, without_suffix
from astrocnn.errors import DataError, listed
from astrocnn.io import array_files, fits, pictures
from astrocnn.io.layers import FluxScale, Mask, Variance
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.select import HDUS

__all__ = ["CutoutFiles"]

Key = tuple[str, ...]


class CutoutFiles(Source):
    """The objects whose cutouts match ``images``, sorted by path.

    Args:
        images: a glob pattern (one file an object), or a mapping from band to pattern (one file an object and
            band). An object's id is what the last ``*`` matched, without suffixes of FITS. Where the patterns
            of all bands have equally many wildcards, the files of an object agree in what each one matched.
        hdu: which HDU holds the image, as in :func:`astrocnn.io.fits.read`.
        mask: where the mask is, if any; its files are one pattern, or one a band, and belong to the object with
            whose images they agree in what the wildcards matched.
        variance: where the variance is, if any, likewise.
        flux: the unit to bring all to; None leaves the values as stored.
        channels: of ``.npy`` files, whether the bands stand 'first' or 'last'; None finds out.
        option, hdu_option: what ``images`` and ``hdu`` are called in messages.

    Attributes:
        bands: the mapping's keys; None for one file an object.
        kind: of the files: 'fits', 'picture' (PNG, JPEG), or 'array' (``.npy``).

    Raises:
        DataError: a pattern matches nothing, or other files than FITS are asked for what only FITS has.
    """

    own_files = True

    def __init__(
        self,
        images: str | Mapping[str, str],
        *,
        hdu: HDUS = None,
        mask: Mask | None = None,
        variance: Variance | None = None,
        flux: FluxScale | None = None,
        channels: str | None = None,
        option: str = "data.images",
        hdu_option: str = "data.hdu",
    ) -> None:
        self.channels, self.option, self.hdu_option = channels, option, hdu_option
        self.images, self.hdu, self.mask, self.variance, self.flux = images, hdu, mask, variance, flux
        self.bands = tuple(str(band) for band in images) if isinstance(images, Mapping) else None
        roles = {"image": by_band(option, images, self.bands)}
        for name, layer in (("mask", mask), ("variance", variance)):
            if layer is not None and layer.files is not None:
                roles[name] = by_band(f"{layer.option}.files", layer.files, self.bands)
        self.incomplete: list[tuple[str, str]] = []
        objects = self._joined(roles)
        objects.sort(key=lambda item: item[1])
        self.ids = [
            without_suffix(key) or without_suffix(os.path.basename(paths[0])) for key, paths in objects
        ]
        self.paths = [paths for _, paths in objects]
        ends = np.cumsum([len(patterns) for patterns in roles.values()]).tolist()
        self._parts = dict(zip(roles, map(slice, [0, *ends], ends), strict=False))
        self.kind = self._kind()

    def _joined(self, roles: Mapping[str, Mapping[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
        """(what the last wildcard matched, paths) of each object that has a file for every pattern."""
        named = [(role, band) for role, patterns in roles.items() for band in patterns]
        files = [found(roles[role][band], self._option(role)) for role, band in named]
        if len(files) == 1:
            return [(key[-1], (path,)) for key, path in files[0]]
        whole = len({len(each[0][0]) for each in files}) == 1
        tables = [
            _by_key(each, whole, self._option(role)) for each, (role, _) in zip(files, named, strict=True)
        ]
        joined = []
        for key in sorted(set().union(*tables)):
            missing: dict[str, list[str]] = {}
            for (role, band), table in zip(named, tables, strict=True):
                if key not in table:
                    missing.setdefault(role, []).append(band)
            if not missing:
                joined.append((key[-1], tuple(table[key] for table in tables)))
            elif "image" not in missing or len(missing["image"]) < len(roles["image"]):
                lacking = [f"no {role}{_of_bands(bands)}" for role, bands in missing.items()]
                self.incomplete.append((key[-1], " and ".join(lacking)))
        if not joined:
            what = f"an image in every band {listed(self.bands)}" if self.bands else "an image"
            others = "".join(f" and a {role}" for role in roles if role != "image")
            raise DataError(
                f"no object has {what}{others}: what the last * matches differs "
                f"({listed([next(iter(table))[-1] for table in tables])}); place the last * of each pattern at "
                f"the object's name ({listed([self._option(role) for role in roles])})."
            )
        return joined

    def _option(self, role: str) -> str:
        return self.option if role == "image" else f"data.{role}.files"

    def _kind(self) -> str:
        """'fits', 'picture' or 'array', which all images are."""
        images = [path for paths in self.paths for path in paths[self._parts["image"]]]
        kinds: dict[str, str] = {}
        for path in images:
            kinds.setdefault(_kind_of(path), path)
        if len(kinds) > 1:
            raise DataError(
                f"{self.option} matches files of different kinds, {listed(list(kinds.values()))}; "
                "give patterns that match one kind."
            )
        kind, path = next(iter(kinds.items()))
        asked = {"hdu": self.hdu, "mask": self.mask, "variance": self.variance, "flux_unit": self.flux}
        named = [f"data.{option}" for option, value in asked.items() if value is not None]
        if kind != "fits" and named:
            raise DataError(
                f"{path} has no HDUs, masks, variances or units of flux, as a FITS file has; leave out "
                f"{listed(named)}, or give FITS files."
            )
        return kind

    @property
    def options(self) -> dict[str, Any]:
        layers = {"mask": self.mask, "variance": self.variance}
        given = {name: asdict(layer) for name, layer in layers.items() if layer is not None}
        if self.flux is not None:
            try:
                given["flux"] = self.flux.key(self.probe(0))
            except DataError:
                given["flux"] = asdict(self.flux)
        return {"hdu": self.hdu, "by_band": self.bands, "channels": self.channels, **given}

    @property
    def has_variance(self) -> bool:
        return self.variance is not None

    def probe(self, number: int) -> SampleInfo:
        """The headers of object ``number``, of all its bands."""
        images, layers = self._files(number)
        if self.kind == "picture":
            infos = [pictures.probe(path) for path in images]
        elif self.kind == "array":
            infos = [array_files.probe(path, channels=self.channels) for path in images]
        else:
            infos = [
                fits.probe(
                    path,
                    hdu=self.hdu,
                    hdu_option=self.hdu_option,
                    mask=self.mask,
                    variance=self.variance,
                    flux=self._flux(i),
                    **layers[i],
                )
                for i, path in enumerate(images)
            ]
        return infos[0] if self.bands is None else self._stacked(number, infos)

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """The pixels of object ``number``, bands stacked."""
        images, layers = self._files(number)
        if self.kind == "picture":
            parts = [pictures.read(path) for path in images]
        elif self.kind == "array":
            parts = [array_files.read(path, channels=self.channels) for path in images]
        else:
            parts = [
                fits.read(
                    path,
                    hdu=self.hdu,
                    hdu_option=self.hdu_option,
                    mask=self.mask,
                    variance=self.variance,
                    flux=self._flux(i),
                    sky=sky,
                    **layers[i],
                )
                for i, path in enumerate(images)
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

    def _files(self, number: int) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
        """The images of an object, and for each of them the files of its mask and variance."""
        paths = self.paths[number]
        images = paths[self._parts["image"]]
        others: list[dict[str, Any]] = [{} for _ in images]
        for role in ("mask", "variance"):
            if role in self._parts:
                given = paths[self._parts[role]]
                for i in range(len(images)):
                    others[i][f"{role}_path"] = given[i if len(given) > 1 else 0]
        return images, others

    def _flux(self, i: int) -> FluxScale | None:
        """The scale of band ``i``'s file, whose one plane is not named by its header but by the mapping."""
        if self.flux is None or self.bands is None:
            return self.flux
        return self.flux.of_band(self.bands, i)

    def _stacked(self, number: int, infos: list[SampleInfo]) -> SampleInfo:
        for path, info in zip(self.paths[number], infos, strict=False):
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
        units = tuple(info.units[0] for info in infos)
        unit = units if len(set(units)) > 1 else units[0]
        return SampleInfo(shape, self.bands or (), True, first.ra, first.dec, first.pixel_scale_arcsec, unit)


def _kind_of(path: str) -> str:
    return (
        "picture" if pictures.is_picture(path) else "array" if path.endswith(array_files.SUFFIX) else "fits"
    )


def _of_bands(bands: list[str]) -> str:
    named = [band for band in bands if band]
    return f" in band {listed(named)}" if named else ""


def _by_key(files: list[tuple[Key, str]], whole: bool, option: str) -> dict[Key, str]:
    """Path by what the wildcards matched (all of them, or the last), without suffixes."""
    table: dict[Key, str] = {}
    for key, path in files:
        short = (*(key[:-1] if whole else ()), without_suffix(key[-1]))
        if short in table:
            raise DataError(
                f"{table[short]} and {path} are of the same object ({short[-1]}) and band; "
                f"make the pattern narrower ({option})."
            )
        table[short] = path
    return table
