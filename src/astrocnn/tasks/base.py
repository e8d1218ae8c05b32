"""What every task does: the three steps, the optimiser, and reproducible randomness."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import ConfigError, RunError, listed
from astrocnn.functional.seeding import seed_of
from astrocnn.losses.weighted_sum import WeightedSum
from astrocnn.networks.blocks import whole_maps
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.normalize import Normalize

__all__ = ["BaseTask"]

LOSSES = {  # by what they read: names of loss=, files of configs/loss
    "label": "cross_entropy",
    "redshift": "nll, crps, nll_crps or pinball",
    "class_map": "pixel_cross_entropy, focal, dice, cross_entropy_dice, focal_dice or morpheus",
    "target_image": "l1, l2, huber or binary_cross_entropy",
    "dense": "dense_boxes",
    "yolo": "yolo",
}


class BaseTask(pl.LightningModule, ABC):
    """A network with its loss, optimiser, augmentation and normalisation.

    A subclass says what the loss of a batch is, what it predicts, and how many outputs the network needs.
    Training depends on (weights, optimiser state, seed, epoch, batch, rank) alone: each step seeds the
    generators of dropout and augmentation by that key.

    Args:
        network: raw outputs from normalised images. The maps of one without padding cover the whole image too
            (:func:`~astrocnn.networks.blocks.whole_maps`).
        loss: of raw outputs and targets.
        optimizer: makes an optimiser of parameters, as ``functools.partial(torch.optim.AdamW, lr=1e-3)``.
        normalize: applied to every image; part of the checkpoint.
        augment: applied to training batches only; None switches it off.
        scheduler: makes Lightning's scheduler description of (optimizer, total_steps, steps_per_epoch).
        monitor: the validation figure by which the best weights are chosen.
        monitor_mode: 'max' or 'min'.
        l1: factor of the sum of the absolute weights, added to the loss (biases and norms excepted).
        decay_norm_and_bias: whether weight decay also acts on biases and normalisation parameters.
        channels_last: memory format of 4-D tensors; faster on most hardware.
        compile: whether to run the network through ``torch.compile``.
        seed: of dropout and augmentation.

    Attributes:
        surround: whether images get the surroundings that a network without padding loses; windows have their own.

    Raises:
        ConfigError: the loss reads something else than the task learns.
    """

    report: ClassVar[str]  # which page shows the task's results
    learns: ClassVar[str | None] = None  # what its losses read
    fitting: ClassVar[str] = "a network made for this task"  # which networks suit it, for messages

    def __init__(
        self,
        *,
        network: nn.Module,
        loss: nn.Module,
        optimizer: Callable[..., Optimizer],
        normalize: Normalize,
        augment: Augment | None = None,
        scheduler: Callable[..., dict[str, Any]] | None = None,
        monitor: str = "val/loss",
        monitor_mode: str = "min",
        l1: float = 0.0,
        decay_norm_and_bias: bool = False,
        channels_last: bool = True,
        compile: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        parts = loss.losses.values() if isinstance(loss, WeightedSum) else (loss,)
        self.check_loss(map(type, parts), type(network))
        channels_last &= not any(
            weights.ndim == 5 for weights in network.parameters()
        )  # a format of images only
        self.network = network.to(memory_format=torch.channels_last) if channels_last else network
        self.loss, self.normalize = loss, normalize
        self.augment = augment or None  # an empty configuration file composes to {}
        self.optimizer_factory, self.scheduler_factory = optimizer, scheduler or None
        self.monitor, self.monitor_mode = monitor, monitor_mode
        self.l1, self.decay_norm_and_bias = l1, decay_norm_and_bias
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        # in a tuple, so that the compiled twin is not registered as a second submodule of the checkpoint
        self._run = (torch.compile(self.network) if compile else self.network,)
        self.seed = seed
        self.surround = True
        self._frozen: tuple[str, ...] = ()

    @staticmethod
    @abstractmethod
    def n_outputs(data: DataSpec) -> int:
        """How many outputs the network needs for such data."""

    @classmethod
    def truth_of(cls, network: Any) -> str | None:
        """What the losses of a class of networks read; None for any."""
        del network
        return cls.learns

    @classmethod
    def has_own_losses(cls, network: Any) -> bool:
        """Whether a class of networks computes its losses itself, so that ``loss`` is not looked at."""
        del network
        return False

    @classmethod
    def check_loss(cls, losses: Iterable[Any], network: Any) -> None:
        """Refuse classes of losses that read something else; one that does not say what it ``reads`` may be used.

        Raises:
            ConfigError: there is one.
        """
        wanted = cls.truth_of(network)
        for loss in losses:
            if wanted is not None and getattr(loss, "reads", wanted) != wanted:
                raise ConfigError(
                    f"{loss.__name__} is no loss of {cls.__name__} with {network.__name__}; "
                    f"choose loss={LOSSES[wanted]}."
                )

    @staticmethod
    def check_data(data: DataSpec) -> None:
        """Raise a :class:`DataError` where data have not what the task learns."""

    @staticmethod
    def check_network(network: Any, data: DataSpec) -> None:
        """Raise a :class:`DataError` where a class of networks learns from what the data have not."""

    @staticmethod
    @abstractmethod
    def output_shape(data: DataSpec) -> tuple[int | None, ...]:
        """Shape of the network's raw output for one image of such data; None stands for any number."""

    def prepare(self, sample: Batch, *, bands: tuple[str, ...] = ()) -> None:
        """Fit what is measured on training objects before the training: the normalisation.

        Args:
            sample: random rows of the training split.
            bands: names, for messages.
        """
        self.normalize.fit(sample["image"], sample["valid"], bands=bands)

    def notes(self, targets: Mapping[str, np.ndarray]) -> Iterable[str]:
        """What is to be said of the numbers (N,) to be learned, by their keys in the batch, before it is begun."""
        del targets
        return ()

    def freeze_parts(self, parts: Sequence[str]) -> None:
        """Leave parts of the network as they are: no gradients, and no new statistics of batch normalisation.

        Args:
            parts: names of modules of the network, such as 'encoder' or 'layer1'.

        Raises:
            ConfigError: the network has no such part, or nothing is left to train.
        """
        modules = dict(self.network.named_modules())
        for name in parts:
            if not name or name not in modules:
                raise ConfigError(
                    f"freeze={list(parts)}: {type(self.network).__name__} has no part {name!r}; its parts are "
                    f"{listed([part for part in modules if part and '.' not in part], most=20)}."
                )
            modules[name].requires_grad_(False)
        self._frozen = tuple(parts)
        if not any(parameter.requires_grad for parameter in self.network.parameters()):
            raise ConfigError(f"freeze={list(parts)} leaves nothing to train; freeze fewer parts.")
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; frozen parts stay in the latter."""
        super().train(mode)
        for name in self._frozen:
            self.network.get_submodule(name).eval()
        return self

    @abstractmethod
    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named terms of the loss, scalars; their sum is minimised."""

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """What the task says of each object, tensors of first dimension B."""

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of a validation batch; a subclass also updates its metrics here."""
        return self.compute_loss(batch)

    def inputs(self, batch: Batch) -> Tensor:
        """What the network is given: the normalised pixels of a batch."""
        image: Tensor = self.normalize(batch["image"], batch["valid"])
        return image.contiguous(memory_format=self.memory_format) if image.ndim == 4 else image

    def outputs(self, batch: Batch) -> Tensor:
        """The network's raw outputs for a batch, its pixels normalised."""
        images, run = self.inputs(batch), self._run[0]
        return whole_maps(self.network, images, run=run) if self.surround else run(images)

    def samples(self, batch: Batch, n: int) -> Tensor:
        """Raw outputs (n, B, ...) of ``n`` samples of a network with latent variables, the same for the same pixels."""
        image, network = self.inputs(batch), cast(Any, self.network)
        with torch.random.fork_rng([image.device] if image.device.type == "cuda" else []):
            torch.manual_seed(self.seed)  # a prediction depends on checkpoint and pixels alone
            found: Tensor = network.sample(image, n)
        return found

    def batch_of(self, images: Tensor | np.ndarray, valid: Tensor | None) -> Batch:
        """A batch of images (B, ...) in flux units, on the task's device; what is not valid holds 0.

        Args:
            images: float, NaN where there is no data.
            valid: bool, of that shape; None takes the finite pixels.
        """
        images = torch.as_tensor(np.asarray(images, np.float32) if isinstance(images, np.ndarray) else images)
        images = images.to(self.device, torch.float32)
        valid = images.isfinite() if valid is None else valid.to(self.device).view_as(images)
        return {"image": torch.where(valid, images, 0), "valid": valid}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of an augmented batch."""
        torch.manual_seed(seed_of(self.seed, self.current_epoch, batch_idx, self.global_rank))
        if self.augment is not None:
            batch = self.augment(batch, self.normalize.noise)
        terms = self.compute_loss(batch)
        if self.l1:
            weights = [p for p in self.network.parameters() if p.ndim > 1]
            terms["l1"] = self.l1 * torch.stack([w.abs().sum() for w in weights]).sum()
        total = torch.stack(list(terms.values())).sum()
        self.log("train/loss", total)
        if len(terms) > 1:
            self.log_dict({f"train/{name}": value for name, value in terms.items()})
        return total

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and metrics of a validation batch."""
        terms = self.validate(batch)
        total = torch.stack(list(terms.values())).sum()
        self.log("val/loss", total, batch_size=len(batch["index"]), prog_bar=True)

    def on_train_epoch_end(self) -> None:
        """Stop a training that has lost its weights, while the best ones are still there."""
        loss = self.trainer.callback_metrics.get("train/loss")
        if loss is not None and not loss.isfinite():
            raise RunError(
                f"the training loss became {float(loss)} in epoch {self.current_epoch + 1}; lower optimizer.lr, "
                "or look for extreme pixels in the data."
            )

    def configure_optimizers(self) -> Any:
        """The optimiser, with weight decay on weights only, and the schedule over the run's steps."""
        trained = [p for p in self.network.parameters() if p.requires_grad]
        parameters: list[dict[str, Any]] = [{"params": trained}]
        if not self.decay_norm_and_bias:
            parameters = [
                {"params": [p for p in trained if p.ndim > 1]},
                {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
            ]
        optimizer = self.optimizer_factory([group for group in parameters if group["params"]])
        if self.scheduler_factory is None:
            return optimizer
        total_steps = int(self.trainer.estimated_stepping_batches)
        steps_per_epoch = -(-total_steps // max(1, self.trainer.max_epochs or 1))
        schedule = self.scheduler_factory(optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": schedule}
