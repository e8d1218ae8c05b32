"""Resume points: checkpoints from which a run continues exactly as if it had never stopped."""

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from astrocnn.errors import RunError
from astrocnn.io.atomic import atomic_path

__all__ = ["DurableIO", "Interrupted", "ResumePoint"]


class Interrupted(Exception):
    """A signal ended the training after its resume point was written."""

    def __init__(self, signum: int, epoch: int, batch: int) -> None:
        super().__init__(f"{signal.Signals(signum).name} in epoch {epoch + 1}, after batch {batch + 1}")
        self.signum = signum


class DurableIO(TorchCheckpointIO):
    """Checkpoints that are whole or absent: written beside the target, synced, renamed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Save; a full disc leaves the checkpoint that stood there as it was.

        Raises:
            RunError: the file cannot be written.
        """
        try:
            with atomic_path(path) as part:
                torch.save(checkpoint, part)
        except (OSError, RuntimeError) as error:  # torch reports a full disc as a RuntimeError
            raise RunError(
                f"{path} could not be written ({error}); the checkpoint before it is intact. Make room on the disc "
                f"and continue with run_dir={Path(path).parent.parent} resume=true."
            ) from error


class ResumePoint(pl.Callback):
    """Writes ``last.ckpt`` where Lightning resumes exactly: after a whole optimiser step inside an epoch.

    Never at an epoch's last batch: Lightning counts that epoch as done before its validation has run. SIGINT
    and SIGTERM are remembered and obeyed at the next such point; a second one acts at once.

    Args:
        path: of the checkpoint.
        every_n_minutes: at most so much work is repeated after a kill.
        every_n_steps: the same in optimiser steps, when given.
    """

    def __init__(self, *, path: str, every_n_minutes: float = 5.0, every_n_steps: int | None = None) -> None:
        self.path, self.every_n_seconds, self.every_n_steps = path, 60 * every_n_minutes, every_n_steps
        self.signum: int | None = None
        self._before: dict[int, Any] = {}
        self._saved_at = 0.0
        self._due = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over."""
        self._saved_at = time.monotonic()
        for signum in (signal.SIGINT, signal.SIGTERM):
            self._before[signum] = signal.signal(signum, self._remember)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when it is time or when a signal has come, if this is a point from which a run resumes exactly."""
        whole = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not whole or batch_idx + 1 == trainer.num_training_batches:
            return
        self._due |= time.monotonic() - self._saved_at >= self.every_n_seconds
        self._due |= bool(self.every_n_steps) and trainer.global_step % (self.every_n_steps or 1) == 0
        if self._due or self.signum:
            trainer.save_checkpoint(self.path)
            self._due, self._saved_at = False, time.monotonic()
        if self.signum:
            raise Interrupted(self.signum, trainer.current_epoch, batch_idx)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the finished state."""
        trainer.save_checkpoint(self.path)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:  # the second time: at once
            signal.signal(signum, signal.SIG_DFL if signum == signal.SIGTERM else signal.default_int_handler)
            os.kill(os.getpid(), signum)
            return
        self.signum = signum
        print("\nStopping at the next resume point; once more stops at once.", flush=True)
