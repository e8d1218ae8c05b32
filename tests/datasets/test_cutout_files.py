"""Patterns to objects, and a catalogue's ids to files."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.errors import DataError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("pattern", "names", "ids"),
    [
        ("a/img-*.fits", ["a/img-12.fits", "a/img-7.fits.gz"], ["12"]),
        ("a/*", ["a/x.fits", "a/y.fits.fz"], ["x", "y"]),
        ("*/img_*-cut.fits", ["u/img_1-cut.fits", "v/img_2-cut.fits"], ["1", "2"]),
        ("*/image.fits", ["obj1/image.fits", "obj2/image.fits"], ["obj1", "obj2"]),
        ("**/c*.fits", ["c1.fits", "a/b/c2.fits"], ["2", "1"]),
        ("a/one.fits", ["a/one.fits"], ["one"]),
        ("a/[xy]?.fits", ["a/x1.fits", "a/z1.fits"], ["x1"]),
        ("a//b/../*.fits", ["a/q+(1).fits", "a/b/w.fits"], ["q+(1)"]),
    ],
)
def test_what_the_last_star_matched(tmp_path: Path, pattern: str, names: list[str], ids: list[str]) -> None:
    touch(tmp_path, *names)
    assert CutoutFiles(f"{tmp_path}/{pattern}").ids == ids


def test_bands_in_separate_files(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{k}/B{b}/im_{b}-{i}.fits" for k in "xy" for b in "gr" for i in (1, 2)))
    (tmp_path / "y/Br/im_r-2.fits").unlink()
    files = CutoutFiles({b: f"{tmp_path}/*/B{b}/im_{b}-*.fits" for b in "rg"})
    assert files.bands == ("r", "g")
    # y/1 is not x/1: all the wildcards decide which files belong together
    assert [[os.path.relpath(p, tmp_path) for p in paths] for paths in files.paths] == [
        ["x/Br/im_r-1.fits", "x/Bg/im_g-1.fits"],
        ["x/Br/im_r-2.fits", "x/Bg/im_g-2.fits"],
        ["y/Br/im_r-1.fits", "y/Bg/im_g-1.fits"],
    ]
    assert files.incomplete == [("2", "no image in band r")]
    with pytest.raises(DataError, match=r"1 ids are those of several images, such as '1'"):
        files.check_unique()


def test_stacked_bands_equal_the_files(realdata: Callable[[str], Path]) -> None:
    root = realdata("lens_challenge/ground_based")
    files = CutoutFiles({b: f"{root}/*/Band{i + 1}/imageSDSS_{b}-*.fits" for i, b in enumerate("RIGU")})
    assert len(files) == 12
    assert not files.incomplete
    image = files.read(3)
    for plane, path in zip(image.flux, files.paths[3], strict=True):
        assert plane.tobytes() == fits.getdata(path).astype("=f4").tobytes()
    assert image.info.bands == ("R", "I", "G", "U")


@pytest.mark.parametrize(
    ("ids", "by"),
    [
        (["12", "7"], "id"),
        (["cut-12", "cut-7"], "stem"),
        (["cut-12.fits", "cut-7.fits"], "name"),
        (["img/cut-12.fits", "img/cut-7.fits"], "path from the catalogue"),
        (["012", "0007"], "number"),
    ],
)
def test_catalogue_ids(tmp_path: Path, ids: list[str], by: str) -> None:
    touch(tmp_path, "img/cut-12.fits", "img/cut-7.fits", "img/cut-9.fits")
    files = CutoutFiles(f"{tmp_path}/img/cut-*.fits")
    match = files.match([*ids, "gone"], base=tmp_path)
    assert match.by == by
    assert [files.ids[i] for i in match.file[:2]] == ["12", "7"]
    assert match.file[2] == -1
    assert [files.ids[i] for i in match.without_id] == ["9"]


def test_paths_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "img/a.fits", "img/b.fits")
    monkeypatch.chdir(tmp_path)
    assert CutoutFiles("./img/*.fits").match(["img/b.fits"]).file.tolist() == [1]


def test_bad_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "x/1.fits", "y/1.fits", "z/2.fits")
    with pytest.raises(DataError, match=r"no file matches .*gone.* does not exist"):
        CutoutFiles(f"{tmp_path}/gone/*.fits")
    with pytest.raises(DataError, match=r"is there, but no file in it matches"):
        CutoutFiles(f"{tmp_path}/x/*.fit")
    with pytest.raises(DataError, match=r"is a folder; give a pattern, such as '.*/x/\*\.fits'"):
        CutoutFiles(f"{tmp_path}/x")
    with pytest.raises(DataError, match=r"2 ids|1 ids are those of several images.*x/1.fits.*y/1.fits"):
        CutoutFiles(f"{tmp_path}/*/*.fits").check_unique()
    with pytest.raises(
        DataError, match=r"no id of the catalogue is that of an image: ids like a, b, images like"
    ):
        CutoutFiles(f"{tmp_path}/*/*.fits").match(["a", "b"])
    with pytest.raises(DataError, match=r"1 ids mean several images, such as '1'"):
        CutoutFiles(f"{tmp_path}/*/*.fits").match(["1", "2"])
    with pytest.raises(DataError, match="no object has an image in every band g, r"):
        CutoutFiles({"g": f"{tmp_path}/x/*.fits", "r": f"{tmp_path}/z/*.fits"})


def test_one_plane_a_file_and_one_size(tmp_path: Path) -> None:
    for name, shape in (("g", (4, 4)), ("r", (4, 5)), ("cube", (2, 4, 4))):
        fits.PrimaryHDU(np.ones(shape, np.float32)).writeto(tmp_path / f"{name}.fits")
    with pytest.raises(DataError, match=r"r\.fits is 4 × 5 pixels but .*g\.fits is 4 × 4"):
        CutoutFiles({"g": f"{tmp_path}/g.fits", "r": f"{tmp_path}/r.fits"}).probe(0)
    with pytest.raises(DataError, match=r"cube\.fits holds 2 planes"):
        CutoutFiles({"g": f"{tmp_path}/cube.fits"}).read(0)
