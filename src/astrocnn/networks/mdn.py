"""A mixture-density network: a trunk that sees the image, and dense layers that further numbers join."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from astrocnn.errors import ConfigError, choose
from astrocnn.networks.blocks import with_scalars
from astrocnn.networks.dcmdn import DCMDN
from astrocnn.networks.pasquet import Pasquet
from astrocnn.networks.resnet import ResNet

__all__ = ["MDN", "TRUNKS"]

TRUNKS: dict[str, Callable[..., nn.Module]] = {
    "resnet20": partial(ResNet, depth=20),
    "resnet": ResNet,
    "dcmdn": DCMDN,
    "pasquet": Pasquet,
}
SIZED = ("dcmdn", "pasquet")  # built for one size of image


class MDN(nn.Module):
    """Any trunk of whole images → features ⊕ scalars → dense layer → raw outputs (Bishop 1994, NCRG/94/004).

    What the outputs mean is the matter of ``pdf``: with 3K of them, K Gaussians.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs.
        trunk: 'resnet20', which keeps small stamps' resolution, 'resnet', 'dcmdn' or 'pasquet'.
        options: of the trunk, by their names: {depth: 34}.
        image_size: rows and columns in pixels, for the trunks that are built for one size.
        n_scalars: further numbers of each object, which join the features.
        features: of the trunk.
        hidden: units of the dense layer.
        dropout: share of features and units that training, and Monte-Carlo dropout, leave out.

    Raises:
        ConfigError: a trunk that is not known, or options that it has not; what the trunk refuses.
    """

    input_shape = (5, 64, 64)
    takes = ("scalars",)

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        trunk: str = "resnet20",
        options: Mapping[str, Any] | None = None,
        image_size: int | Sequence[int] = 64,
        n_scalars: int = 0,
        features: int = 256,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1 or features < 1 or hidden < 1:
            raise ConfigError(
                f"model.features={features}, model.hidden={hidden} and model.dropout={dropout}: at least 1, at least "
                "1, and from 0 to below 1."
            )
        made_of = choose("model.trunk", trunk, TRUNKS)
        given = dict(options or {}) | ({"image_size": image_size} if trunk in SIZED else {})
        try:
            self.trunk = made_of(in_channels=in_channels, n_outputs=features, **given)
        except TypeError as error:
            raise ConfigError(
                f"model.options={dict(options or {})} do not fit trunk={trunk}: {error}."
            ) from error
        self.n_scalars, self.least_size = n_scalars, self.trunk.least_size
        self.act, self.dropout = nn.SiLU(), nn.Dropout(dropout)
        self.hidden = nn.Linear(features + n_scalars, hidden)
        self.head = nn.Linear(hidden, n_outputs)

    def forward(self, images: Tensor, scalars: Tensor | None = None) -> Tensor:
        """Raw outputs (B, n_outputs) of images (B, C, H, W) and scalars (B, S), both normalised."""
        x = self.dropout(self.act(self.trunk(images)))  # (B, features)
        x = with_scalars(x, scalars, self.n_scalars, network="MDN")
        raw: Tensor = self.head(self.dropout(self.act(self.hidden(x))))
        return raw
