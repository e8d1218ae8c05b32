"""The paper's statistics, and that nothing is lost at the edges."""

import torch

from astrocnn.networks.morpheus import Morpheus


def test_running_statistics_of_the_paper() -> None:
    network = Morpheus(in_channels=4, n_outputs=5)
    assert sum(b.numel() for name, b in network.named_buffers() if "running" in name) == 760


def test_each_level_of_the_way_down_is_joined() -> None:
    """The gradient of one output reaches every level by the way across and by the middle."""
    torch.manual_seed(0)
    network = Morpheus(in_channels=1, n_outputs=1).eval()
    images = torch.randn(1, 1, 64, 64, requires_grad=True)
    network(images)[0, 0, 32, 32].backward()
    reached = images.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert reached.max() - reached.min() > 8 * 4  # further than the finest level alone can see
    assert images.grad[0, 0, 32, 32] != 0


def test_pixels_keep_their_places_unless_enlarged_as_the_paper_does() -> None:
    """The paper's way depends on the size of the image, so that no window gives what the whole does."""
    torch.manual_seed(0)
    images = torch.randn(1, 1, 8, 400)
    for align_corners, alike in ((False, True), (True, False)):
        network = Morpheus(in_channels=1, n_outputs=1, align_corners=align_corners).eval()
        far = 80  # the field of 76 pixels, from a multiple of 8 on
        assert network.half_field == (None if align_corners else 76)
        whole, window = network(images)[..., 160 + far : -far], network(images[..., 160:])[..., far:-far]
        assert torch.allclose(whole, window, atol=1e-6) == alike
