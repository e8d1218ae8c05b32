"""What headers, attributes and metadata say of the rows of a stack, and of several that are read as one."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from stack_files import CUBES, LISTS, NAMES, RNG

from astrocnn.datasets.stacks import CutoutStack
from astrocnn.errors import DataError
from astrocnn.io.layers import FluxScale, Mask
from astrocnn.io.sample import Sample


def test_parts_follow_one_another_by_their_numbers(tmp_path: Path) -> None:
    for i in range(12):
        np.save(tmp_path / f"part_{i}.npy", np.full((1, 4, 5), i))
        np.save(tmp_path / f"mask_{i:02}.npy", np.full((1, 4, 5), np.arange(5) == i % 5))
    stack = CutoutStack(f"{tmp_path}/part_*.npy", mask=Mask(files=f"{tmp_path}/mask_*.npy"))
    for i in range(12):
        sample = stack.read(i)
        np.testing.assert_array_equal(sample.flux[sample.valid], i)
        np.testing.assert_array_equal(sample.valid[0, 0], np.arange(5) != i % 5)
    assert [Path(path).stem for path in stack.paths[0][:12]] == [f"part_{i}" for i in range(12)]


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        (
            {"BSCALE": 10.0},
            r"st2\.fits, HDU 0 has BSCALE=10\.0 but .*st1\.fits, HDU 0 has BSCALE=1\.0,.*one BSCALE",
        ),
        ({"BLANK": -1}, "has BLANK=-1 but .* has no BLANK"),
        ({"BUNIT": "nJy"}, "has BUNIT=nJy but .* has BUNIT=ADU"),
        ({"BUNIT": None}, "has no BUNIT but .* has BUNIT=ADU"),
        ({"MAGZERO": 25.0}, "has MAGZERO=25.0 but .* has MAGZERO=27.0"),
        ({"BAND1": "r", "BAND2": "g"}, "has BAND1=r but .* has BAND1=g"),
        ({"MP_SAT": 4}, "has MP_SAT=4 but .* has MP_SAT=3"),
        ({"BUNIT": "ADU     ", "BZERO": 0, "EXPTIME": 30.0}, None),
    ],
)
def test_parts_that_one_header_cannot_speak_for_are_refused(
    tmp_path: Path, cards: dict[str, object], message: str | None
) -> None:
    values = RNG.integers(0, 99, (5, 2, 8, 9)).astype(np.int16)
    common = {"BUNIT": "ADU", "MAGZERO": 27.0, "BAND1": "g", "BAND2": "r", "MP_SAT": 3, "EXPTIME": 20.0}
    for name, given in (("st1", common), ("st2", common | cards)):
        header = fits.Header({key: value for key, value in given.items() if value is not None})
        hdu = fits.PrimaryHDU(values, header, do_not_scale_image_data=True)
        hdu.header.update({key: value for key, value in given.items() if key in ("BSCALE", "BZERO", "BLANK")})
        hdu.writeto(tmp_path / f"{name}.fits")
    if message is None:
        np.testing.assert_array_equal(CutoutStack(f"{tmp_path}/st*.fits").read(7).flux, values[2])
        return
    with pytest.raises(DataError, match=message):
        CutoutStack(f"{tmp_path}/st*.fits")


def test_the_exposure_time_of_parts_matters_to_rates(tmp_path: Path) -> None:
    for i in (1, 2):
        header = fits.Header({"BUNIT": "adu", "MAGZPT": 25.0, "EXPTIME": 10.0 * i})
        fits.PrimaryHDU(CUBES[:5], header).writeto(tmp_path / f"st{i}.fits")
    with pytest.raises(DataError, match=r"has EXPTIME=20\.0 but .* has EXPTIME=10\.0"):
        CutoutStack(f"{tmp_path}/st*.fits")


def test_parts_of_whole_and_of_real_numbers(tmp_path: Path) -> None:
    whole, real = (np.arange(40).reshape(2, 4, 5) + 2**23).astype(np.int32), CUBES[:2, 0, :4, :5]
    np.save(tmp_path / "p1.npy", real)
    np.save(tmp_path / "p2.npy", whole)
    stack = CutoutStack(f"{tmp_path}/p*.npy")
    np.testing.assert_array_equal(stack.read(1).flux[0], real[1])
    np.testing.assert_array_equal(stack.read(3).flux[0], whole[1].astype(np.float32))
    level = np.array([[[1e9, 1e9 + 1], [1e9 + 2, 1e9 + 3]]] * 2)  # which float32 would round away
    np.save(tmp_path / "q1.npy", level.astype(np.float32))
    np.save(tmp_path / "q2.npy", level.astype(np.int64))
    one, two, *_ = CutoutStack(f"{tmp_path}/q*.npy").read_many(np.array([0, 2]))
    assert isinstance(one, Sample)
    assert isinstance(two, DataError)


@pytest.mark.parametrize("form", [fits.ImageHDU, fits.CompImageHDU])
@pytest.mark.parametrize("card", ["BUNIT   = ", "BSCALE  = ", "MAGZERO = ", "MP_SAT  = ", "OBJECT  = "])
def test_a_card_that_cannot_be_parsed_is_refused_where_it_matters(
    tmp_path: Path, form: type, card: str
) -> None:
    hdu = form(RNG.integers(0, 99, (5, 2, 8, 9)).astype(np.int16))
    hdu.header["ANYTHING"] = 1
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    raw = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(
        raw.replace(b"ANYTHING=                    1", f"{card}                 ADU".encode())
    )
    mask = Mask(hdu=1, bits=["SAT"])
    if card.startswith("OBJECT"):
        assert CutoutStack(str(tmp_path / "a.fits")).read(3).valid.all()
        with pytest.raises(DataError, match="names no bit 'SAT'"):
            CutoutStack(str(tmp_path / "a.fits"), mask=mask).read(3)
        return
    with pytest.raises(DataError, match=r"a\.fits") as caught:
        CutoutStack(str(tmp_path / "a.fits"), mask=mask, flux=FluxScale("nJy", zero_point=25.0)).read(3)
    words = {
        "BUNIT": "Unparsable card",
        "MAGZERO": "Unparsable card",
        "BSCALE": "holds no image",
        "MP_SAT": "SAT",
    }
    assert words[card[:8].rstrip(" =")] in str(caught.value)


def test_a_damaged_header_of_the_table_names_the_file(tmp_path: Path) -> None:
    table = fits.table_to_hdu(Table({"name": NAMES}))
    fits.HDUList([fits.PrimaryHDU(CUBES), table]).writeto(tmp_path / "a.fits")
    raw = bytearray((tmp_path / "a.fits").read_bytes())
    start = raw.index(b"XTENSION=")
    raw[start : start + 80] = b"XTENSION= 1_0".ljust(80)
    (tmp_path / "a.fits").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.fits .*cannot be read as FITS: Unparsable card"):
        CutoutStack(str(tmp_path / "a.fits")).table()


@pytest.mark.parametrize("unit", ["\u00b5Jy", "\u03bcJy", b"\xff", np.nan])
def test_attributes_of_any_kind(tmp_path: Path, unit: object) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = CUBES
        attributes = {
            "unit": unit,
            "ZP": np.nan,
            "MAGZERO": np.inf,
            "NOTE": "long\n" * 99,
            "EMPTY": h5py.Empty("f"),
        }
        file["images"].attrs.update(attributes | {"bands": [b"g", b"r", b"\xff"]})
    stack = CutoutStack(str(tmp_path / "a.h5"))
    np.testing.assert_array_equal(stack.read(3).flux, CUBES[3])
    if isinstance(unit, str):
        scaled = CutoutStack(str(tmp_path / "a.h5"), flux=FluxScale("nJy"))
        np.testing.assert_allclose(scaled.read(3).flux, CUBES[3] * 1e3, rtol=1e-6)
        return
    with pytest.raises(DataError, match=r"a\.h5, images: data\.flux_unit=nJy .*does not say what .*ZP"):
        CutoutStack(str(tmp_path / "a.h5"), flux=FluxScale("nJy"))


def test_bits_of_a_mask_that_attributes_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["mask"] = CUBES, RNG.integers(0, 16, CUBES.shape)
        file["mask"].attrs.update({"MP_BRIGHT_OBJECT": 3, "MP_SAT": np.int64(1)})
        bad = file["mask"][5] & 8 > 0
    stack = CutoutStack(str(tmp_path / "a.h5"), hdu="images", mask=Mask("mask", bits=["bright_object"]))
    np.testing.assert_array_equal(stack.read(5).valid, ~bad)


@pytest.mark.parametrize("unit", ["\u00b5Jy".encode(), b"\xff"])
def test_metadata_of_parquet_of_any_kind(tmp_path: Path, unit: bytes) -> None:
    field = pa.field("image", LISTS, metadata={b"unit": unit})
    table = pa.table([pa.array(CUBES.tolist(), LISTS)], schema=pa.schema([field]))
    pq.write_table(table, tmp_path / "a.parquet")
    stack = CutoutStack(str(tmp_path / "a.parquet"))
    assert stack.probe(0).unit == unit.decode("utf-8", "replace")
    np.testing.assert_array_equal(stack.read(3).flux, CUBES[3])
