"""Joins data, task and network: what cannot go together is refused before any pixel is read."""

import math
import re
import sys
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import nn

from astrocnn.batch import Batch, DataSpec
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.errors import AstrocnnError, ConfigError
from astrocnn.functional.seeding import seed_of
from astrocnn.networks.blocks import whole_maps
from astrocnn.runtime.option_types import check_types
from astrocnn.tasks.base import BaseTask

__all__ = [
    "build",
    "build_data",
    "build_task",
    "instantiated",
    "plain",
    "set_values",
    "task_class_of",
    "training_sample",
]

SAMPLE = 1024  # training objects behind sky level and noise, fewer where they are large
SAMPLE_VALUES = 2**26


def instantiated(config: Any, name: str, **extra: Any) -> Any:
    """What a node's ``_target_`` makes; our own errors come through as they are.

    Raises:
        ConfigError: an option does not exist or the target refuses the values.
    """
    try:
        return instantiate(config, _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, AstrocnnError):
            raise cause from None
        raise ConfigError(
            f"{name} cannot be built: {cause or error}; check its options with --cfg job."
        ) from error


def check_options(config: Any, name: str) -> None:
    """Raise a :class:`ConfigError` where a value is of a kind that the node's target does not take."""
    if (target := class_of(config)) is not None:
        check_types(target, plain(config), name)


def class_of(config: Any) -> Any:
    """The class of a node's ``_target_``; None where there is none, as making it will say."""
    try:
        return get_class(config._target_)
    except Exception:
        return None


def plain(config: Any) -> Any:
    """A node's resolved content as dicts, lists and primitives."""
    return OmegaConf.to_container(config, resolve=True)


def set_values(config: DictConfig, values: dict[str, Any]) -> None:
    """Write values under dotted names, also new ones."""
    with open_dict(config):
        for name, value in values.items():
            OmegaConf.update(config, name, value, force_add=True)


def build_data(cfg: DictConfig, task: type[BaseTask] | None = None) -> tuple[ObjectDataModule, DataSpec]:
    """The datamodule, probed; what the files say is written into ``cfg.data``. The ``task`` is that of ``cfg`` where no
    other is given.

    Raises:
        AstrocnnError: the files, the table or the options do not fit.
    """
    check_options(cfg.data, "data")
    datamodule: ObjectDataModule = instantiated(cfg.data, "data")
    learns = (task or task_class_of(cfg)).learns
    if learns in datamodule.targets:
        datamodule.learns = learns
    spec = datamodule.probe()
    set_values(cfg, {f"data.{key}": value for key, value in datamodule.filled().items() if key in cfg.data})
    return datamodule, spec


