"""Photometric redshifts: a density over redshift for each object."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.functional.pdf import PDF
from astrocnn.losses.redshift_pdfs import Pinball
from astrocnn.losses.weighted_sum import WeightedSum
from astrocnn.tasks.base import BaseTask
from astrocnn.tasks.recalibration import CONFORMAL_LEVELS, Recalibration
from astrocnn.transforms.pdf_heads import PDFHead, QuantileHead
from astrocnn.transforms.photometry import NormalizePhotometry

__all__ = ["LEVELS", "PhotozTask"]

LEVELS = {"z_q025": 0.025, "z_q16": 0.16, "z_median": 0.5, "z_q84": 0.84, "z_q975": 0.975}
"""Columns of quantiles in tables, by their probability."""


class PhotozTask(BaseTask):
    """Densities over redshift from images, or from the photometry of a table.

    Any network with as many raw outputs as ``pdf`` needs will do. One that ``takes`` more than the image is given it:
    'scalars' (B, S), normalised by the mean and deviation of the training objects; 'valid' and 'log_errors' of a table.

    Args:
        pdf: makes densities of raw outputs.
        n_outputs: raw outputs of the network; None takes those of ``pdf``.
        n_scalars: further numbers of each object, S; None for none.
        test_time_augmentation: whether a prediction is the mixture over the exact turns and mirrors that the
            augmentation makes.
        dropout_samples: passes with dropout at work whose mixture a prediction is (Gal & Ghahramani 16,
            arXiv:1506.02142); 0 switches dropout off, as usual.
        recalibration: of the densities on the validation split: 'pit', 'temperature' or 'none'; see
            :class:`~astrocnn.tasks.recalibration.Recalibration`.
        options: those of :class:`BaseTask`.

    Attributes:
        members: further trained tasks, whose densities are mixed with this one's own (Lakshminarayanan+17,
            arXiv:1612.01474).

    Raises:
        ConfigError: options that do not go together.
    """

    report = "photoz"
    learns = "redshift"
    fitting = "a network of whole objects, such as model=mdn (images) or model=mdn_table (tables)"
    scalar_mean: Tensor
    scalar_std: Tensor

    def __init__(
        self,
        *,
        pdf: PDFHead,
        n_outputs: int | None = None,
        n_scalars: int | None = None,
        test_time_augmentation: bool = True,
        dropout_samples: int = 0,
        recalibration: str = "pit",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.pdf = pdf
        self.recalibration = Recalibration(kind=recalibration)
        if n_outputs not in (None, pdf.n_outputs):
            raise ConfigError(
                f"task.n_outputs={n_outputs}, but pdf={pdf.description['family']} needs {pdf.n_outputs}; leave it null."
            )
        terms = self.loss.losses.values() if isinstance(self.loss, WeightedSum) else (self.loss,)
        if any(isinstance(term, Pinball) for term in terms) and not isinstance(pdf, QuantileHead):
            raise ConfigError(
                f"loss=pinball is for pdf=quantiles, and pdf={pdf.description['family']}; choose loss=nll or loss=crps."
            )
        if n_scalars and "scalars" not in getattr(self.network, "takes", ()):
            raise ConfigError(
                f"{type(self.network).__name__} takes nothing beside the image, and data.scalars names {n_scalars} "
                "further inputs; choose model=mdn, pasquet or dcmdn, or leave data.scalars out."
            )
        if dropout_samples < 0:
            raise ConfigError(f"dropout_samples={dropout_samples} must be at least 0.")
        self.test_time_augmentation, self.dropout_samples = test_time_augmentation, dropout_samples
        self.register_buffer("scalar_mean", torch.zeros(n_scalars or 0))
        self.register_buffer("scalar_std", torch.ones(n_scalars or 0))
        self.members: Sequence[PhotozTask] = ()

    @staticmethod
    def check_data(data: DataSpec) -> None:
        """Raise a :class:`DataError` where there are no redshifts."""
        if "redshift" not in data.targets:
            raise DataError(
                "task=photoz learns redshifts, and these data have none; name their column with data.redshift=<column>."
            )

    @staticmethod
    def n_outputs(data: DataSpec, pdf: PDFHead | None = None) -> int:
        """As many as the densities need."""
        del data
        return 0 if pdf is None else pdf.n_outputs

    @staticmethod
    def output_shape(data: DataSpec, pdf: PDFHead | None = None) -> tuple[int | None, ...]:
        """(n_outputs,)."""
        del data
        return (None if pdf is None else pdf.n_outputs,)

    def prepare(self, sample: Batch, *, bands: tuple[str, ...] = ()) -> None:
        """As of any task; fit where densities begin, and the scale of the scalars."""
        if isinstance(self.normalize, NormalizePhotometry):
            variance = sample.get("variance")
            self.normalize.fit(sample["image"], sample["valid"], bands=bands, variance=variance)
        else:
            super().prepare(sample, bands=bands)
        self.pdf.fit(sample["redshift"])
        if len(self.scalar_mean):
            scalars = sample["scalars"].double()
            std = scalars.std(0, correction=0)
            self.scalar_mean.copy_(scalars.mean(0))
            self.scalar_std.copy_(torch.where(std > 0, std, 1.0))

    def notes(self, targets: Mapping[str, NDArray[Any]]) -> Iterator[str]:
        """Redshifts that the densities cannot hold."""
        redshift = targets["redshift"]
        known = redshift[np.isfinite(redshift)]
        beyond = known[~self.pdf.inside(torch.from_numpy(known)).numpy()]
        if len(beyond):
            low, high = self.pdf.support
            yield (
                f"{len(beyond)} of {len(known)} redshifts are outside {low:g} to {high:g}, where "
                f"pdf={self.pdf.description['family']} has a density, such as "
                f"{listed([f'{z:.4g}' for z in np.unique(beyond)[::-1]], most=3)}; they are not learned from, and have "
                "a likelihood of 0; widen pdf.range to have them."
            )

    def densities(self, batch: Batch) -> PDF:
        """The densities of one pass of the network."""
        found: PDF = self.pdf(self.outputs(batch))
        return found

    def outputs(self, batch: Batch) -> Tensor:
        """Raw outputs (B, n_outputs)."""
        taken = getattr(self.network, "takes", ())
        raw: Tensor = self._run[0](self.inputs(batch), *(self._taken(name, batch) for name in taken))
        return raw

    def _taken(self, name: str, batch: Batch) -> Tensor | None:
        if name == "scalars":
            if not len(self.scalar_mean):
                return None
            if "scalars" not in batch:
                raise DataError(
                    f"the network takes {len(self.scalar_mean)} numbers beside each image; give them as scalars (B, "
                    f"{len(self.scalar_mean)})."
                )
            return (batch["scalars"] - self.scalar_mean) / self.scalar_std
        if name == "log_errors":
            if "variance" not in batch or not isinstance(self.normalize, NormalizePhotometry):
                return None
            return self.normalize.log_errors(batch["variance"], batch["valid"])
        return batch[name]

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of the densities at the true redshifts."""
        return {"loss": self.loss(self.densities(batch), batch["redshift"], weight=batch.get("weight"))}

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """The loss; log-likelihood and CRPS are noted beside it."""
        pdf, redshift = self.densities(batch), batch["redshift"]
        inside = self.pdf.inside(redshift)
        if n := int(inside.sum()):
            pdf_of, z = pdf[inside].double(), redshift[inside].double()
            scores = {"val/nll": -pdf_of.log_prob(z).mean(), "val/crps": pdf_of.crps(z).mean()}
            self.log_dict(
                {name: value.float() for name, value in scores.items()}, prog_bar=True, batch_size=n
            )
        return {"loss": self.loss(pdf, redshift, weight=batch.get("weight"))}

    @torch.no_grad()
    def predicted(self, batch: Batch) -> PDF:
        """The densities before recalibration, in double precision: of all views, passes with dropout, and members."""
        views: Iterable[Batch] = [batch]
        if self.test_time_augmentation and self.augment is not None and batch["image"].ndim == 4:
            views = [view for view, _ in self.augment.exact_views(batch)]
        found = [pdf for view in views for pdf in self._passes(view)]
        for member in self.members:
            found.append(member.predicted(batch))
        return type(found[0]).mixed(found) if len(found) > 1 else found[0]

    def _passes(self, batch: Batch) -> list[PDF]:
        if not self.dropout_samples:
            return [self.densities(batch).double()]
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), _dropping(self.network):
            torch.manual_seed(self.seed)  # a prediction depends on checkpoint and pixels alone
            return [self.densities(batch).double() for _ in range(self.dropout_samples)]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """What :meth:`described` says of a batch."""
        return self.described(self.predicted(batch))

    def described(self, pdf: PDF) -> dict[str, Tensor]:
        """Of densities before recalibration: the points ``z_mean``, ``z_median`` and ``z_mode`` (B,) and the quantiles
        ``z_q025``, ``z_q16``, ``z_q84`` and ``z_q975`` after it; conformal intervals ``z_low68``, ``z_high68``,
        ``z_low95`` and ``z_high95``; the columns of the densities.
        """
        mended, ends = self.recalibration(pdf), self.recalibration.intervals(pdf)
        found = {"z_mean": mended.mean(), "z_mode": mended.mode()}
        found |= dict(zip(LEVELS, mended.quantile(list(LEVELS.values())).unbind(1), strict=True))
        for number, level in enumerate(CONFORMAL_LEVELS):
            for end, values in zip(("low", "high"), ends[:, number].unbind(1), strict=True):
                found[f"z_{end}{100 * level:.0f}"] = values
        return {name: values.float() for name, values in (found | pdf.columns()).items()}

    def forward(
        self,
        images: Tensor | NDArray[Any],
        valid: Tensor | None = None,
        *,
        variance: Tensor | None = None,
        scalars: Tensor | None = None,
    ) -> PDF:
        """Densities of images in flux units, or of rows of photometry, normalised as in training.

        Args:
            images: (B, C, H, W) or (C, H, W), the bands in the order of training; (B, F) or (F,) of a table.
            valid: bool, of that shape; None takes the finite values.
            variance: of that shape, of a table; None knows none.
            scalars: (B, S) or (S,), what the network takes beside.

        Returns:
            B recalibrated densities, one for a single object; ``.median()``, ``.quantile([0.16, 0.84])``,
            ``.density(grid)``, ...
        """
        single = images.ndim == len(getattr(self.network, "input_shape", (1, 1, 1)))
        more = {"variance": variance, "scalars": scalars}
        if single:
            images, valid = images[None], None if valid is None else valid[None]
            more = {name: None if of is None else of[None] for name, of in more.items()}
        batch = self.batch_of(images, valid)
        for name, values in more.items():
            if values is not None:
                batch[name] = torch.as_tensor(values).to(self.device, torch.float32)
        mended: PDF = self.recalibration(self.predicted(batch))
        return mended


@contextmanager
def _dropping(network: nn.Module) -> Iterator[None]:
    """Dropout at work in a network that is otherwise in evaluation mode.

    Raises:
        ConfigError: the network has none.
    """
    layers = [
        of
        for of in network.modules()
        if isinstance(of, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d) and of.p > 0
    ]
    if not layers:
        raise ConfigError(
            f"dropout_samples needs a network with dropout, and {type(network).__name__} has none; train one with "
            "model.dropout=0.1, or mix several runs (ensemble=[...])."
        )
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()
