"""n(z) of tomographic bins against Gaussians whose stack is known."""

import numpy as np
import pytest
import torch
from scipy import stats

from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.tomography import tomographic_bins


def gaussians(mean, sigma):
    mean = torch.as_tensor(np.asarray(mean, float))[:, None]
    return GaussianMixture(torch.zeros_like(mean), mean, torch.full_like(mean, sigma))


def test_stacks_are_sums_of_the_pdfs_and_the_bias_is_the_shift():
    rng = np.random.default_rng(0)
    z = rng.uniform(0.2, 1.2, 2000)
    found = z + 0.02
    result = tomographic_bins(gaussians(found, 0.03), found, z, n_bins=4, n_bootstrap=50)
    assert [each["n"] for each in result["bins"]] == pytest.approx([500] * 4, abs=10)
    edges, grid = result["edges"], np.array(result["grid"])
    inside = (found >= edges[1]) & (found < edges[2])
    stack = np.diff(stats.norm.cdf(grid[:, None], found[inside], 0.03).mean(1))
    np.testing.assert_allclose(result["bins"][1]["stacked"], stack, atol=1e-10)
    assert result["bins"][1]["bias"]["value"] == pytest.approx(0.02 / (1 + z[inside].mean()))
    assert sum(result["bins"][0]["true"]) == pytest.approx(1)
    assert result["bins"][0]["bias"]["low"] <= result["bins"][0]["bias"]["value"]


def test_too_few_or_equal_objects_give_no_bins():
    assert tomographic_bins(gaussians([0.5] * 30, 0.1), [0.5] * 30, [0.5] * 30) == {}
    z = np.linspace(0.1, 0.5, 300)
    assert tomographic_bins(gaussians(np.full(300, 0.5), 0.1), np.full(300, 0.5), z) == {}