def training_sample(datamodule: ObjectDataModule, seed: int) -> Batch:
    """Random objects of the training split, the same for a seed, from which a task takes sky level and noise.

    Raises:
        DataError: there is no training split.
    """
    n = max(1, min(SAMPLE, SAMPLE_VALUES // math.prod(datamodule.spec.image_shape)))
    return datamodule.training_sample(seed_of(seed, 1), n)


def build_task(cfg: DictConfig) -> BaseTask:
    """The task with its network, weights drawn by ``cfg.seed``."""
    torch.manual_seed(seed_of(cfg.seed))
    task = instantiated(cfg.task, f"model={choice('model')} with task={choice('task')}")
    if not isinstance(task, BaseTask):
        raise ConfigError(
            f"task={choice('task')} is not a task: its target {cfg.task._target_} makes {type(task)}."
        )
    return task


def build(cfg: DictConfig) -> tuple[ObjectDataModule, DataSpec]:
    """Fill the configuration from the data and check that network and task fit them.

    Raises:
        AstrocnnError: something does not fit; the message names ``model=`` and ``data=``.
    """
    ask_for_masks(cfg)
    if not any(word.startswith("task=") for word in typed()):  # the data have the first word on another task
        check_loss(cfg)
    datamodule, spec = build_data(cfg)
    task_class_of(cfg).check_data(spec)
    datamodule.require_labels()
    fit_task(cfg, spec)
    tell_of_masks(cfg, spec)
    return datamodule, spec


def ask_for_masks(cfg: DictConfig) -> None:
    """Have data that can give the pixels of each object give them where the network learns them."""
    if "masks" in cfg.data and cfg.data.masks is None:
        cfg.data.masks = bool(getattr(class_of(cfg.model), "needs_masks", False))


def tell_of_masks(cfg: DictConfig, spec: DataSpec) -> None:
    """Say that maps of the objects are not learnt, where only boxes are."""
    network = class_of(cfg.model)
    if "boxes" in spec.truth and "instances" in spec.maps and not getattr(network, "needs_masks", False):
        print(
            "the maps of the objects' pixels serve the evaluation alone (instance_iou): "
            f"model={choice('model')} learns boxes; model=mask_rcnn learns the pixels too.",
            file=sys.stderr,
        )


def task_class_of(cfg: DictConfig) -> type[BaseTask]:
    """The class of the task.

    Raises:
        ConfigError: it is none.
    """
    task_class = get_class(cfg.task._target_)
    if not issubclass(task_class, BaseTask):
        raise ConfigError(
            f"task target {cfg.task._target_} is not a subclass of astrocnn.tasks.base.BaseTask."
        )
    return task_class


def check_loss(cfg: DictConfig) -> None:
    """Refuse a loss, or one of a sum of losses, that reads something else than the task learns; and any that was typed
    where the network has losses of its own.
    """
    nodes = (cfg.loss.get("losses") or {"": cfg.loss}).values()
    losses = [loss for loss in map(class_of, nodes) if loss is not None]
    if (network := class_of(cfg.model)) is None:
        return
    task_class = task_class_of(cfg)
    task_class.check_loss(losses, network)
    words = [word for word in typed() if re.match(r"[+~]*loss[.=]", word)]
    if words and task_class.has_own_losses(network):
        raise ConfigError(
            f"{words[0]} would change nothing: {network.__name__} has losses of its own; leave it out, or choose "
            "model=yolo_dense."
        )


def fit_task(cfg: DictConfig, spec: DataSpec) -> None:
    """Set the number of outputs and run the network once without memory or arithmetic (meta device)."""
    task_class = task_class_of(cfg)
    parts = {"pdf": instantiated(cfg.pdf, f"pdf={choice('pdf')}")} if "pdf" in cfg.task else {}
    n_outputs = task_class.n_outputs(spec, **parts)
    if cfg.task.n_outputs not in (None, n_outputs):
        raise ConfigError(
            f"task.n_outputs={cfg.task.n_outputs}, but these data need {n_outputs}; leave it null."
        )
    cfg.task.n_outputs = n_outputs
    if "n_scalars" in cfg.task:
        cfg.task.n_scalars = len(spec.scalars)
    check_loss(cfg)
    task_class.check_network(class_of(cfg.model), spec)
    check_forward(cfg, spec, task_class, task_class.output_shape(spec, **parts))
    check_options(cfg.task, "task")


def check_forward(
    cfg: DictConfig, spec: DataSpec, task_class: type[BaseTask], expected: tuple[int | None, ...]
) -> None:
    """One forward pass of a batch of two on the meta device must give what the task expects; one of the parts of
    images on which is trained must be possible.
    """
    pair = f"model={choice('model')} and data={choice('data')}"
    size = "×".join(map(str, spec.image_shape))
    made_for = getattr(class_of(cfg.model), "input_shape", spec.image_shape)
    if len(made_for) != len(spec.image_shape):
        raise ConfigError(
            f"{pair} do not go together: an object has the shape {size}, but the network takes shapes such as "
            f"{'×'.join(map(str, made_for))}; choose a model for such objects (scripts/inspect_data.py shows them)."
        )
    check_options(cfg.model, "model")
    if not getattr(class_of(cfg.model), "runs_on_meta", True):  # what it gives depends on the pixels
        return
    with torch.device("meta"):
        network = instantiated(cfg.model, f"model={choice('model')}").eval()
        try:
            output = whole_maps(network, torch.zeros(2, *spec.image_shape))
        except AstrocnnError as error:
            raise ConfigError(f"{pair} do not go together: an object is {size}; {error}") from error
        except RuntimeError as error:
            wants = "×".join(map(str, getattr(network, "input_shape", ("?",))))
            raise ConfigError(
                f"{pair} do not go together: an object is {size}, the network was made for {wants} ({error})."
            ) from error
        given = tuple(output.shape[1:])
        if remedy := misfit(cfg, given, expected, spec, task_class):
            raise ConfigError(
                f"{pair} do not go together: the network gives {outputs_of(given)} for an object of {size}, the "
                f"task needs {outputs_of(expected)}; {remedy}."
            )
        check_parts(cfg, spec, network)


def misfit(
    cfg: DictConfig,
    given: tuple[int, ...],
    expected: tuple[int | None, ...],
    spec: DataSpec,
    task_class: type[BaseTask],
) -> str:
    """What to do about a network that gives an output of another shape than is expected; '' where it does not."""
    if len(given) != len(expected):
        return f"choose {task_class.fitting}"
    differ = [want not in (None, has) for has, want in zip(given, expected, strict=True)]
    if any(differ[1:]):
        finer = (expected[-1] or 0) // spec.image_shape[-1]
        model = "" if "upscale" in cfg.model else "model=unet "
        ratio = f"{finer} {'pixel' if finer == 1 else 'pixels'} along one of the image"
        return f"set {model}model.upscale={finer}, as what is to come out has {ratio}"
    return (
        f"choose a network of {expected[0]} outputs, or leave model.n_outputs as it is" if differ[0] else ""
    )


def outputs_of(shape: tuple[int | None, ...]) -> str:
    """'2 numbers' or '8 maps of 64×64' of the shape of an output."""
    if None in shape:
        return "a grid of boxes"
    n, *sides = shape
    kind = "map" if sides else "number"
    return f"{n} {kind}{'s' * (n != 1)}" + (f" of {'×'.join(map(str, sides))}" if sides else "")


def check_parts(cfg: DictConfig, spec: DataSpec, network: nn.Module) -> None:
    """One forward pass of a part that ``augment.crop_pix`` cuts out of an image for training."""
    part = (cfg.get("augment") or {}).get("crop_pix")
    if part is None or len(spec.image_shape) != 3 or part > min(spec.image_shape[1:]):
        return
    try:
        whole_maps(network, torch.zeros(2, spec.image_shape[0], part, part))
    except (AstrocnnError, RuntimeError) as error:
        size = "×".join(map(str, spec.image_shape[1:]))
        raise ConfigError(
            f"model={choice('model')} takes the images of {size} pixels, but not the parts of {part}×{part} on which "
            f"augment.crop_pix={part} trains it; train on whole images with augment=default, or set another "
            "augment.crop_pix."
        ) from error


def typed() -> list[str]:
    """The overrides of the command line, but for Hydra's own."""
    if not HydraConfig.initialized():
        return []
    words: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return list(words)


def choice(group: str) -> str:
    """What was chosen for a configuration group on the command line, for messages."""
    return str(HydraConfig.get().runtime.choices.get(group)) if HydraConfig.initialized() else "…"
