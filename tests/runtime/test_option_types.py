"""A value of the wrong kind is refused by the name of its option, before anything is made of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table
from omegaconf import OmegaConf

from astrocnn.errors import ConfigError
from astrocnn.runtime.option_types import check_types

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


class Parent:
    def __init__(self, *, classes: Sequence[str] | None = None, seed: int = 0, on: bool = False) -> None:
        pass


class Child(Parent):
    def __init__(
        self,
        *,
        images: str | Mapping[str, str] | None = None,
        size: int | Sequence[int] = 64,
        scale: float | None = None,
        mask: Mapping[str, Any] | None = None,
        network: Callable[[], Any] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)


@pytest.mark.parametrize(
    "options",
    [
        {"images": "a/*.fits", "size": 64, "scale": 0.2, "seed": 3, "on": True},
        {"images": {"g": "g/*.fits"}, "size": [64, 32], "scale": 1},
        {"classes": ["a", "b"]},
        {"classes": [0, 1]},  # names that look like numbers
        {"classes": None, "seed": None},
        {"mask": {"hdu": None, "bits": [1]}, "network": {"_target_": "x.y"}},
        {"unknown": object()},  # whoever makes it says so
    ],
)
def test_what_fits(options: dict[str, Any]) -> None:
    check_types(Child, options, "data")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "lens"}, r"data\.classes=lens takes a list; write 'data\.classes=\[lens\]'\.$"),
        ({"seed": "one"}, r"data\.seed=one takes a whole number; see --cfg job"),
        ({"seed": 1.5}, r"data\.seed=1\.5 takes a whole number"),
        ({"seed": True}, r"data\.seed=True takes a whole number"),
        ({"on": 1}, r"data\.on=1 takes true or false"),
        ({"scale": "abc"}, r"data\.scale=abc takes a number"),
        ({"scale": [0.2]}, r"data\.scale=\[0\.2\] takes a number"),
        ({"size": "big"}, r"data\.size=big takes a whole number or a list"),
        ({"size": ["big"]}, r"data\.size=\['big'\] takes a whole number or a list"),
        ({"mask": "DQ"}, r"data\.mask=DQ takes a mapping \{a: b\}"),
        ({"images": 3}, r"""data\.images=3 takes text; write 'data\.images="3"'"""),
        ({"images": ["a", "b"]}, r"data\.images=\['a', 'b'\] takes text or a mapping"),
        ({"images": {"g": ["a"]}}, r"takes text or a mapping"),
    ],
)
def test_what_does_not(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_types(Child, options, "data")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("data/*.yaml")) + sorted(CONFIGS.glob("model/*.yaml")))
def test_our_own_defaults_fit(path: Path) -> None:
    from hydra.utils import get_class

    config = OmegaConf.load(path)
    options = {
        key: config._get_node(key)._value() for key in config if not str(key).startswith(("_", "defaults"))
    }
    options = {
        key: OmegaConf.to_container(config._get_node(key)) if isinstance(value, (dict, list)) else value
        for key, value in options.items()
        if "${" not in str(value) and value != "???"
    }
    check_types(get_class(config._target_), options, "data")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["data=cutouts", "data.classes=lens"],
            "train: data.classes=lens takes a list; write 'data.classes=[lens]'.",
        ),
        (["data=cutouts", "data.mask=DQ"], "train: data.mask=DQ takes a mapping {a: b}"),
        (["data=light_curves", "data.n_bins=ten"], "train: data.n_bins=ten takes a whole number"),
    ],
)
def test_the_command_says_so(
    words: list[str], message: str, command: Any, capsys: Any, tmp_path: Path
) -> None:
    assert command("train", *words, f"run_dir={tmp_path}/run") == 1
    assert capsys.readouterr().err.startswith(message)


def test_a_network_of_images_for_rows_of_a_table(command: Any, capsys: Any, tmp_path: Path) -> None:
    Table({"mag_g": [20.0, 21.0], "mag_r": [20.5, 20.0], "label": [0, 1]}).write(tmp_path / "t.csv")
    words = ["data=table", f"data.catalog={tmp_path}/t.csv"]
    for model in ("resnet", "simple_cnn"):
        assert command("train", *words, f"model={model}", f"run_dir={tmp_path}/{model}") == 1
        said = capsys.readouterr().err
        assert f"model={model} and data=table do not go together: an object has the shape 2, but" in said
