"""Phases and binned means against closed forms."""

import numpy as np
import pytest

from astrocnn.functional.folding import bin_mean, phase_of


def test_phases() -> None:
    time = np.array([10.0, 10.25, 10.5, 11.0, 9.75, np.nan, np.nextafter(10.0, 0)])
    phase = phase_of(time, period=0.5, epoch=10.0)
    np.testing.assert_allclose(phase[:5], [0, 0.5, 0, 0, 0.5])
    assert np.isnan(phase[5])
    assert ((phase >= 0) & (phase < 1))[[0, 1, 2, 3, 4, 6]].all()


@pytest.mark.parametrize("scale", [1.0, 1e-160])
def test_weighted_means_and_their_errors(scale: float) -> None:
    rng = np.random.default_rng(0)
    position, values = rng.random(50), rng.normal(size=50) * scale
    variance, valid = rng.uniform(1, 2, 50) * scale**2, rng.random(50) > 0.2
    edges = np.array([0.0, 0.3, 0.31, 1.0])
    mean, filled, got = bin_mean(position, values, valid, edges, variance=variance)
    assert got is not None
    for k in range(3):
        inside = valid & (position >= edges[k]) & (position < edges[k + 1])
        if not inside.any():
            assert not filled[k]
            continue
        weight = scale**2 / variance[inside]
        assert mean[k] == pytest.approx(np.average(values[inside], weights=weight), rel=1e-12)
        assert got[k] == pytest.approx(scale**2 / weight.sum(), rel=1e-12)
    plain, _, none = bin_mean(position, values, valid, edges)
    assert none is None
    assert plain[0] == pytest.approx(values[valid & (position < 0.3)].mean())


def test_the_last_edge_and_empty_bins() -> None:
    mean, filled, _ = bin_mean(
        np.array([0.0, 1.0, np.nan]), np.array([2.0, 4.0, 8.0]), np.ones(3, bool), np.linspace(0, 1, 4)
    )
    assert mean.tolist() == [2, 0, 4]
    assert filled.tolist() == [True, False, True]
