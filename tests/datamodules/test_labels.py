"""Columns of labels as people write them."""

import numpy as np
import pytest
from astropy.table import MaskedColumn

from astrocnn.datamodules.labels import number_labels
from astrocnn.errors import DataError


@pytest.mark.parametrize(
    ("values", "classes", "labels", "names"),
    [
        (np.array([True, False]), None, [1, 0], ("false", "true")),
        (np.array([True, False]), ["star", "galaxy"], [1, 0], ("star", "galaxy")),
        (np.array([1, 0, 1]), None, [1, 0, 1], ("0", "1")),
        (np.array([1, 0, 1]), ["non-lens", "lens"], [1, 0, 1], ("non-lens", "lens")),
        (np.array([1, 0, 1]), [1, 0], [0, 1, 0], ("1", "0")),
        (np.array([10, 2, 2]), None, [1, 0, 0], ("2", "10")),
        (np.array([1.0, 0.0, np.nan]), None, [1, 0, -1], ("0", "1")),
        (np.array(["S", "E", "S "]), None, [1, 0, 1], ("E", "S")),
        (np.array(["S", "E"]), ["S", "E"], [0, 1], ("S", "E")),
        (np.array(["S", "E", ""]), ["S", "E", "Irr"], [0, 1, -1], ("S", "E", "Irr")),
        (np.array(["True", "false"]), None, [1, 0], ("false", "true")),
        (MaskedColumn([1, 0], mask=[True, False]), ["a", "b"], [-1, 0], ("a", "b")),
        (np.array([0, 1, -1, 5]), [0, 1], [0, 1, -1, -1], ("0", "1")),
    ],
)
def test_numbers_and_names(
    values: object, classes: object, labels: list[int], names: tuple[str, ...]
) -> None:
    found, found_names, reasons = number_labels(values, name="kind", classes=classes)  # type: ignore[arg-type]
    assert found.tolist() == labels
    assert found.dtype == np.int64
    assert found_names == names
    assert sorted(reasons) == [i for i, label in enumerate(labels) if label < 0]


def test_reasons_tell_missing_from_unknown() -> None:
    *_, reasons = number_labels(np.array(["S", "", "disk"]), name="kind", classes=["E", "S"])
    assert reasons == {1: "no label in the column 'kind'", 2: "the label 'disk' is none of the classes E, S"}


def test_bad_columns() -> None:
    with pytest.raises(DataError, match=r"'kind' holds fractions \(0\.25, 0\.5\)"):
        number_labels(np.array([0.25, 0.5, 1.0]), name="kind")
    with pytest.raises(DataError, match="holds vectors"):
        number_labels(np.ones((3, 2)), name="kind")
    with pytest.raises(DataError, match=r"data\.classes=\['x', 'y'\] are not the values.*holds E, S"):
        number_labels(np.array(["E", "S"]), name="kind", classes=["x", "y"])
    with pytest.raises(DataError, match="names a class twice"):
        number_labels(np.array(["E", "S"]), name="kind", classes=["E", "E"])
