"""The segmentation task: what counts, what comes out, and with what networks."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from astrocnn.batch import DataSpec
from astrocnn.errors import DataError
from astrocnn.losses.centres import CentreLoss
from astrocnn.losses.object_classes import ObjectClassLoss
from astrocnn.losses.pixel_cross_entropy import PixelCrossEntropy
from astrocnn.networks.unet import UNet
from astrocnn.tasks.segmentation import SegmentationTask
from astrocnn.transforms.normalize import Normalize

CLASSES = ["background", "star", "galaxy"]


def make(network=None, *, n_outputs=3, **options):
    torch.manual_seed(0)
    network = network or UNet(in_channels=2, n_outputs=n_outputs, depth=2, width=4)
    task = SegmentationTask(
        classes=CLASSES,
        n_outputs=n_outputs,
        network=network,
        loss=PixelCrossEntropy(),
        centres=CentreLoss(),
        object_classes=ObjectClassLoss(),
        optimizer=partial(torch.optim.AdamW, lr=1e-3),
        normalize=Normalize(n_bands=2, sharpen=0.0),
        **options,
    )
    return task.eval()


def batch(n=2, size=24):
    torch.manual_seed(1)
    numbers = torch.zeros(n, size, size, dtype=torch.int64)
    numbers[:, 4:9, 4:9], numbers[:, 12:20, 10:15] = 1, 2
    return {
        "image": torch.randn(n, 2, size, size),
        "valid": torch.ones(n, 2, size, size, dtype=torch.bool),
        "class_map": numbers.clone(),
        "instances": numbers,
        "index": torch.arange(n),
    }


def test_outputs_are_counted_by_classes_and_objects():
    spec = DataSpec(("g", "r"), (2, 24, 30), tuple(CLASSES), maps={"class_map": (24, 30)})
    assert SegmentationTask.output_shape(spec) == (3, 24, 30)
    both = DataSpec(("g",), (1, 8, 8), tuple(CLASSES), maps={"class_map": (8, 8), "instances": (8, 8)})
    assert SegmentationTask.output_shape(both) == (6, 8, 8)
    with pytest.raises(DataError, match=r"data\.class_map\.files"):
        SegmentationTask.n_outputs(DataSpec(("g",), (1, 8, 8)))


def test_pixels_without_data_never_count():
    task, data = make(), batch()
    data["valid"][:, :, :, 12:] = False
    changed = data | {"class_map": data["class_map"].clone()}
    changed["class_map"][:, :, 12:] = 2
    assert task.compute_loss(data)["classes"] == task.compute_loss(changed)["classes"]
    data["valid"][:, 0, :, 12:] = True  # one band is enough
    assert (
        task.compute_loss(data)["classes"]
        != task.compute_loss(data | changed | {"valid": data["valid"]})["classes"]
    )


def test_predictions_are_probabilities_and_centres():
    found = make(n_outputs=6).predict(batch())
    assert found["p"].shape == (2, 3, 24, 24)
    torch.testing.assert_close(found["p"].sum(1), torch.ones(2, 24, 24))
    assert found["offset"].shape == (2, 2, 24, 24)
    assert 0 <= found["centre"].min() <= found["centre"].max() < 0.2  # few centres before any training
    assert set(make().predict(batch())) == {"p", "logits"}


def test_a_network_without_padding_is_judged_by_the_whole_maps():
    network = UNet(in_channels=2, n_outputs=6, depth=1, width=4, padding="valid")
    task, data = make(network, n_outputs=6), batch()
    assert task.predict(data)["p"].shape == (2, 3, 24, 24)
    other = data | {"class_map": data["class_map"].clone()}
    other["class_map"][:, :1] = 2
    assert task.compute_loss(data)["classes"] != task.compute_loss(other)["classes"]


def test_a_single_image_is_predicted_like_a_batch_and_nan_is_no_data():
    task, data = make(), batch()
    image = data["image"][0].clone()
    image[:, :3] = math.nan
    p = task(image)
    assert p.shape == (3, 24, 24)
    assert bool(p.isfinite().all())
    torch.testing.assert_close(p, task(image[None].numpy())[0])


class Latent(nn.Module):
    """A network whose output is one number that is drawn."""

    variational = True

    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(1))

    def training_outputs(self, images, target):
        assert target.shape == (len(images), 3, *images.shape[2:])
        assert set(target.sum(1).unique().tolist()) <= {0.0, 1.0}
        self.target = target
        return {"outputs": self.forward(images), "kl": torch.full((len(images),), 24.0 * 24 * 7) + self.mean}

    def forward(self, images):
        return self.mean.expand(len(images), 3, *images.shape[2:]) + torch.tensor([0.0, 1, 2]).view(3, 1, 1)

    def sample(self, images, n):
        return torch.stack([self.forward(images) * torch.randn(()) for _ in range(n)])


def test_latent_variables_are_trained_by_their_divergence_and_sampled():
    task, data = make(Latent(), beta=0.5, n_samples=5), batch()
    data["class_map"][0, 0] = -1
    assert task.compute_loss(data)["kl"].item() == pytest.approx(3.5)
    assert bool((task.network.target[0, :, 0] == 0).all())
    state = torch.random.get_rng_state()
    one, other = task.predict(data), task.predict(data)
    assert torch.equal(one["p"], other["p"])  # a prediction depends on checkpoint and pixels alone
    assert torch.equal(state, torch.random.get_rng_state())
    assert bool((one["spread"] > 0).all())
