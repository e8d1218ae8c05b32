"""Who opens a damaged file, by the entries that users come through, and what must hold of whatever they then get."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from astropy.io import fits as astropy_fits
from astropy.io.fits.card import Undefined

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.light_curves import LightCurveFiles
from astrocnn.datasets.source import Source
from astrocnn.datasets.spectra import SpectrumFiles
from astrocnn.datasets.stacks import CutoutStack
from astrocnn.datasets.tile_placement import Targets
from astrocnn.datasets.tiles import TileCutouts
from astrocnn.errors import AstrocnnError
from astrocnn.io import fits
from astrocnn.io.layers import Mask, Variance
from astrocnn.io.sample import Sample
from astrocnn.io.tables import read_table

__all__ = [
    "Opener", "cutout", "layered", "layered_tile", "light_curve", "spectrum", "stack", "table", "tile",
]  # fmt: skip

# gives each sample that was read; raises an AstrocnnError
Opener = Callable[[str], Iterator[Sample]]
MASK, VARIANCE = Mask(hdu="MASK", bits=["SAT"]), Variance(hdu="VAR")


def cutout(path: str) -> Iterator[Sample]:
    """As ``data=cutouts`` does."""
    source = CutoutFiles(path)
    info = source.probe(0)
    sample = source.read(0, sky=True)
    assert info.shape == sample.info.shape
    yield sample
    if source.kind == "fits":
        _compare(path, sample)


def layered(path: str) -> Iterator[Sample]:
    """The same with a mask and a variance."""
    fits.probe(path, mask=MASK, variance=VARIANCE)
    yield fits.read(path, mask=MASK, variance=VARIANCE)


def tile(path: str) -> Iterator[Sample]:
    """As ``data=tiles`` does, by pixels."""
    yield from _tiles(path)


def layered_tile(path: str) -> Iterator[Sample]:
    """The same with a mask and a variance."""
    yield from _tiles(path, mask=MASK, variance=VARIANCE)


def _tiles(path: str, **layers: Mask | Variance) -> Iterator[Sample]:
    x, y = np.array([4.0, 10.0, 12.0]), np.array([4.0, 12.0, 3.0])
    unknown = np.full(3, np.nan)
    source = TileCutouts(
        path, Targets(list("abc"), unknown, unknown, x, y), size_pix=8, subpixel=False, **layers
    )
    yield from _all_of(source)


def stack(path: str) -> Iterator[Sample]:
    """As ``data=cutouts`` does of a file that holds all objects."""
    source = CutoutStack(path)
    columns = source.table()
    assert columns is None or len(columns) == len(source)
    yield from _all_of(source)


def spectrum(path: str) -> Iterator[Sample]:
    """As ``data=spectra`` does."""
    yield from _all_of(SpectrumFiles(path, variance=False, n_pixels=64))


def light_curve(path: str) -> Iterator[Sample]:
    """As ``data=light_curves`` does."""
    yield from _all_of(LightCurveFiles(path))


def table(path: str) -> Iterator[Sample]:
    """As every catalogue is read; a table has no samples, only columns of plain types."""
    read = read_table(path)
    for name in read.colnames:
        values = np.ma.getdata(read[name])
        assert len(values) == len(read)
        assert values.dtype.kind in "fiubUO", (name, values.dtype)
        assert values.dtype.kind != "f" or values.dtype == np.float64
        assert values.dtype.isnative
    yield from ()


def _all_of(source: Source) -> Iterator[Sample]:
    """Every object; one that cannot be read is an error of ours and does not keep the others back."""
    source.probe(0)
    failed: list[AstrocnnError] = []
    n_read = 0
    numbers = np.arange(min(len(source), 64))
    for rows in source.tasks(numbers):
        for sample in source.read_many(numbers[rows], sky=True):
            n_read += 1
            if isinstance(sample, Sample):
                yield sample
            else:
                failed.append(sample)
    assert n_read == len(numbers), f"{n_read} answers for {len(numbers)} objects"
    if failed:
        raise failed[0]


def _compare(path: str, sample: Sample) -> None:
    """Raise an AssertionError where astropy reads other pixels."""
    options = {"memmap": False, "do_not_scale_image_data": True, "uint": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with astropy_fits.open(path, **options) as hdus:
                image = next(h for h in hdus if h.is_image and len(h.shape) >= 2 and 0 not in h.shape)
                header, stored = image.header, image.data
        except (OSError, ValueError, KeyError):
            return  # of damage elsewhere in the file, which matters to astropy alone
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = stored.astype(np.float64) * number(header, "BSCALE", 1.0) + number(header, "BZERO", 0.0)
        valid = np.isfinite(values)
        if stored.dtype.kind in "iu" and header.get("BLANK") is not None:
            valid &= stored != header["BLANK"]
        expected = np.where(valid, values, 0).astype(np.float32).reshape(sample.flux.shape)
    np.testing.assert_array_equal(sample.valid, valid.reshape(expected.shape) & np.isfinite(expected))
    np.testing.assert_array_equal(sample.flux, np.where(sample.valid, expected, 0))


def number(header: astropy_fits.Header, key: str, default: float) -> float:
    """A card's value; the default where there is none, or it has none."""
    value = header.get(key)
    return default if value is None or isinstance(value, Undefined) else value
