"""What the command line prints before anything is trained."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from astrocnn.errors import AstrocnnWarning
from astrocnn.runtime.cli import warnings_as_sentences

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "simulate"])
def test_help_says_what_the_command_does(name: str, command, capsys) -> None:
    assert command(name, "--help") == 0
    text = capsys.readouterr().out
    assert "Choices (override with group=option)" in text
    assert f"{name}.py" in text
    assert "data: baryons, cutouts" in text


def test_warnings_of_ours_are_one_sentence() -> None:
    given = warnings.formatwarning
    with warnings_as_sentences():
        said = [
            warnings.formatwarning(kind("3 objects, left out."), kind, "boxes.py", 7)
            for kind in (AstrocnnWarning, UserWarning)
        ]
    assert said[0] == "warning: 3 objects, left out.\n"
    assert said[1].startswith("boxes.py:7: UserWarning: ")
    assert warnings.formatwarning is given


def test_the_whole_configuration_can_be_printed(command, capsys) -> None:
    words = [
        "data=lenses",
        "data.bands=[g,r,i]",
        "data.n_bands=3",
        "data.classes=[a,b]",
        "data.image_size=[64,64]",
    ]
    assert command("train", *words, "--cfg", "job", "--resolve") == 0
    text = capsys.readouterr().out
    assert "_target_: astrocnn.networks.resnet.ResNet" in text
    assert "in_channels: 3" in text


@pytest.mark.parametrize("experiment", ["deeplens_lsst", "galaxy_zoo"])
def test_recipes_compose(experiment: str, command, capsys) -> None:
    assert command("train", f"experiment={experiment}", "--cfg", "job") == 0
    assert "run_dir" in capsys.readouterr().out


def test_scripts_are_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "train.py"), "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Train a network on astronomical images")
