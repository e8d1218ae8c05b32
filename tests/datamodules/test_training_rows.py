"""Samples with spectra train, all test, and weights bring the former to the latter."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astrocnn.datamodules.photometry import PhotometryDataModule
from astrocnn.errors import AstrocnnError
from astrocnn.runtime.describe import split_record

Make = Callable[..., PhotometryDataModule]


@pytest.fixture
def table() -> Table:
    """2,000 galaxies of which the bright ones have spectra; the faint ones are bluer."""
    rng = np.random.default_rng(0)
    i = rng.uniform(20, 24, 2000)
    colour = 2.0 - 0.4 * (i - 20) + 0.1 * rng.normal(size=2000)
    p = 1 / (1 + np.exp((i - 22) / 0.7))
    return Table(
        {
            "mag_g": i + colour,
            "mag_i": i,
            "mag_z": np.where(i > 23.9, 99.0, i - 0.2),
            "z": rng.uniform(0.1, 1.0, 2000),
            "has_spectrum": rng.random(2000) < p,
        }
    )


@pytest.fixture
def make(table: Table, tmp_path: Path) -> Make:
    def call(**options: object) -> PhotometryDataModule:
        table.write(tmp_path / "galaxies.fits", overwrite=True)
        given = {"catalog": f"{tmp_path}/galaxies.fits", "features": "mag_*", "redshift": "z"}
        return PhotometryDataModule(**(given | options))  # type: ignore[arg-type]

    return call


def test_only_objects_with_spectra_train_and_all_test(make: Make) -> None:
    data, everything = make(train_where="has_spectrum"), make()
    for split in ("train", "val"):
        rows = data.rows(split)
        assert np.asarray(data.catalog["has_spectrum"])[rows].all()
        expected = everything.rows(split)
        assert rows.tolist() == [r for r in expected if everything.catalog["has_spectrum"][r]]
    assert data.rows("test").tolist() == everything.rows("test").tolist()
    assert data.parted is not None
    n = len(data.rows("train")) + len(data.rows("val"))
    assert f"the {n} where 'has_spectrum' is true" in data.parted.rule
    assert split_record(data)["none"]["reasons"] == {"not to train on": 1600 - n}
    assert "weight" not in data.gather(np.arange(3))


def test_weights_bring_magnitudes_and_colours_to_those_of_all(make: Make) -> None:
    data = make(train_where="has_spectrum", reweight="mag_*")
    rows = data.rows("train")
    weight = data.gather(rows)["weight"].numpy().astype(float)
    learns = np.concatenate([rows, data.rows("val")])
    assert data.gather(learns)["weight"].mean() == pytest.approx(1.0, abs=1e-4)
    for name in ("mag_i", "mag_g"):
        values = np.asarray(data.catalog[name])
        bias = abs(values[rows].mean() - values.mean())
        left = abs(np.average(values[rows], weights=weight) - values.mean())
        assert bias > 0.3
        assert left < 0.35 * bias
    assert data.gather(data.rows("test"))["weight"].unique().tolist() == [1.0]
    assert data.parted is not None
    assert "weighted to be like all objects" in data.parted.rule


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_where": "mag_i"}, "a column of true and false"),
        ({"train_where": "spectrum"}, "data.train_where"),
        ({"reweight": "flux_*"}, "data.reweight"),
        ({"reweight": ["mag_g", "mag_r"]}, "data.reweight"),
    ],
)
def test_columns_that_cannot_say_it(make: Make, options: dict[str, object], message: str) -> None:
    with pytest.raises(AstrocnnError, match=message):
        make(**options).rows("train")


def test_a_column_where_nothing_is_true(make: Make, table: Table) -> None:
    table["has_spectrum"] = False
    with pytest.raises(AstrocnnError, match=r"check data\.train_where"):
        make(train_where="has_spectrum", reweight="mag_*").rows("train")
    with pytest.raises(AstrocnnError, match="nothing is in the train split where the column 'has_spectrum'"):
        make(train_where="has_spectrum").rows("train")
