"""``scripts/train.py``: from a configuration to a trained, calibrated and measured task."""

import json
import logging
import signal
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ProgressBar

from astrocnn.callbacks.resume import DurableIO, Interrupted, ResumePoint
from astrocnn.datamodules.duplicates import DuplicateWarning
from astrocnn.errors import ConfigError, listed
from astrocnn.io.atomic import write_text
from astrocnn.runtime.build import (
    build,
    build_task,
    choice,
    instantiated,
    plain,
    set_values,
    training_sample,
)
from astrocnn.runtime.checkpoint import best_checkpoint, read_checkpoint, read_record, start_from
from astrocnn.runtime.describe import count_parameters, describe_data
from astrocnn.runtime.evaluate import device_of, evaluate_task, run_information
from astrocnn.runtime.folder import command_line, git_state, next_attempt, open_folder, save_config, versions
from astrocnn.runtime.judge import judge_of
from astrocnn.runtime.trust import check_targets
from astrocnn.tasks.base import BaseTask

__all__ = ["train"]

LIGHTNING_SAYS = (  # what does not apply to us, or is Lightning's own to mend
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*does not have many workers.*",
    ".*is smaller than the logging interval.*",
    ".*treespec, LeafSpec.*",
    ".*in eval mode at the start of training.*",  # parts that are frozen
    ".*your dataloader is.* not resumable.*",  # ours reads from the trainer where to go on
)


def train(cfg: DictConfig) -> float | None:
    """Train, choose the best weights, calibrate, test, and write everything into the run's folder.

    Returns:
        The best value of the monitored figure, for sweeps; None without validation.

    Raises:
        AstrocnnError: something that the user can mend.
        SystemExit: the training was stopped by a signal; it can be continued.
    """
    resumed = bool(cfg.resume)
    with open_folder(cfg) as (cfg, folder):
        if resumed:
            check_targets(plain(cfg), training=True)
        quiet()
        try:
            return run(cfg, folder)
        except (KeyboardInterrupt, Interrupted) as stop:
            signum = stop.signum if isinstance(stop, Interrupted) else signal.SIGINT
            where = f" by {stop}" if isinstance(stop, Interrupted) else ""
            print(
                f"\nStopped{where}. Continue with: python scripts/train.py run_dir={cfg.run_dir} resume=true",
                flush=True,
            )
            raise SystemExit(128 + signum) from None


def run(cfg: DictConfig, folder: Path) -> float | None:
    """The run itself, a list of steps."""
    record = begin_record(folder, cfg)
    datamodule, spec = build(cfg)
    save_config(cfg, folder)
    datamodule.prepare_data()
    datamodule.setup("fit")
    record["splits"] = describe_data(datamodule, folder, shown=cfg.run_dir)
    record["units"] = dict(zip(spec.bands, spec.units, strict=False))
    record["target_units"] = list(spec.target_units)
    write_text(folder / "run.json", json.dumps(record, indent=1))
    kind = judge_of(get_class(cfg.task._target_))
    counts = kind.class_counts(datamodule, spec)
    balance(cfg, counts)
    save_config(cfg, folder)

    task = build_task(cfg)
    task.prepare(training_sample(datamodule, cfg.seed), bands=spec.bands)
    if counts is not None:
        task.get_buffer("prior").copy_(torch.from_numpy(counts / counts.sum()))
    for note in task.notes(datamodule.numbers()):
        print(f"warning: {note}", flush=True)
    last = folder / "checkpoints" / "last.ckpt"
    if cfg.get("start_from") and not last.is_file():
        print(start_from(task, cfg.start_from))
    task.freeze_parts(cfg.get("freeze") or [])
    trainer, resume_point = build_trainer(cfg, folder)
    print(describe_network(task), flush=True)

    start = time.monotonic()
    trainer.fit(task, datamodule, ckpt_path=last if last.is_file() else None, weights_only=True)
    if resume_point is not None and resume_point.signum:
        raise Interrupted(resume_point.signum, trainer.current_epoch, 0)
    write_record(folder, record, seconds=time.monotonic() - start, epochs=trainer.current_epoch)

    task.load_state_dict(read_checkpoint(best_checkpoint(folder))["state_dict"])
    task.to(device_of("auto" if cfg.trainer.accelerator != "cpu" else "cpu")).eval()
    judge = kind(task, datamodule)
    calibrated = judge.calibrate(best_checkpoint(folder))
    evaluate_task(
        judge,
        folder,
        splits=("test", "val"),
        options=cfg.evaluation,
        run_info=run_information(folder, cfg, task),
        seed=cfg.seed,
        history_of=folder,
        predicted=calibrated,
    )
    best = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return None if best is None else float(best)


