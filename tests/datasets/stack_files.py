"""The same objects in stacks of every kind."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Table

RNG = np.random.default_rng(5)
CUBES = RNG.normal(size=(40, 3, 20, 16)).astype(np.float32)
CUBES[7, 1, 2, 3] = np.nan
NAMES = [f"o{i}" for i in range(40)]
LISTS = pa.list_(pa.list_(pa.list_(pa.float32())))


def npy_bytes(values: np.ndarray) -> bytes:
    np.save(buffer := BytesIO(), values)
    return buffer.getvalue()


def write_npz(path: Path) -> None:
    np.savez(path, images=CUBES, name=NAMES)


def write_compressed_npz(path: Path) -> None:
    np.savez_compressed(path, images=CUBES, name=NAMES)


def write_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("cut/images", data=CUBES, chunks=(7, 3, 20, 16), compression="gzip")
        file["cut/name"] = NAMES


def write_fits(path: Path) -> None:
    table = fits.table_to_hdu(Table({"name": NAMES}))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(CUBES.astype(np.float64)), table]).writeto(path)


def write_compressed_fits(path: Path) -> None:
    options = {"compression_type": "GZIP_2", "quantize_level": 0, "tile_shape": (1, 1, 20, 16)}
    table = fits.table_to_hdu(Table({"name": NAMES}))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(CUBES, **options), table]).writeto(path)


def write_parquet(path: Path, column: pa.Array, **others: object) -> None:
    pq.write_table(pa.table({"name": NAMES, "image": column, **others}), path, row_group_size=15)


COLUMNS: dict[str, Callable[[], dict[str, object]]] = {
    "nested lists": lambda: {"column": pa.array(CUBES.tolist(), LISTS)},
    "flat lists": lambda: {
        "column": pa.array(CUBES.reshape(40, -1).tolist(), pa.list_(pa.float32())),
        "image_shape": [[3, 20, 16]] * 40,
    },
    "a tensor": lambda: {"column": pa.FixedShapeTensorArray.from_numpy_ndarray(CUBES)},
    "npy files": lambda: {"column": pa.array([npy_bytes(cube) for cube in CUBES])},
    "bytes": lambda: {"column": pa.array([c.tobytes() for c in CUBES]), "shape": [[3, 20, 16]] * 40},
}


FILES: dict[str, Callable[[Path], None]] = {
    "a.npy": lambda path: np.save(path, CUBES),
    "big-endian.npy": lambda path: np.save(path, CUBES.astype(">f8")),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(CUBES)),
    "a.npz": write_npz,
    "compressed.npz": write_compressed_npz,
    "a.h5": write_hdf5,
    "a.fits": write_fits,
    "a.fits.fz": write_compressed_fits,
    **{f"{kind}.parquet": lambda path, of=of: write_parquet(path, **of()) for kind, of in COLUMNS.items()},
}
