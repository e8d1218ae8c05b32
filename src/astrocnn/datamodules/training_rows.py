"""Which objects may train, and how much each counts: samples with spectra are not like those without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datamodules.split_rule import Split
from astrocnn.datasets.features import find_features
from astrocnn.datasets.missing import known, sentinels
from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.neighbour_weights import effective_number, neighbour_weights
from astrocnn.io.tables import column

__all__ = ["TrainingRows"]


@dataclass(frozen=True)
class TrainingRows:
    """Calling it takes from the training and validation splits what may not train, and says how much the rest counts.

    Attributes:
        where: column of true/false: only such objects train and validate, and all test; None lets all train.
        like_all: columns of magnitudes, or a pattern such as ``'mag_*'``; objects that train are weighted so that they
            are distributed as all objects of the catalogue in the colours of neighbouring columns and the magnitude of
            the middle one. What is not detected counts as as faint as the column's faintest. None weights all alike.
    """

    where: str | None = None
    like_all: Sequence[str] | str | None = None

    def __call__(
        self, split: Split, table: Table, source: object
    ) -> tuple[Split, NDArray[np.float32] | None]:
        """The split without what may not train, and the weights (N,) of the objects; None without weights.

        Raises:
            DataError: a column is missing or is of another kind, or nothing is left to train on.
        """
        names, rule, kept_out = split.names, split.rule, split.kept_out
        learns = np.isin(names, ("train", "val"))
        if self.where is not None:
            may = self._may_train(table, source)
            kept_out = learns & ~may
            names = np.where(kept_out, "", names)
            rule += f"; of those to train and validate with, the {(learns & may).sum()} where {self.where!r} is true"
            learns &= may
        split = replace(split, names=names, rule=rule, kept_out=kept_out)
        if self.like_all is None:
            return split, None
        if learns.sum() < 2:
            raise DataError(
                f"data.reweight={self.like_all} needs two objects at least to train and validate with, and there are "
                f"{learns.sum()}; check data.train_where, or set data.reweight=null."
            )
        places = self._places(table, source)
        weight = np.ones(len(names), np.float32)
        weight[learns] = neighbour_weights(places[learns], places)
        worth = effective_number(weight[learns].astype(np.float64))
        rule += (
            f"; weighted to be like all objects in colour and magnitude, worth {worth:.0f} of equal weight"
        )
        return replace(split, rule=rule), weight

    def why_empty(self, part: str) -> str | None:
        """Why nothing may be in ``part``, where that is for the column ``where``."""
        if self.where is None or part == "test":
            return None
        return (
            f"nothing is in the {part} split where the column {self.where!r} is true; choose another column "
            "(data.train_where=<column>), or null to train with all."
        )

    def _may_train(self, table: Table, source: object) -> NDArray[np.bool_]:
        values = column(table, str(self.where), "data.train_where", source=source)
        data = np.ma.getdata(values)
        if data.dtype.kind not in "biu" or not np.isin(data, (0, 1)).all():
            raise DataError(
                f"the column {self.where!r} of {source} holds {data[~np.isin(data, (0, 1))][:1].tolist()}; "
                "data.train_where is a column of true and false, or 1 and 0."
            )
        return np.asarray(data.astype(bool) & ~np.ma.getmaskarray(values))

    def _places(self, table: Table, source: object) -> NDArray[np.float64]:
        """Colours and a magnitude of each object, (N, F)."""
        names = find_features(
            self.like_all, table.colnames, quantity="magnitude", source=source, option="data.reweight"
        )
        missing, magnitudes = sentinels("magnitude", None), []
        for name in names:
            values = column(table, name, "data.reweight", source=source)
            if values.dtype.kind not in "fiu":
                raise DataError(
                    f"the column {name!r} of {source} holds no numbers; data.reweight are magnitudes."
                )
            values = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
            seen = known(values, missing)
            if not seen.any():
                raise ConfigError(
                    f"the column {name!r} of {source} has no value in any row; leave it out of data.reweight."
                )
            magnitudes.append(np.where(seen, values, values[seen].max()))
        places = np.stack(magnitudes, axis=1)
        return np.concatenate([places[:, len(names) // 2, None], -np.diff(places, axis=1)], axis=1)
