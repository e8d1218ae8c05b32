from functools import partial

import pytest
import torch
from torch import Tensor, nn

from astrocnn.losses.cross_entropy import CrossEntropy
from astrocnn.tasks.classification import ClassificationTask
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.normalize import Normalize


class FirstRow(nn.Module):
    """A logit that depends on the orientation: the mean of the first row."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :, 0].mean((1, 2))[:, None]


def task(augment: Augment | None, **options) -> ClassificationTask:
    return ClassificationTask(
        classes=["a", "b"],
        network=FirstRow(),
        loss=CrossEntropy(),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        normalize=Normalize(n_bands=2, stretch="linear", softening=1.0, sharpen=0.0),
        augment=augment,
        **options,
    )


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def test_a_prediction_is_the_mean_of_the_logits_over_turns(images: Tensor) -> None:
    edges = [images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]]
    want = torch.stack([edge.mean((1, 2)) for edge in edges]).mean(0).sigmoid()
    torch.testing.assert_close(task(Augment())(images), want)
    torch.testing.assert_close(task(Augment(mirror=False))(images.rot90(1, (-2, -1))), want)


def test_orientations_that_training_did_not_meet_are_not_averaged(images: Tensor) -> None:
    plain = images[:, :, 0].mean((1, 2)).sigmoid()
    torch.testing.assert_close(task(Augment(), test_time_augmentation=False)(images), plain)
    torch.testing.assert_close(task(None)(images), plain)
    torch.testing.assert_close(task(Augment(mirror=False, rotate="none"))(images), plain)
