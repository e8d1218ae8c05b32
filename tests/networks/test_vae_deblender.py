"""The deblender: its parts one by one, sizes, and a decoder that is handed on."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.functional.convolution import n_parameters
from astrocnn.networks.vae_deblender import VAEDeblender

SMALL = {"in_channels": 2, "n_outputs": 1, "widths": (4, 8), "hidden": 16, "n_latent": 3}


def test_parameters_of_the_paper() -> None:
    """Convolutions and dense layers of Arcelin+21 at 64×64 pixels and 6 bands, and one slope for each of their maps."""
    network = VAEDeblender(in_channels=6, n_outputs=6, image_size=64)
    widths = (32, 64, 128, 256)
    three = [n_parameters((3, 3), a, b) for a, b in zip((6, *widths), widths, strict=False)]
    again = [n_parameters((3, 3), b, b) for b in widths]
    slopes = 2 * sum(widths)
    encoder = 2 * 6 + sum(three) + sum(again) + slopes + (4 * 4 * 256 + 1) * 256 + 256 + 257 * 64
    mirrored = [n_parameters((3, 3), a, b) for a, b in ((256, 256), (256, 128), (128, 64), (64, 32))]
    dense = 33 * 256 + 256 + 257 * 4 * 4 * 256 + 256
    decoder = dense + sum(mirrored) + sum(again) + slopes + n_parameters((3, 3), 32, 6)
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert count == {"encoder": encoder, "decoder": decoder}
    assert encoder + decoder == 5_065_170


@pytest.mark.parametrize("size", [4, 5, 7, 8, (9, 6)])
def test_maps_have_the_images_size(size: int | tuple[int, int]) -> None:
    network = VAEDeblender(**SMALL, image_size=size)
    height, width = network.image_size
    images = torch.randn(2, 2, height, width)
    assert network(images).shape == (2, 1, height, width)
    assert network.encoder(images).mean.shape == (2, 3)


def test_each_layer_of_the_decoder_mirrors_one_of_the_encoder() -> None:
    network = VAEDeblender(in_channels=6, n_outputs=6, image_size=64)
    down = [layer for layer in network.encoder.levels if isinstance(layer, nn.Conv2d)]
    up = [layer for layer in network.decoder.levels if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in down] == [32, 32, 64, 64, 128, 128, 256, 256]
    assert [layer.out_channels for layer in up] == [256, 256, 128, 128, 64, 64, 32, 32]
    assert [layer.stride for layer in down] == [layer.stride for layer in reversed(up)]


def test_a_new_encoder_learns_before_a_decoder_that_is_kept() -> None:
    torch.manual_seed(0)
    first, second = VAEDeblender(**SMALL, image_size=8), VAEDeblender(**SMALL, image_size=8)
    second.decoder.load_state_dict(first.decoder.state_dict())
    second.decoder.requires_grad_(False)
    points = torch.randn(4, 3)
    optimizer = torch.optim.Adam([p for p in second.parameters() if p.requires_grad], lr=1e-2)
    images = torch.randn(8, 2, 8, 8)
    wanted = first.decoder(first.encoder(images).mean).detach()
    losses = []
    for _ in range(30):
        found = second.training_outputs(images)
        loss = (found["outputs"] - wanted).square().mean() + 1e-3 * found["kl"].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert torch.equal(first.decoder(points), second.decoder(points))


def test_divergence_is_from_the_unit_gaussian() -> None:
    torch.manual_seed(0)
    network = VAEDeblender(**SMALL, image_size=8).eval()
    images = torch.randn(3, 2, 8, 8)
    mean = network.encoder(images).mean
    expected = mean.square().sum(1) / 2  # standard deviations begin at 1
    torch.testing.assert_close(network.training_outputs(images)["kl"], expected)


def test_sizes_and_options_that_are_none() -> None:
    network = VAEDeblender(**SMALL, image_size=8)
    with pytest.raises(
        ConfigError, match=r"built for images of 8×8 pixels and got 8×9; .* image_size=\[8,9\]"
    ):
        network(torch.zeros(1, 2, 8, 9))
    with pytest.raises(ConfigError, match="at least 4×4 pixels and image_size is 3×3"):
        VAEDeblender(**SMALL, image_size=3)
    with pytest.raises(ConfigError, match=r"widths=\[\]"):
        VAEDeblender(**{**SMALL, "widths": ()}, image_size=8)
