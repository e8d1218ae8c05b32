"""What is said of a training while it goes on."""

from types import SimpleNamespace

import pytest
import torch

from astrocnn.callbacks.progress import Bars, EpochLines


def test_a_line_gives_small_figures_four_digits(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"train/kl": 0.00001234567, "val/loss": 12.34567, "val/auroc": 0.5, "lr-AdamW": 1.0}
    trainer = SimpleNamespace(
        is_global_zero=True,
        callback_metrics={name: torch.tensor(value) for name, value in figures.items()},
        max_epochs=3,
        current_epoch=0,
    )
    EpochLines().on_train_epoch_end(trainer, None)
    assert "epoch 1/3: train/kl 1.235e-05 val/auroc 0.5 val/loss 12.35 (" in capsys.readouterr().out


def test_bars_give_figures_four_digits() -> None:
    assert format(0.00001234567, Bars().theme.metrics_format) == "1.235e-05"
