"""The rows of stacks of all images, and of tiles."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from doc_rows import CLASS, FLUX, KEYS, NJY_OF_25, SIZE, N, labels, masked, row

NUMBERED = ("band1", "band2", "band3")
STACK = {"shape": (3, SIZE, SIZE), "bands": NUMBERED, "classes": ("0", "1"), "image": FLUX}


@row("an `.npy` array", **STACK)
def npy() -> None:
    np.save("stack.npy", FLUX)
    labels()


@row("an `.npz` file with the labels beside the images", **STACK)
def npz() -> None:
    np.savez("set.npz", images=FLUX, id=KEYS, label=CLASS)


@row("an HDF5 file", **STACK)
def hdf5() -> None:
    with h5py.File("set.h5", "w") as file:
        file["images"] = FLUX.transpose(0, 2, 3, 1)  # bands last
    labels()


HOLE = np.zeros((N, 1, SIZE, SIZE), bool)
HOLE[:, :, 4, 5] = True


@row(
    "… with one array a band, and arrays of masks and inverse variances",
    shape=(2, SIZE, SIZE),
    bands=("g", "r"),
    classes=("0", "1"),
    image=masked(FLUX[:, :2], HOLE),
    variance=np.broadcast_to(np.array([0.5, 0.25])[:, None, None], (2, SIZE, SIZE)),
)
def hdf5_by_band() -> None:
    with h5py.File("set.h5", "w") as file:
        for c, band in enumerate("gr"):
            file[band] = FLUX[:, c]
            file[f"ivar_{band}"] = np.full((N, SIZE, SIZE), 2.0 * (c + 1))
        file["mask"] = HOLE[:, 0].astype(np.uint8)
    labels()


@row("a 4-D FITS image", **STACK)
def fits_stack() -> None:
    fits.PrimaryHDU(FLUX).writeto("stack.fits")
    labels()


@row(
    "a 3-D FITS image of single-band cutouts",
    **STACK | {"shape": (1, SIZE, SIZE), "bands": NUMBERED[:1], "image": FLUX[:, :1]},
)
def flat_fits_stack() -> None:
    fits.PrimaryHDU(FLUX[:, 0]).writeto("stack.fits")
    labels()


@row("a column of a Parquet table, in one file or several", **STACK)
def parquet() -> None:
    Path("parts").mkdir()
    lists = pa.array(FLUX.tolist(), pa.list_(pa.list_(pa.list_(pa.float32()))))
    table = pa.table({"id": KEYS, "label": CLASS, "image": lists})
    pq.write_table(table.slice(0, 5), "parts/0.parquet")
    pq.write_table(table.slice(5), "parts/1.parquet")


PIXELS, CUT = 128, 32
TILES = np.random.default_rng(1).normal(10, 1, (2, 2, PIXELS, PIXELS)).astype(np.float32)  # band, tile, y, x
# on the corner of four pixels, so that an even cutout is copied pixel by pixel; the last of each is at the edge
X = np.array([40, 70, 90, 45, 80, 5] * 2) + 0.5
Y = np.array([30, 50, 70, 90, 105, 60] * 2) + 0.5
TILE = np.repeat([0, 1], N // 2)


def tile_cards(tile: int, scale: float = 0.25, **more: Any) -> fits.Header:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 40.0 + tile, "CRVAL2": -10.0})
    middle = PIXELS * 0.25 / scale / 2 + 0.5
    header.update(CRPIX1=middle, CRPIX2=middle, CDELT1=-scale / 3600, CDELT2=scale / 3600, RADESYS="ICRS")
    header.update(BUNIT="nJy")
    header.update(more)
    return header


def objects(path: str = "objects.csv", *, shift: float = 0.0) -> None:
    sky = [WCS(tile_cards(t)).all_pix2world(x + shift, y, 0) for x, y, t in zip(X, Y, TILE, strict=True)]
    ra, dec = np.array(sky).T
    Table({"id": KEYS, "label": CLASS, "ra": ra, "dec": dec}).write(path)


def cutouts(tiles: np.ndarray = TILES[:1]) -> np.ndarray:
    """(N, C, 32, 32) around the objects, of (C, 2, 128, 128); NaN outside."""
    wide = np.pad(tiles, ((0, 0), (0, 0), (CUT, CUT), (CUT, CUT)), constant_values=np.nan)
    corners = [
        (t, int(y + 0.5) + CUT // 2, int(x + 0.5) + CUT // 2) for x, y, t in zip(X, Y, TILE, strict=True)
    ]
    return np.stack([wide[:, t, y : y + CUT, x : x + CUT] for t, y, x in corners])


def survey(pattern: str, planes: np.ndarray = TILES[0], **header: Any) -> None:
    for t, plane in enumerate(planes):
        path = Path(pattern.format(t))
        path.parent.mkdir(exist_ok=True)
        fits.PrimaryHDU(plane, tile_cards(t, **header)).writeto(path)


ONE = {
    "shape": (1, CUT, CUT),
    "bands": ("band1",),
    "unit": "nJy",
    "classes": ("0", "1"),
    "image": cutouts(),
}
PAIR = ONE | {"shape": (2, CUT, CUT), "bands": ("g", "r"), "image": cutouts(TILES)}


@row("full images, and a catalogue with RA and Dec", **ONE)
def full_images() -> None:
    survey("survey/t{}.fits")
    objects()


@row("tile-compressed tiles", **ONE)
def compressed_tiles() -> None:
    Path("survey").mkdir()
    for t in range(2):
        options = {"compression_type": "GZIP_2", "quantize_level": 0}
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(TILES[0, t], tile_cards(t), **options)]
        fits.HDUList(hdus).writeto(f"survey/t{t}.fits.fz")
    objects("objects.parquet")


@row("one file a tile and band", **PAIR)
def tiles_by_band() -> None:
    survey("g/t{}.fits", TILES[0])
    survey("r/t{}.fits", TILES[1])
    objects()


@row(
    "… of which some tiles lack a band",
    **PAIR | {"image": masked(cutouts(TILES), TILE[:, None, None, None] * [[[0]], [[1]]])},
)
def missing_band() -> None:
    survey("g/t{}.fits", TILES[0])
    survey("r/t{}.fits", TILES[1, :1])
    objects()


@row("bands as extensions of each tile", **PAIR | {"bands": ("G", "R")})
def tile_extensions() -> None:
    Path("survey").mkdir()
    for t in range(2):
        images = [fits.ImageHDU(TILES[c, t], tile_cards(t), name=band) for c, band in enumerate("GR")]
        fits.HDUList([fits.PrimaryHDU(), *images]).writeto(f"survey/t{t}.fits")
    objects()


@row("mosaic cameras: every extension is a tile", **ONE)
def mosaic() -> None:
    Path("mosaic").mkdir()
    options = {"compression_type": "GZIP_2", "quantize_level": 0}
    images = [fits.CompImageHDU(TILES[0, t], tile_cards(t), name=f"CCD{t}", **options) for t in range(2)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto("mosaic/exposure.fits.fz")
    objects()


@row("pixel positions and the names of tiles instead of RA and Dec", **ONE)
def pixels() -> None:
    survey("survey/t{}.fits")
    field = [f"t{t}" for t in TILE]
    Table({"id": KEYS, "label": CLASS, "xpix": X, "ypix": Y, "field": field}).write("objects.csv")


FLAGS = np.zeros((2, PIXELS, PIXELS), np.int32)
FLAGS[:, 52] = 4
WEIGHT = np.full((2, PIXELS, PIXELS), 4.0, np.float32)
WEIGHT[:, 48] = 0
GONE = (FLAGS > 0) | (WEIGHT == 0)


@row("masks and weights beside the tiles", **ONE | {"image": cutouts(masked(TILES[:1], GONE))}, variance=0.25)
def masks_and_weights() -> None:
    survey("survey/t{}_ooi.fits")
    survey("survey/t{}_ood.fits", FLAGS)
    survey("survey/t{}_oow.fits", WEIGHT)
    objects()


@row("tiles with different zero-points", **ONE | {"image": NJY_OF_25 * cutouts(TILES[:1] * [[[1]], [[0.1]]])})
def tile_zero_points() -> None:
    Path("survey").mkdir()
    for t, magnitude in enumerate((25.0, 27.5)):
        fits.PrimaryHDU(TILES[0, t], tile_cards(t, BUNIT="ADU", MAGZERO=magnitude)).writeto(
            f"survey/t{t}.fits"
        )
    objects()


def check_flux(data: Any) -> None:
    """Four pixels of 0.25 arcsec are one of 0.5, and a quarter of one of 1 arcsec, when flux is kept."""
    batch = data.gather(np.arange(N))
    mean = (batch["image"].sum((0, 2, 3)) / batch["valid"].sum((0, 2, 3))).numpy()
    np.testing.assert_allclose(mean, [40.0, 2.5], rtol=0.01)
    assert data.spec.pixel_scale_arcsec == 0.5


@row("tiles whose pixels differ in size", **PAIR | {"image": None}, check=check_flux)
def tile_scales() -> None:
    survey("g/t{}.fits")
    survey("r/t{}.fits", TILES[1, :, :32, :32], scale=1.0)
    objects()


@row("whole pixels wanted, without interpolation", **ONE)
def whole_pixels() -> None:
    survey("survey/t{}.fits")
    objects(shift=0.3)


def check_tiles(data: Any) -> None:
    part = {
        tile: set(data.catalog["split"][data.catalog["tile"] == tile]) for tile in set(data.catalog["tile"])
    }
    assert all(len(each) == 1 for each in part.values())
    assert set.union(*part.values()) == {"train", "val", "test"}


@row("tiles that must not be parted", n=18, **ONE | {"image": None}, check=check_tiles)
def many_tiles() -> None:
    survey("survey/t{}.fits", np.stack([TILES[0, t % 2] for t in range(9)]))
    ra, dec = np.array(
        [WCS(tile_cards(i // 2)).all_pix2world(60.5 + 20 * (i % 2), 60.5, 0) for i in range(18)]
    ).T
    Table({"id": np.arange(18), "label": np.arange(18) % 2, "ra": ra, "dec": dec}).write("objects.csv")
