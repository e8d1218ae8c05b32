"""Photometry as samples: what is a number, what is not, and what dust took away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astrocnn.datasets.features import find_errors, find_features
from astrocnn.datasets.packed import pack
from astrocnn.datasets.photometry import PhotometryTable
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.tables import read_table, write_table

Find = Callable[[str], Path]
UGRIZY = [f"mag_{band}_lsst" for band in "ugrizy"]


def source(table: Table, **options: Any) -> PhotometryTable:
    return PhotometryTable(table, np.arange(len(table)).astype(str), "t.fits", **options)


def everything(photometry: PhotometryTable) -> tuple[np.ndarray, np.ndarray, Any]:
    return photometry.block(np.arange(len(photometry)))[:3]


def test_the_cosmodc2_mock(realdata: Find) -> None:
    path = realdata("photoz/test_dc2_training_9816.hdf5")
    photometry = source(read_table(path), errors="mag_err_*_lsst", limits="error")
    assert photometry.bands == (*UGRIZY, *(f"{name}_limit" for name in UGRIZY))
    value, valid, variance = everything(photometry)
    with h5py.File(path) as file:
        mag = np.stack([file[f"photometry/{name}"][()] for name in UGRIZY], 1)
        error = np.stack([file[f"photometry/mag_err_{b}_lsst"][()] for b in "ugrizy"], 1)
    assert value.shape == (10225, 12)
    assert (~valid[:, :6]).sum(0).tolist() == [714, 2, 0, 0, 0, 0]
    np.testing.assert_array_equal(value[:, :6], np.where(mag == 99, 0, mag))
    np.testing.assert_allclose(variance[:, :6], np.where(mag == 99, 0, error.astype(float) ** 2), rtol=1e-6)
    # where the mock says 99, its error is the limiting magnitude: 26.62 in u, 28.32 in g
    np.testing.assert_array_equal(valid[:, 6:], mag == 99)
    assert set(value[valid[:, 6], 6].tolist()) == {np.float32(26.620825)}
    assert set(value[valid[:, 7], 7].tolist()) == {np.float32(28.322212)}
    assert (value[~valid] == 0).all()


def test_every_way_of_writing_no_measurement() -> None:
    nothing = [np.nan, np.inf, 99.0, -99.0, 999.0, -999.0, -9999.0, 99.9]
    table = Table(
        {"mag_g": [*nothing, 21.0, 22.0], "mag_r": MaskedColumn(np.arange(10) + 15, mask=np.arange(10) == 8)}
    )
    value, valid, variance = everything(source(table))
    assert valid[:, 0].tolist() == [False] * 8 + [True] * 2
    assert valid[:, 1].tolist() == [True] * 8 + [False, True]
    assert value[:, 0].tolist() == [0] * 8 + [21, 22]
    assert variance is None
    single = Table({"mag_g": np.array([99.9, -99.99, 20], np.float32).astype(float), "mag_r": [1.0, 2, 3]})
    assert everything(source(single))[1][:, 0].tolist() == [False, False, True]


def test_a_flux_of_99_is_a_flux() -> None:
    table = Table(
        {
            "flux_g": [99.0, -99.0, -3.0],
            "flux_r": [1e-30, 2e-30, 3e-30],
            "e_g": [1.0, -99, 2],
            "e_r": [1e-18] * 3,
        }
    )
    value, valid, _ = everything(source(table, quantity="flux", errors=["e_g", "e_r"]))
    assert valid[:, 0].tolist() == [True, False, True]
    np.testing.assert_array_equal(value[:, 1], np.float32([1e-30, 2e-30, 3e-30]))
    with pytest.raises(DataError, match=r"t\.fits: a variance reaches 1e-60, outside the range of float32"):
        everything(
            source(
                Table({"flux_g": [1e-29], "e": [1e-30]}), features=["flux_g"], quantity="flux", errors=["e"]
            )
        )


def test_limits_as_photometric_redshift_codes_write_them() -> None:
    # BPZ: 99 and the limit, -99 and 0; Le Phare: the limit and -1, -99 and -99
    table = Table(
        {"g": [99.0, -99.0, 27.3, -99.0, 21.0, np.nan], "e": [28.4, 0.0, -1.0, -99.0, 0.02, np.nan]}
    )
    value, valid, variance = everything(source(table, features=["g"], errors=["e"], limits="error"))
    assert valid.tolist() == [
        [False, True],
        [False] * 2,
        [False, True],
        [False] * 2,
        [True, False],
        [False] * 2,
    ]
    np.testing.assert_array_equal(value[:, 1], np.float32([28.4, 0, 27.3, 0, 0, 0]))
    np.testing.assert_allclose(variance[4], [0.0004, 0], rtol=1e-6)
    without = everything(source(table, features=["g"], errors=["e"]))
    assert without[1][:, 0].tolist() == [False] * 4 + [True, False]


def test_limits_in_columns_and_errors_too_large() -> None:
    table = Table({"mag_g": [21.0, 29.0, 99.0], "err_g": [0.1, 2.0, 99.0], "lim_g": [26.0, 26.5, np.nan]})
    table["mag_r"], table["err_r"], table["lim_r"] = table["mag_g"], table["err_g"], table["lim_g"]
    photometry = source(table, errors="err_*", limits="lim_*", max_error=1.0857)
    value, valid, _ = everything(photometry)
    assert valid[:, 0].tolist() == [True, False, False]
    assert valid[:, 2].tolist() == [False, True, False]
    assert value[1, 2] == 26.5


def test_dust(realdata: Find) -> None:
    table = Table({f"mag_{b}": [20.0, 20.0, 99.0] for b in "ugriz"} | {"ebv": [0.1, 0.0, 0.2]})
    value, valid, _ = everything(source(table, extinction="ebv", extinction_coefficients="sdss"))
    # Schlafly & Finkbeiner 2011, table 6, R_V = 3.1
    np.testing.assert_allclose(value[0], 20 - 0.1 * np.array([4.239, 3.303, 2.285, 1.698, 1.263]), rtol=1e-6)
    assert (value[1] == 20).all()
    assert not valid[2].any()
    flux = Table({"flux_g": [1.0], "flux_r": [1.0], "e_g": [0.5], "e_r": [0.5], "ebv": [1.0]})
    options: dict[str, Any] = {"quantity": "flux", "errors": "e_*", "extinction": "ebv"}
    value, _, variance = everything(
        source(flux, **options, extinction_coefficients={"flux_g": 2.5, "flux_r": 0})
    )
    np.testing.assert_allclose(value, [[10, 1]], rtol=1e-6)
    np.testing.assert_allclose(variance, [[25, 0.25]], rtol=1e-6)


def test_an_object_without_reddening_is_named() -> None:
    table = Table({"mag_g": [20.0, 21.0], "mag_r": [20.0, 21.0], "ebv": [0.1, np.nan]})
    photometry = source(table, extinction="ebv", extinction_coefficients="lsst")
    good, bad = photometry.read_many(np.array([0, 1]))
    assert good.flux[0] == pytest.approx(20 - 0.1 * 3.237)
    assert isinstance(bad, DataError)
    assert "row 1 (1): no E(B-V) in the column 'ebv'" in str(bad)


@pytest.mark.parametrize(
    ("columns", "quantity", "expected"),
    [
        (["id", "mag_err_g", "mag_r", "mag_g", "mag_u"], "magnitude", ["mag_u", "mag_g", "mag_r"]),
        (["u", "g", "r", "i", "z", "redshift"], "magnitude", list("ugriz")),
        (["FLUX_Z", "FLUX_G", "FLUX_R", "FLUX_IVAR_G", "EBV"], "flux", ["FLUX_G", "FLUX_R", "FLUX_Z"]),
        (["g_mag", "z_mag", "g_flux", "Y_mag"], "magnitude", ["g_mag", "z_mag", "Y_mag"]),
        (["e_gmag", "zmag", "gmag", "W1mag", "Kmag"], "magnitude", ["gmag", "zmag", "Kmag", "W1mag"]),
    ],
)  # fmt: skip
def test_features_by_the_names_that_catalogues_use(
    columns: list[str], quantity: str, expected: list[str]
) -> None:
    assert find_features(None, columns, quantity=quantity, source="t") == expected


def test_patterns() -> None:
    columns = ["mag_g_lsst", "mag_err_g_lsst", "mag_u_lsst", "mag_err_u_lsst", "F115W", "F090W"]
    found = find_features("mag_*_lsst", columns, quantity="magnitude", source="t")
    assert found == ["mag_u_lsst", "mag_g_lsst"]
    assert find_errors("mag_err_*_lsst", found, "mag_*_lsst", columns, option="data.errors", source="t") == [
        "mag_err_u_lsst",
        "mag_err_g_lsst",
    ]
    assert find_features("F*W", columns, quantity="magnitude", source="t") == ["F115W", "F090W"]
    assert find_errors("mag_err_*_lsst", ["mag_g_lsst"], None, columns, option="data.errors", source="t") == [
        "mag_err_g_lsst"
    ]
    with pytest.raises(DataError, match=r"no column of t matches data\.features='m_\*'"):
        find_features("m_*", columns, quantity="magnitude", source="t")
    with pytest.raises(DataError, match=r"none is found; name them with data\.features"):
        find_features(None, ["a", "b"], quantity="magnitude", source="t")
    with pytest.raises(DataError, match=r"several fit equally well \(psf_mag_\*, cmodel_mag_\*\)"):
        find_features(
            None, [f"{k}_mag_{b}" for k in ("psf", "cmodel") for b in "gr"], quantity="magnitude", source="t"
        )
    with pytest.raises(
        DataError, match=r"data\.errors='err_\*' gives no column of t for mag_g_lsst \(it matches none\)"
    ):
        find_errors("err_*", ["mag_g_lsst"], None, columns, option="data.errors", source="t")
    assert find_errors("e_*mag", ["gmag"], None, ["gmag", "e_gmag"], option="data.errors", source="t") == [
        "e_gmag"
    ]
    with pytest.raises(
        DataError, match=r"data\.errors='mag_err_g_lsst' is one column for 2 features \(a, b\)"
    ):
        find_errors("mag_err_g_lsst", ["a", "b"], None, columns, option="data.errors", source="t")
    with pytest.raises(DataError, match="names 1 columns for 2 features"):
        find_errors(["e"], ["a", "b"], None, columns, option="data.errors", source="t")


def test_what_cannot_be_read_is_named() -> None:
    table = Table({"mag_g": [20.0], "mag_r": [21.0], "name": ["x"], "vector": np.ones((1, 3)), "ebv": [0.1]})
    for options, message in (
        ({"features": ["mag_gg"]}, r"no column 'mag_gg'; the nearest are 'mag_g'.*data\.features="),
        ({"features": ["name"]}, r"'name' of t\.fits holds text, such as 'x'"),
        ({"features": ["vector"]}, r"'vector' of t\.fits holds vectors"),
        ({"errors": ["mag_g", "err"]}, r"no column 'err'.*data\.errors="),
        ({"limits": "lim_*"}, r"data\.limits='lim_\*' gives no column of t\.fits for mag_g, mag_r"),
        ({"extinction": "EBV", "extinction_coefficients": "lsst"}, r"no column 'EBV'; the nearest are 'ebv'"),
    ):
        with pytest.raises(DataError, match=message):
            source(table, **options)
    for options, message in (
        (
            {"quantity": "mag"},
            r"data\.quantity='mag' is not known; choose from magnitude, flux",
        ),
        ({"limits": "error"}, r"data\.limits=error needs data\.errors"),
        ({"extinction": "ebv"}, r"no coefficients are given: .*lsst \| sdss"),
        ({"extinction": "ebv", "extinction_coefficients": "lssst"}, "Did you mean 'lsst'"),
        ({"extinction": "ebv", "extinction_coefficients": [3.0]}, "gives none for mag_g, mag_r"),
        ({"missing": ["none"]}, r"data\.missing=.* are not numbers"),
    ):
        with pytest.raises(ConfigError, match=message):
            source(table, **options)
    strange = Table({"mag_g": [20.0, 99.5], "mag_r": [20.0, 21.0]})
    with pytest.raises(
        DataError, match=r"'mag_g' of t\.fits holds 99\.5, which are no magnitudes; .*data\.missing="
    ):
        source(strange)
    assert everything(source(strange, missing=[99.5]))[1].tolist() == [[True, True], [False, True]]


def test_packed_in_blocks_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    table = Table(
        {f"mag_{b}": rng.normal(22, 1, 500) for b in "gri"} | {f"err_{b}": rng.random(500) for b in "gri"}
    )
    table["mag_g"][rng.random(500) < 0.3] = 99.0
    for b in "gri":
        table[f"mag_{b}"][17] = -99.0
    table["ebv"] = np.where(np.arange(500) == 40, np.nan, 0.1)
    path = write_table(table, tmp_path / "t.fits")
    options: dict[str, Any] = {"errors": "err_*", "extinction": "ebv", "extinction_coefficients": "lsst"}
    photometry = PhotometryTable(table, np.arange(500).astype(str), str(path), **options)
    numbers = np.setdiff1d(np.arange(500), [100, 200, 201])[::-1]
    monkeypatch.setattr("astrocnn.datasets.photometry.ROWS_A_TASK", 64)
    packed = []
    for name in ("blocks", "rows"):
        monkeypatch.setenv("ASTROCNN_CACHE", str(tmp_path / name))
        if name == "rows":
            monkeypatch.setattr(PhotometryTable, "read_block", lambda self, numbers: None)
        packed.append(pack(photometry, numbers, shape=(2,), bands=("mag_i", "mag_g"), sky=True))
    rows = np.arange(len(numbers))
    assert packed[0].bad == packed[1].bad
    assert [int(numbers[row]) for row, _ in packed[0].bad] == [40, 17]
    assert "row 40 (40): no E(B-V)" in packed[0].bad[0][1]
    assert "no value is valid in the bands mag_i, mag_g" in packed[0].bad[1][1]
    good = np.setdiff1d(rows, [row for row, _ in packed[0].bad])
    for key, values in packed[0](good).items():
        np.testing.assert_array_equal(values, packed[1](good)[key])
    np.testing.assert_array_equal(packed[0].valid_fraction, packed[1].valid_fraction)
    assert photometry.digest(numbers) != photometry.digest(numbers[::-1])
