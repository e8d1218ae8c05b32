"""FITS pixels against astropy's own, and every kind of file that cannot be read."""

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.errors import DataError
from astrocnn.io.fits import probe, read
from astrocnn.io.headers import BLOCK
from astrocnn.io.layers import Variance

RealData = Callable[[str], Path]
CUBE = np.random.default_rng(0).normal(size=(3, 6, 5)).astype(np.float32)


def write(path: Path, *hdus: fits.hdu.base.ExtensionHDU) -> Path:
    fits.HDUList(list(hdus)).writeto(path)
    return path


def test_every_real_image_equals_astropy(realdata: RealData) -> None:
    root = realdata("README.md").parent
    n = 0
    for path in sorted(root.rglob("*.fits*")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy's, about the files' cards; ours must not warn
            with fits.open(path) as hdus:
                found = [
                    (h.header.get("BSCALE", 1), h.data) for h in hdus if h.is_image and h.header["NAXIS"]
                ]
        scale, data = found[0] if found else (1, None)
        if data is None or data.ndim < 2:
            with pytest.raises(DataError, match="holds no image"):
                read(path)
            continue
        image = read(path)
        expected = data.astype(np.float32).reshape(image.flux.shape)
        assert image.flux.dtype == np.float32
        assert image.flux.dtype.isnative
        np.testing.assert_array_equal(image.valid, np.isfinite(expected))
        # astropy scales integers of 16 bits in float32, we in float64: they differ in the last bit
        np.testing.assert_allclose(
            image.flux[image.valid], expected[image.valid], rtol=2e-7 if scale != 1 else 0
        )
        assert (image.flux[~image.valid] == 0).all()
        n += 1
    assert n > 100


def test_values_near_1e11_survive_exactly(realdata: RealData) -> None:
    path = realdata("lens_challenge/ground_based/lens/Band1/imageSDSS_R-100002.fits")
    flux = read(path).flux[0]
    assert 0 < np.median(np.abs(flux)) < 1e-10
    assert flux.tobytes() == fits.getdata(path).astype("=f4").tobytes()


def test_facts_of_the_real_files(realdata: RealData) -> None:
    spitzer = read(realdata("fits/photutils/spitzer_example_image.fits"))
    assert spitzer.info.unit == "MJy/sr"
    assert (~spitzer.valid).sum() == 3
    radio = read(realdata("radio/1904-66_SIN.fits"))
    assert np.mean(~radio.valid) == pytest.approx(0.40, abs=0.01)
    assert read(realdata("radio/small_4D.fits")).flux.shape == (1, 20, 20)
    hsc = probe(realdata("fits/hsc_cutouts/images/2-cutout-HSC-I-8279-pdr2_wide.fits"))
    assert hsc.shape == (1, 25, 25)
    assert hsc.bands == ("i",)
    assert hsc.pixel_scale_arcsec == pytest.approx(0.168)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4"])
def test_stored_types(tmp_path: Path, dtype: str) -> None:
    data = (np.arange(30).reshape(5, 6) * 7).astype(dtype)
    image = read(write(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    np.testing.assert_array_equal(image.flux[0], data.astype(np.float32))


def test_scaled_integers_and_blank(tmp_path: Path) -> None:
    stored = np.array([[-32768, 0], [10, 32767]], dtype=np.int16)
    hdu = fits.PrimaryHDU(stored)
    hdu.header["BLANK"] = -32768
    path = write(tmp_path / "a.fits", hdu)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BSCALE"], hdus[0].header["BZERO"] = 0.25, 3.0
    image = read(path)
    assert image.valid.tolist() == [[[False, True], [True, True]]]
    assert image.flux.tolist() == [[[0, 3.0], [5.5, 32767 * 0.25 + 3]]]


@pytest.mark.parametrize("compression", ["gzip", "RICE_1", "GZIP_2"])
def test_compressed(tmp_path: Path, compression: str) -> None:
    data = np.arange(400, dtype=np.int16).reshape(20, 20)
    path = tmp_path / ("a.fits.gz" if compression == "gzip" else "a.fits.fz")
    if compression == "gzip":
        write(path, fits.PrimaryHDU(data))
    else:
        write(path, fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type=compression))
    np.testing.assert_array_equal(read(path).flux[0], data)


def test_hdu_selection(tmp_path: Path) -> None:
    planes = {name: fits.ImageHDU(CUBE[i], name=name) for i, name in enumerate(("G", "R", "I"))}
    variance = fits.ImageHDU(np.abs(CUBE[:1]), name="VAR")
    path = write(tmp_path / "a.fits", fits.PrimaryHDU(), *planes.values(), variance)
    np.testing.assert_array_equal(read(path).flux[0], CUBE[0])
    np.testing.assert_array_equal(read(path, hdu="r").flux[0], CUBE[1])
    np.testing.assert_array_equal(read(path, hdu=3).flux[0], CUBE[2])
    several = read(path, hdu=["I", "G"], variance=Variance(["VAR", "VAR"]))
    np.testing.assert_array_equal(several.flux, CUBE[[2, 0]])
    assert several.info.bands == ("I", "G")
    assert several.variance is not None
    np.testing.assert_array_equal(several.variance[1], np.abs(CUBE[0]))
    with pytest.raises(DataError, match=r"has no HDU 'SCI'.*HDU 1 \(G\): 6 × 5.*data\.hdu="):
        read(path, hdu="SCI")
    with pytest.raises(DataError, match=r"variance is 1 × 6 × 5 but the image is 3 × 6 × 5"):
        read(path, hdu=["G", "R", "I"], variance=Variance("VAR"))
    with pytest.raises(DataError, match="HDU 0: holds no image"):
        read(path, hdu=0)


def test_names_of_bands(tmp_path: Path) -> None:
    cube = fits.PrimaryHDU(CUBE, fits.Header({"BAND1": "g", "BAND2": "r", "BAND3": "i"}))
    info = probe(write(tmp_path / "a.fits", cube))
    assert info.bands == ("g", "r", "i")
    assert info.named_planes
    single = probe(write(tmp_path / "b.fits", fits.PrimaryHDU(CUBE[0], fits.Header({"FILTER": "VIS"}))))
    assert single.bands == ("VIS",)
    assert not single.named_planes
    assert probe(write(tmp_path / "c.fits", fits.PrimaryHDU(CUBE))).bands == ()


def test_variance_decides_validity_too(tmp_path: Path) -> None:
    variance = np.ones_like(CUBE)
    variance[0, 0, 0], variance[1, 1, 1], variance[2, 2, 2] = np.nan, -1, 0
    hdus = (fits.PrimaryHDU(CUBE), fits.ImageHDU(variance, name="VARIANCE"))
    image = read(write(tmp_path / "a.fits", *hdus), variance=Variance("VARIANCE"))
    assert np.argwhere(~image.valid).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert image.flux[0, 0, 0] == 0


def test_unusual_cards_are_read_by_astropy(tmp_path: Path) -> None:
    header = fits.Header()
    header["BUNIT"] = "erg / (s cm2) " * 8  # long enough to need CONTINUE cards
    path = write(tmp_path / "a.fits", fits.PrimaryHDU(CUBE, header))
    image = read(path)
    np.testing.assert_array_equal(image.flux, CUBE)
    assert image.info.unit == header["BUNIT"].strip()


def damaged(path: Path, what: str) -> Path:
    """A file with one thing wrong."""
    write(path, fits.PrimaryHDU(np.ones((40, 40), np.float32)))
    raw = path.read_bytes()
    card = b"NAXIS1  =                   40"
    changed = {
        "empty": b"",
        "text": b"id,label\n1,0\n" * 300,
        "cut in the header": raw[:400],
        "cut in the data": raw[: BLOCK + 1000],
        "lying NAXIS": raw.replace(card, b"NAXIS1  =         400000000000"),
        "negative NAXIS": raw.replace(card, b"NAXIS1  =                  -40"),
        "no number": raw.replace(card, b"NAXIS1  =                  4x0"),
        "random bytes": np.random.default_rng(0).bytes(5000),
        "gzip of text": gzip.compress(b"no FITS" * 1000),
        "cut gzip": gzip.compress(raw)[:60],
    }
    path.write_bytes(changed[what])
    return path


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("empty", r"is empty \(0 bytes\)"),
        ("text", "cannot be read as FITS"),
        ("cut in the header", "no END card"),
        ("cut in the data", r"promises 6,400 bytes.*holds 1,000; it is truncated"),
        ("lying NAXIS", r"HDU 0: the header promises 64,000,000,000,000 bytes"),
        ("negative NAXIS", "not negative"),
        ("no number", "cannot be read as FITS"),
        ("random bytes", "cannot be read as FITS"),
        ("gzip of text", "cannot be read as FITS"),
        ("cut gzip", "cannot be unpacked"),
    ],
)
def test_damaged_files(tmp_path: Path, what: str, message: str) -> None:
    path = damaged(tmp_path / "bad.fits", what)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_other_bad_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.fits cannot be read: No such file"):
        read(tmp_path / "gone.fits")
    table = write(tmp_path / "t.fits", fits.PrimaryHDU(), fits.BinTableHDU.from_columns([]))
    with pytest.raises(DataError, match="holds no image"):
        read(table)
    dark = write(tmp_path / "n.fits", fits.PrimaryHDU(np.full((4, 4), np.nan, np.float32)))
    with pytest.raises(DataError, match=r"n\.fits, HDU 0: no pixel is valid"):
        read(dark)
    deep = write(tmp_path / "d.fits", fits.PrimaryHDU(np.ones((2, 3, 4, 4), np.float32)))
    with pytest.raises(DataError, match="at most 3 that are longer than 1"):
        probe(deep)
    faint = write(tmp_path / "f.fits", fits.PrimaryHDU(np.full((4, 4), 1e-50)))
    with pytest.raises(DataError, match="outside the range of float32"):
        read(faint)