def quiet() -> None:
    """Leave out what Lightning tells everyone, its warnings stay; and what is printed with the splits."""
    warnings.filterwarnings("ignore", category=DuplicateWarning)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in LIGHTNING_SAYS:
        warnings.filterwarnings("ignore", message=message)


def balance(cfg: DictConfig, counts: np.ndarray | None) -> None:
    """Replace ``class_weights=balanced``, of the loss or of those that it sums, by N / (K · N_class) of the training
    split.

    Raises:
        ConfigError: nothing in the training split is of some class, so that it has no weight.
    """
    if counts is None:
        return
    for name in ("loss", *(f"loss.losses.{term}" for term in cfg.loss.get("losses") or ())):
        if OmegaConf.select(cfg, f"{name}.class_weights") == "balanced":
            if not counts.all():
                none = [of for of, n in zip(cfg.data.classes, counts, strict=True) if n == 0]
                raise ConfigError(
                    f"{name}.class_weights=balanced: nothing in the training split is of class {listed(none)}; leave "
                    f"it out of data.classes, or give a number for each class ({name}.class_weights=[...])."
                )
            set_values(cfg, {f"{name}.class_weights": (counts.sum() / (len(counts) * counts)).tolist()})


def precision_of(name: str, accelerator: str) -> str:
    """The precision that 'auto' stands for: bfloat16 where the hardware computes it, else float32."""
    if name != "auto":
        return name
    if accelerator != "cpu" and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16-mixed" if fast else "32-true"


def build_trainer(cfg: DictConfig, folder: Path) -> tuple[pl.Trainer, ResumePoint | None]:
    """Lightning's trainer with our callbacks, loggers and durable checkpoints.

    Raises:
        ConfigError: the trainer's options cannot work here.
    """
    attempt = next_attempt(folder)
    callbacks = [instantiated(node, f"callbacks.{name}") for name, node in cfg.callbacks.items() if node]
    loggers = [
        instantiated(node, f"logger.{name}", version=attempt) for name, node in cfg.logger.items() if node
    ]
    set_values(cfg, {"trainer.precision": precision_of(cfg.trainer.precision, cfg.trainer.accelerator)})
    save_config(cfg, folder)
    try:
        trainer = instantiated(
            cfg.trainer,
            "trainer",
            callbacks=callbacks,
            logger=loggers,
            plugins=[DurableIO()],
            default_root_dir=str(folder),
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )
    except ConfigError as error:
        cause = error.__cause__ and error.__cause__.__cause__
        if isinstance(cause, MisconfigurationException):
            raise ConfigError(
                f"trainer={choice('trainer')} cannot run here: {cause} Use trainer=cpu, or mend trainer.* options."
            ) from error
        raise
    return trainer, next((c for c in callbacks if isinstance(c, ResumePoint)), None)


def describe_network(task: BaseTask) -> str:
    """One line: the network's name and how many parameters it has, and how many of them are trained if not all."""
    n, n_trained = count_parameters(task.network).values()
    trained = "" if n_trained == n else f", {n_trained:,} of them trained"
    return f"network: {type(task.network).__name__}, {n:,} parameters{trained}"


def begin_record(folder: Path, cfg: DictConfig) -> dict[str, Any]:
    """run.json so far, or a new one: command, code, versions, and one entry for each attempt, this one too."""
    record = read_record(folder) or {
        "command": command_line(),
        "model": choice("model"),
        "data": choice("data"),
        "seed": cfg.seed,
        "git": git_state(),
        "attempts": [],
    }
    record["versions"] = versions()
    record["attempts"].append({"started": datetime.now(UTC).isoformat(timespec="seconds")})
    write_text(folder / "run.json", json.dumps(record, indent=1))
    return record


def write_record(folder: Path, record: dict[str, Any], *, seconds: float, epochs: int) -> None:
    """Note how long this attempt has trained and how many epochs are done."""
    record["attempts"][-1] |= {"seconds": round(seconds, 1), "epochs_done": epochs}
    record["seconds"] = round(sum(attempt.get("seconds", 0.0) for attempt in record["attempts"]), 1)
    write_text(folder / "run.json", json.dumps(record, indent=1))
