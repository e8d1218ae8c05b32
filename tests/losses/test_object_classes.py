"""The loss of the classes of whole objects against means taken by hand."""

import math

import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.losses.object_classes import ObjectClassLoss


def test_each_object_counts_once_by_the_mean_probability_of_its_pixels():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    instances, classes = torch.zeros(2, 4, 4, dtype=torch.int64), torch.zeros(2, 4, 4, dtype=torch.int64)
    instances[0, 0, :3], classes[0, 0, :3] = 5, 1
    instances[0, 2:, 2:], classes[0, 2:, 2:] = 900, 2
    classes[0, 3, 3] = 1  # the class of most of its pixels is that of the object
    instances[1, 1, 1], classes[1, 1, 1] = 5, 2  # another object than number 5 of the first image
    p = logits.softmax(1)
    means = [p[0, 1, 0, :3].mean(), p[0, 2, 2:, 2:].mean(), p[1, 2, 1, 1]]
    expected = -sum(math.log(mean.item()) for mean in means) / 3
    found = ObjectClassLoss(weight=1.0)(logits, classes, instances)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert bool((logits.grad[0, :, 1] == 0).all())  # background has no say


def test_pixels_that_are_ignored_do_not_count():
    logits = torch.randn(1, 3, 4, 4)
    instances, classes = torch.ones(1, 4, 4, dtype=torch.int64), torch.ones(1, 4, 4, dtype=torch.int64)
    classes[0, :2], instances[0, 2] = -1, -1
    expected = -logits.softmax(1)[0, 1, 3].mean().log()
    found = ObjectClassLoss(weight=1.0)(logits, classes, instances)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert ObjectClassLoss()(logits, classes, instances * 0).item() == 0


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match="weight=-1"):
        ObjectClassLoss(weight=-1)
