"""The probabilistic U-Net: its parts, its latent space, and what it learns of two answers."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.probabilistic_unet import ProbabilisticUNet

SMALL = {"in_channels": 1, "n_outputs": 2, "depth": 2, "width": 4, "n_latent": 2}


def test_the_papers_parts() -> None:
    with torch.device("meta"):
        network = ProbabilisticUNet(in_channels=3, n_outputs=24, depth=6, width=32)
    widths = [scale[0].out_channels for scale in network.down.scales]
    assert widths == [32, 64, 128, 192, 192, 192, 192]
    assert network.prior.head.out_features == 12
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert parts["down"] + parts["up"] == 9_231_456
    assert (parts["prior"], parts["posterior"], parts["combine"]) == (4_356_108, 4_363_020, 4_152)


def test_maps_in_evaluation_are_at_the_mean_and_samples_spread_around_it() -> None:
    torch.manual_seed(0)
    network = ProbabilisticUNet(**SMALL).eval()
    images = torch.randn(2, 1, 13, 16)
    near = network.prior.head
    with torch.no_grad():
        near.bias[2:] = -20.0  # hardly a spread
        samples = network.sample(images, 3)
        torch.testing.assert_close(samples, network(images).expand(3, -1, -1, -1, -1), rtol=1e-4, atol=1e-4)
        near.bias[2:] = 1.0
        assert (network.sample(images, 3).std(0) > 1e-3).float().mean() > 0.9


def test_an_answer_is_consistent_over_the_image() -> None:
    """All pixels of a sample are told the same point."""
    torch.manual_seed(0)
    network = ProbabilisticUNet(**SMALL).eval()
    samples = network.sample(torch.zeros(1, 1, 64, 64), 8)[:, 0, 0]
    inside = samples[:, 24:40, 24:40].flatten(1)  # where nothing but the point differs
    assert inside.std(0).min() > 100 * inside.std(1).max()


def test_the_posterior_sees_the_target_and_ignored_pixels_are_none() -> None:
    torch.manual_seed(0)
    network = ProbabilisticUNet(**SMALL)
    seen: list[torch.Tensor] = []
    network.posterior.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    target = torch.zeros(1, 2, 5, 8)
    target[:, 1, 2:] = 1
    found = network.training_outputs(torch.randn(1, 1, 5, 8), target)
    assert found["outputs"].shape == (1, 2, 5, 8)
    assert seen[0].shape == (1, 3, 8, 8)
    torch.testing.assert_close(seen[0][:, 1:, :5], target - 0.5)
    assert (seen[0][:, 1:, 5:] == -0.5).all()  # padded rows are of no class, as ignored ones
    network.training_outputs(torch.randn(1, 1, 5, 8), target[:, :1])  # the second output is of no class
    torch.testing.assert_close(seen[1][:, 1, :5], target[:, 0] - 0.5)
    assert (seen[1][:, 2] == -0.5).all()


def test_it_learns_two_answers_to_one_image() -> None:
    """All of an image is of one class or all of the other, at random: samples are sure, and divided."""
    torch.manual_seed(0)
    network = ProbabilisticUNet(**{**SMALL, "depth": 1})
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    images = torch.ones(16, 1, 8, 8)
    answer = torch.arange(16) % 2
    target = nn.functional.one_hot(answer, 2).float()[:, :, None, None].expand(-1, -1, 8, 8)
    for _ in range(150):
        found = network.training_outputs(images, target)
        loss = (
            nn.functional.cross_entropy(found["outputs"], target, reduction="sum") / 16 + found["kl"].mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    p = network.eval().sample(images[:1], 200).softmax(2)[:, 0, 1].detach()  # (200, 8, 8)
    sure = ((p < 0.2) | (p > 0.8)).float().mean()
    assert sure > 0.8
    assert 0.25 < (p.mean((1, 2)) > 0.5).float().mean() < 0.75


def test_options_that_are_none() -> None:
    with pytest.raises(
        ConfigError, match="depth=2, width=4, n_latent=0: a probabilistic U-Net has at least 1"
    ):
        ProbabilisticUNet(**{**SMALL, "n_latent": 0})
