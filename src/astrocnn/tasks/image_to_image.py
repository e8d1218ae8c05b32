"""From an image to another image of the same sky: deblending, denoising, finer pixels, maps of physical quantities."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.functional.enlarge import enlarged
from astrocnn.networks.blocks import middle_of
from astrocnn.tasks.base import BaseTask
from astrocnn.transforms.target_scale import TargetScale

__all__ = ["TARGET", "ImageToImageTask"]

TARGET = "target_image"


class ImageToImageTask(BaseTask):
    """Target images from images, in the target's own units.

    The loss compares in the scale of ``target_scale`` and counts only pixels whose target is valid. A network that
    gives smaller maps than its images is compared with the middle of the target, one that gives larger ones with a
    target of finer pixels. A variational network (``training_outputs``) adds β times the
    Kullback-Leibler divergence of its latent variables from their prior, per pixel of the target: with a loss that
    is a negative log-likelihood, β = 1 is the evidence lower bound (Kingma & Welling 13, arXiv:1312.6114), other
    values make the β-VAE of Higgins+17 (ICLR). Validation uses the mean of the latent variables, and no divergence.

    Args:
        planes: names of the target's planes.
        bands: names of the image's bands.
        target_scale: from the target's units to those of the loss, and back.
        n_outputs: maps of the network; None takes one a plane.
        residual: whether the network gives the difference to the input, in the scale of the target and in units of the
            deviation that this difference has in training; every plane must be one of the bands. An input of coarser
            pixels is enlarged (:func:`~astrocnn.functional.enlarge.enlarged`).
        flux_weight: of the relative error of the flux, ln(1 + |Σy − Σt| / Σ|t|) over the valid pixels of a plane in the
            target's units, which is added to the loss of the pixels; 0 leaves it out. Pixels compared on an asinh scale
            may all be a little too faint.
        beta: β.
        n_samples: samples of a variational network behind ``spread``; 0 gives none.
        options: those of :class:`BaseTask`.

    Raises:
        ConfigError: options that do not go together.
    """

    report = "image_to_image"
    learns = "target_image"
    fitting = "a network with outputs for every pixel, such as model=unet"
    step: Tensor  # (K,) deviation of what a residual network has to give

    def __init__(
        self,
        *,
        planes: Sequence[str],
        bands: Sequence[str],
        target_scale: TargetScale,
        n_outputs: int | None = None,
        residual: bool = False,
        flux_weight: float = 0.0,
        beta: float = 1.0,
        n_samples: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.planes, self.bands = tuple(planes), tuple(bands)
        self.target_scale, self.residual = target_scale, residual
        self.flux_weight, self.beta, self.n_samples = flux_weight, beta, n_samples
        self.variational = bool(getattr(self.network, "variational", False))
        if n_outputs not in (None, len(self.planes)):
            raise ConfigError(
                f"task.n_outputs={n_outputs}, but the target has {len(self.planes)} planes; leave it null."
            )
        if flux_weight < 0:
            raise ConfigError(f"task.flux_weight={flux_weight} must be at least 0.")
        if beta < 0 or n_samples < 0 or (n_samples and not self.variational):
            raise ConfigError(
                f"task.beta={beta} and task.n_samples={n_samples}: at least 0, and samples are for variational "
                "networks only."
            )
        self.register_buffer("step", torch.ones(len(self.planes)))
        self._check_scale()

    def _check_scale(self) -> None:
        bounded = bool(getattr(self.loss, "bounded", False))
        if bounded != self.target_scale.bounded:
            needed = "true" if bounded else "false"
            raise ConfigError(
                f"loss={type(self.loss).__name__} needs task.target_scale.bounded={needed}, or choose another loss "
                f"(loss={'l2' if bounded else 'binary_cross_entropy'})."
            )
        if not self.residual:
            return
        if not set(self.planes) <= set(self.bands):
            raise ConfigError(
                f"task.residual=true needs planes that are bands of the image, but the target has "
                f"{listed(self.planes)} and the image {listed(self.bands)}; set task.residual=false."
            )
        if self.target_scale.bounded or any(stretch.positive for stretch in self.target_scale.stretches):
            raise ConfigError(
                "task.residual=true adds to the noisy input, which is negative in places; choose "
                "task.target_scale.stretch=linear or asinh, and task.target_scale.bounded=false."
            )

    @staticmethod
    def n_outputs(data: DataSpec) -> int:
        """One for each plane of the target."""
        return _target_shape(data)[0]

    @staticmethod
    def output_shape(data: DataSpec) -> tuple[int, ...]:
        """(K, H', W'): that of the target."""
        return _target_shape(data)

    def prepare(self, sample: Batch, *, bands: tuple[str, ...] = ()) -> None:
        """As of any task; fit the target's scale too."""
        super().prepare(sample, bands=bands or self.bands)
        noise = None
        if self._of_bands:
            finer = _finer(sample["image"], sample[TARGET].shape[2:])
            noise = self.normalize.noise[self._columns] / finer ** (sample[TARGET].ndim - 2)
        self.target_scale.fit(sample[TARGET], sample["target_valid"], planes=self.planes, noise=noise)
        if self.residual:
            scaled, valid = self.target_scale(sample[TARGET], sample["target_valid"])
            missing = scaled - self._scaled_input(sample, scaled.shape[2:])
            for k in range(len(self.planes)):
                size = missing[:, k][valid[:, k]].double().square().mean().sqrt()
                self.step[k] = size if size > 0 else 1.0

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of the valid pixels, and of a variational network in training the divergence."""
        if not (self.variational and self.training):
            return self._compare(self.outputs(batch), batch)
        target, _ = self.target_scale(batch[TARGET], batch["target_valid"])
        said = cast(Any, self.network).training_outputs(self.inputs(batch), target)
        outputs = self._with_input(said["outputs"], batch)
        divergence = said["kl"].float().mean() / outputs[0].numel()
        return self._compare(outputs, batch) | {"kl": self.beta * divergence}

    def outputs(self, batch: Batch) -> Tensor:
        """Maps (B, K, ...) in the scale of the target."""
        return self._with_input(super().outputs(batch), batch)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """``target_image``: (B, K, H', W') float32 in the target's units; of variational networks, where samples are
        asked for, also ``spread``: their standard deviation, of that shape.
        """
        said = {TARGET: self.target_scale.inverse(self.outputs(batch))}
        if self.n_samples:
            said["spread"] = self._spread(batch)
        return said

    def compared(self, batch: Batch, sides: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Target (B, K, ...) and its validity, their middle of the given trailing sides."""
        return middle_of(batch[TARGET], sides), middle_of(batch["target_valid"], sides)

    def trivial(self, batch: Batch, sides: Sequence[int]) -> dict[str, Tensor]:
        """What anyone would say without a network, (B, K, ...) in the target's units: the ``mean`` of the training
        pixels, and the ``input`` where the planes are bands of the image (with coarser pixels: interpolated).
        """
        shape = (len(batch["image"]), len(self.planes), *sides)
        mean = self.target_scale.average.view(1, -1, *[1] * len(sides)).expand(shape)
        return {"mean": mean} | ({"input": self._input(batch, sides)} if self._of_bands else {})

    def forward(self, images: Tensor | np.ndarray, valid: Tensor | None = None) -> Tensor:
        """Target images, in their units, of images in theirs.

        Args:
            images: (B, C, H, W) or (C, H, W), the bands in the order of training; volumes alike.
            valid: bool, of that shape; None takes the finite pixels.

        Returns:
            (B, K, H', W'); without B for a single image.
        """
        single = images.ndim == len(getattr(self.network, "input_shape", (1, 1, 1)))
        images, valid = (
            images[None] if single else images,
            valid[None] if single and valid is not None else valid,
        )
        said = self.predict(self.batch_of(images, valid))[TARGET]
        return said[0] if single else said

    def _compare(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        sides = outputs.shape[2:]
        true, valid = self.compared(batch, sides)
        target, counted = self.target_scale(true, valid)
        step = self._steps(sides)
        terms = {"loss": self.loss(outputs / step, target / step, counted, weight=batch.get("weight"))}
        if self.flux_weight:
            missing = torch.where(counted, self.target_scale.inverse(outputs) - true, 0).flatten(2).sum(2)
            terms["flux"] = self.flux_weight * self._relative(
                missing, torch.where(counted, true, 0).flatten(2), batch
            )
        return terms

    @staticmethod
    def _relative(missing: Tensor, true: Tensor, batch: Batch) -> Tensor:
        """Mean of ln(1 + |missing| / flux) over the images' planes (B, K) that have a flux; ``true`` (B, K, pixels)."""
        flux = true.abs().sum(2)
        share = (flux > 0).float()
        if "weight" in batch:
            share = share * batch["weight"][:, None]
        each = torch.log1p(missing.abs() / torch.where(flux > 0, flux, 1.0))
        total = share.sum()
        return (each * share).sum() / torch.where(total > 0, total, 1.0)

    @property
    def _of_bands(self) -> bool:
        return set(self.planes) <= set(self.bands)

    @property
    def _columns(self) -> list[int]:
        return [self.bands.index(plane) for plane in self.planes]

    def _input(self, batch: Batch, sides: Sequence[int]) -> Tensor:
        """The input's bands as a guess at the target, in its units and on its pixels."""
        bands = batch["image"][:, self._columns]
        return middle_of(enlarged(bands, _finer(bands, sides)), sides)

    def _with_input(self, outputs: Tensor, batch: Batch) -> Tensor:
        if not self.residual:
            return outputs
        sides = outputs.shape[2:]
        return outputs.float() * self._steps(sides) + self._scaled_input(batch, sides)

    def _scaled_input(self, batch: Batch, sides: Sequence[int]) -> Tensor:
        bands = self._input(batch, sides)
        scaled: Tensor = self.target_scale(bands, torch.ones_like(bands, dtype=torch.bool))[0]
        return scaled

    def _steps(self, sides: Sequence[int]) -> Tensor:
        return self.step.view(-1, *[1] * len(sides))

    def _spread(self, batch: Batch) -> Tensor:
        draws = self.samples(batch, self.n_samples)  # (n, B, K, ...)
        maps = [self.target_scale.inverse(self._with_input(draw, batch)) for draw in draws]
        return torch.stack(maps).std(0)


def _target_shape(data: DataSpec) -> tuple[int, ...]:
    if TARGET not in data.maps:
        raise DataError(
            "image_to_image learns from pairs of images, and these data have no target; choose data=image_pairs."
        )
    return data.maps[TARGET]


def _finer(images: Tensor, sides: Sequence[int]) -> int:
    """How many pixels of the target there are along one of the image; 1 where the target is not larger."""
    return max(1, sides[-1] // images.shape[-1])
