"""FITS files of any layout against astropy: the same pixels, or an error of ours that says why not."""

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from fuzz_layouts import Layout, layouts
from hypothesis import HealthCheck, given, settings

from astrocnn.errors import AstrocnnError, DataError
from astrocnn.io.fits import probe, read
from astrocnn.io.tables import read_table
from astrocnn.io.tiles import image_hdus, select
from astrocnn.io.unpacking import is_packed
from astrocnn.io.windows import OpenImage, Unpacked

OPTIONS = {"memmap": False, "do_not_scale_image_data": True, "uint": False}
STABLE = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass
class Truth:
    """An image as astropy has it: its physical ``values``, NaN where there are none, and its unit."""

    number: int
    name: str
    values: np.ndarray
    unit: str | None

    @property
    def planes(self) -> np.ndarray | None:
        """(C, H, W), or None where the axes are those of no image."""
        *leading, height, width = self.values.shape if self.values.ndim > 1 else (2, 2, 0, 0)
        long = [n for n in leading if n > 1]
        return self.values.reshape(math.prod(long), height, width) if len(long) < 2 else None


def truths(path: Path) -> list[Truth]:
    """The images of a file, by astropy; a name is given where it tells one HDU from all others."""
    found, names = [], Counter({"PRIMARY": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about cards, and bytes behind the end
        with astropy_fits.open(path, **OPTIONS) as hdus:
            for number, hdu in enumerate(hdus):
                name = str(hdu.header.get("EXTNAME", "")).strip()
                names[name.upper()] += 1
                if not hdu.is_image or 0 in hdu.shape or not hdu.shape:
                    continue
                values = hdu.data.astype(np.float64)
                if hdu.data.dtype.kind in "iu" and hdu.header.get("BLANK") is not None:
                    values[hdu.data == hdu.header["BLANK"]] = np.nan
                values = values * hdu.header.get("BSCALE", 1.0) + hdu.header.get("BZERO", 0.0)
                values[~np.isfinite(values)] = np.nan
                unit = str(hdu.header.get("BUNIT") or "").strip() or None
                found.append(Truth(number, name, values, unit))
    for truth in found:
        if names[truth.name.upper()] > 1 or truth.name.isdecimal():
            truth.name = ""
    return found


def refused_rightly(error: AstrocnnError, path: Path, values: np.ndarray | None) -> bool:
    """Whether there is a reason, and the message gives it and the file."""
    text = str(error)
    assert path.name in text
    if values is None:
        return "holds no image" in text or "at most 3 that are longer than 1" in text
    assert "HDU " in text
    if np.isnan(values).all():
        return "no pixel is valid" in text
    with np.errstate(over="ignore", under="ignore"):
        exact = np.array_equal(values.astype(np.float32), values, equal_nan=True)
    return "float32" in text and not exact


def compare(path: Path, truth: Truth, wanted: str | int | None) -> None:
    """Raise an AssertionError where an image is not read as it is."""
    planes = truth.planes
    try:
        info = probe(path, hdu=wanted)
        image = read(path, hdu=wanted)
    except AstrocnnError as error:
        assert refused_rightly(error, path, planes), str(error)
        return
    assert planes is not None
    assert info.shape == image.info.shape == planes.shape
    assert image.info.unit == truth.unit
    np.testing.assert_array_equal(image.valid, np.isfinite(planes))
    np.testing.assert_array_equal(image.flux, np.nan_to_num(planes).astype(np.float32))


def compare_tile(path: Path, truth: Truth) -> None:
    """The same for windows of a tile."""
    values = truth.values
    unpack = Unpacked()
    try:
        (hdu, _), *_ = image_hdus(path, lambda images: select(path, images, truth.number, "data.hdu"))
        with OpenImage(path, hdu, unpack(str(path)) if is_packed(path) else None) as image:
            stored = image.windows(np.array([[0, hdu.shape[0], 0, hdu.shape[1]], [1, 2, 0, 1]]))[0]
            assert not isinstance(stored, DataError)
            found = image.physical(stored)
    except AstrocnnError as error:
        assert path.name in str(error)
        assert "a tile is one plane" in str(error)
        assert values.ndim < 2 or math.prod(values.shape[:-2]) > 1
        return
    finally:
        unpack.close()
    found[~np.isfinite(found)] = np.nan
    np.testing.assert_array_equal(found, values.reshape(values.shape[-2:]))


def check(layout: Layout, folder: Path) -> None:
    path = folder / f"any{layout.suffix}"
    path.write_bytes(layout.data)
    images = truths(path)
    first = next((truth for truth in images if truth.values.ndim > 1), None)
    if first is None:
        with pytest.raises(DataError, match=r"any\.fits.* holds no image; its HDUs are"):
            read(path)
    else:
        compare(path, first, None)
    for truth in images:
        compare(path, truth, truth.number)
        if truth.name:
            compare(path, truth, truth.name)
        if truth.values.ndim > 1:
            compare_tile(path, truth)
    if "table" in layout.kinds:
        table = read_table(f"{path}::CATALOG")
        assert table["id"].tolist() == [0, 1, 2, 3, 4]
        assert table["name"].tolist() == ["a", "bc", "", "d e", "f"]
        np.testing.assert_array_equal(table["flux"], np.arange(10).reshape(5, 2))


@settings(STABLE, max_examples=60)
@given(layout=layouts())
def test_any_layout_is_read_as_astropy_reads_it(layout: Layout, tmp_path: Path) -> None:
    check(layout, tmp_path)


@pytest.mark.slow
@settings(STABLE, max_examples=1500)
@given(layout=layouts())
def test_many_layouts_are_read_as_astropy_reads_them(layout: Layout, tmp_path: Path) -> None:
    check(layout, tmp_path)
