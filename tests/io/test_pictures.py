"""Pictures: the bands, the order of rows, transparency and what cannot be read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.errors import DataError
from astrocnn.io.layers import FluxScale, Mask
from astrocnn.io.pictures import decode, probe, read

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 5, 3)).astype(np.uint8)


def saved(path: Path, values: np.ndarray, mode: str | None = None, **options: object) -> Path:
    picture = Image.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
def test_colours_are_bands_and_the_lowest_row_comes_first(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"a.{suffix}", RGB, **options)
    info = probe(path)
    assert info.shape == (3, 6, 5)
    assert info.bands == ("R", "G", "B")
    assert info.named_planes
    image = read(path)
    assert image.flux.dtype == np.float32
    np.testing.assert_array_equal(image.flux, RGB.transpose(2, 0, 1)[:, ::-1])
    assert image.valid.all()
    np.testing.assert_array_equal(decode(path.read_bytes(), "a").flux, image.flux)


def test_jpeg_is_near_what_it_was_made_from(tmp_path: Path) -> None:
    smooth = np.broadcast_to(np.linspace(0, 255, 32)[:, None, None], (32, 32, 3)).astype(np.uint8)
    image = read(saved(tmp_path / "a.jpg", smooth, quality=95))
    np.testing.assert_allclose(image.flux, smooth.transpose(2, 0, 1)[:, ::-1], atol=6)


def test_transparent_pixels_are_not_valid(tmp_path: Path) -> None:
    alpha = np.full((6, 5, 1), 255, np.uint8)
    alpha[0, 1], alpha[2, 2] = 0, 128
    path = saved(tmp_path / "a.png", np.concatenate([RGB, alpha], axis=2))
    image = read(path)
    assert probe(path).shape == image.flux.shape == (3, 6, 5)
    assert np.argwhere(~image.valid).tolist() == [[0, 5, 1], [1, 5, 1], [2, 5, 1]]
    assert (image.flux[:, 5, 1] == 0).all()
    grey = saved(tmp_path / "grey.png", np.concatenate([RGB[:, :, :1], alpha], axis=2)[:, :, [0, 1]])
    assert np.argwhere(~read(grey).valid).tolist() == [[0, 5, 1]]
    empty = saved(tmp_path / "none.png", np.concatenate([RGB, 0 * alpha], axis=2))
    with pytest.raises(DataError, match=r"none\.png: every pixel is transparent"):
        read(empty)


def test_grey_palette_and_sixteen_bits(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (6, 5)).astype(np.uint16)
    image = read(saved(tmp_path / "deep.png", deep))
    assert image.info.bands == ("grey",)
    np.testing.assert_array_equal(image.flux[0], deep[::-1])
    np.testing.assert_array_equal(read(saved(tmp_path / "l.png", RGB[:, :, 0])).flux[0], RGB[::-1, :, 0])
    palette = saved(tmp_path / "p.png", RGB, mode="P")
    assert probe(palette).shape == read(palette).flux.shape == (3, 6, 5)


def test_cutouts_of_pictures(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpeg", "c.JPG"):
        saved(tmp_path / name, RGB, format="jpeg")
    files = CutoutFiles(f"{tmp_path}/*")
    assert files.kind == "picture"
    assert files.ids == ["a", "b", "c"]
    assert files.probe(0).bands == ("R", "G", "B")
    assert files.read(2).flux.shape == (3, 6, 5)
    for band in "gr":
        saved(tmp_path / f"{band}.png", RGB[:, :, 0])
    grey = CutoutFiles({band: f"{tmp_path}/{band}.png" for band in "gr"})
    assert grey.read(0).flux.shape == (2, 6, 5)


def test_what_cannot_be_used(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", RGB)
    cut = tmp_path / "cut.png"
    cut.write_bytes(path.read_bytes()[:80])
    with pytest.raises(DataError, match=r"cut\.png cannot be read as a picture: .*data\.on_bad=skip"):
        read(cut)
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.jpg cannot be read as a picture: cannot identify"):
        probe(tmp_path / "text.jpg")
    with pytest.raises(DataError, match=r"gone\.png cannot be read as a picture: No such file"):
        read(tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"has no HDUs, masks.*leave out data\.mask, data\.flux_unit"):
        CutoutFiles(f"{tmp_path}/a.png", mask=Mask("M"), flux=FluxScale("nJy"))
    (tmp_path / "b.fits").write_bytes(b"")
    with pytest.raises(DataError, match=r"matches files of different kinds, .*a\.png, .*b\.fits"):
        CutoutFiles(f"{tmp_path}/[ab].*")
