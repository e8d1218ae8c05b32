"""A multilayer perceptron for tables: values, which of them are known, and how well."""

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError

__all__ = ["TableMLP"]


class TableMLP(nn.Module):
    """Dense layers on the features of a table, each with SiLU: (B, F) → (B, n_outputs).

    Which values are not valid, and the errors of the others, are inputs of their own, so that a non-detection is not
    taken for a measurement, and a faint object's colour not for a bright one's.

    Args:
        in_channels: number of features, F.
        n_outputs: number of raw outputs.
        width: units of each layer.
        depth: layers before the last.
        dropout: share of units that training, and Monte-Carlo dropout, leave out after each of them.

    Raises:
        ConfigError: features of another number; options out of their range.
    """

    input_shape = (6,)
    takes = ("valid", "log_errors")

    def __init__(
        self, *, in_channels: int, n_outputs: int, width: int = 256, depth: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if width < 1 or depth < 1 or not 0 <= dropout < 1:
            raise ConfigError(
                f"model.width={width}, model.depth={depth} and model.dropout={dropout}: at least 1, at least 1, and "
                "from 0 to below 1."
            )
        self.in_channels = in_channels
        layers: list[nn.Module] = []
        for n_in in [3 * in_channels, *[width] * (depth - 1)]:
            layers += [nn.Linear(n_in, width), nn.SiLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_outputs)

    def forward(
        self, features: Tensor, valid: Tensor | None = None, log_errors: Tensor | None = None
    ) -> Tensor:
        """Raw outputs (B, n_outputs).

        Args:
            features: (B, F), normalised.
            valid: bool, of that shape; None takes all.
            log_errors: of that shape, normalised, 0 where unknown; None knows none.

        Raises:
            ConfigError: features of another number.
        """
        if features.ndim != 2 or features.shape[1] != self.in_channels:
            raise ConfigError(
                f"TableMLP takes features of shape (B, {self.in_channels}) and got {tuple(features.shape)}; set "
                "in_channels (data.features) to the number of features."
            )
        missing = torch.zeros_like(features) if valid is None else (~valid).to(features.dtype)
        errors = torch.zeros_like(features) if log_errors is None else log_errors
        x = torch.cat([features, missing, errors], dim=1)  # (B, 3F)
        raw: Tensor = self.head(self.layers(x))
        return raw
