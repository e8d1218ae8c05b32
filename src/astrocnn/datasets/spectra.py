"""Spectra of many layouts on one grid of wavelengths."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.patterns import found
from astrocnn.datasets.readable import N_PROBED, readable, spread
from astrocnn.datasets.single import single
from astrocnn.datasets.source import Source, Words, without_suffix
from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.rebin import log_grid, pixel_bounds, rebin
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.spectra import Arm, Reading, Spectra, open_spectra

__all__ = ["SpectrumFiles"]

Array = NDArray[np.float64]
MOST_PIXELS = 2**20


class SpectrumFiles(Source):
    """The spectra of the files that match ``files``, rebinned to pixels that are even in log λ: samples (1, L).

    Flux density is averaged over each pixel, so that the integral over wavelength stays
    (:func:`astrocnn.functional.rebin.rebin`); a pixel is valid where good pixels of the file cover half of it. Arms
    that overlap are averaged with the weights of their inverse variance. Wavelengths are in vacuum, as observed.

    Where the first file that can be read holds one object, every file is taken to do so and is opened only when it is
    read; an id is then what the last * matched. Where it holds many, an id is that which the file gives, such as
    TARGETID, or the file's with the number of the row.

    Args:
        files: glob pattern.
        reading: what files do not say themselves.
        wave_min, wave_max: centres of the first and the last pixel, Å; None takes the widest range of up to 16
            files spread over the set that can be read.
        n_pixels: L; None takes the median step in log λ of these files.
        variance: whether samples have a variance; without, errors only tell which pixels are valid.

    Attributes:
        wave_min, wave_max, n_pixels: of the grid.

    Raises:
        DataError: no file matches, or none can be read.
        ConfigError: the grid is none.
    """

    words = Words("spectrum", "spectra", "pixel", "data.files")

    def __init__(
        self,
        files: str,
        *,
        reading: Reading | None = None,
        wave_min: float | None = None,
        wave_max: float | None = None,
        n_pixels: int | None = None,
        variance: bool = False,
    ) -> None:
        self.reading, self.variance = reading or Reading(), variance
        matched = found(files, "data.files")
        paths = [path for _, path in matched]
        look = readable(lambda number: self._kind(paths[number]), spread(len(paths)))
        self._example, self.layout, self.many = next(look)
        self.incomplete: list[tuple[str, str]] = []
        self.row: list[int] = [0] * len(paths)
        self.ids = [
            without_suffix(key[-1]) or without_suffix(os.path.basename(path)) for key, path in matched
        ]
        self.paths = [(path,) for path in paths]
        if self.many:
            self._list_rows(paths)
        self.wave_min, self.wave_max, self.n_pixels = self._grid(wave_min, wave_max, n_pixels)
        self._bounds = pixel_bounds(log_grid(self.wave_min, self.wave_max, self.n_pixels))

    def _kind(self, path: str) -> tuple[str, str, bool]:
        with open_spectra(path, self.reading) as spectra:
            return path, spectra.layout, spectra.many

    def _list_rows(self, paths: Sequence[str]) -> None:
        listed: list[tuple[str, str, int]] = []
        for path in paths:
            try:
                with open_spectra(path, self.reading) as spectra:
                    self._same_layout(path, spectra)
                    names = spectra.ids or [
                        f"{without_suffix(os.path.basename(path))}_{row}" for row in range(spectra.n)
                    ]
                    listed += [(names[row], path, row) for row in range(spectra.n)]
            except DataError as error:
                self.incomplete.append((path, str(error)))
        self.ids = [name for name, _, _ in listed]
        self.paths = [(path,) for _, path, _ in listed]
        self.row = [row for _, _, row in listed]

    def _same_layout(self, path: str, spectra: Spectra) -> None:
        if spectra.layout != self.layout:
            raise DataError(
                f"{path} is of the layout {spectra.layout!r} but {self._example} of {self.layout!r}, and their "
                "fluxes may have different units; read one kind of files at a time (data.files=...)."
            )

    def _grid(
        self, wave_min: float | None, wave_max: float | None, n_pixels: int | None
    ) -> tuple[float, float, int]:
        if wave_min is None or wave_max is None or n_pixels is None:
            probed = islice(readable(self._arms, spread(len(self))), N_PROBED)
            waves = [arm.wave for arms in probed for arm in arms]
            wave_min = min(wave[0] for wave in waves) if wave_min is None else wave_min
            wave_max = max(wave[-1] for wave in waves) if wave_max is None else wave_max
            if n_pixels is None:
                step = float(np.median(np.concatenate([np.diff(np.log(wave)) for wave in waves])))
                n_pixels = round(np.log(wave_max / wave_min) / step) + 1
        if not 0 < wave_min < wave_max or not 2 <= n_pixels <= MOST_PIXELS:
            raise ConfigError(
                f"data.wave_min={wave_min:g}, data.wave_max={wave_max:g} and data.n_pixels={n_pixels} make no grid: "
                f"Å, 0 < wave_min < wave_max, and 2 to {MOST_PIXELS} pixels."
            )
        return float(wave_min), float(wave_max), int(n_pixels)

    def _arms(self, number: int) -> list[Arm]:
        with open_spectra(self.paths[number][0], self.reading) as spectra:
            self._same_layout(self.paths[number][0], spectra)
            return spectra.arms(self.row[number])

    @property
    def options(self) -> dict[str, Any]:
        grid = {"wave_min": self.wave_min, "wave_max": self.wave_max, "n_pixels": self.n_pixels}
        return {"reading": vars(self.reading), **grid, "variance": self.variance}

    @property
    def has_variance(self) -> bool:
        return self.variance

    @property
    def axis(self) -> tuple[str, Array]:
        """The grid of wavelengths."""
        return "Wavelength in vacuum (Å)", log_grid(self.wave_min, self.wave_max, self.n_pixels)

    def key(self, number: int) -> str:
        return f"{self.paths[number][0]}\0{self.row[number]}"

    def _info(self, number: int, spectra: Spectra) -> SampleInfo:
        ra, dec = spectra.sky(self.row[number])
        return SampleInfo((1, self.n_pixels), ("flux",), True, ra, dec, None, spectra.unit)

    def probe(self, number: int) -> SampleInfo:
        """The layout and header of the file."""
        with open_spectra(self.paths[number][0], self.reading) as spectra:
            self._same_layout(self.paths[number][0], spectra)
            return self._info(number, spectra)

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """One spectrum on the grid."""
        sample = next(self.read_many(np.array([number]), sky=sky))
        if isinstance(sample, DataError):
            raise sample
        return sample

    def tasks(self, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows of ``numbers``, those of one file together."""
        if not self.many:
            return super().tasks(numbers)
        return np.split(np.arange(len(numbers)), self._new_file(numbers))

    def read_many(self, numbers: NDArray[np.int64], *, sky: bool = False) -> Iterator[Sample | DataError]:
        """Spectra of one file with one opening, others one by one."""
        del sky
        for portion in np.split(numbers, self._new_file(numbers)):
            path, done = self.paths[portion[0]][0], 0
            try:
                with open_spectra(path, self.reading) as spectra:
                    self._same_layout(path, spectra)
                    for number in portion:
                        outcome = self._outcome(int(number), spectra)
                        done += 1
                        yield outcome
            except DataError as error:
                yield from [error] * (len(portion) - done)

    def _new_file(self, numbers: NDArray[np.int64]) -> list[int]:
        return [i for i in range(1, len(numbers)) if self.paths[numbers[i]] != self.paths[numbers[i - 1]]]

    def _outcome(self, number: int, spectra: Spectra) -> Sample | DataError:
        path, row = self.paths[number][0], self.row[number]
        if row >= spectra.n or (spectra.n > 1 and not self.many):
            return DataError(
                f"{path} holds {spectra.n} spectra but {self._example} holds one; read files of one kind at a time "
                "(data.files=...)."
            )
        try:
            return self._sample(number, spectra)
        except DataError as error:
            return error

    def _sample(self, number: int, spectra: Spectra) -> Sample:
        path = self.paths[number][0]
        where = f"{path}, spectrum {self.row[number]}" if self.many else path
        flux, valid, variance = self._combined(where, spectra.arms(self.row[number]))
        if not valid.any():
            raise DataError(
                f"{where}: no pixel is valid between {self.wave_min:g} and {self.wave_max:g} Å; leave the object "
                "out, or set data.on_bad=skip."
            )
        noise = None if variance is None else single(variance, valid, f"{where}: its variance")[None]
        return Sample(
            self._info(number, spectra), single(flux, valid, f"{where}: its flux")[None], valid[None], noise
        )

    def _combined(self, where: str, arms: Sequence[Arm]) -> tuple[Array, NDArray[np.bool_], Array | None]:
        """The arms on the grid, (L,), averaged where they overlap."""
        parts = [
            rebin(a.flux, a.valid, pixel_bounds(a.wave), self._bounds, variance=a.variance) for a in arms
        ]
        if self.variance and any(variance is None for _, _, variance in parts):
            raise DataError(
                f"{where} has neither inverse variance nor error; name the column with data.ivar=... or "
                "data.error=..., or set data.variance=false."
            )
        if len(parts) == 1:
            flux, valid, variance = parts[0]
            return flux, valid, variance if self.variance else None
        good: NDArray[np.bool_] = np.stack([part[1] for part in parts])  # (n_arms, L)
        weighted = all(part[2] is not None for part in parts)
        spread = np.stack([part[2] if weighted else np.ones(self.n_pixels) for part in parts])  # type: ignore[misc]
        good = np.logical_and(good, spread > 0)
        weights = np.divide(1.0, spread, out=np.zeros_like(spread), where=good)
        covered = np.any(good, axis=0)
        total = np.where(covered, weights.sum(0), np.inf)
        flux = (weights * np.stack([part[0] for part in parts])).sum(0) / total
        return flux, covered, 1 / total if self.variance else None
