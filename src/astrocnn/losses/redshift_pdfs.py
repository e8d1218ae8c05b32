"""Losses of densities over redshift: what a density says of the true redshift."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.pdf import PDF
from astrocnn.functional.piecewise import Quantiles

__all__ = ["CRPS", "NLL", "PDFLoss", "Pinball"]


class PDFLoss(nn.Module):
    """Mean of an object's score over a batch: L = Σ w v ℓ / Σ w v.

    v is 1 where the redshift is known and within what the density can hold, w the weight of the object. Computed in
    the density's precision, float32 at least.
    """

    reads = "redshift"

    @abstractmethod
    def score(self, pdf: PDF, redshift: Tensor) -> Tensor:
        """(B,) of densities at redshifts (B,) inside their support."""

    def forward(self, pdf: PDF, redshift: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean score, a scalar; 0, with gradients of 0, where no object counts.

        Args:
            pdf: B densities.
            redshift: (B,), NaN where unknown.
            weight: (B,) weights of the objects, or None for equal ones.

        Raises:
            ConfigError: numbers that do not go together.
        """
        if redshift.shape != (len(pdf),):
            raise ConfigError(
                f"{len(pdf)} densities and redshifts of shape {tuple(redshift.shape)}: give one redshift each."
            )
        redshift = redshift.to(pdf.dtype)
        counts = pdf.inside(redshift)
        share = counts.to(pdf.dtype) if weight is None else counts * weight.to(pdf.dtype)
        losses = self.score(pdf, torch.where(counts, redshift, pdf.somewhere))
        total = share.sum()
        return (losses * share).sum() / torch.where(total > 0, total, 1.0)


class NLL(PDFLoss):
    """−ln p(z): the negative log-likelihood; of bins the cross-entropy, less the logarithm of their widths."""

    def score(self, pdf: PDF, redshift: Tensor) -> Tensor:
        """As of :class:`PDFLoss`."""
        return -pdf.log_prob(redshift)


class CRPS(PDFLoss):
    """∫ (F(x) − [x ≥ z])² dx, in units of redshift (D'Isanto & Polsterer 18, arXiv:1706.02467)."""

    def score(self, pdf: PDF, redshift: Tensor) -> Tensor:
        """As of :class:`PDFLoss`."""
        return pdf.crps(redshift)


class Pinball(PDFLoss):
    """Mean over levels τ of max(τ (z − q), (τ − 1) (z − q)): learns quantiles (Koenker & Bassett 1978)."""

    def score(self, pdf: PDF, redshift: Tensor) -> Tensor:
        """As of :class:`PDFLoss`.

        Raises:
            ConfigError: the densities are no quantiles.
        """
        if not isinstance(pdf, Quantiles):
            raise ConfigError(
                f"loss=pinball is for pdf=quantiles, and pdf={pdf.family}; choose loss=nll or loss=crps."
            )
        levels = torch.tensor(pdf.taus, dtype=pdf.dtype, device=pdf.device)
        missed = redshift[:, None] - pdf.z  # (B, Q)
        return torch.maximum(levels * missed, (levels - 1) * missed).mean(1)
