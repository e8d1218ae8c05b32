"""Light curves of any length as samples (C, L): time and the values in each band, folded or binned on request."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.missing import check_magnitudes, known, sentinels
from astrocnn.datasets.patterns import found
from astrocnn.datasets.readable import readable, spread
from astrocnn.datasets.series import Series, binned, folded, places
from astrocnn.datasets.single import single
from astrocnn.datasets.source import Source, Words, without_suffix
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.io.light_curves import LightCurveColumns, Observations, count_rows, read_observations
from astrocnn.io.sample import Sample, SampleInfo

__all__ = ["LightCurveFiles"]

Array = NDArray[np.float64]
BANDS = tuple("ugrizyYJHK")  # in this order where the bands are called so
TIME_REMEDY = "times are in days; name their column with data.time=<column>, or mend the file"


class LightCurveFiles(Source):
    """The light curves of the files that match ``files``: samples (1 + n_bands, L), the first channel time.

    Time is in days since the object's first valid observation (float32 could not hold a Julian date); a row has a
    time where the file has one, and a value in those bands that were observed then. Flagged, missing and padded
    values are not valid and hold 0; rows without a time stay as gaps. An error must be above 0.

    With ``columns.object`` the files are long tables of many objects, held in memory; otherwise a file is an
    object, whose id is what the last * matched.

    Args:
        files: glob pattern.
        columns: which columns are what.
        bands: names and order of the bands; None takes all that occur, u g r i z y first.
        length: L, to which shorter series are padded; None takes the longest.
        n_bins: L bins of equal width in time, from an object's first to its last observation, or in phase;
            each holds the mean of its observations, weighted by their inverse variances. None does not bin.
        quantity: 'flux' or 'magnitude', which decides what stands for no measurement.
        missing: values that stand for no measurement; None takes those of :mod:`astrocnn.datasets.missing`.
        variance: whether samples have a variance; without, errors only tell which values are valid.

    Attributes:
        bands, length: as found.

    Raises:
        DataError: no file matches, or none can be read.
        ConfigError: a number is out of its range.
    """

    words = Words("light curve", "light curves", "value", "data.files")

    def __init__(
        self,
        files: str,
        *,
        columns: LightCurveColumns | None = None,
        bands: Sequence[str] | None = None,
        length: int | None = None,
        n_bins: int | None = None,
        quantity: str = "flux",
        missing: Sequence[float] | None = None,
        variance: bool = False,
    ) -> None:
        for name, value in (("length", length), ("n_bins", n_bins)):
            if value is not None and value < 1:
                raise ConfigError(f"data.{name}={value}: at least 1, or null.")
        self._columns, self.n_bins, self.variance = columns or LightCurveColumns(), n_bins, variance
        self.quantity, self.missing = quantity, sentinels(quantity, missing)
        self.incomplete: list[tuple[str, str]] = []
        self._period: Array | None = None
        self._epoch: Array | None = None
        self._held: list[tuple[Observations, NDArray[np.int64]]] | None = None
        matched = found(files, "data.files")
        paths = [path for _, path in matched]
        if self._columns.object is not None:
            self._hold(paths)
        else:
            self.ids = [
                without_suffix(key[-1]) or without_suffix(os.path.basename(path)) for key, path in matched
            ]
            self.paths = [(path,) for path in paths]
        self._asked = bands is not None
        self.bands: tuple[str, ...] = tuple(bands) if bands is not None else self._find_bands()
        self.length = n_bins or length or self._longest()

    def _hold(self, paths: Sequence[str]) -> None:
        """Read long tables and sort their rows by object."""
        members: dict[str, tuple[str, NDArray[np.int64], Observations]] = {}

        def look(number: int) -> tuple[str, Observations]:
            try:
                return paths[number], read_observations(paths[number], self._columns)
            except DataError as error:
                self.incomplete.append((paths[number], str(error)))
                raise

        for path, read in readable(look, range(len(paths))):
            rows = np.argsort(read.object, kind="stable")
            cuts = np.searchsorted(read.object[rows], np.arange(1, len(read.ids)))
            for name, portion in zip(read.ids, np.split(rows, cuts), strict=True):
                if name in members:
                    raise DataError(
                        f"{path} and {members[name][0]} both hold the object {name!r}; put the rows of an object into "
                        "one file."
                    )
                members[name] = (path, portion, read)
        self.ids = list(members)
        self.paths = [(path,) for path, _, _ in members.values()]
        self._held = [(read, portion) for _, portion, read in members.values()]

    def _rows(self, number: int) -> tuple[Observations, NDArray[np.int64]]:
        if self._held is not None:
            return self._held[number]
        read = read_observations(self.paths[number][0], self._columns)
        return read, np.arange(len(read.time))

    def _find_bands(self) -> tuple[str, ...]:
        first, _ = next(readable(self._rows, spread(len(self))))
        if len(first.bands) == 1 and first.bands == ("flux",):
            return first.bands
        everywhere = self._held or readable(self._rows, range(len(self)))
        names = sorted({band for read, _ in everywhere for band in read.bands})
        return tuple(sorted(names, key=lambda n: BANDS.index(n) if n in BANDS else len(BANDS)))

    def _longest(self) -> int:
        if self._held is None and len(self.bands) == 1:
            return max(readable(lambda number: count_rows(self.paths[number][0]), range(len(self))))
        return max(readable(lambda number: len(self._series(number)[0].time), range(len(self))))

    def fold(self, period: Array, epoch: Array | None) -> None:
        """Fold each object: ``period`` (N,) in days, ``epoch`` (N,) of phase 0 (None: its first observation)."""
        self._period, self._epoch = period, epoch

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels: time (or phase) and the bands."""
        return ("time" if self._period is None else "phase", *self.bands)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "columns": vars(self._columns),
            "bands": self.bands,
            "length": self.length,
            "n_bins": self.n_bins,
            "quantity": self.quantity,
            "missing": self.missing.tolist(),
            "variance": self.variance,
        }

    @property
    def has_variance(self) -> bool:
        return self.variance

    def key(self, number: int) -> str:
        folded = "" if self._period is None else f"\0{self._period[number]!r}"
        epoch = "" if self._epoch is None else f"\0{self._epoch[number]!r}"
        return f"{self.paths[number][0]}\0{self.ids[number]}{folded}{epoch}"

    def _info(self, read: Observations) -> SampleInfo:
        ra, dec = read.position
        return SampleInfo((1 + len(self.bands), self.length), self.channels, True, ra, dec, None, read.unit)

    def probe(self, number: int) -> SampleInfo:
        """The channels; the file is read."""
        return self._info(self._rows(number)[0])

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """One light curve."""
        del sky
        series, read = self._series(number)
        where = f"{self.paths[number][0]}" + (
            f", object {self.ids[number]}" if self._held is not None else ""
        )
        if not series.valid.any():
            raise DataError(
                f"{where}: no observation is valid in the bands {listed(self.bands, most=12)} (flagged, missing or "
                "without error); check data.quality_bits and data.missing, or set data.on_bad=skip."
            )
        if self.variance and series.variance is None:
            raise DataError(
                f"{where} has no errors; name their column with data.error=..., or set data.variance=false."
            )
        first = np.nanmin(np.where(series.valid.any(1), series.time, np.nan))
        with np.errstate(over="ignore"):
            time = series.time - first
        single(time, ~np.isnan(time), f"{where}: its time", remedy=TIME_REMEDY)
        if self._period is not None:
            series = self._folded(where, number, series, float(first))
        else:
            series = Series(time, series.value, series.variance, series.valid)
        if self.n_bins is not None:
            seen = series.time[series.valid.any(1)]
            span = (0.0, 1.0) if self._period is not None else (float(seen.min()), float(seen.max()))
            series = binned(series, *span, n_bins=self.n_bins)
        return self._padded(where, series, read)

    def _series(self, number: int) -> tuple[Series, Observations]:
        """The rows of an object in the order of time: one an observation, or one a time of several bands."""
        read, rows = self._rows(number)
        time, value, band = read.time[rows], read.value[rows], read.band[rows]
        time = np.where(np.isfinite(time), time, np.nan)
        strange = sorted({read.bands[b] for b in np.unique(band[band >= 0])} - set(self.bands))
        own = np.array([self.bands.index(n) if n in self.bands else -1 for n in read.bands], np.int64)
        if strange and not self._asked and self._held is None:
            raise DataError(
                f"{self.paths[number][0]} has the bands {listed(strange)} but {self.paths[0][0]} has "
                f"{listed(self.bands)}; name the wanted ones with data.bands=[...]."
            )
        column = np.where(band >= 0, own[band], -1)  # rows of no band are in no channel
        valid = known(value, self.missing) & read.good[rows] & np.isfinite(time) & (column >= 0)
        error = None if read.error is None else read.error[rows]
        if error is not None:
            valid &= known(error, self.missing) & (error > 0)
        if self.quantity == "magnitude":
            check_magnitudes("magnitude", value, valid, self.paths[number][0])
        wanted = column >= 0
        if len(self.bands) > 1:
            wanted &= np.isfinite(time)
        time, value, column, valid = time[wanted], value[wanted], column[wanted], valid[wanted]
        variance = None if error is None else np.where(valid, error[wanted], 0) ** 2
        place, times = places(time, column, len(self.bands))
        shape = (len(times), len(self.bands))
        series = Series(
            times, np.zeros(shape), None if variance is None else np.zeros(shape), np.zeros(shape, bool)
        )
        at = (place[place >= 0], column[place >= 0])
        series.value[at] = np.where(valid, value, 0)[place >= 0]
        series.valid[at] = valid[place >= 0]
        if variance is not None and series.variance is not None:
            series.variance[at] = variance[place >= 0]
        return series, read

    def _folded(self, where: str, number: int, series: Series, first: float) -> Series:
        assert self._period is not None
        period = float(self._period[number])
        epoch = first if self._epoch is None else float(self._epoch[number])
        if not (np.isfinite(period) and period > 0 and np.isfinite(epoch)):
            raise DataError(
                f"{where}: its period is {period:g} and its epoch {epoch:g}; a period is above 0; give both "
                "(data.period, data.epoch), or leave the object out with data.on_bad=skip."
            )
        return folded(series, period=period, epoch=epoch)

    def _padded(self, where: str, series: Series, read: Observations) -> Sample:
        n = len(series.time)
        if n > self.length:
            raise DataError(
                f"{where} has {n:,} observations but data.length={self.length:,}; raise it, or bin with data.n_bins=..."
            )
        shape = (1 + len(self.bands), self.length)
        values, valid, variance = np.zeros(shape), np.zeros(shape, bool), np.zeros(shape)
        valid[0, :n] = np.isfinite(series.time)
        values[0, :n] = np.where(valid[0, :n], series.time, 0)
        values[1:, :n], valid[1:, :n] = series.value.T, series.valid.T
        noise = None
        if self.variance and series.variance is not None:
            variance[1:, :n] = series.variance.T
            noise = single(variance, valid, f"{where}: its variance")
        flux = single(values[1:], valid[1:], f"{where}: its flux")
        return Sample(self._info(read), np.vstack([values[:1].astype(np.float32), flux]), valid, noise)
