"""Progress of a training: rich bars on a terminal, one plain line an epoch elsewhere."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.callbacks.progress.rich_progress import RichProgressBarTheme

__all__ = ["Bars", "EpochLines", "progress"]


class EpochLines(pl.Callback):
    """Prints one line after each epoch: its losses and metrics, its images a second, the time that is left."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._batches = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time."""
        self._start, self._batches = time.monotonic(), 0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        """Count the batches that this attempt has trained."""
        self._batches += 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the line."""
        if not trainer.is_global_zero:
            return
        seconds = time.monotonic() - self._start
        shown = {
            name: value for name, value in trainer.callback_metrics.items() if not name.startswith("lr-")
        }
        figures = " ".join(f"{name} {value:.4g}" for name, value in sorted(shown.items()))
        left = seconds * ((trainer.max_epochs or 0) - trainer.current_epoch - 1)
        print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {figures} "
            f"({self._batches} batches in {seconds:.1f} s, about {left:.0f} s left)",
            flush=True,
        )


class Bars(RichProgressBar):
    """Lightning's rich bars without the number of the log folder, figures with four digits."""

    def __init__(self) -> None:
        super().__init__(theme=RichProgressBarTheme(metrics_format=".4g"))

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The figures beside the bar."""
        figures: dict[str, Any] = super().get_metrics(trainer, pl_module)
        figures.pop("v_num", None)
        return figures


def progress() -> pl.Callback:
    """The kind of progress that standard output can show."""
    return Bars() if sys.stdout.isatty() else EpochLines()
