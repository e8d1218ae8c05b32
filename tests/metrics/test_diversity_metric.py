"""The metric of samples against the function that it averages."""

import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.functional.diversity import generalised_energy_distance
from astrocnn.metrics.diversity import GeneralisedEnergyDistance


def draw(n, seed=0):
    return torch.randint(4, (n, 2, 6, 7), generator=torch.Generator().manual_seed(seed))


def test_the_metric_is_the_mean_over_all_images():
    metric = GeneralisedEnergyDistance(n_classes=4)
    batches = [(draw(3, seed), draw(1, seed + 10)[0]) for seed in range(3)]
    for samples, truth in batches:
        metric.update(samples, truth)
    each = [generalised_energy_distance(s, y[None], n_classes=4) for s, y in batches]
    torch.testing.assert_close(metric.compute(), torch.cat(each).mean())
    metric.reset()
    metric.update(draw(3), draw(2, seed=1))
    expected = generalised_energy_distance(draw(3), draw(2, seed=1), n_classes=4).mean()
    torch.testing.assert_close(metric.compute(), expected)


def test_before_the_first_image_the_mean_is_not_known():
    with pytest.warns(UserWarning, match="before the"):
        assert GeneralisedEnergyDistance(n_classes=4).compute().isnan()
    with pytest.raises(ConfigError, match="n_classes=1"):
        GeneralisedEnergyDistance(n_classes=1)
