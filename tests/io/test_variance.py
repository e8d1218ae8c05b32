"""Variance, weight and noise maps against their definitions."""

import numpy as np
import pytest

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.variance import to_variance

SIGMA = np.array([0.5, 2.0, 1e-13, 3e4])


@pytest.mark.parametrize(
    ("kind", "plane"),
    [("variance", SIGMA**2), ("inverse", SIGMA**-2), ("weight", SIGMA**-2), ("rms", SIGMA)],
)
@pytest.mark.parametrize("dtype", ["f8", ">f4"])
def test_every_kind_is_the_same_variance(kind: str, plane: np.ndarray, dtype: str) -> None:
    variance, known = to_variance(plane.astype(dtype), kind)
    assert variance.dtype == np.float32
    assert known.all()
    np.testing.assert_allclose(variance, SIGMA**2, rtol=3e-7)
    scaled, _ = to_variance(plane, kind, factor=1e3)
    np.testing.assert_allclose(scaled, (1e3 * SIGMA) ** 2, rtol=3e-7)


@pytest.mark.parametrize(
    ("kind", "of_zero"), [("variance", True), ("rms", True), ("inverse", False), ("weight", False)]
)
def test_what_is_not_known(kind: str, of_zero: bool) -> None:
    variance, known = to_variance(np.array([np.nan, np.inf, -1.0, 0.0, 1.0]), kind)
    assert known.tolist() == [False, False, False, of_zero, True]
    assert variance.tolist() == [0, 0, 0, 0, 1]


def test_a_weight_next_to_nothing_is_no_data() -> None:
    variance, known = to_variance(np.array([1e-60, 4.0]), "weight")
    assert known.tolist() == [False, True]
    assert variance.tolist() == [0, 0.25]


def test_what_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match=r"data\.variance\.kind='sigma' is not known; choose from variance"):
        to_variance(SIGMA, "sigma")
    with pytest.raises(DataError, match=r"up to 1e-50, is outside the range of float32.*data\.flux_unit"):
        to_variance(np.array([1e-50]), "variance")
    with pytest.raises(DataError, match="outside the range of float32"):
        to_variance(np.array([1e-50]), "weight")
    assert to_variance(np.array([1e-25]), "rms", factor=1e20)[0] == pytest.approx(1e-10)
