"""Light curves of every layout as samples: time, values, validity, folded and binned."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from astropy.timeseries import TimeSeries, aggregate_downsample
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from astrocnn.datasets.light_curves import LightCurveFiles
from astrocnn.datasets.packed import pack
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.light_curves import LightCurveColumns

Find = Callable[[str], Path]


def test_tess(realdata: Find) -> None:
    path = realdata("timeseries/tess_00261136679_s01_lc.fits")
    files = LightCurveFiles(str(path), variance=True)
    assert (files.channels, files.length) == (("time", "flux"), 20076)
    sample = files.read(0)
    data = fits.getdata(path, 1)
    good = (data["QUALITY"] == 0) & np.isfinite(data["PDCSAP_FLUX"]) & np.isfinite(data["TIME"])
    assert good.sum() == 18067
    np.testing.assert_array_equal(sample.valid[1], good)
    np.testing.assert_array_equal(sample.valid[0], np.isfinite(data["TIME"]))
    np.testing.assert_array_equal(sample.flux[1][good], data["PDCSAP_FLUX"][good])
    first = data["TIME"][good][0]
    np.testing.assert_allclose(sample.flux[0][good], data["TIME"][good] - first, atol=2e-6)
    assert sample.variance is not None
    np.testing.assert_allclose(
        sample.variance[1][good], data["PDCSAP_FLUX_ERR"][good].astype(float) ** 2, rtol=1e-6
    )
    assert (sample.info.ra, sample.info.unit) == (pytest.approx(84.3008942), "e-/s")
    loose = LightCurveFiles(str(path), columns=LightCurveColumns(quality_bits=[5], flux="SAP_FLUX"))
    with_flux = np.isfinite(data["SAP_FLUX"]) & np.isfinite(data["TIME"])
    np.testing.assert_array_equal(loose.read(0).valid[1], with_flux & (data["QUALITY"] & 32 == 0))


def test_binned_as_astropy_bins(realdata: Find) -> None:
    path = realdata("timeseries/tess_00261136679_s01_lc.fits")
    sample = LightCurveFiles(str(path), n_bins=100).read(0)
    data = fits.getdata(path, 1)
    good = (data["QUALITY"] == 0) & np.isfinite(data["TIME"])
    time = data["TIME"][good].astype(float)
    flux = {name: data[name][good].astype(float) for name in ("PDCSAP_FLUX", "PDCSAP_FLUX_ERR")}
    weight = 1 / flux["PDCSAP_FLUX_ERR"] ** 2
    series = TimeSeries(
        time=Time(2457000 + time, format="jd", scale="tdb"),
        data={"wf": weight * flux["PDCSAP_FLUX"], "w": weight},
    )
    width = (time[-1] - time[0]) / 100
    binned = aggregate_downsample(series, time_bin_size=width * units.day, n_bins=100, aggregate_func=np.sum)
    mean = np.ma.filled(binned["wf"] / binned["w"], np.nan)
    np.testing.assert_array_equal(sample.valid[1], np.isfinite(mean))
    assert sample.valid[0].all()
    # the last observation lies on the edge of astropy's last bin
    np.testing.assert_allclose(
        sample.flux[1][:99][sample.valid[1][:99]], mean[:99][sample.valid[1][:99]], rtol=1e-6
    )
    np.testing.assert_allclose(sample.flux[0], (np.arange(100) + 0.5) * width, rtol=1e-5)


def rr_lyrae(folder: Path, realdata: Find) -> None:
    with tarfile.open(realdata("timeseries/rrlyrae/table1.tar.gz")) as archive:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on
        archive.extractall(folder, **safe)


WIDE = LightCurveColumns(
    time={b: f"col{3 + 3 * i}" for i, b in enumerate("ugriz")},
    flux={b: f"col{4 + 3 * i}" for i, b in enumerate("ugriz")},
    error={b: f"col{5 + 3 * i}" for i, b in enumerate("ugriz")},
)


def test_rr_lyrae_folded_with_their_periods(tmp_path: Path, realdata: Find) -> None:
    rr_lyrae(tmp_path, realdata)
    table = Table.read(realdata("timeseries/rrlyrae/table2.dat.gz"), format="ascii.commented_header")
    ids = table["id"][:12]
    for name in (p for p in (tmp_path / "table1").iterdir() if p.stem not in {str(i) for i in ids}):
        name.unlink()
    files = LightCurveFiles(
        f"{tmp_path}/table1/*.dat", columns=WIDE, quantity="magnitude", n_bins=20, variance=True
    )
    assert files.bands == tuple("ugriz")
    assert sorted(files.ids) == sorted(str(i) for i in ids)
    order = [list(ids).index(int(name)) for name in files.ids]
    files.fold(np.array(table["P"][order]), np.array(table["rE"][order]))
    smooth = []
    for number, star in enumerate(files.ids):
        sample = files.read(number)
        assert sample.info.bands == ("phase", *"ugriz")
        raw = np.loadtxt(tmp_path / "table1" / f"{star}.dat")
        good = (np.abs(raw[:, 9]) < 90) & (raw[:, 10] < 90)
        phase = ((raw[good, 8] - table["rE"][order[number]]) / table["P"][order[number]]) % 1
        weight, bins = 1 / raw[good, 10] ** 2, (phase * 20).astype(int)
        total = np.bincount(bins, weight, 20)
        expected = np.bincount(bins, weight * raw[good, 9], 20) / np.where(total, total, 1)
        np.testing.assert_array_equal(sample.valid[3], total > 0)
        np.testing.assert_allclose(sample.flux[3], np.where(total > 0, expected, 0), rtol=1e-5)
        assert sample.variance is not None
        np.testing.assert_allclose(sample.variance[3][total > 0], 1 / total[total > 0], rtol=1e-5)
        # folded with its period, a light curve varies less from bin to bin than over all
        mean = sample.flux[3][sample.valid[3]]
        smooth.append(np.abs(np.diff(mean)).mean() / mean.std())
    assert np.median(smooth) < 0.6


def snpcc(folder: Path, realdata: Find, n: int = 200) -> dict[str, np.ndarray]:
    data = dict(np.load(realdata("timeseries/snpcc_dev.npz")))
    end = data["offset"][n]
    table = Table({key: data[key][:end] for key in ("mjd", "flux", "flux_err")})
    table["band"] = np.array(list("griz"))[data["band"][:end]]
    table["snid"] = np.repeat(data["snid"][:n], np.diff(data["offset"][: n + 1]))
    table[np.random.default_rng(0).permutation(end)].write(folder / "lc.fits")
    return data


def test_supernovae_in_one_long_table(tmp_path: Path, realdata: Find) -> None:
    data = snpcc(tmp_path, realdata)
    files = LightCurveFiles(f"{tmp_path}/lc.fits", columns=LightCurveColumns(object="snid"), variance=True)
    assert len(files) == 200
    assert files.bands == tuple("griz")
    number = files.ids.index(str(data["snid"][7]))
    own = slice(data["offset"][7], data["offset"][8])
    sample = files.read(number)
    times = np.unique(data["mjd"][own].astype(float))
    n = len(times)
    assert sample.flux.shape == (5, files.length)
    assert files.length == max(
        len(np.unique(data["mjd"][a:b]))
        for a, b in zip(data["offset"][:200], data["offset"][1:201], strict=True)
    )
    np.testing.assert_allclose(sample.flux[0, :n], times - times[0], atol=1e-5)
    for b in range(4):
        mine = data["band"][own] == b
        assert sample.valid[1 + b].sum() == mine.sum()
        at = np.searchsorted(times, data["mjd"][own][mine].astype(float))
        np.testing.assert_array_equal(sample.flux[1 + b, at], data["flux"][own][mine])
        assert sample.variance is not None
        np.testing.assert_allclose(
            sample.variance[1 + b, at], data["flux_err"][own][mine].astype(float) ** 2, rtol=1e-6
        )
    assert not sample.valid[:, n:].any()
    assert (sample.flux[:, n:] == 0).all()


def test_packed_like_any_source(tmp_path: Path, realdata: Find) -> None:
    snpcc(tmp_path, realdata, 50)
    files = LightCurveFiles(f"{tmp_path}/lc.fits", columns=LightCurveColumns(object="snid"), bands=["r", "i"])
    packed = pack(files, np.arange(50), shape=(3, files.length), bands=files.channels)
    batch = packed(np.array([3, 49]))
    np.testing.assert_array_equal(batch["image"][1], files.read(49).flux)
    np.testing.assert_array_equal(batch["valid"][0], files.read(3).valid)


def write(folder: Path, name: str = "a.csv", **columns: Any) -> Path:
    Table(columns).write(folder / name, overwrite=True)
    return folder / name


def test_flags_gaps_and_sentinels(tmp_path: Path) -> None:
    nan = np.nan
    path = write(
        tmp_path,
        mjd=[59000.0, 59001.0, nan, 59003.0, 59004.0, 59005.0],
        mag=[20.0, 99.0, 21.0, 22.0, 100.011, 23.0],
        mag_err=[0.1, 0.1, 0.1, 0.0, 99.999, 0.1],
        quality=[0, 0, 0, 0, 0, 4],
    )
    sample = LightCurveFiles(str(path), quantity="magnitude").read(0)
    assert sample.valid[0].tolist() == [True, True, False, True, True, True]
    assert sample.valid[1].tolist() == [True] + [False] * 5
    assert sample.flux[0].tolist() == [0, 1, 0, 3, 4, 5]
    every = LightCurveFiles(str(path), quantity="magnitude", columns=LightCurveColumns(quality_bits=[0, 1]))
    assert every.read(0).valid[1].tolist() == [True, False, False, False, False, True]


def test_times_are_sorted_and_twice_observed_bands_kept(tmp_path: Path) -> None:
    path = write(tmp_path, time=[3.0, 1.0, 2.0], flux=[30.0, 10.0, 20.0])
    assert LightCurveFiles(str(path)).read(0).flux.tolist() == [[0, 1, 2], [10, 20, 30]]
    path = write(tmp_path, time=[1.0, 1.0, 1.0, 2.0], flux=[1.0, 2.0, 3.0, 4.0], band=["g", "g", "r", "r"])
    sample = LightCurveFiles(str(path)).read(0)
    assert sample.flux.tolist() == [[0, 0, 1], [1, 2, 0], [3, 0, 4]]
    assert sample.valid.tolist() == [[True] * 3, [True, True, False], [True, False, True]]


def test_phases_start_at_the_epoch(tmp_path: Path) -> None:
    path = write(tmp_path, time=[2459000.5, 2459000.75, 2459001.75], flux=[1.0, 2.0, 3.0])
    files = LightCurveFiles(str(path))
    files.fold(np.array([2.0]), None)
    assert files.read(0).flux.tolist() == [[0, 0.125, 0.625], [1, 2, 3]]
    files.fold(np.array([2.0]), np.array([2459000.75]))
    np.testing.assert_allclose(files.read(0).flux, [[0, 0.5, 0.875], [2, 3, 1]])
    assert files.key(0) != LightCurveFiles(str(path)).key(0)
    files.fold(np.array([np.nan]), None)
    with pytest.raises(DataError, match="its period is nan"):
        files.read(0)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    def refused(message: str, path: Path, read: int = 0, **options: Any) -> None:
        with pytest.raises((DataError, ConfigError), match=message):
            LightCurveFiles(str(path), **options).read(read)

    good = write(tmp_path, time=[1.0, 2.0], flux=[1.0, 2.0])
    refused(r"no file matches data\.files", tmp_path / "gone" / "*.csv")
    refused(
        r"no column of a usual name for time .*its columns are when, flux; name it with data\.time",
        write(tmp_path, "b.csv", when=[1.0], flux=[1.0]),
    )
    refused(
        r"has no column 'fluxx'; the nearest are 'flux'.*data\.flux=",
        good,
        columns=LightCurveColumns(flux="fluxx"),
    )
    refused("'flux' of .* holds text", write(tmp_path, "c.csv", time=[1.0, 2], flux=["a", "b"]))
    refused(
        "no observation is valid in the bands flux",
        write(tmp_path, "d.csv", time=[1.0, 2], flux=[np.nan, -99.0]),
    )
    refused(r"has no errors; name their column with data\.error", good, variance=True)
    refused(r"has 2 observations but data\.length=1; raise it, or bin", good, length=1)
    refused(r"data\.n_bins=0: at least 1", good, n_bins=0)
    refused(r"has no column 'snid'.*data\.object=", good, columns=LightCurveColumns(object="snid"))
    refused(r"'flux' of .* holds no flags", good, columns=LightCurveColumns(quality="flux"))
    refused(
        "holds 95, which are no magnitudes",
        write(tmp_path, "e.csv", time=[1.0], mag=[95.0]),
        quantity="magnitude",
    )
    refused("outside the range of float32", write(tmp_path, "f.csv", time=[1.0, 2.0], flux=[1e-42, 2e-42]))
    with pytest.raises(ConfigError, match=r"data\.flux does not; give it alike"):
        LightCurveColumns(time={"g": "t"})
    with pytest.raises(ConfigError, match="name different bands"):
        LightCurveColumns(flux={"g": "f"}, error={"r": "e"})
    with pytest.raises(ConfigError, match="give one of them"):
        LightCurveColumns(flux={"g": "f"}, band="band")
    (tmp_path / "g.fits").write_bytes(realistic())
    refused(r"g\.fits, HDU 0: the header has no END card", tmp_path / "g.fits")


def realistic() -> bytes:
    return b"SIMPLE  =                    T" + b" " * 50


def test_files_of_two_layouts(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", time=[1.0, 2.0], flux=[1.0, 2.0])
    write(tmp_path, "b.csv", time=[1.0, 2.0], flux=[1.0, 2.0], band=["g", "r"])
    files = LightCurveFiles(f"{tmp_path}/*.csv")
    good, bad = files.read_many(np.array([0, 1]))
    assert not isinstance(good, DataError)
    assert "b.csv has the bands g, r but" in str(bad)
    write(tmp_path, "a.csv", time=[1.0, 2.0], flux=[1.0, 2.0], band=["g", "r"])
    asked = LightCurveFiles(f"{tmp_path}/*.csv", bands=["r"])
    assert [sample.flux.tolist() for sample in (asked.read(0), asked.read(1))] == [[[0, 0], [2, 0]]] * 2
    for name in ("a.csv", "b.csv"):
        write(tmp_path, name, time=[1.0], flux=[1.0], star=["x"])
    with pytest.raises(DataError, match="both hold the object 'x'"):
        LightCurveFiles(f"{tmp_path}/*.csv", columns=LightCurveColumns(object="star"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("band", ["0", "g"])
def test_rows_without_a_band_are_nobodys_observations(tmp_path: Path, suffix: str, band: str) -> None:
    text = f"snid,mjd,passband,flux,flux_err\n0,1,{band},10,1\n0,2,{band},20,1\n0,3,,999,1\n1,5,{band},30,1\n"
    (tmp_path / "lc.csv").write_text(text)
    if suffix == "parquet":
        parquet.write_table(arrow_csv.read_csv(tmp_path / "lc.csv"), tmp_path / "lc.parquet")
    files = LightCurveFiles(f"{tmp_path}/lc.{suffix}", columns=LightCurveColumns(object="snid"))
    assert (files.ids, files.bands) == (["0", "1"], (band,))
    assert files.read(0).flux[:, files.read(0).valid[1]].tolist() == [[0, 1], [10, 20]]
    assert 999 not in files.read(0).flux


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["3", "SN 3"])
def test_rows_without_an_object_are_refused(tmp_path: Path, suffix: str, name: str) -> None:
    (tmp_path / "lc.csv").write_text(f"snid,mjd,flux\n{name},1,10\n{name},2,20\n,4,777\n,5,778\n")
    if suffix == "parquet":
        parquet.write_table(arrow_csv.read_csv(tmp_path / "lc.csv"), tmp_path / "lc.parquet")
    with pytest.raises(
        DataError,
        match=rf"lc\.{suffix}: 2 of its 4 rows have no object in the column 'snid'; .*data\.object=",
    ):
        LightCurveFiles(f"{tmp_path}/lc.{suffix}", columns=LightCurveColumns(object="snid"))


def test_a_column_without_any_band_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mjd,band,flux\n1,,10\n2,,20\n")
    with pytest.raises(
        DataError, match=r"a\.csv names no band in any row of its column 'band'; .*data\.band="
    ):
        LightCurveFiles(f"{tmp_path}/a.csv")


@pytest.mark.parametrize(("n_bins", "period"), [(None, None), (3, None), (None, 0.5)])
@pytest.mark.parametrize(
    "times", [[1.0, 2.0, -6e240], [-1.7e308, 2.0, 1.7e308], [0.0, 1e-300, 2e-300]], ids=str
)
def test_times_beyond_float32_are_refused(
    tmp_path: Path, times: list[float], n_bins: int | None, period: float | None
) -> None:
    files = LightCurveFiles(str(write(tmp_path, time=times, flux=[1.0, 2.0, 3.0])), n_bins=n_bins)
    if period is not None:
        files.fold(np.array([period]), None)
    with pytest.raises(
        DataError, match=r"a\.csv: its time reaches .*, outside the range of float32 .*data\.time="
    ):
        files.read(0)


@pytest.mark.parametrize("bits", [[63], [-1], [0, 64], [1.5], ["a"], [True]])
def test_bits_that_no_flag_has_are_refused(bits: list[Any]) -> None:
    with pytest.raises(ConfigError, match=r"data\.quality_bits=.*0 to 62"):
        LightCurveColumns(quality_bits=bits)


@pytest.mark.parametrize("bits", [[62], [62, 62]])
def test_a_bit_counts_however_often_it_is_named(tmp_path: Path, bits: list[int]) -> None:
    path = write(tmp_path, time=[1.0, 2.0], flux=[1.0, 2.0], quality=[0, 1 << 62])
    files = LightCurveFiles(str(path), columns=LightCurveColumns(quality_bits=bits))
    assert files.read(0).valid[1].tolist() == [True, False]
