"""Small whole files of every kind that is read: real ones, and ones written here; each with how it is opened."""

import gzip
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import fuzz_openers as opened
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from fuzz_openers import Opener
from PIL import Image

from astrocnn.io.headers import BLOCK

__all__ = ["Seed", "real_seeds", "written_seeds"]

RNG = np.random.default_rng(7)
FLUX = RNG.normal(3, 1, (24, 20)).astype(np.float32)
COUNTS = RNG.integers(100, 900, (24, 20))
CUBES = RNG.normal(3, 1, (9, 2, 14, 13)).astype(np.float32)
SKY = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 10.5, "CRPIX2": 12.5, "CRVAL1": 150.0, "CRVAL2": 2.2,
    "CDELT1": -5e-5, "CDELT2": 5e-5, "BUNIT": "nJy", "FILTER": "i",
}  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A whole file: its ``name``, whose suffix says its format, its bytes, and who opens it.

    ``packed`` says that it is gzipped; then the bytes within are mutated as often as those without.
    """

    name: str
    data: bytes
    opener: Opener

    @property
    def packed(self) -> bool:
        return self.name.endswith(".gz")

    @property
    def form(self) -> str:
        """'fits', 'text' or 'binary': what can be changed in it that means something."""
        name = self.name.removesuffix(".gz")
        if name.endswith((".fits", ".fz")):
            return "fits"
        text = (".csv", ".ecsv", ".votable", ".xml", ".cat", ".dat", ".train", ".txt")
        return "text" if name.endswith(text) else "binary"


REAL: dict[str, Opener] = {
    "fits/hsc_cutouts/images/2-cutout-HSC-I-8279-pdr2_wide.fits": opened.cutout,
    "fits/hsc_cutouts/images/10-cutout-HSC-I-8279-pdr2_wide.fits": opened.tile,
    "lens_challenge/ground_based/lens/Band1/imageSDSS_R-100002.fits": opened.cutout,
    "fits/legacysurvey/testcase4/images/unwise/186/1866p257/unwise-1866p257-w1-invvar-m.fits.gz": opened.cutout,
    "fits/legacysurvey/testcase4/images/unwise/186/1866p257/unwise-1866p257-msk.fits.gz": opened.tile,
    "fits/legacysurvey/testcase4/survey-ccds-1.fits.gz": opened.table,
    "fits/legacysurvey/testcase4/gaia/chunk-03586.fits": opened.table,
    "fits/hsc_cutouts/star_cat_correct.csv": opened.table,
    "fits/hsc_cutouts/star_cat_correct.fits": opened.table,
    "fits/hsc_cutouts/star_cat_correct.pq": opened.table,
    "fits/hsc_cutouts/star_cat_correct.votable": opened.table,
    "fits/photutils/irac_ch1_flight.fits": opened.cutout,
    "fits/sextractor/image.cat": opened.table,
    "radio/1904_comp.fits": opened.table,
    "radio/small_3D.fits": opened.cutout,
    "radio/small_4D.fits": opened.tile,
    "timeseries/rrlyrae/table3.dat.gz": opened.table,
}


def real_seeds(folder: Path) -> Iterator[Seed]:
    """Those of the real data; the longest text and the light curve are cut to their first rows."""
    for name, opener in REAL.items():
        yield Seed(os.path.basename(name), (folder / name).read_bytes(), opener)
    rows = Table.read(folder / "fits/hsc_cutouts/star_cat_correct.fits")
    yield Seed("star_cat_correct.ecsv", _text(rows, "ascii.ecsv"), opened.table)
    train = (folder / "photoz/SDSS_MGS.train").read_bytes().splitlines(keepends=True)
    yield Seed("SDSS_MGS.train", b"".join(train[:60]), opened.table)
    with fits.open(folder / "timeseries/tess_00261136679_s01_lc.fits") as hdus:
        hdus[1].data = hdus[1].data[:80]
        yield Seed("tess.fits", _fits(hdus[0], hdus[1]), opened.light_curve)
    with h5py.File(folder / "photoz/test_dc2_training_9816.hdf5") as file:
        columns = {name: node[:60] for name, node in file["photometry"].items()}
    yield Seed("dc2.hdf5", _hdf5({f"photometry/{k}": v for k, v in columns.items()}), opened.table)


def written_seeds() -> Iterator[Seed]:
    """Those of kinds that the real data lack."""
    yield from _images()
    yield from _stacks()
    yield from _series()
    yield from _tables()
    yield from _pictures()


def _images() -> Iterator[Seed]:
    header = fits.Header(SKY)
    scaled = fits.ImageHDU(COUNTS.astype(np.int16), header)
    scaled.header["BLANK"] = -32768
    scaled.header["XSCALE"], scaled.header["XZERO"] = 0.25, 100.0
    raw = _fits(fits.PrimaryHDU(), scaled, _table_hdu())
    raw = raw.replace(b"XSCALE", b"BSCALE").replace(
        b"XZERO", b"BZERO"
    )  # astropy would scale the numbers back
    yield Seed("scaled.fits", raw, opened.cutout)
    mask = fits.ImageHDU((COUNTS < 120).astype(np.int32), name="MASK")
    mask.header["MP_SAT"] = 0
    layers = (fits.PrimaryHDU(), fits.ImageHDU(FLUX, header, name="SCI"), mask)
    layers = (*layers, fits.ImageHDU(np.abs(FLUX), name="VAR"))
    yield Seed("layers.fits", _fits(*layers), opened.layered)
    yield Seed("layered-tile.fits", _fits(*layers), opened.layered_tile)
    yield Seed(
        "cube.fits.gz", gzip.compress(_fits(fits.PrimaryHDU(CUBES[0], header)), mtime=0), opened.cutout
    )
    sip = fits.Header(SKY | {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
    sip.update(
        A_ORDER=2, B_ORDER=2, A_2_0=1e-5, B_0_2=1e-5, AP_ORDER=1, BP_ORDER=1, CUNIT1="deg", CUNIT2="deg"
    )
    yield Seed("double.fits", _fits(fits.PrimaryHDU(FLUX.astype(np.float64), sip)), opened.tile)
    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"):
        packed = fits.CompImageHDU(COUNTS.astype(np.int32), header, compression_type=kind, tile_shape=(6, 20))
        yield Seed(f"{kind}.fits.fz", _fits(fits.PrimaryHDU(), packed), opened.cutout)
        yield Seed(f"tile-{kind}.fits.fz", _fits(fits.PrimaryHDU(), packed), opened.tile)
    gaps = FLUX.copy()
    gaps[3:5, 2:9] = np.nan
    for name, opener in (("floats.fits.fz", opened.cutout), ("tile-floats.fits.fz", opened.tile)):
        packed = fits.CompImageHDU(
            gaps, header, compression_type="RICE_1", quantize_level=16, tile_shape=(6, 20)
        )
        yield Seed(name, _fits(fits.PrimaryHDU(), packed), opener)


def _stacks() -> Iterator[Seed]:
    columns = Table({"id": np.arange(9), "z": np.linspace(0, 1, 9)})
    yield Seed("stack.fits", _fits(fits.PrimaryHDU(CUBES), fits.table_to_hdu(columns)), opened.stack)
    packed = fits.CompImageHDU(CUBES, compression_type="GZIP_2", quantize_level=0, tile_shape=(1, 1, 14, 13))
    yield Seed("stack.fits.fz", _fits(fits.PrimaryHDU(), packed), opened.stack)
    yield Seed("stack.npy", _saved(np.save, CUBES), opened.stack)
    yield Seed("image.npy", _saved(np.save, CUBES[0].astype(np.float64)), opened.cutout)
    yield Seed("stack.npz", _saved(np.savez, images=CUBES, z=np.linspace(0, 1, 9)), opened.stack)
    yield Seed("packed.npz", _saved(np.savez_compressed, images=CUBES, z=np.linspace(0, 1, 9)), opened.stack)
    arrays = {"cut/images": CUBES, "cut/z": np.linspace(0, 1, 9)}
    yield Seed("stack.hdf5", _hdf5(arrays), opened.stack)
    chunked = {"chunks": (2, 2, 14, 13), "compression": "gzip", "shuffle": True}
    yield Seed("chunked.hdf5", _hdf5({"images": CUBES}, **chunked), opened.stack)
    yield Seed("lzf.h5", _hdf5({"images": CUBES}, chunks=(4, 2, 14, 13), compression="lzf"), opened.stack)
    lists = pa.list_(pa.list_(pa.list_(pa.float32())))
    flat = {
        "column": pa.array(CUBES.reshape(9, -1).tolist(), pa.list_(pa.float32())),
        "shape": [[2, 14, 13]] * 9,
    }
    each: dict[str, dict[str, object]] = {
        "lists": {"column": pa.array(CUBES.tolist(), lists)},
        "flat": flat,
        "tensor": {"column": pa.FixedShapeTensorArray.from_numpy_ndarray(CUBES)},
        "npy": {"column": pa.array([_saved(np.save, cube) for cube in CUBES])},
        "bytes": {"column": pa.array([cube.tobytes() for cube in CUBES]), "shape": [[2, 14, 13]] * 9},
        "pictures": {"column": pa.array([_picture("PNG", "RGB") for _ in CUBES])},
    }
    for name, columns_ in each.items():
        made = pa.table({"z": np.linspace(0, 1, 9), **columns_})
        yield Seed(f"{name}.parquet", _parquet(made, row_group_size=4), opened.stack)


def _series() -> Iterator[Seed]:
    wave = np.linspace(4000, 5000, 120)
    flux = 2 + np.sin(wave / 50)
    coadd = Table(
        {"flux": flux, "loglam": np.log10(wave), "ivar": 1 / flux, "and_mask": np.zeros(120, np.int32)}
    )
    hdu = fits.table_to_hdu(coadd)
    hdu.name = "COADD"
    yield Seed("sdss.fits", _fits(fits.PrimaryHDU(), hdu), opened.spectrum)
    arms: list[fits.ImageHDU] = []
    for arm, shift in (("B", 0), ("R", 900)):
        arms.append(fits.ImageHDU(wave + shift, name=f"{arm}_WAVELENGTH"))
        arms.append(fits.ImageHDU(np.stack([flux] * 3).astype(np.float32), name=f"{arm}_FLUX"))
        arms.append(fits.ImageHDU(np.ones((3, 120), np.float32), name=f"{arm}_IVAR"))
    fibres = fits.table_to_hdu(
        Table({"TARGETID": [5, 6, 7], "TARGET_RA": [1.0, 2, 3], "TARGET_DEC": [1.0, 2, 3]})
    )
    fibres.name = "FIBERMAP"
    yield Seed("desi.fits", _fits(fits.PrimaryHDU(), fibres, *arms), opened.spectrum)
    rows = np.stack([flux, 1 / flux, wave, 0 * flux, 0 * flux]).astype(np.float32)
    lamost = _fits(fits.PrimaryHDU(rows, fits.Header({"TELESCOP": "LAMOST"})))
    yield Seed("lamost.fits.gz", gzip.compress(lamost, mtime=0), opened.spectrum)
    linear = fits.Header(
        {"CRVAL1": 4000.0, "CDELT1": 8.4, "CRPIX1": 1.0, "CTYPE1": "LINEAR", "CUNIT1": "Angstrom"}
    )
    yield Seed("linear.fits", _fits(fits.PrimaryHDU(flux, linear)), opened.spectrum)
    yield Seed("spectrum.csv", _text(Table({"wave": wave, "flux": flux, "err": 0.1 * flux})), opened.spectrum)
    time = np.sort(RNG.uniform(0, 90, 60))
    curve = Table(
        {"mjd": 59000 + time, "band": list("gri") * 20, "flux": RNG.normal(9, 1, 60), "flux_err": [0.5] * 60}
    )
    yield Seed("curve.csv", _text(curve), opened.light_curve)
    yield Seed("curve.parquet", _parquet(pa.Table.from_pydict({n: curve[n].tolist() for n in curve.colnames})),
               opened.light_curve)  # fmt: skip


def _tables() -> Iterator[Seed]:
    table = Table(
        {"name": ["a", "b c", "d"] * 5, "ra": np.linspace(0, 9, 15), "n": np.arange(15), "ok": [True] * 15}
    )
    table["ra"].unit = "deg"
    ascii_hdu = fits.TableHDU.from_columns(
        [fits.Column("x", "E15.7", array=np.linspace(0, 1, 9)), fits.Column("n", "I6", array=np.arange(9))]
    )
    yield Seed("ascii.fits", _fits(fits.PrimaryHDU(), ascii_hdu), opened.table)
    yield Seed("columns.fits", _fits(fits.PrimaryHDU(), _table_hdu()), opened.table)
    yield Seed("table.hdf5", _hdf5({"t": table.as_array().astype([("name", "S3"), ("ra", "f8"), ("n", "i8"), ("ok", "?")])}),  # noqa: E501
               opened.table)  # fmt: skip
    document = io.BytesIO()
    from_table(table).to_xml(document, tabledata_format="binary2")
    yield Seed("binary2.votable", document.getvalue(), opened.table)
    yield Seed("table.csv", _text(table), opened.table)
    arrow = pa.table({n: table[n].tolist() for n in table.colnames} | {"v": [[1.0, 2.0]] * 15})
    yield Seed("table.parquet", _parquet(arrow, compression="zstd"), opened.table)


def _pictures() -> Iterator[Seed]:
    for form, mode in (
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("JPEG", "RGB"),
        ("TIFF", "F"),
        ("GIF", "P"),
    ):
        yield Seed(f"{mode.replace(';', '')}.{form.lower()}", _picture(form, mode), opened.cutout)


def _fits(*hdus: fits.hdu.base._BaseHDU) -> bytes:
    fits.HDUList(list(hdus)).writeto(buffer := io.BytesIO())
    assert len(buffer.getvalue()) % BLOCK == 0
    return buffer.getvalue()


def _table_hdu() -> fits.BinTableHDU:
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column("scaled", "I", array=np.arange(12)),
            fits.Column("vector", "3E", array=np.ones((12, 3))),
            fits.Column("text", "5A", array=np.array(["ab", "c"] * 6)),
            fits.Column("flag", "L", array=np.array([True, False] * 6)),
            fits.Column("null", "J", null=-1, array=np.array([3, -1] * 6)),
            fits.Column(
                "ragged", "PE()", array=np.array([np.ones(n % 4, "f4") for n in range(12)], dtype=object)
            ),
        ]
    )
    hdu.header["TSCAL1"], hdu.header["TZERO1"] = 0.5, 10.0
    return hdu


def _saved(save: Callable[..., None], *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    save(buffer := io.BytesIO(), *arrays, **named)
    return buffer.getvalue()


def _hdf5(arrays: dict[str, np.ndarray], **options: object) -> bytes:
    with h5py.File(buffer := io.BytesIO(), "w", track_order=False) as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **options)
    return buffer.getvalue()


def _parquet(table: pa.Table, **options: object) -> bytes:
    pq.write_table(table, buffer := io.BytesIO(), **options)
    return buffer.getvalue()


def _text(table: Table, form: str = "ascii.csv") -> bytes:
    table.write(buffer := io.StringIO(), format=form)
    return buffer.getvalue().encode()


def _picture(form: str, mode: str) -> bytes:
    values = np.random.default_rng(8).integers(0, 255, (24, 20, 4)).astype(np.uint8)
    if mode in ("RGB", "RGBA"):
        picture = Image.fromarray(values[:, :, : len(mode)])
    elif mode == "F":
        picture = Image.fromarray(FLUX)
    elif mode == "I;16":
        picture = Image.fromarray(COUNTS.astype(np.uint16))
    else:
        picture = Image.fromarray(values[:, :, 0]).convert(mode)
    picture.save(buffer := io.BytesIO(), form)
    return buffer.getvalue()
