"""The rows of cutouts: files, masks, noise, units, splits."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from doc_rows import CLASS, FLUX, KEYS, NJY_OF_25, PLANE, SIZE, N, cards, each, labels, masked, row, simple
from PIL import Image

TWO = ("0", "1")
ONE = {"shape": (1, SIZE, SIZE), "bands": ("band1",), "unit": "nJy", "image": PLANE}
BITS = {"MP_BAD": 0, "MP_SAT": 1, "HIERARCH MP_DETECTED": 5}
FLAGS = np.zeros((SIZE, SIZE), np.int32)  # bits 0, 1, 3 and 5, one row each
FLAGS[0], FLAGS[1], FLAGS[3], FLAGS[5] = 1, 2, 8, 32
NOISE = np.full((SIZE, SIZE), 4.0, np.float32)
NOISE[0, 0] = 0.0


@row(
    "nothing yet",
    n=12,
    shape=(3, 64, 64),
    bands=("g", "r", "i"),
    classes=("non-lens", "lens"),
    unit="nJy",
)
def nothing() -> None:
    pytest.importorskip("galsim")
    pytest.importorskip("caustics")


@row("one FITS file an object", **ONE)
def plain_files() -> None:
    each("my/{}.fits", simple)


@row("one FITS file an object, and a table of labels", **ONE, classes=TWO)
@row("a look at the data, and the wish to train", **ONE, classes=TWO)
@row("objects that may stand more than once", **ONE, classes=TWO)
def files_and_labels() -> None:
    each("my/{}.fits", simple)
    labels()


@row("… whose columns and classes have other names", **ONE, classes=("other", "lens"))
def other_names() -> None:
    each("my/{}.fits", simple)
    labels("labels.ecsv", name=KEYS, is_lens=CLASS == 1)


@row("one folder an object", **ONE, classes=TWO)
def folders() -> None:
    each("my/{}/image.fits", simple)
    labels()


@row("compressed files, `.fz` or `.gz`", **ONE)
def compressed() -> None:
    each(
        "my/{}.fits.fz",
        lambda i: [
            fits.PrimaryHDU(),
            fits.CompImageHDU(FLUX[i, 0], cards(i), compression_type="GZIP_2", quantize_level=0),
        ],
    )


@row(
    "bands as planes of a cube",
    shape=(2, SIZE, SIZE),
    bands=("r", "g"),
    unit="nJy",
    image=FLUX[:, [1, 0]],
)
def cubes() -> None:
    each("cubes/{}.fits", lambda i: fits.PrimaryHDU(FLUX[i], cards(i, BAND1="g", BAND2="r", BAND3="i")))


@row("bands as extensions of one file", shape=(3, SIZE, SIZE), bands=("G", "R", "I"), unit="nJy", image=FLUX)
def extensions() -> None:
    each(
        "my/{}.fits",
        lambda i: (
            [fits.PrimaryHDU()]
            + [fits.ImageHDU(FLUX[i, c], cards(i), name=band) for c, band in enumerate("GRI")]
        ),
    )


def beside(name: str, plane: np.ndarray, **header: Any) -> None:
    """Files with the image in SCI and ``plane`` in an extension that comes first."""
    each(
        "my/{}.fits",
        lambda i: [
            fits.PrimaryHDU(),
            fits.ImageHDU(plane, fits.Header(header), name=name),
            fits.ImageHDU(FLUX[i, 0], cards(i), name="SCI"),
        ],
    )


SCI = ONE | {"bands": ("SCI",)}


@row("several extensions, and the image in one of them", **SCI)
def one_extension() -> None:
    beside("PSF", np.ones((5, 5), np.float32))


def by_band(**header: Any) -> None:
    for c, band in enumerate("gr"):
        each(f"{band}/{{}}.fits", lambda i, c=c: fits.PrimaryHDU(FLUX[i, c], cards(i, **header)))


PAIR = {"shape": (2, SIZE, SIZE), "bands": ("g", "r"), "unit": "nJy"}


@row("one FITS file an object and band", **PAIR, image=FLUX[:, :2])
def bands_in_files() -> None:
    by_band()


@row("one `.npy` file an object", shape=(3, SIZE, SIZE), bands=("band1", "band2", "band3"), image=FLUX)
def npy_files() -> None:
    Path("npy").mkdir()
    for key, image in zip(KEYS, FLUX, strict=True):
        np.save(f"npy/{key}.npy", image)


@row(
    "PNG or JPEG pictures, which hold no fluxes",
    shape=(3, SIZE, SIZE),
    bands=("R", "G", "B"),
    classes=TWO,
    image=np.round(FLUX * 10),
)
def pictures() -> None:
    Path("png").mkdir()
    for key, image in zip(KEYS, FLUX, strict=True):
        pixels = (
            np.round(image * 10).astype(np.uint8).transpose(1, 2, 0)[::-1]
        )  # the first row is the highest
        Image.fromarray(pixels).save(f"png/{key}.png")
    labels()


@row(
    "a quality mask in each file, whose header names its bits",
    **SCI | {"image": masked(PLANE, (FLAGS & 3) > 0)},
)
def named_bits() -> None:
    beside("MASK", FLAGS, **BITS)


@row("a quality mask in which every value but 0 is bad", **SCI | {"image": masked(PLANE, FLAGS > 0)})
def any_bit() -> None:
    beside("DQ", FLAGS)


@row("masks in files of their own", **ONE | {"image": masked(PLANE, (FLAGS & 9) > 0)})
def mask_files() -> None:
    each("my/{}.fits", simple)
    each("masks/{}.fits", lambda i: fits.PrimaryHDU(FLAGS))


@row("a variance map in each file", **SCI, variance=NOISE)
def variance_map() -> None:
    beside("VARIANCE", NOISE)


@row("an inverse-variance map in each file", **SCI | {"image": masked(PLANE, NOISE == 0)}, variance=0.25)
def inverse_variance() -> None:
    beside("IVAR", NOISE)


@row(
    "weight maps in files of their own, one a band",
    **PAIR,
    image=masked(FLUX[:, :2], NOISE == 0),
    variance=0.25,
)
def weights() -> None:
    by_band()
    for band in "gr":
        each(f"{band}_wht/{{}}.fits", lambda i: fits.PrimaryHDU(NOISE))


@row("rms maps in files of their own", **ONE, variance=NOISE**2)
def rms_maps() -> None:
    each("my/{}.fits", simple)
    each("rms/{}.fits", lambda i: fits.PrimaryHDU(NOISE))


FACTORS = np.array([1.0, 1000.0, NJY_OF_25])[np.arange(N) % 3]


@row(
    "images in different units or with different zero-points",
    **ONE | {"image": PLANE * FACTORS[:, None, None, None]},
)
def units() -> None:
    said = ({"BUNIT": "nJy"}, {"BUNIT": "uJy"}, {"BUNIT": "ADU", "MAGZERO": 25.0})
    each("my/{}.fits", lambda i: fits.PrimaryHDU(FLUX[i, 0], cards(i, **said[i % 3])))


ZERO_POINTS = NJY_OF_25 * 10 ** (-0.4 * np.array([2.0, 2.1]))


@row("zero-points that no header says", **PAIR, image=FLUX[:, :2] * ZERO_POINTS[:, None, None])
def zero_points() -> None:
    by_band(BUNIT="ADU")


def split_of(data: Any) -> np.ndarray:
    return np.asarray(data.catalog["split"])


def check_fold(data: Any) -> None:
    assert split_of(data).tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 4


@row("a table that says who trains and who tests", **ONE, classes=TWO, check=check_fold)
def fold() -> None:
    each("my/{}.fits", simple)
    labels(id=KEYS, label=CLASS, fold=["train"] * 6 + ["valid"] * 2 + ["test"] * 4)


def check_group(data: Any) -> None:
    parts = [set(split_of(data)[start : start + 2]) for start in range(0, N, 2)]
    assert all(len(part) == 1 for part in parts)
    assert set.union(*parts) == {"train", "val", "test"}


@row("objects that must not be parted (a field, an exposure)", **ONE, classes=TWO, check=check_group)
def fields() -> None:
    each("my/{}.fits", simple)
    labels(id=KEYS, label=CLASS, field=np.arange(N) // 2)


def check_sky(data: Any) -> None:
    assert data.parted.by == "sky"
    assert set(split_of(data)) == {"train", "val", "test"}
    np.testing.assert_allclose(data.catalog["ra"], 3.0 * np.arange(N), atol=1e-9)


@row("a survey to be tested on another part of the sky", **ONE, classes=TWO, check=check_sky)
def sky() -> None:
    files_and_labels()


@row("some files that are damaged or missing", **ONE | {"image": PLANE[:-1]}, classes=TWO, n=N - 1, skipped=1)
def damaged() -> None:
    files_and_labels()
    whole = Path(f"my/{KEYS[-1]}.fits")
    whole.write_bytes(whole.read_bytes()[:3000])


@row("images without labels, and a trained run", **ONE)
def new_images() -> None:
    each("my/{}.fits", simple)
    shutil.copytree("my", "new")
    labels()
