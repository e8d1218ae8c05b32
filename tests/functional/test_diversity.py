"""The generalised energy distance against scikit-learn's IoU, pair by pair, and what it must be."""

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

from astrocnn.errors import DataError
from astrocnn.functional.diversity import generalised_energy_distance, map_distances


def draw(n, seed=0, shape=(2, 6, 7), n_classes=4):
    return torch.randint(n_classes, (n, *shape), generator=torch.Generator().manual_seed(seed))


def distance(a, b):
    """1 − macro IoU over the classes but the background that either map holds."""
    held = sorted((set(a.ravel()) | set(b.ravel())) - {0})
    return (
        1 - jaccard_score(a.ravel(), b.ravel(), labels=held, average="macro", zero_division=0)
        if held
        else 0.0
    )


def test_distances_are_those_of_sklearn():
    a, b = draw(3), draw(2, seed=1)
    a[0, 0], b[0, 0] = 0, 0  # maps of nothing
    a[1, 0], b[1, 0] = 2, 0
    found = map_distances(a, b, n_classes=4)
    for image, n, m in np.ndindex(2, 3, 2):
        assert found[image, n, m].item() == pytest.approx(
            distance(a[n, image].numpy(), b[m, image].numpy()), abs=1e-6
        )


def test_energy_distance_is_the_mean_over_pairs():
    samples, truths = draw(5), draw(3, seed=1)
    truths[1, :, :2] = -1
    found = generalised_energy_distance(samples, truths, n_classes=4)
    for image in range(2):
        s, y = (maps[:, image, 2:].numpy() for maps in (samples, truths))
        means = [
            np.mean([distance(a, b) for a in one for b in other]) for one, other in ((s, y), (s, s), (y, y))
        ]
        assert found[image].item() == pytest.approx(2 * means[0] - means[1] - means[2], abs=1e-5)


def test_equal_sets_have_no_distance_and_a_spread_of_the_truths_is_best():
    truths = draw(4)
    torch.testing.assert_close(generalised_energy_distance(truths, truths, n_classes=4), torch.zeros(2))
    alike = truths[:1].expand(4, -1, -1, -1)
    spread = truths[[0, 1, 2, 3, 0]]
    assert (generalised_energy_distance(alike, truths, n_classes=4) > 0.3).all()
    assert (generalised_energy_distance(spread, truths, n_classes=4) < 0.1).all()


def test_one_truth_gives_twice_the_error_less_the_spread():
    samples, truth = draw(3), draw(1, seed=1)
    error = map_distances(samples, truth, n_classes=4).mean((1, 2))
    spread = map_distances(samples, samples, n_classes=4).mean((1, 2))
    torch.testing.assert_close(generalised_energy_distance(samples, truth, n_classes=4), 2 * error - spread)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(DataError, match=r"\(3, 2, 6, 7\) and \(1, 2, 6, 6\)"):
        generalised_energy_distance(draw(3), draw(1)[..., 1:], n_classes=4)
