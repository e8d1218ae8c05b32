"""One spectrum written in every layout comes out alike, on one grid, with its mask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from pyarrow import parquet

from astrocnn.datasets.packed import pack
from astrocnn.datasets.spectra import SpectrumFiles
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.spectra import Reading

L, LOG = 3000, np.linspace(np.log10(3700.0), np.log10(9100.0), 3000)
WAVE = 10**LOG
LINE = 6564.61
BAD = slice(1000, 1040)


def spectrum(wave: np.ndarray = WAVE) -> np.ndarray:
    """A power law with an emission line of σ = 6 Å."""
    return 5 * (wave / 6000) ** -1.5 + 20 * np.exp(-0.5 * ((wave - LINE) / 6) ** 2)


def mean_spectrum(grid: np.ndarray) -> np.ndarray:
    """The spectrum averaged over the pixels of a grid that is even in log λ."""
    half = np.sqrt(grid[1] / grid[0])
    return spectrum(grid[:, None] * half ** np.linspace(-1, 1, 41)).mean(1)


def columns(dtype: str = ">f4") -> dict[str, np.ndarray]:
    ivar, mask = np.full(L, 4.0, dtype), np.zeros(L, ">i4")
    ivar[BAD], mask[1100:1110] = 0, 1 << 23
    return {"flux": spectrum().astype(dtype), "loglam": LOG.astype(dtype), "ivar": ivar, "and_mask": mask}


def sdss(path: Path) -> None:
    """spec-PLATE-MJD-FIBER.fits, with the exposures that the lite files leave out."""
    c = columns()
    primary = fits.PrimaryHDU(
        header=fits.Header({"PLUG_RA": 150.5, "PLUG_DEC": 2.25, "RA": 149.0, "DEC": 2.0, "VACUUM": True})
    )
    coadd = fits.BinTableHDU(Table({**c, "or_mask": c["and_mask"], "sky": c["flux"]}), name="COADD")
    exposure = fits.BinTableHDU(
        Table({"flux": np.zeros(9), "loglam": np.linspace(3.6, 3.9, 9)}), name="B1-00012345"
    )
    fits.HDUList([primary, coadd, fits.BinTableHDU(Table({"Z": [0.1]}), name="SPECOBJ"), exposure]).writeto(
        path
    )


def lamost_rows(path: Path) -> None:
    c = columns()
    rows = np.stack([c["flux"], c["ivar"], WAVE.astype(">f4"), c["and_mask"].astype(">f4"), np.zeros(L)])
    header = fits.Header(
        {"TELESCOP": "LAMOST", "RA": 150.5, "DEC": 2.25, "COEFF0": LOG[0], "COEFF1": LOG[1] - LOG[0]}
    )
    fits.PrimaryHDU(rows.astype(">f4"), header).writeto(path)


def lamost_table(path: Path) -> None:
    c = columns()
    rows = {
        "FLUX": c["flux"],
        "IVAR": c["ivar"],
        "WAVELENGTH": WAVE.astype(">f4"),
        "ANDMASK": c["and_mask"],
        "ORMASK": c["and_mask"],
    }
    primary = fits.PrimaryHDU(header=fits.Header({"RA": 150.5, "DEC": 2.25, "VACUUM": True}))
    fits.HDUList(
        [primary, fits.BinTableHDU(Table({k: v[None] for k, v in rows.items()}), name="COADD")]
    ).writeto(path)


def csv(path: Path) -> None:
    c = columns()
    error = np.where(c["ivar"] > 0, 0.5, np.nan)
    table = Table({"Wavelength": WAVE / 10, "flux": c["flux"], "err": error, "mask": c["and_mask"]})
    table["Wavelength"].unit = "nm"
    table.write(path, format="ascii.ecsv")


def reversed_parquet(path: Path) -> None:
    c = columns("f8")
    reverse = {k: np.asarray(v)[::-1] for k, v in {"wave": WAVE, **c}.items() if k != "loglam"}
    parquet.write_table(
        pyarrow.table({k: v.astype(v.dtype.newbyteorder("=")) for k, v in reverse.items()}), path
    )


def image(path: Path) -> None:
    c = columns()
    header = fits.Header(
        {"CTYPE1": "LINEAR", "CRVAL1": LOG[0], "CD1_1": LOG[1] - LOG[0], "CRPIX1": 1.0, "DC-FLAG": 1}
    )
    hdus = [
        fits.PrimaryHDU(c["flux"][None], header),
        fits.ImageHDU(c["ivar"], name="IVAR"),
        fits.ImageHDU(c["and_mask"], name="MASK"),
    ]
    fits.HDUList(hdus).writeto(path)


@pytest.mark.parametrize(
    ("write", "name", "layout"),
    [
        (sdss, "spec-0266-51602-0001.fits", "table"),
        (lamost_rows, "spec-55859-F5902_sp01-001.fits.gz", "LAMOST image"),
        (lamost_table, "spec-59000-X_sp01-001.fits.gz", "table"),
        (csv, "spec-1.ecsv", "table"),
        (reversed_parquet, "spec-2.parquet", "table"),
        (image, "spec-3.fit", "image"),
    ],
)
def test_every_layout_gives_the_same(
    tmp_path: Path, write: Callable[[Path], None], name: str, layout: str
) -> None:
    write(tmp_path / name)
    options: dict[str, Any] = {"wave_min": 3800, "wave_max": 9000, "n_pixels": 1500, "variance": True}
    files = SpectrumFiles(f"{tmp_path}/spec-*", **options)
    assert files.layout == layout
    sample = files.read(0)
    grid = np.geomspace(3800, 9000, 1500)
    assert sample.flux.shape == sample.valid.shape == (1, 1500)
    assert sample.info.bands == ("flux",)
    bad = ((grid > WAVE[1000]) & (grid < WAVE[1039])) | ((grid > WAVE[1100]) & (grid < WAVE[1109]))
    np.testing.assert_array_equal(~sample.valid[0][1:-1], bad[1:-1])
    np.testing.assert_allclose(sample.flux[0][~bad], mean_spectrum(grid)[~bad], rtol=0.01)
    # a pixel of the grid is 1.9 of the file's: some of them in part, between 1/2.6 and all of 0.25
    assert sample.variance is not None
    assert (sample.variance[0][~bad] < 0.26).all()
    assert (sample.variance[0][~bad] > 0.09).all()
    if write in (sdss, lamost_rows, lamost_table):
        assert (sample.info.ra, sample.info.dec) == (150.5, 2.25)


def desi(path: Path, n: int = 5) -> np.ndarray:
    """coadd-*.fits with linear pixels of 0.8 Å and arms that overlap; fibre k is the spectrum times k + 1."""
    table = Table(
        {
            "TARGETID": 39628000000000000 + np.arange(n),
            "TARGET_RA": 10.0 + np.arange(n),
            "TARGET_DEC": np.full(n, -5.0),
        }
    )
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(table, name="FIBERMAP")]
    for arm, low, high, ivar in (
        ("B", 3600.0, 5800.0, 1.0),
        ("R", 5760.0, 7620.0, 3.0),
        ("Z", 7520.0, 9824.0, 2.0),
    ):
        wave = np.arange(low, high + 0.1, 0.8)
        flux = (spectrum(wave) * (np.arange(n)[:, None] + 1)).astype(">f4")
        weight, mask = np.full(flux.shape, ivar, ">f4"), np.zeros(flux.shape, ">i4")
        if arm == "R":
            mask[1] = 1
        hdus += [fits.ImageHDU(wave, name=f"{arm}_WAVELENGTH"), fits.ImageHDU(flux, name=f"{arm}_FLUX")]
        hdus[-2].header["BUNIT"] = "Angstrom"
        hdus += [fits.ImageHDU(weight, name=f"{arm}_IVAR"), fits.ImageHDU(mask, name=f"{arm}_MASK")]
        hdus += [fits.ImageHDU(np.zeros((n, 11, len(wave)), ">f4"), name=f"{arm}_RESOLUTION")]
    fits.HDUList(hdus).writeto(path)
    return spectrum()


def test_many_fibres_and_arms_that_overlap(tmp_path: Path) -> None:
    desi(tmp_path / "coadd-main-dark-100.fits")
    files = SpectrumFiles(f"{tmp_path}/coadd-*.fits", n_pixels=2000, variance=True)
    assert (len(files), files.layout) == (5, "DESI")
    assert (files.wave_min, files.wave_max) == (3600.0, pytest.approx(9824.0))
    assert files.ids[2] == "39628000000000002"
    assert [rows.tolist() for rows in files.tasks(np.arange(5))] == [[0, 1, 2, 3, 4]]
    grid = np.geomspace(3600, 9824, 2000)
    samples = [s for s in files.read_many(np.arange(5)) if not isinstance(s, DataError)]
    for k, sample in enumerate(samples):
        inside = sample.valid[0] & (grid > 3610) & (grid < 9810)
        np.testing.assert_allclose(sample.flux[0][inside], (k + 1) * mean_spectrum(grid)[inside], rtol=0.01)
        assert sample.info.ra == 10.0 + k
    # in the overlap of B and R the weights 1 and 3 add
    overlap, alone = (grid > 5765) & (grid < 5795), (grid > 5600) & (grid < 5700)
    assert samples[0].variance is not None
    ratio = samples[0].variance[0][alone].mean() / samples[0].variance[0][overlap].mean()
    assert ratio == pytest.approx(4, rel=0.05)
    masked = (grid > 5802) & (grid < 7518)
    assert not samples[1].valid[0][masked].any()
    assert samples[0].valid[0][masked].all()


def test_the_grid_that_files_give_themselves(tmp_path: Path) -> None:
    for i, cut in enumerate((slice(0, 2000), slice(500, 3000))):
        Table({"loglam": LOG[cut], "flux": spectrum()[cut]}).write(tmp_path / f"s{i}.fits")
    files = SpectrumFiles(f"{tmp_path}/s*.fits")
    assert (files.wave_min, files.wave_max) == (pytest.approx(3700.0), pytest.approx(9100.0))
    assert files.n_pixels == L
    first = files.read(0)
    assert first.variance is None
    assert first.valid[0].sum() == 2000
    np.testing.assert_allclose(first.flux[0, 5:1990], spectrum()[5:1990], rtol=1e-4)


def test_packed_like_any_source(tmp_path: Path) -> None:
    desi(tmp_path / "coadd-1.fits")
    files = SpectrumFiles(
        f"{tmp_path}/coadd-1.fits", wave_min=4000, wave_max=9000, n_pixels=300, variance=True
    )
    packed = pack(files, np.array([4, 1]), shape=(1, 300), bands=("flux",), sky=True)
    batch = packed(np.array([0, 1]))
    assert batch["image"].shape == batch["variance"].shape == (2, 1, 300)
    np.testing.assert_array_equal(batch["image"][0], files.read(4).flux)
    assert packed.position is not None
    assert packed.position[:, 0].tolist() == [14, 11]


@pytest.mark.parametrize(
    ("header", "wave"),
    [
        ({"CTYPE1": "WAVE", "CUNIT1": "um", "CRVAL1": 0.5, "CDELT1": 1e-4, "CRPIX1": 3.0}, "wcs"),
        ({"CTYPE1": "WAVE", "CRVAL1": 5e-7, "CDELT1": 1e-10}, "wcs"),
        ({"CTYPE1": "WAVE-LOG", "CUNIT1": "nm", "CRVAL1": 500.0, "CDELT1": 0.1, "CRPIX1": 1.0}, "wcs"),
        ({"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0}, 5000.0 + np.arange(50)),
        ({"COEFF0": 3.6, "COEFF1": 1e-4}, 10 ** (3.6 + 1e-4 * np.arange(50))),
    ],
)
def test_wavelengths_in_the_header(tmp_path: Path, header: dict[str, Any], wave: Any) -> None:
    hdu = fits.PrimaryHDU(np.ones(50, np.float32), fits.Header(header))
    hdu.writeto(tmp_path / "s.fits")
    if isinstance(wave, str):
        wave = WCS(hdu.header).pixel_to_world_values(np.arange(50)) * 1e10
    files = SpectrumFiles(f"{tmp_path}/s.fits")
    np.testing.assert_allclose([files.wave_min, files.wave_max], [wave[0], wave[-1]], rtol=1e-9)


def test_air_becomes_vacuum(tmp_path: Path) -> None:
    wave = np.arange(6400.0, 6700.0, 0.5)
    line = np.exp(-0.5 * ((wave - 6562.801) / 4) ** 2)  # where air has Hα
    for name, header, options in (
        ("a", {"CTYPE1": "AWAV", "CUNIT1": "Angstrom"}, {}),
        ("b", {}, {"reading": Reading(medium="air")}),
    ):
        given = {**header, "CRVAL1": wave[0], "CDELT1": 0.5, "CRPIX1": 1.0}
        fits.PrimaryHDU(line.astype("f4"), fits.Header(given)).writeto(tmp_path / f"{name}.fits")
        files = SpectrumFiles(f"{tmp_path}/{name}.fits", **options)
        grid = np.geomspace(files.wave_min, files.wave_max, files.n_pixels)
        flux = files.read(0).flux[0]
        assert (flux * grid).sum() / flux.sum() == pytest.approx(6564.614, abs=0.05)


def test_mask_bits(tmp_path: Path) -> None:
    sdss(tmp_path / "s.fits")
    count = {}
    for bits in (None, [], [23], [3]):
        files = SpectrumFiles(f"{tmp_path}/s.fits", n_pixels=L, reading=Reading(mask_bits=bits))
        count[str(bits)] = int((~files.read(0).valid).sum())
    assert count["None"] == count["[23]"] == count["[]"] + 10
    assert count["[3]"] == count["[]"]


@pytest.mark.parametrize("bits", [[63], [-1], [0, 64]])
def test_bits_that_no_mask_has_are_refused(bits: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"data\.mask_bits=.*0 to 62"):
        Reading(mask_bits=bits)


def test_spectra_as_rows_of_a_table(tmp_path: Path) -> None:
    rows = Table(
        {
            "id": ["a", "b"],
            "wave": np.stack([WAVE, WAVE]),
            "flux": np.stack([spectrum(), 2 * spectrum()]),
            "ra": [1.0, 2.0],
            "dec": [3.0, 4.0],
        }
    )
    rows.write(tmp_path / "rows.fits")
    files = SpectrumFiles(f"{tmp_path}/rows.fits", n_pixels=L)
    assert files.ids == ["a", "b"]
    np.testing.assert_allclose(files.read(1).flux[0, 5:-5], 2 * spectrum()[5:-5], rtol=1e-4)
    assert files.read(1).info.ra == 2.0


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    def refused(message: str, content: Any = None, **options: Any) -> None:
        path = tmp_path / "x.fits"
        if content is not None:
            content.writeto(path, overwrite=True) if hasattr(content, "writeto") else content.write(
                path, overwrite=True
            )
        with pytest.raises((DataError, ConfigError), match=message):
            SpectrumFiles(f"{tmp_path}/x.fits", **options).read(0)

    wave, flux = np.arange(4000.0, 4100.0), np.ones(100)
    refused(r"no file matches data\.files=")
    refused(
        r"holds no spectrum in a known layout .*it holds 0 PRIMARY \(empty\), 1 \(table of a, b\)",
        Table({"a": [1], "b": [2]}),
    )
    refused(
        "x.fits has no column 'Flux'; its columns are",
        Table({"wave": wave, "flux": flux}),
        reading=Reading(flux="Flux"),
    )
    refused(
        r"in no order: 4050 is followed by 4049 at pixel 51",
        Table({"wave": np.append(wave[:51], 4049.0), "flux": np.ones(52)}),
    )
    refused(
        r"have no unit, and 450 is not plainly Å; .*data\.wave_unit=nm",
        Table({"wave": [400.0, 450, 500], "flux": [1.0] * 3}),
    )
    refused("no pixel is valid between", Table({"wave": wave, "flux": np.full(100, np.nan)}))
    refused("has neither inverse variance nor error", Table({"wave": wave, "flux": flux}), variance=True)
    refused("make no grid", Table({"wave": wave, "flux": flux}), wave_min=9000.0, wave_max=4000.0)
    refused("outside the range of float32", Table({"wave": wave, "flux": flux * 1e-40}))
    refused("0 pixels with a wavelength|1 pixels with a wavelength", Table({"wave": [4000.0], "flux": [1.0]}))
    cube = fits.PrimaryHDU(np.ones((3, 100), np.float32), fits.Header({"CRVAL1": 4000.0, "CDELT1": 1.0}))
    refused("an image of 3 × 100 with wavelengths along its rows", cube)
    ragged = fits.BinTableHDU(Table({"wave": wave[None], "flux": flux[None, :99]}))
    refused("flux has 99 values but the wavelengths 100", ragged)
    with pytest.raises(ConfigError, match=r"data\.wave_unit: 'furlong' is not a unit of wavelength"):
        Reading(wave_unit="furlong")
    with pytest.raises(ConfigError, match=r"data\.medium='water' is not known"):
        Reading(medium="water")
    (tmp_path / "x.fits").write_bytes(b"no FITS")
    refused("x.fits .*cannot be read as FITS")
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"\.png is not a known format of spectra; use one of \.fits"):
        SpectrumFiles(f"{tmp_path}/x.png")


def test_files_of_two_layouts(tmp_path: Path) -> None:
    sdss(tmp_path / "a.fits")
    lamost_rows(tmp_path / "b.fits")
    files = SpectrumFiles(f"{tmp_path}/*.fits", wave_min=4000, wave_max=5000, n_pixels=100)
    good, bad = files.read_many(np.array([0, 1]))
    assert not isinstance(good, DataError)
    assert "b.fits is of the layout 'LAMOST image' but" in str(bad)
    desi(tmp_path / "c.fits")
    with pytest.raises(DataError, match="is of the layout 'DESI' but"):
        SpectrumFiles(f"{tmp_path}/*.fits", wave_min=4000, wave_max=5000, n_pixels=100).read(2)
