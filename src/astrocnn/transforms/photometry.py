"""From magnitudes or fluxes of a table to what a network likes: uncorrelated values of order one."""

import math

import torch
from torch import Tensor

from astrocnn.errors import DataError, choose
from astrocnn.transforms.normalize import MAD_TO_SIGMA, Normalize

__all__ = ["NormalizePhotometry"]

LIMIT = "_limit"  # ends the names of features that hold limits, which need not occur
LARGEST = 8.0  # deviations at which values are cut off
LEAST_SPREAD = 1e-3  # of a component, as a share of the greatest one
TO_MAGNITUDES = 2.5 / math.log(10)
QUANTITIES = {"magnitude": False, "flux": True}


class NormalizePhotometry(Normalize):
    """Features (B, F) into as many values of order one that do not go together: their principal components.

    Of magnitudes the first is a brightness and the others are colours, which say more of a redshift than magnitudes do,
    and whose small range a network would otherwise have to find by itself; nothing is lost, as F values become F.
    Fluxes become asinh magnitudes first, −2.5/ln 10 · asinh(f / 2b), b the median error of a feature, or without errors
    its noise (Lupton+99, arXiv:astro-ph/9903081). What is not valid is taken to lie as far from the median as the
    object's valid features do on average, in units of deviations. Medians, deviations (1.4826 times the median absolute
    one) and components are those of the training sample; values are cut off at ±8 deviations.

    Args:
        n_bands: number of features, F.
        quantity: 'magnitude' or 'flux'.

    Raises:
        ConfigError: another quantity.
    """

    components: Tensor
    softness: Tensor
    error_mean: Tensor
    error_std: Tensor

    def __init__(self, *, n_bands: int, quantity: str = "magnitude") -> None:
        super().__init__(n_bands=n_bands, stretch="linear", softening=1.0, sharpen=0.0)
        self.flux = choose("normalize.quantity", quantity, QUANTITIES)
        for name, value in (("softness", 1.0), ("error_mean", 0.0), ("error_std", 1.0)):
            self.register_buffer(name, torch.full((n_bands,), value))
        self.register_buffer("components", torch.eye(n_bands))

    @torch.no_grad()
    def fit(
        self, image: Tensor, valid: Tensor, *, bands: tuple[str, ...] = (), variance: Tensor | None = None
    ) -> None:
        """Measure medians and deviations.

        Args:
            image: (N, F) features of training objects.
            valid: bool, of that shape.
            bands: names, for messages.
            variance: of that shape, 0 where unknown; None where there is none.

        Raises:
            DataError: a feature has no value, or only one, in the training objects.
        """
        self._check_features(image, valid, bands)
        for k in range(image.shape[1]):
            self.sky[k], self.noise[k] = _centre_and_spread(image[:, k][valid[:, k]])
        self.softness.copy_(self.noise)
        if variance is not None:
            for k, (errors, known) in enumerate(_errors(variance, valid)):
                if bool(known.any()):
                    self.softness[k] = errors[known].median()
                    logs = errors[known].log10()
                    self.error_mean[k], self.error_std[k] = (
                        logs.mean(),
                        logs.std(correction=0).clamp(min=1e-3),
                    )
        values = self._magnitudes(image)
        for k in range(image.shape[1]):
            self.sky[k], self.noise[k] = _centre_and_spread(values[:, k][valid[:, k]])
        scaled = self._scaled(values, valid).double()
        spread, directions = torch.linalg.eigh(torch.cov(scaled.T, correction=0).reshape(len(self.sky), -1))
        least = LEAST_SPREAD**2 * spread.max()
        self.components.copy_(directions / spread.clamp(min=least).sqrt())
        features = scaled @ self.components.double()
        self.mean.copy_(features.median(0).values)
        deviation = MAD_TO_SIGMA * (features - self.mean).abs().median(0).values
        self.std.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """(B, F) float32 of features and validity of that shape."""
        with torch.autocast(image.device.type, enabled=False):  # colours are small differences
            features = self._scaled(self._magnitudes(image), valid) @ self.components
        return ((features - self.mean) / self.std).clamp(-LARGEST, LARGEST)

    def log_errors(self, variance: Tensor, valid: Tensor) -> Tensor:
        """(B, F) of order one: the logarithms of the errors, 0 where there is none."""
        known = valid & (variance > 0)
        logs = 0.5 * torch.where(known, variance, 1.0).log10()
        scaled = (logs - self.error_mean) / self.error_std
        return torch.where(known, scaled.clamp(-LARGEST, LARGEST), 0)

    def _magnitudes(self, image: Tensor) -> Tensor:
        if not self.flux:
            return image
        return -TO_MAGNITUDES * torch.asinh(image / (2 * self.softness))

    def _scaled(self, values: Tensor, valid: Tensor) -> Tensor:
        scaled = torch.where(valid, ((values - self.sky) / self.noise).clamp(-LARGEST, LARGEST), 0)
        average = scaled.sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp(min=1)
        return torch.where(valid, scaled, average)  # (B, F)

    @staticmethod
    def _check_features(image: Tensor, valid: Tensor, bands: tuple[str, ...]) -> None:
        for k in range(image.shape[1]):
            known = image[:, k][valid[:, k]]
            if len(known) and bool((known != known[0]).any()):
                continue
            name = bands[k] if k < len(bands) else str(k)
            if name.endswith(LIMIT):
                continue
            what = (
                f"is {float(known[0]):g} for every training object"
                if len(known)
                else "has no value in training"
            )
            raise DataError(
                f"the feature {name} {what}, so that nothing can be learned from it; leave it out."
            )


def _centre_and_spread(values: Tensor) -> tuple[float, float]:
    """Median, and 1.4826 times the median absolute deviation, or the deviation where that is 0; 0 and 1 of none."""
    if not len(values):
        return 0.0, 1.0
    values = values.double()
    centre = values.median()
    spread = MAD_TO_SIGMA * (values - centre).abs().median()
    spread = spread if spread > 0 else values.std(correction=0)
    return float(centre), float(spread) if spread > 0 else 1.0


def _errors(variance: Tensor, valid: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each feature the errors (N,) float64 and where they are known."""
    errors, known = variance.double().sqrt(), valid & (variance > 0)
    return list(zip(errors.unbind(1), known.unbind(1), strict=True))
