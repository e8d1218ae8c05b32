"""Every command of docs/data.md does what its row says, and every option of data=… is spoken of."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import doc_curves  # noqa: F401 (each of these fills ROWS)
import doc_images  # noqa: F401
import doc_spectra  # noqa: F401
import doc_stacks  # noqa: F401
import doc_tables  # noqa: F401
import numpy as np
import pytest
import torch
from doc_rows import CLASS, KEYS, ROWS, labels
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from astrocnn.io.tables import read_table
from astrocnn.paths import config_dir
from astrocnn.runtime import cli, inspect_data

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
QUICK = {"data=lenses": ["data.n_images=12", "data.n_workers=1"]}
TRAIN = [
    "trainer=cpu", "trainer.max_epochs=1", "model.depth=18", "task.test_time_augmentation=false",
    "evaluation.n_bootstrap=20", "logger=csv",
]  # fmt: skip


def table_of(page: str) -> dict[str, str]:
    """{what one has: command} of the rows with a command."""
    found = re.findall(r"^\| (?!\*\*)(.+?) \| `(python scripts/.+?)` \|$", page, re.MULTILINE)
    assert len(dict(found)) == len(found), "two rows say the same"
    return dict(found)


COMMANDS = table_of(PAGE)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], tuple[Any, Any]]:
    """What ``inspect_data.py`` finds with these words, and its datamodule; all but the drawing of the page."""
    kept: list[Any] = []

    def build(cfg: Any) -> Any:
        built = build_data(cfg)
        kept.append(built[0])
        return built

    build_data = inspect_data.build_data
    monkeypatch.setattr(inspect_data, "build_data", build)
    monkeypatch.setattr(inspect_data, "write_data_page", lambda path, *_, **__: path)
    monkeypatch.setattr(inspect_data, "print_inspection", lambda data, page: kept.append(data))

    def look(words: list[str]) -> tuple[Any, Any]:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            cfg = compose("inspect_data", overrides=words, return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        inspect_data.inspect_data(cfg)
        datamodule, data = kept
        return data, datamodule

    return look


def test_every_row_has_its_files_and_every_file_its_row() -> None:
    assert set(ROWS) == set(COMMANDS)


@pytest.mark.parametrize("what", [what for what, command in COMMANDS.items() if "inspect_data.py" in command])
@pytest.mark.filterwarnings("ignore::astrocnn.io.pictures.PictureWarning")
def test_the_command_finds_what_the_row_says(
    what: str, looked_at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = ROWS[what]
    row.make()
    words = shlex.split(COMMANDS[what])[2:]
    data, datamodule = looked_at(words + QUICK.get(" ".join(words), []))
    assert len(data.catalog) == row.n
    assert (data.spec.image_shape, data.spec.bands, data.spec.classes) == (row.shape, row.bands, row.classes)
    assert (data.unit or None) == row.unit
    assert len(data.skipped) == row.skipped
    batch = datamodule.gather(np.arange(row.n))
    if row.image is not None:
        image = np.broadcast_to(row.image, batch["image"].shape)
        np.testing.assert_array_equal(batch["valid"], np.isfinite(image))
        np.testing.assert_allclose(batch["image"], np.nan_to_num(image), rtol=1e-5)
    assert ("variance" in batch) == any(word.startswith(("data.variance", "data.errors")) for word in words)
    if row.variance is not None:
        noise = np.where(batch["valid"], row.variance, 0)
        np.testing.assert_allclose(batch["variance"], noise, rtol=1e-5)
    row.check(datamodule)


def called(command: str, *more: str) -> int:
    """The exit code of a command of the page, run in this process."""
    script, *words = shlex.split(command)[1:]
    argv, sys.argv = sys.argv, [script, *words, *more]
    GlobalHydra.instance().clear()
    try:
        getattr(cli, Path(script).stem)()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = argv
    return 0


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other take longer than so little work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_train_and_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    train, predict = (
        next((what, command) for what, command in COMMANDS.items() if f"{script}.py" in command)
        for script in ("train", "predict")
    )
    monkeypatch.chdir(tmp_path)
    ROWS[predict[0]].make()
    run = next(word for word in shlex.split(predict[1]) if word.startswith("run=")).removeprefix("run=")
    assert called(train[1], *TRAIN, f"run_dir={run}") == 0
    assert Path(run, "report.html").is_file()
    assert called(predict[1]) == 0
    assert len(read_table("candidates.fits")) == ROWS[predict[0]].n


def test_the_page_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ROWS["one FITS file an object"].make()
    labels(name=KEYS, is_lens=CLASS)
    snippet = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    known: dict[str, Any] = {}
    for lines in snippet:
        exec(lines, known)
    assert set(known["batch"]) == {"image", "valid", "index", "label"}


def test_the_rows_of_the_readme_are_rows_of_the_page() -> None:
    readme = table_of(
        (ROOT / "README.md").read_text(encoding="utf-8").split("## Your data")[1].split("\n## ")[0]
    )
    assert len(readme) >= 8
    assert set(readme.items()) <= set(COMMANDS.items())


def options() -> set[str]:
    """Every option of every data=..., nested ones as mask.hdu."""
    found = set()
    for path in sorted((config_dir() / "data").glob("*.yaml")):
        for key, value in OmegaConf.to_container(OmegaConf.load(path)).items():
            if key not in ("defaults", "_target_"):
                nested = isinstance(value, dict) and key in ("mask", "variance")
                found |= {f"{key}.{name}" for name in value} if nested else {key}
    return found


@pytest.mark.parametrize("option", sorted(options()))
def test_the_page_speaks_of_the_option(option: str) -> None:
    assert re.search(rf"\bdata\.{re.escape(option)}\b", PAGE), f"docs/data.md lacks data.{option}"
