"""The four-layer network of Domínguez Sánchez+18 for galaxy morphology (MNRAS 476, 3661)."""

from collections.abc import Sequence

from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.convolution import output_size
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, check_size, same_conv2d, sides_of_at_least

__all__ = ["SimpleCNN"]


class SimpleCNN(nn.Module):
    """Four convolutions, two of them followed by pooling, and one hidden dense layer.

    With 3 bands, 69×69 pixels and one output it has the paper's 2,602,849 parameters, 91 % of them in the
    dense layer, whose size follows the image: the network is built for one ``image_size``.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs (logits).
        image_size: pixels of a side, or (height, width); at least 4.
        dropout: rates after the four convolutions and after the dense layer; the paper's by default.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); the authors'
            library draws Glorot's.

    Raises:
        ConfigError: an image below 4×4 pixels, other than five dropout rates, or an unknown ``init``.
    """

    input_shape = (3, 69, 69)
    least_size = 4

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        image_size: int | Sequence[int],
        dropout: Sequence[float] = (0.5, 0.25, 0.25, 0.25, 0.5),
        init: str = "glorot",
    ) -> None:
        super().__init__()
        height, width = sides_of_at_least(self.least_size, image_size, network="SimpleCNN")
        if len(dropout) != 5:
            raise ConfigError(
                f"dropout={list(dropout)} has {len(dropout)} rates; give five: "
                f"one after each of the four convolutions and one after the dense layer."
            )
        self.in_channels = in_channels
        self.image_size = (height, width)
        self.features = nn.Sequential(
            same_conv2d(in_channels, 32, 6), nn.ReLU(), nn.Dropout(dropout[0]),
            same_conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout[1]),
            same_conv2d(64, 128, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout[2]),
            same_conv2d(128, 128, 3), nn.ReLU(), nn.Dropout(dropout[3]),
        )  # fmt: skip
        pixels = _pooled_twice(height) * _pooled_twice(width)
        self.head = nn.Sequential(
            nn.Linear(128 * pixels, 64), nn.ReLU(), nn.Dropout(dropout[4]), nn.Linear(64, n_outputs)
        )
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, n_outputs) of images (B, C, H, W).

        Raises:
            ConfigError: images of another number of bands or another size than the network was built for.
        """
        check_images(images, network="SimpleCNN", in_channels=self.in_channels, least=self.least_size)
        check_size(images, self.image_size, network="SimpleCNN")
        features = self.features(images)  # (B, 128, H//4, W//4)
        logits: Tensor = self.head(features.flatten(1))  # (B, n_outputs)
        return logits


def _pooled_twice(size: int) -> int:
    return output_size(output_size(size, 2, stride=2), 2, stride=2)
