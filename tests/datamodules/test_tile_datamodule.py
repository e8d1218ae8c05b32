"""Tiles and a catalogue through the datamodule: the user's path, and every way in which it can be wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from astrocnn.datamodules.tiles import TileDataModule
from astrocnn.errors import ConfigError, DataError

Make = Callable[..., TileDataModule]
RNG = np.random.default_rng(2)
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def cards(ra: float) -> fits.Header:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": -5.0})
    header.update(CRPIX1=60.5, CRPIX2=50.5, CDELT1=-1e-4, CDELT2=1e-4, RADESYS="ICRS")
    return header


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``<band>/t<i>.fits.fz``, four tiles in two bands, and ``objects.csv``: ten a tile, each on a blob of light."""
    tmp_path, rows = tmp_path_factory.mktemp("survey"), []
    for i in range(4):
        x, y = (
            a.ravel() for a in np.meshgrid([15, 33, 52, 70, 95], [20, 75]) + RNG.uniform(-3, 3, (2, 2, 5))
        )
        ra, dec = WCS(cards(10.0 + i)).all_pix2world(x, y, 0)
        grid_y, grid_x = np.mgrid[:100, :120]
        for band, flux in (("g", 1.0), ("r", 3.0)):
            image = sum(
                flux * np.exp(-((grid_x - a) ** 2 + (grid_y - b) ** 2) / 8) for a, b in zip(x, y, strict=True)
            )
            (tmp_path / band).mkdir(exist_ok=True)
            hdu = fits.CompImageHDU(image.astype(np.float32), cards(10.0 + i), quantize_level=100)
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / band / f"t{i}.fits.fz")
        rows += [(f"o{i}{k}", *p, k % 2, f"t{i}") for k, p in enumerate(zip(ra, dec, x, y, strict=True))]
    table = Table(rows=rows, names=("id", "ra", "dec", "xpix", "ypix", "label", "field"))
    table.write(tmp_path / "objects.csv")
    return tmp_path


