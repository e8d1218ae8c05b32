"""Photometry held as a table: one object a row, magnitudes or fluxes as features."""

import hashlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datasets.extinction import coefficients
from astrocnn.datasets.features import find_errors, find_features
from astrocnn.datasets.missing import check_magnitudes, known, sentinels
from astrocnn.datasets.single import single
from astrocnn.datasets.source import Match, Source, Words
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.io.sample import Block, Sample, SampleInfo
from astrocnn.io.tables import column

__all__ = ["MagnitudeWarning", "PhotometryTable"]

Array = NDArray[np.float64]
ROWS_A_TASK = 65536
LIMIT = "_limit"
BRIGHT, FAINT = 10, 30  # between which the medians of a survey's magnitudes lie


class MagnitudeWarning(UserWarning):
    """Values that are hardly magnitudes."""


class PhotometryTable(Source):
    """Rows of a table as samples (F,): magnitudes or fluxes, never the numbers that stand for none.

    A value is valid where it is finite and none of ``missing``, and with ``errors`` only where its error is above
    0, not among ``missing`` and not above ``max_error``. Others hold 0 and are not valid.

    With ``limits`` every feature has a second one, ``<name>_limit``, after all the others: the limiting magnitude
    (or flux) where the object was looked for and not detected, valid there alone, without variance (0). So a
    network sees "fainter than 26.6" apart from "never observed". Two ways of writing it are known at once under
    ``limits='error'``: the value is one of the positive ``missing`` (99) and the error is the limit (BPZ, RAIL,
    ColorPro), or the error is negative and the value is the limit (Le Phare). −99 is "not observed" in both.

    Args:
        table: as :func:`astrocnn.io.tables.read_table` gives it.
        ids: one a row.
        path: of the file, for messages and the cache.
        part: which table of the file it is, for the cache; None where there is one.
        features: columns, or a pattern; see :func:`astrocnn.datasets.features.find_features`.
        errors: their 1σ errors, likewise; None reads none.
        quantity: 'magnitude' or 'flux'.
        missing: values that stand for no measurement; None takes those of :mod:`astrocnn.datasets.missing`.
        max_error: a value with a larger error is no detection; None sets no bound.
        limits: 'error' finds limits as above; names or a pattern of columns that hold them; None drops them.
        extinction: column of E(B−V) in magnitudes, to be corrected for: m − k E(B−V), flux × 10^(0.4 k E(B−V)).
        extinction_coefficients: k of each feature; see :func:`astrocnn.datasets.extinction.coefficients`.

    Raises:
        DataError: a column is missing or holds no numbers, or magnitudes that are none.
        ConfigError: options that cannot work together.
    """

    words = Words("row", "rows", "value", "data.catalog")

    def __init__(
        self,
        table: Table,
        ids: NDArray[np.str_],
        path: str,
        *,
        part: str | None = None,
        features: Sequence[str] | str | None = None,
        errors: Sequence[str] | str | None = None,
        quantity: str = "magnitude",
        missing: Sequence[float] | None = None,
        max_error: float | None = None,
        limits: Sequence[str] | str | None = None,
        extinction: str | None = None,
        extinction_coefficients: str | Mapping[str, float] | Sequence[float] | None = None,
    ) -> None:
        self.table, self.path, self.part, self.quantity = table, path, part, quantity
        self.missing, self.max_error = sentinels(quantity, missing), max_error
        names = table.colnames
        self.features = find_features(features, names, quantity=quantity, source=path)
        self.errors = find_errors(errors, self.features, features, names, option="data.errors", source=path)
        if limits == "error" and self.errors is None:
            raise ConfigError("data.limits=error needs data.errors, which hold the limits.")
        self._limits_in_errors = limits == "error"
        self.limits = (
            None
            if limits in (None, "error")
            else find_errors(limits, self.features, features, names, option="data.limits", source=path)
        )
        self.extinction, self._k = extinction, np.zeros(len(self.features))
        if extinction is not None:
            self._k = coefficients(extinction_coefficients, self.features)
        self.ids, self.paths, self.incomplete = _Texts(ids), _Same(path, len(ids)), []
        self._check()

    def _check(self) -> None:
        medians: dict[str, float] = {}
        for names, option in ((self.features, "features"), (self.errors, "errors"), (self.limits, "limits")):
            for name in names or []:
                values = self._numbers(name, f"data.{option}", slice(None))
                if option == "features" and self.quantity == "magnitude":
                    good = known(values, self.missing)
                    if self.errors is not None:
                        error = self.errors[self.features.index(name)]
                        good &= known(self._numbers(error, "data.errors", slice(None)), self.missing)
                    check_magnitudes(name, values, good, self.path)
                    if good.any():
                        medians[name] = float(np.median(values[good]))
        if medians and not any(BRIGHT <= median <= FAINT for median in medians.values()):
            told = listed([f"{name} {median:.4g}" for name, median in medians.items()], most=6)
            warnings.warn(
                f"{self.path}: no feature has a median between {BRIGHT} and {FAINT}, as magnitudes have (medians: "
                f"{told}); check data.features, or say data.quantity=flux.",
                category=MagnitudeWarning,
                stacklevel=2,
            )
        if self.extinction is not None:
            self._numbers(self.extinction, "data.extinction", slice(None))

    @property
    def options(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "features": self.features,
            "errors": self.errors,
            "quantity": self.quantity,
            "missing": self.missing.tolist(),
            "max_error": self.max_error,
            "limits": "error" if self._limits_in_errors else self.limits,
            "extinction": self.extinction,
            "coefficients": self._k.tolist(),
        }

    @property
    def has_variance(self) -> bool:
        return self.errors is not None

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the features, and of their limits where these are kept."""
        with_limits = self._limits_in_errors or self.limits is not None
        return tuple(self.features) + tuple(f"{name}{LIMIT}" for name in self.features if with_limits)

    def key(self, number: int) -> str:
        return str(number)

    def match(self, ids: Sequence[str] | NDArray[np.str_], *, base: Any = None) -> Match:
        """Every row of the table is an object."""
        del base
        return Match(np.arange(len(ids)), np.empty(0, np.int64), "row")

    def probe(self, number: int) -> SampleInfo:
        """The names of the features."""
        del number
        unit = self.table[self.features[0]].unit
        return SampleInfo((len(self.bands),), self.bands, True, math.nan, math.nan, None, unit and str(unit))

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """One row."""
        sample = next(self.read_many(np.array([number]), sky=sky))
        if isinstance(sample, DataError):
            raise sample
        return sample

    def tasks(self, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows of ``numbers`` in large portions: each is read by whole columns."""
        rows = np.arange(len(numbers))
        return [rows[start : start + ROWS_A_TASK] for start in range(0, len(rows), ROWS_A_TASK)]

    def read_block(self, numbers: NDArray[np.int64]) -> Block:
        """The rows, by whole columns."""
        values, valid, variance, dust = self.block(numbers)
        bad = {int(i): self._no_dust(int(numbers[i])) for i in np.flatnonzero(~np.isfinite(dust))}
        return Block(self.probe(0), values, valid, variance, bad)

    def files_of(self, numbers: NDArray[np.int64]) -> tuple[str, ...]:
        """The one table."""
        del numbers
        return (self.path,)

    def digest(self, numbers: NDArray[np.int64]) -> str:
        """Of the numbers of the rows."""
        return hashlib.sha256(np.ascontiguousarray(numbers, np.int64).tobytes()).hexdigest()

    def _no_dust(self, number: int) -> str:
        return (
            f"{self.path}, row {number} ({self.ids[number]}): no E(B-V) in the column {self.extinction!r}; "
            "leave the object out, or set data.on_bad=skip."
        )

    def read_many(self, numbers: NDArray[np.int64], *, sky: bool = False) -> Iterator[Sample | DataError]:
        """The rows, read together."""
        del sky
        info = self.probe(0)
        values, valid, variance, dust = self.block(numbers)
        for i, number in enumerate(numbers.tolist()):
            if not np.isfinite(dust[i]):
                yield DataError(self._no_dust(number))
                continue
            yield Sample(info, values[i], valid[i], None if variance is None else variance[i])

    def block(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32] | None, Array]:
        """Values, validity and variance (n, F) of ``rows`` (n,), and their E(B−V) (n,), NaN where unknown."""
        value = self._stack(self.features, rows)  # (n, F)
        valid = known(value, self.missing)
        limit = np.full(value.shape, np.nan)
        variance = None
        if self.errors is not None:
            error = self._stack(self.errors, rows)
            measured = known(error, self.missing) & (error > 0)
            if self._limits_in_errors:
                beyond = (
                    np.isfinite(value) & (value > 0) & ~valid & measured & (error > 0)
                )  # 99 and its limit
                limit = np.where(beyond, error, np.where(valid & (error < 0), value, limit))
            valid &= measured
            if self.max_error is not None:
                valid &= error <= self.max_error
            variance = np.where(valid, error, 0) ** 2
        if self.limits is not None:
            given = self._stack(self.limits, rows)
            limit = np.where(~valid & known(given, self.missing), given, np.nan)
        dust = np.zeros(len(rows))
        if self.extinction is not None:
            dust = self._numbers(self.extinction, "data.extinction", rows)
            dust = np.where(known(dust, self.missing) & (dust >= 0), dust, np.nan)
        value, limit, factor = (
            self._dereddened(value, dust),
            self._dereddened(limit, dust),
            self._factor(dust),
        )
        if variance is not None and self.quantity == "flux":
            variance = variance * factor**2
        if len(self.bands) > len(self.features):
            value, valid = np.hstack([value, limit]), np.hstack([valid, np.isfinite(limit)])
            variance = None if variance is None else np.hstack([variance, np.zeros_like(variance)])
        kept = single(value, valid, f"{self.path}: a value")
        noise = None if variance is None else single(variance, valid, f"{self.path}: a variance")
        return kept, valid, noise, dust

    def _factor(self, dust: Array) -> Array:
        return 10 ** (0.4 * self._k * np.where(np.isfinite(dust), dust, 0)[:, None])  # (n, F)

    def _dereddened(self, value: Array, dust: Array) -> Array:
        if self.quantity == "flux":
            return value * self._factor(dust)
        return value - self._k * np.where(np.isfinite(dust), dust, 0)[:, None]

    def _stack(self, names: Sequence[str], rows: NDArray[np.int64]) -> Array:
        return np.stack([self._numbers(name, "data.features", rows) for name in names], axis=1)  # (n, F)

    def _numbers(self, name: str, option: str, rows: Any) -> Array:
        """A column's values at ``rows`` as float64, NaN where masked."""
        values = column(self.table, name, option, source=self.path)
        data = np.asarray(np.ma.getdata(values))
        if data.ndim != 1 or data.dtype.kind not in "fiu":
            what = "vectors" if data.ndim != 1 else f"text, such as {str(data[0])!r}" if len(data) else "text"
            raise DataError(
                f"the column {name!r} of {self.path} holds {what}; a feature is one number a row; choose another "
                f"with {option}=..."
            )
        chosen = data[rows].astype(np.float64)
        mask = np.ma.getmask(values)
        return chosen if mask is np.ma.nomask else np.where(np.asarray(mask)[rows], np.nan, chosen)


class _Texts(Sequence[str]):
    """An array of text as a sequence, without a Python object for each of ten million ids."""

    def __init__(self, values: NDArray[np.str_]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, number: Any) -> Any:
        return str(self.values[number])


class _Same(Sequence[tuple[str, ...]]):
    """The same one path for every object."""

    def __init__(self, path: str, n: int) -> None:
        self.path, self.n = (path,), n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: Any) -> Any:
        return self.path
