"""The measured and the true objects of a set of scenes in two tables, each row knowing its partner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError, listed
from astrocnn.functional.matching import match_positions

__all__ = ["MatchedSources", "Objects", "match_scenes"]

Objects = Mapping[str, ArrayLike]
Columns = dict[str, NDArray[Any]]

# Columns beside x and y, and what stands for a table that lacks them.
TRUE_COLUMNS: dict[str, Any] = {
    **{"label": -1, "mag": np.nan, "snr": np.nan, "iou": np.nan},
    **{"ignore": False, "scored": True, "blended": np.nan},
}
FOUND_COLUMNS: dict[str, Any] = {
    **{"label": -1, "mag": np.nan, "snr": np.nan, "p_star": np.nan},
    "blended": np.nan,
}


@dataclass(frozen=True)
class MatchedSources:
    """Objects of S scenes, one after another.

    ``true`` has the columns ``scene``, ``x``, ``y``, ``label``, ``mag``, ``snr``, ``iou``, ``ignore``, ``scored``,
    ``blended``; ``partner``, the row in ``found``, −1 without; and ``called``, the partner's label, −1 without.
    ``found`` has ``scene``, ``x``, ``y``, ``label``, ``mag``, ``snr``, ``p_star``, ``blended``; ``partner``, the row in
    ``true``; ``truly``, the partner's label; and ``counts``, False where what was found is an ignored object.
    ``blended`` is 1, 0, or NaN where nobody says whether the object touches another.
    """

    n_scenes: int
    true: Columns
    found: Columns


def match_scenes(
    measured: Sequence[Objects], true: Sequence[Objects], *, radius_pix: float, star: int | None = None
) -> MatchedSources:
    """Match every scene's measured objects with its true ones by position.

    Objects that count are matched first. What is left of the measured ones is matched with the objects to be
    ignored, and whatever finds a partner there counts neither way.

    Args:
        measured: one table a scene, with ``x``, ``y`` (0-based pixels) and as far as known ``label``, ``mag``,
            ``snr``, ``blended``, and ``p_star`` or ``p_class`` (N, K).
        true: one table a scene in the same order, with ``x``, ``y`` and as far as known ``label``, ``mag``,
            ``snr``, ``iou``, ``ignore``, ``scored``, ``blended``.
        radius_pix: largest distance of a pair.
        star: class of the stars, to take ``p_star`` from ``p_class`` as p_star / (1 − p_background).

    Raises:
        DataError: numbers of scenes that differ, or tables without positions.
    """
    if len(measured) != len(true):
        raise DataError(
            f"{len(measured)} scenes were measured and {len(true)} have a truth; give one for each."
        )
    found = _joined([_with_p_star(table, star) for table in measured], FOUND_COLUMNS, name="measured")
    truth = _joined(true, TRUE_COLUMNS, name="true")
    truth["partner"], found["partner"] = (
        np.full(len(table["x"]), -1, dtype=np.int64) for table in (truth, found)
    )
    found["counts"] = np.ones(len(found["x"]), dtype=bool)
    for scene in range(len(true)):
        ours, theirs = (np.flatnonzero(table["scene"] == scene) for table in (found, truth))
        ignored = truth["ignore"][theirs]
        i, j = _pairs(found, truth, ours, theirs[~ignored], radius_pix)
        found["partner"][i], truth["partner"][j] = j, i
        left = ours[found["partner"][ours] < 0]
        i, j = _pairs(found, truth, left, theirs[ignored], radius_pix)
        found["counts"][i] = False
    truth["called"] = _of_partner(truth["partner"], found["label"])
    found["truly"] = _of_partner(found["partner"], truth["label"])
    return MatchedSources(len(true), truth, found)


def _pairs(
    found: Columns, true: Columns, i: NDArray[Any], j: NDArray[Any], radius_pix: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of both tables that belong together, among the rows ``i`` and ``j``."""
    a, b = match_positions(found["x"][i], found["y"][i], true["x"][j], true["y"][j], radius_pix)
    return i[a], j[b]


def _of_partner(partner: NDArray[np.int64], label: NDArray[Any]) -> NDArray[Any]:
    """The partners' labels, −1 without a partner."""
    return np.append(label, -1)[partner]


def _with_p_star(table: Objects, star: int | None) -> Objects:
    if "p_star" in table or star is None or "p_class" not in table:
        return table
    p_class = np.asarray(table["p_class"], dtype=np.float64)
    if not len(np.asarray(table["x"])):
        return {**table, "p_star": np.empty(0)}
    source = 1 - p_class[:, 0]
    return {**table, "p_star": p_class[:, star] / np.where(source > 0, source, 1)}


def _joined(tables: Sequence[Objects], columns: Mapping[str, Any], *, name: str) -> Columns:
    """All scenes' rows with ``scene``, ``x``, ``y`` and every column, where a table lacks it by what stands for it."""
    lengths = []
    for table in tables:
        if missing := [column for column in ("x", "y") if column not in table]:
            raise DataError(
                f"the {name} objects lack {listed(missing)}; positions are 0-based pixels x and y."
            )
        lengths.append(len(np.asarray(table["x"])))
    joined: Columns = {"scene": np.repeat(np.arange(len(tables)), lengths)}
    for column, missing_value in {"x": np.nan, "y": np.nan, **columns}.items():
        parts = [
            np.asarray(table[column]) if column in table else np.full(n, missing_value)
            for table, n in zip(tables, lengths, strict=True)
        ]
        kind = type(missing_value)
        joined[column] = np.concatenate([np.empty(0, kind), *parts]).astype(kind)
    return joined
