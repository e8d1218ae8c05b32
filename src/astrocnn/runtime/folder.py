"""The folder of a run: claimed once training began, continued on request, with what is needed to make it again."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from astrocnn.errors import RunError, listed
from astrocnn.io.atomic import write_text
from astrocnn.runtime.build import set_values
from astrocnn.runtime.checkpoint import read_config

__all__ = ["git_state", "next_attempt", "open_folder", "save_config", "versions"]

BEFORE_TRAINING = ("config.yaml", "run.json", "skipped.csv", "duplicates.csv", "logs", "checkpoints")
PACKAGES = (
    "astrocnn", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "hydra-core", "astropy", "numpy",
    "pyarrow", "galsim", "caustics",
)  # fmt: skip


@contextmanager
def open_folder(cfg: DictConfig) -> Iterator[tuple[DictConfig, Path]]:
    """The run's configuration and folder: new, or with ``resume=true`` the saved ones.

    A folder in which a run ended before its first checkpoint is new again, unless that run still goes on.

    Raises:
        RunError: the folder exists and is not to be continued, or is to be continued and cannot be.
    """
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    try:
        shown = folder.relative_to(Path.cwd())
    except ValueError:
        shown = folder
    if cfg.resume:
        if not (folder / "config.yaml").is_file():
            raise RunError(f"there is no run to continue in {shown}; leave resume out to start one there.")
        others = [o for o in hydra.overrides.task if not o.startswith(("run_dir=", "resume="))]
        if others:
            raise RunError(
                f"a run continues with its own configuration, but {listed(others)} came too; "
                f"leave {'it' if len(others) == 1 else 'them'} out, or start a new run."
            )
        with _held(folder):
            yield read_config(folder), folder
        return
    with _held(folder) as free:
        if not free:
            raise RunError(f"run_dir={shown} is that of a run that goes on right now; give another run_dir.")
        if not _unused(folder):
            raise RunError(
                f"run_dir={shown} exists and is not empty; continue that run with resume=true, or give another "
                "run_dir."
            )
        _empty(folder)
        set_values(cfg, {"run_dir": str(shown)})
        save_config(cfg, folder)
        yield cfg, folder


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the folder while the run goes on; whether no other process did, as far as the file system can tell."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except OSError as error:  # also of file systems without locks
            free = not isinstance(error, BlockingIOError)
        yield free
    finally:
        os.close(handle)


def _unused(folder: Path) -> bool:
    """Whether a folder is empty, or that of a run without a checkpoint and with nothing that is not the run's."""
    names = {path.name for path in folder.iterdir() if not path.match(".*.part*")}
    began = any((folder / "checkpoints").glob("*"))
    return not names or ("config.yaml" in names and names <= {*BEFORE_TRAINING} and not began)


def _empty(folder: Path) -> None:
    """Remove what a run left there that never got to a checkpoint."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def save_config(cfg: DictConfig, folder: Path) -> None:
    """Write the configuration as it stands, links kept where nothing replaced them."""
    write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg))


def next_attempt(folder: Path) -> str:
    """Name of the log folder of this attempt: attempt-0 for the first, then counting."""
    return f"attempt-{len(list((folder / 'logs').glob('attempt-*')))}"


def versions() -> dict[str, str]:
    """What the run stood on: package versions, Python, operating system, hardware."""
    import torch

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["python"] = platform.python_version()
    found["system"] = platform.platform()
    found["threads"] = str(torch.get_num_threads())
    found["accelerator"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return found


def git_state() -> dict[str, Any]:
    """Commit of the working folder's repository and whether it has changes; empty outside of one."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(git("status", "--porcelain"))} if commit else {}
    except (OSError, subprocess.TimeoutExpired):
        return {}


def command_line() -> str:
    """The command as it was typed."""
    return " ".join(["python", *sys.argv])
