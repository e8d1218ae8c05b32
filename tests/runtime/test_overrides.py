"""Mistakes in the words of a command are answered by one sentence, with what was probably meant."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., int]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("data=cutouts data.image=a.fits", "there is no option data.image; did you mean data.images? data has images,"),
        ("data=cutouts data.variance_hdu=2", "there is no option data.variance_hdu; did you mean data.variance.hdu?"),
        ("data=cutouts data.mask.hdus=2", "did you mean data.mask.hdu? data.mask has hdu, files"),
        ("images=a.fits data=cutouts", "there is no option images; did you mean data.images?"),
        ("lr=0.1", "there is no option lr; did you mean optimizer.lr?"),
        ("epochs=3", "there is no option epochs; did you mean trainer.max_epochs?"),
        ("data=table data.images=a.fits", "there is no option data.images. data has catalog, features"),
        (
            "data=cutout",
            "data=cutout is not known; choose from baryons, cutouts, detection_boxes, galaxy_pairs, image_pairs, "
            "lenses, light_curves, mosaic, photoz, photoz_table, resolved_galaxies, scenes_detection, "
            "scenes_segmentation, segmentation_maps, spectra, table, tiles, volume_pairs. "
            "Did you mean data=cutouts?"),
        ("data=cutouts data.bands=g,r", "data.bands=g,r are several values; write a list as 'data.bands=[g,r]'"),
        ("data=cutouts data.images=a.fits b.fits", "'b.fits' is no option=value; a pattern without quotes"),
        ("data=cutouts data.images=run=3/*.fits", "put the value in quotes of its own: 'data.images=\"run=3/*.fits\"'"),
        ("data=cutouts data.hdu=[G,R", "data.hdu=[G,R cannot be read; write a list as 'data.hdu=[a, b]'"),
        ("+data.images.x=3 data=lenses +data.n_images=3,4", "are several values"),
        ("data=cutouts data.catalog=${nowhere}", "data.catalog: Interpolation key 'nowhere' not found; check"),
    ],
)  # fmt: skip
def test_one_sentence(
    words: str, message: str, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command("train", *words.split(), f"run_dir={tmp_path}/run") == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("train: ")
    assert message in said
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_what_has_to_be_given(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("predict", "data=cutouts", "data.images=a.fits") == 1
    assert capsys.readouterr().err == "predict: run is not given; give it with run=...\n"


def test_the_whole_error_for_whoever_asks(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from hydra.errors import ConfigCompositionException

    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigCompositionException):
        command("train", "data.nonsense=1")
    assert os.environ["HYDRA_FULL_ERROR"] == "1"
