"""The same run on an accelerator."""

from pathlib import Path

import numpy as np
import pytest
import torch

import astrocnn
from astrocnn.io.tables import read_table

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator"),
]


def test_a_run_on_the_gpu_predicts_the_same_on_the_cpu(small, command, tmp_path: Path) -> None:
    words = [word for word in small if not word.startswith(("trainer=", "trainer.precision"))]
    run = tmp_path / "run"
    assert command("train", *words, "trainer=gpu", f"run_dir={run}") == 0
    assert (
        command("evaluate", f"run={run}", "device=cpu", f"output={tmp_path}", "evaluation.n_bootstrap=20")
        == 0
    )
    gpu, cpu = read_table(run / "predictions.parquet"), read_table(tmp_path / "predictions.parquet")
    np.testing.assert_allclose(gpu["p"], cpu["p"], atol=1e-3)
    assert next(astrocnn.load(run, device="cuda").parameters()).is_cuda
