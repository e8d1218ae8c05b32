"""Trained tasks back from their run's folder."""

import json
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from astrocnn.errors import ConfigError, RunError, listed
from astrocnn.runtime.build import build_task, plain, set_values
from astrocnn.runtime.trust import check_targets
from astrocnn.tasks.base import BaseTask

__all__ = ["best_checkpoint", "load", "read_checkpoint", "read_config", "read_record", "start_from"]


def read_config(run: str | Path) -> DictConfig:
    """The filled configuration of a run.

    Raises:
        RunError: the folder is not that of a run.
    """
    path = Path(run) / "config.yaml"
    if not path.is_file():
        raise RunError(
            f"{run} is not the folder of a run: it has no config.yaml; give one that train.py made."
        )
    config = OmegaConf.load(path)
    if not isinstance(config, DictConfig):
        raise RunError(f"{path} does not hold a configuration.")
    return config


def read_record(run: str | Path) -> dict[str, Any]:
    """What ``run.json`` of a run says; nothing where there is none."""
    path = Path(run) / "run.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and primitives of a checkpoint; nothing in the file is executed.

    Raises:
        RunError: the file is missing, damaged or holds more than that.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; the run has not got so far.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{path} cannot be loaded as weights ({first}); take another checkpoint.") from error
    return checkpoint


def best_checkpoint(run: str | Path) -> Path:
    """The checkpoint with the best validation figure, or the last where no validation was run.

    Raises:
        RunError: the run has neither yet.
    """
    folder = Path(run) / "checkpoints"
    for name in ("best.ckpt", "last.ckpt"):
        if (folder / name).is_file():
            return folder / name
    raise RunError(
        f"{run} has no checkpoint yet; continue it with python scripts/train.py run_dir={run} resume=true."
    )


def start_from(task: BaseTask, run: str | Path) -> str:
    """Give the network the weights of another run's network, where name and shape agree.

    Returns:
        What was taken, in words.

    Raises:
        RunError: none of the weights fit, or the run has none.
    """
    path = best_checkpoint(run)
    given = {
        name.removeprefix("network."): value
        for name, value in read_checkpoint(path)["state_dict"].items()
        if name.startswith("network.")
    }
    own = task.network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise RunError(
            f"start_from={run}: no weight of its network fits {type(task.network).__name__}; "
            "choose a run of the same model=..."
        )
    task.network.load_state_dict({**own, **fitting})
    others = sorted({name.split(".")[0] for name in own if name not in fitting})
    left = f"; new: {listed(others, most=10)}" if others else ""
    return f"weights of {run}: {len(fitting)} of {len(own)} tensors{left}"


def load(
    run: str | Path,
    *,
    checkpoint: str | None = None,
    device: str = "cpu",
    trust: Iterable[str] = (),
    ensemble: Iterable[str | Path] = (),
    dropout_samples: int | None = None,
) -> BaseTask:
    """The trained task of a run, ready to predict.

    Args:
        run: the run's folder.
        checkpoint: 'best' or 'last'; None takes the best there is.
        device: where the task shall run.
        trust: packages beyond astrocnn, torch, torchvision and timm whose classes the run may build.
        ensemble: further runs of task=photoz, on the same bands, whose densities are mixed with this one's.
        dropout_samples: of task=photoz, passes with dropout at work that a prediction mixes; None takes the run's.

    Returns:
        The task in evaluation mode; ``task(images)`` gives calibrated probabilities, or densities over redshift. Those
        of an ensemble and of ``dropout_samples`` are not recalibrated: the run's recalibration is of its own densities.

    Raises:
        RunError: the run is incomplete, damaged, or wants to build what is not trusted.
        ConfigError: runs that cannot be mixed.
    """
    config = read_config(run)
    check_targets(plain(config.task), trust=trust)
    path = Path(run) / "checkpoints" / f"{checkpoint}.ckpt" if checkpoint else best_checkpoint(run)
    weights = read_checkpoint(path)
    set_values(config, {"task.compile": False})
    ensemble = list(ensemble)
    if (ensemble or dropout_samples is not None) and "dropout_samples" not in config.task:
        raise ConfigError(
            f"the run in {run} is none of task=photoz, which ensemble and dropout_samples are for; leave them out."
        )
    if dropout_samples is not None:
        set_values(config, {"task.dropout_samples": dropout_samples})
    if config.model.get("weights"):  # which the checkpoint's replace; their file may have moved
        set_values(config, {"model.weights": None})
    task: Any = build_task(config)
    try:
        task.load_state_dict(weights["state_dict"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{path} does not fit the network in {run}/config.yaml: {error}") from error
    if dropout_samples is not None:
        task.recalibration.reset()
    if ensemble:
        others = {
            str(other): load(other, device=device, trust=trust, dropout_samples=dropout_samples)
            for other in ensemble
        }
        mix(task, config, others)
    loaded: BaseTask = task.to(device).eval()
    return loaded


def mix(task: Any, config: DictConfig, others: dict[str, Any]) -> None:
    """Have a task mix its densities with those of others, by the names of their runs.

    Raises:
        ConfigError: they are of other bands or another kind.
    """
    for run, other in others.items():
        theirs = list(read_config(run).data.bands)
        if theirs != list(config.data.bands):
            raise ConfigError(
                f"ensemble: {run} was trained on bands {theirs}, and the run itself on {list(config.data.bands)}; mix "
                "runs of the same bands."
            )
        kind = getattr(getattr(other, "pdf", None), "description", None)
        if kind != task.pdf.description:
            raise ConfigError(
                f"ensemble: {run} has not the same kind of densities as the run itself; mix runs of one pdf=... with "
                "the same options."
            )
    task.members = list(others.values())
    task.recalibration.reset()
