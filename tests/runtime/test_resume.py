"""Runs that are killed or stopped continue as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def start(*overrides: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    words = [sys.executable, str(ROOT / "scripts/train.py"), *overrides]
    return subprocess.Popen(
        words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_ends_like_one_that_was_not(
    run: Path, small: list[str], tmp_path: Path, signum: int
) -> None:
    folder = tmp_path / "stopped"
    process = start(*small, f"run_dir={folder}", "callbacks.resume.every_n_steps=1")
    wait_for(folder / "checkpoints/last.ckpt", process)
    process.send_signal(signum)
    output, _ = process.communicate(timeout=60)
    assert process.returncode in ((-signal.SIGKILL,) if signum == signal.SIGKILL else (128 + signum,))
    if signum == signal.SIGINT:
        assert f"Continue with: python scripts/train.py run_dir={folder} resume=true" in output
    done = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert 0 < done < 8

    process = start(f"run_dir={folder}", "resume=true")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    for name, value in weights(run).items():
        if "calibration" not in name:
            assert torch.equal(value, weights(folder)[name]), name
    assert (folder / "logs/attempt-1/metrics.csv").exists()
    for name in ("metrics.json", "predictions.parquet"):
        assert (folder / name).exists()
    assert (folder / "metrics.json").read_text() == (run / "metrics.json").read_text()


def test_a_folder_without_a_checkpoint_takes_a_new_configuration(
    small: list[str], tmp_path: Path, command, capsys
) -> None:
    folder = tmp_path / "run"
    assert command("train", *small, "data.label=ring", f"run_dir={folder}") == 1
    assert command("train", *small, "data.label=no_ring", f"run_dir={folder}") == 1
    assert "'no_ring'" in capsys.readouterr().err
    (folder / "mine.txt").write_text("kept")
    assert command("train", *small, f"run_dir={folder}") == 1
    assert "exists and is not empty" in capsys.readouterr().err
    (folder / "mine.txt").unlink()
    assert command("train", *small, "trainer.max_epochs=1", f"run_dir={folder}") == 0
    assert len(json.loads((folder / "run.json").read_text())["attempts"]) == 1
    assert command("train", *small, f"run_dir={folder}") == 1
    assert "exists and is not empty" in capsys.readouterr().err


def test_a_run_that_was_killed_before_its_first_checkpoint_resumes_and_is_not_disturbed(
    small: list[str], tmp_path: Path, command, capsys
) -> None:
    folder = tmp_path / "run"
    process = start(*small, f"run_dir={folder}", "trainer.max_epochs=1")
    wait_for(folder / "config.yaml", process)
    process.send_signal(signal.SIGSTOP)
    assert not list(folder.glob("checkpoints/*"))
    assert command("train", *small, f"run_dir={folder}") == 1
    assert "is that of a run that goes on right now; give another run_dir" in capsys.readouterr().err
    process.kill()
    process.communicate(timeout=60)
    assert command("train", f"run_dir={folder}", "resume=true") == 0
    assert (folder / "metrics.json").exists()


def test_a_run_continues_with_its_own_options(run: Path, command, capsys) -> None:
    assert command("train", f"run_dir={run}", "resume=true", "optimizer.lr=1") == 1
    assert (
        "a run continues with its own configuration, but optimizer.lr=1 came too" in capsys.readouterr().err
    )
