"""Every file of the real data is read by the reader of its kind, and is what its README says."""

import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datasets.light_curves import LightCurveColumns, LightCurveFiles
from astrocnn.datasets.stacks import CutoutStack
from astrocnn.io.fits import probe
from astrocnn.io.fits import read as read_image
from astrocnn.io.layers import Mask, Variance
from astrocnn.io.sample import Sample
from astrocnn.io.tables import read_table

RealData = Callable[[str], Path]
TABLES = (".csv", ".pq", ".votable", ".xml", ".cat", ".dat.gz", ".train", ".test", ".hdf5")
# what is no catalogue and no stack of one kind of object: its parts are read by name below
OTHERS = {
    "README.md",
    "README.rst",
    "table1.tar.gz",
    "snpcc_dev.npz",
    "hsc_cosmos_35.npz",
    "psf_matched_sim.npz",
}


def rows_of(path: Path) -> int:
    """Rows of a table, objects of a stack, or planes of an image."""
    if path.name.endswith(TABLES):
        return len(read_table(path))
    if path.suffix == ".npz":
        stack = CutoutStack(str(path), hdu="images")
        return sum(isinstance(sample, Sample) for sample in stack.read_many(np.arange(len(stack))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's, about the files' cards
        with fits.open(path) as hdus:
            has_image = any(hdu.is_image and len(hdu.shape) > 1 for hdu in hdus)
    if not has_image:
        return len(read_table(path))
    sample = read_image(path)
    assert np.isfinite(sample.flux).all()
    return len(sample.flux)


def test_every_file_is_read(realdata: RealData) -> None:
    root = realdata("README.md").parent
    paths = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name not in OTHERS]
    rows = {str(path.relative_to(root)): rows_of(path) for path in paths}
    assert len(rows) > 150
    # one part of a star catalogue lists no star
    assert [name for name, n in rows.items() if not n] == [
        "fits/legacysurvey/testcase4/gaia/chunk-03459.fits"
    ]
    expected = {
        "fits/sextractor/image.cat": 65,
        "galaxy_zoo/gz1_dev.npz": 3000,
        "photoz/test_dc2_training_9816.hdf5": 10225,
        "photoz/SDSS_MGS.train": 5000,
        "photoz/SDSS_MGS.test": 5000,
        "scenes_hst/dev.npz": 60,
        "radio/1904_comp.fits": 51,
        "timeseries/rrlyrae/table2.dat.gz": 483,
    }
    assert {name: rows[name] for name in expected} == expected
    assert sum(name.startswith("lens_challenge/ground_based/lens/") for name in rows) == 6 * 4
    assert sum(name.startswith("lens_challenge/ground_based/nolens/") for name in rows) == 6 * 4
    assert sum(name.startswith("lens_challenge/space_based/") for name in rows) == 8 + 8


@pytest.mark.parametrize(
    ("name", "shape", "unit"),
    [
        ("fits/decam_grz/decam_img_g.fits", (1, 512, 512), None),
        ("fits/photutils/M6707HH.fits", (1, 1059, 1059), None),
        ("fits/photutils/spitzer_example_image.fits", (1, 513, 1025), "MJy/sr"),
        ("fits/sextractor/image.fits", (1, 256, 256), None),
        ("lens_challenge/ground_based/lens/Band1/imageSDSS_R-100002.fits", (1, 101, 101), None),
        ("lens_challenge/space_based/lens/imageEUC_VIS-100002.fits", (1, 101, 101), None),
        ("fits/wcs/cosmos_147246_masknoise.fits", None, "ELECTRONS"),
    ],
)
def test_shapes_and_units(
    realdata: RealData, name: str, shape: tuple[int, ...] | None, unit: str | None
) -> None:
    path = realdata(name)
    info = probe(path)
    assert shape is None or info.shape == shape
    assert info.unit == unit or unit is None


def test_positions_and_their_absence(realdata: RealData) -> None:
    places = [probe(realdata(f"fits/decam_grz/decam_img_{band}.fits")) for band in "grz"]
    assert len({(info.ra, info.dec, info.pixel_scale_arcsec) for info in places}) == 1
    m51 = probe(realdata("fits/photutils/M51.fits"))
    assert np.isnan(m51.ra)
    assert m51.pixel_scale_arcsec is None


def test_triplets_are_cut_outs_of_41_to_251_pixels(realdata: RealData) -> None:
    root = realdata("fits/legacysurvey")
    sides = {n for path in root.rglob("*_oo[idw]_*.fits") for n in probe(path).shape[1:]}
    assert min(sides) == 41
    assert max(sides) == 251


def test_degenerate_axes(realdata: RealData) -> None:
    for name, axes in (("1904-66_SIN_3d.fits", 3), ("small_3D.fits", 3), ("small_4D.fits", 4)):
        path = realdata(f"radio/{name}")
        with fits.open(path) as hdus:
            data = hdus[0].data
        assert data.ndim == axes
        sample = read_image(path)
        np.testing.assert_array_equal(
            sample.flux[sample.valid], data.reshape(sample.flux.shape)[sample.valid]
        )
        assert sample.flux.shape[1:] == data.shape[-2:]


def test_a_blend_with_mask_and_variance_in_one_archive(realdata: RealData) -> None:
    path = realdata("scarlet/hsc_cosmos_35.npz")
    data = np.load(path)
    stack = CutoutStack(
        str(path), hdu="images", mask=Mask(hdu="mask", bits=[0, 1]), variance=Variance(hdu="variance")
    )
    planes = [sample for sample in stack.read_many(np.arange(len(stack))) if isinstance(sample, Sample)]
    assert len(planes) == 5
    for i, sample in enumerate(planes):
        good = (data["mask"][i] & 3) == 0
        np.testing.assert_array_equal(sample.valid[0], good & (data["variance"][i] > 0))
        np.testing.assert_array_equal(sample.flux[0][sample.valid[0]], data["images"][i][sample.valid[0]])
    truth = CutoutStack(str(realdata("scarlet/psf_matched_sim.npz")), hdu="images")
    assert (len(truth), truth.probe(0).shape) == (6, (1, 55, 58))


def test_all_rr_lyrae(tmp_path: Path, realdata: RealData) -> None:
    with tarfile.open(realdata("timeseries/rrlyrae/table1.tar.gz")) as archive:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on
        archive.extractall(tmp_path, **safe)
    columns = LightCurveColumns(
        time={b: f"col{3 + 3 * i}" for i, b in enumerate("ugriz")},
        flux={b: f"col{4 + 3 * i}" for i, b in enumerate("ugriz")},
        error={b: f"col{5 + 3 * i}" for i, b in enumerate("ugriz")},
    )
    files = LightCurveFiles(f"{tmp_path}/table1/*.dat", columns=columns, quantity="magnitude")
    types = read_table(realdata("timeseries/rrlyrae/table2.dat.gz"))
    assert sorted(files.ids) == sorted(str(i) for i in types["id"])
    assert [(types["type"] == kind).sum() for kind in ("ab", "c")] == [379, 104]
    assert all(isinstance(sample, Sample) for sample in files.read_many(np.arange(len(files))))


def test_all_supernovae(tmp_path: Path, realdata: RealData) -> None:
    data = np.load(realdata("timeseries/snpcc_dev.npz"))
    assert data["in_spec_training"].sum() == 1103
    long = Table({key: data[key] for key in ("mjd", "flux", "flux_err")})
    long["band"] = np.array(list("griz"))[data["band"]]
    long["snid"] = np.repeat(data["snid"], np.diff(data["offset"]))
    long.write(tmp_path / "lc.fits")
    files = LightCurveFiles(f"{tmp_path}/lc.fits", columns=LightCurveColumns(object="snid"))
    assert len(files) == 5103
    n_points = sum(int(s.valid[1:].sum()) for s in files.read_many(np.arange(5103)) if isinstance(s, Sample))
    known = data["flux_err"] > 0  # of one supernova 20 errors are 0: what has no error is not measured
    assert n_points == known.sum() == len(known) - 20