@pytest.fixture
def survey(tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tiles and the table, and an empty cache."""
    monkeypatch.setenv("ASTROCNN_CACHE", str(tmp_path / "cache"))
    for name in ("g", "r", "objects.csv"):
        (tmp_path / name).symlink_to(tiles / name)
    return tmp_path


@pytest.fixture
def make(survey: Path) -> Make:
    def call(**options: object) -> TileDataModule:
        given: dict[str, object] = {band: f"{survey}/{band}/*.fits.fz" for band in "gr"}
        given = {"tiles": given, "catalog": f"{survey}/objects.csv", "size_pix": 12, "batch_size": 8}
        return TileDataModule(**(given | options))  # type: ignore[arg-type]

    return call


def test_objects_become_batches(make: Make, survey: Path) -> None:
    data = make()
    spec = data.probe()
    assert spec.bands == ("g", "r")
    assert spec.image_shape == (2, 12, 12)
    assert spec.pixel_scale_arcsec == pytest.approx(0.36, rel=1e-4)
    assert not (survey / "cache").exists()
    data.setup()
    assert len(data.catalog) == 40
    assert len(data.skipped) == 0
    assert set(data.catalog["tile"]) == {"t0", "t1", "t2", "t3"}
    assert data.catalog["tile"].tolist() == data.catalog["field"].tolist()
    table = Table.read(survey / "objects.csv")
    assert data.catalog["id"].tolist() == table["id"].tolist()
    np.testing.assert_allclose(data.catalog["ra"], table["ra"])
    batch = data.gather(np.arange(40))
    assert batch["label"].tolist() == table["label"].tolist()
    centre = batch["image"][:, :, 5:7, 5:7].mean((2, 3))
    ratio = (centre[:, 1] / centre[:, 0]).numpy()
    np.testing.assert_allclose(ratio, 3.0, rtol=0.05)
    assert (centre[:, 0] > 0.8).all()
    assert len(list(data.train_dataloader())) == 3


def test_another_order_of_the_table_is_the_same_cache(make: Make, survey: Path) -> None:
    make().setup()
    table = Table.read(survey / "objects.csv")
    table[RNG.permutation(40)].write(survey / "other.csv")
    other = make(catalog=f"{survey}/other.csv")
    other.setup()
    packed = [folder for folder in (survey / "cache" / "packed").iterdir() if folder.name[0] != "."]
    assert len(packed) == 1
    first = {key: i for i, key in enumerate(table["id"])}
    rows = np.array([first[key] for key in other.catalog["id"]])
    one, two = make(), other
    np.testing.assert_array_equal(one.gather(rows)["image"], two.gather(np.arange(40))["image"])


def test_split_by_tile(make: Make) -> None:
    data = make(group="tile", val_fraction=0.25, test_fraction=0.25)
    data.setup()
    sides = {
        tile: set(data.catalog["split"][data.catalog["tile"] == tile]) for tile in set(data.catalog["tile"])
    }
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "val", "test"}


def test_pixels_instead_of_positions(make: Make, survey: Path) -> None:
    data = make(x="xpix", y="ypix", tile="field", ra=None, dec=None)
    data.setup()
    table = Table.read(survey / "objects.csv")
    np.testing.assert_allclose(data.catalog["ra"], table["ra"], atol=1e-7)
    np.testing.assert_allclose(data.catalog["dec"], table["dec"], atol=1e-7)
    np.testing.assert_allclose(
        data.gather(np.arange(40))["image"], make().gather(np.arange(40))["image"], atol=1e-4
    )


def test_objects_outside_are_listed(make: Make, survey: Path) -> None:
    table = Table.read(survey / "objects.csv")
    table["ra"][[3, 17]] = 200.0
    table["dec"][20] = np.nan
    table.write(survey / "some.csv")
    with pytest.raises(
        DataError, match=r"3 input\(s\) cannot be used: 2 × outside every tile \(o03, o17\); no position"
    ):
        make(catalog=f"{survey}/some.csv").probe()
    data = make(catalog=f"{survey}/some.csv", on_bad="skip")
    data.setup()
    assert len(data.catalog) == 37
    assert data.skipped["id"].tolist() == ["o03", "o17", "o20"]


def test_the_filled_configuration_gives_the_same(make: Make) -> None:
    """A run's saved configuration holds what was found, and must not become a wish to resample."""
    spec = make().probe()
    filled = {
        "pixel_scale_arcsec": spec.pixel_scale_arcsec,
        "bands": list(spec.bands),
        "n_bands": 2,
        "image_size": [12, 12],
        "classes": list(spec.classes),
    }
    np.testing.assert_array_equal(
        make(**filled).gather(np.arange(9))["image"], make().gather(np.arange(9))["image"]
    )


def test_the_configuration_makes_it(survey: Path) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        cfg = compose(
            "train",
            overrides=[
                "data=tiles",
                f"data.tiles={survey}/g/*.fits.fz",
                f"data.catalog={survey}/objects.csv",
                "data.size_pix=10",
                "data.mask.bits=null",
            ],
        )
    data = instantiate(cfg.data, _convert_="all")
    assert isinstance(data, TileDataModule)
    assert data.probe().image_shape == (1, 10, 10)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tiles": None}, DataError, r"no tiles given; name them with data\.tiles="),
        ({"catalog": None}, DataError, r"tiles need a catalogue.*data\.catalog=<table>"),
        ({"tiles": "nowhere/*.fits"}, DataError, r"no file matches data\.tiles='nowhere/\*\.fits'"),
        ({"ra": None}, DataError, r"no positions in columns None and 'dec'; its columns are id, ra.*data\.x=<column>"),
        ({"ra": "RAJ"}, DataError, r"no column 'RAJ'; the nearest are 'ra'.*data\.ra="),
        ({"x": "xpix"}, ConfigError, r"data\.x=xpix and data\.y=None: give both"),
        ({"x": "xpxi", "y": "ypix", "tile": "field"}, DataError, r"no column 'xpxi'; the nearest are 'xpix'.*data\.x="),
        ({"x": "field", "y": "ypix", "tile": "field"}, DataError, r"column 'field' .* pixels are numbers"),
        ({"x": "xpix", "y": "ypix"}, DataError, r"of which tile\?.*data\.tile=<column>"),
        ({"x": "xpix", "y": "ypix", "tile": "id"}, DataError, r"none of the 40 objects lies.*: its tile is not"),
        ({"size_pix": 0}, ConfigError, r"data\.size_pix=0: a cutout has a whole number of pixels, at least 1"),
        ({"pixel_scale_arcsec": -1.0}, ConfigError, r"data\.pixel_scale_arcsec=-1\.0: it is larger than 0"),
        ({"hdu": "SCI"}, DataError, r"none of the files of .* can be used: .* has no image HDU 'SCI'.*data\.hdu="),
        ({"mask": {"hdus": "DQ"}}, ConfigError, r"data\.mask.*hdus.*Did you mean 'hdu'"),
        ({"mask": {"bits": [1]}}, ConfigError, r"does not say where the planes are"),
        ({"variance": {"hdu": "VAR", "kind": "sigma"}}, ConfigError, r"data\.variance\.kind='sigma' is not known"),
        ({"flux_unit": "nJy"}, DataError, r"header does not say what a stored value is.*data\.zero_point="),
        ({"image_size": 64}, DataError, r"data\.image_size=\(64, 64\) but .* has \(12, 12\)"),
    ],
)  # fmt: skip
def test_what_cannot_be(make: Make, options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**options).probe()


def test_nothing_on_the_tiles(make: Make, survey: Path) -> None:
    table = Table.read(survey / "objects.csv")
    table["ra"] += 100
    table.write(survey / "far.csv")
    with pytest.raises(
        DataError,
        match=r"none of the 40 objects lies on the 8 tile\(s\) \(.* and 7 more\): outside every tile.*ra 10.*data\.ra",
    ):
        make(catalog=f"{survey}/far.csv").probe()
