"""Regions of the sky: cells against astropy_healpix, overlaps against every pair's separation by astropy."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy_healpix import HEALPix
from hypothesis import given, settings
from hypothesis import strategies as st

from astrocnn.datamodules import sky_split
from astrocnn.datamodules.split_rule import Split, SplitRule, Splittable
from astrocnn.errors import ConfigError, DataError

COLUMNS: dict[str, str | None] = {"group": None, "split": "split"}


def part(
    position: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    reach: float | None = 30.0,
    ids: np.ndarray | None = None,
    **options: object,
) -> Split:
    n = len(position)
    labels = np.arange(n) % 2 if labels is None else labels
    ids = np.array([f"{i:06d}" for i in range(n)]) if ids is None else ids
    given = {"by": "sky", "columns": COLUMNS, "val_fraction": 0.1, "test_fraction": 0.2, "seed": 0}
    rule = SplitRule(**(given | {"sky_cell_deg": None, "skip": False} | options))  # type: ignore[arg-type]
    return rule(Splittable(Table({"id": ids}), ids, labels, ("a", "b"), position, reach))


def field(n: int, centre: tuple[float, float], width_deg: float, seed: int = 0) -> np.ndarray:
    """Positions (n, 2) in a square around a centre anywhere on the sky."""
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(-width_deg / 2, width_deg / 2, (2, n)) * units.deg
    sky = SkyCoord(*centre, unit="deg").spherical_offsets_by(east, north)
    return np.stack([sky.ra.deg, sky.dec.deg], axis=1)


def separations(position: np.ndarray) -> np.ndarray:
    """(N, N) arcsec, by astropy."""
    sky = SkyCoord(*position.T, unit="deg")
    return sky[:, None].separation(sky[None]).to_value(units.arcsec)


def assert_apart(split: Split, position: np.ndarray, reach: float) -> None:
    """Nothing that is kept has one of another split within reach, and nothing else was taken out."""
    near = separations(position) <= reach
    for one, others in (("test", ("train", "val")), ("val", ("train",))):
        assert not near[np.ix_(split.names == one, np.isin(split.names, others))].any()
    kept = np.isin(split.names, ["val", "test"])
    assert near[np.ix_(split.overlapping, kept)].any(1).all()
    assert (split.names[split.overlapping] == "").all()
    assert (split.names[~split.overlapping] != "").all()


CENTRES = [(150.0, 2.0), (0.0, -30.0), (10.0, 89.99), (200.0, -90.0), (359.99, 0.0)]


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("cell", [None, 0.3])
def test_no_cutout_overlaps_one_of_another_split(centre: tuple[float, float], cell: float | None) -> None:
    position = field(900, centre, 1.5)
    split = part(position, sky_cell_deg=cell, val_fraction=0.2, reach=60.0)
    assert_apart(split, position, 60.0)
    assert 0 < split.overlapping.sum() < 200


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(-1, 1), st.floats(1, 600), st.integers(0, 2**31 - 1))
def test_no_overlap_wherever_the_survey_is(
    ra: float, dec: float, log_width: float, reach: float, seed: int
) -> None:
    position = field(150, (ra, dec), 10**log_width, seed)
    try:
        split = part(position, reach=reach, seed=seed)
    except DataError as error:
        if "cell(s) of the sky" not in str(error):
            raise
        return  # a survey of a few cutouts' width has too few cells
    assert_apart(split, position, reach)


@pytest.mark.parametrize("cell", [0.5, 2.0, 11.0])
def test_cells_are_those_of_healpix_and_each_is_on_one_side(cell: float) -> None:
    position = field(3000, (0.0, 80.0), 30.0)
    split = part(position, sky_cell_deg=cell, reach=0.0)
    nside = sky_split.nside_of(cell)
    healpix = HEALPix(nside=nside, order="nested")
    assert healpix.pixel_resolution.to_value(units.deg) == pytest.approx(sky_split.cell_deg(nside))
    assert abs(np.log2(sky_split.cell_deg(nside) / cell)) <= 0.5
    truth = healpix.lonlat_to_healpix(*(position.T * units.deg))
    for number in np.unique(truth):
        assert len(set(split.names[truth == number])) == 1
    assert f"{len(np.unique(truth))} HEALPix cells" in split.rule
    assert f"nside {nside}" in split.rule
    assert set(split.names) == {"train", "val", "test"}


def test_right_ascension_may_be_negative_or_beyond_360() -> None:
    position = field(500, (0.0, 10.0), 2.0)
    turned = np.where(position[:, :1] > 180, position - np.array([360, 0]), position + np.array([360, 0]))
    np.testing.assert_array_equal(part(turned).names, part(position).names)


@pytest.mark.parametrize("width", [0.5, 5.0, 60.0])
def test_the_width_of_the_cells_follows_from_the_extent(width: float) -> None:
    position = field(4000, (150.0, 0.0), width)
    nside = sky_split.choose_nside(position, smallest_share=0.1, reach_arcsec=10.0)
    n_cells = len(np.unique(sky_split.cells(position, nside)))
    assert 100 <= n_cells <= 900  # ten for the smallest part, at most four times as many by the step of two


def test_cells_stay_wider_than_cutouts_and_hold_some_objects() -> None:
    position = field(4000, (150.0, 0.0), 0.5)
    coarse = sky_split.choose_nside(position, smallest_share=0.1, reach_arcsec=120.0)
    assert 4 * 120 <= sky_split.cell_deg(coarse) * 3600 < 8 * 120
    few = sky_split.choose_nside(position[:40], smallest_share=0.1, reach_arcsec=1.0)
    assert 10 <= len(np.unique(sky_split.cells(position[:40], few))) <= 40


def test_classes_are_shared_evenly_and_the_order_does_not_matter() -> None:
    position = field(6000, (30.0, -5.0), 10.0)
    rng = np.random.default_rng(1)
    labels = (rng.random(6000) < 0.1).astype(np.int64)
    split = part(position, labels, reach=5.0)
    for number in (0, 1):
        for name, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
            assert np.mean(split.names[labels == number] == name) == pytest.approx(share, abs=0.03)
    order = rng.permutation(6000)
    ids = np.array([f"{i:06d}" for i in range(6000)])
    again = part(position[order], labels[order], reach=5.0, ids=ids[order])
    np.testing.assert_array_equal(again.names, split.names[order])
    assert (part(position, labels, reach=5.0, seed=1).names != split.names).any()


def test_reach_is_the_diagonal_of_the_cutout() -> None:
    assert sky_split.reach((3, 30, 40), 0.2) == pytest.approx(10.0)
    assert sky_split.reach((3, 30, 40), None) is None
    assert sky_split.reach((2, 4000), None) == 0
    assert sky_split.reach((12,), None) == 0


def test_objects_without_position() -> None:
    position = field(300, (30.0, -5.0), 3.0)
    position[[3, 9]] = np.nan
    labels = np.arange(300) % 2
    labels[9] = -1
    with pytest.raises(DataError, match=r"1 of 299 labelled objects have no position \(000003\).*data\.ra"):
        part(position, labels)
    split = part(position, labels, skip=True)
    assert np.flatnonzero(split.unplaced).tolist() == [3]
    assert split.names[[3, 9]].tolist() == ["", ""]
    position[:] = np.nan
    with pytest.raises(DataError, match="299 of 299 labelled objects have no position"):
        part(position, labels, skip=True)
    assert set(part(position, np.full(300, -1), skip=True).names) == {""}


def test_refusals_say_what_to_do() -> None:
    position = field(300, (30.0, -5.0), 3.0)
    with pytest.raises(DataError, match=r"no pixel scale; give data\.pixel_scale_arcsec"):
        part(position, reach=None)
    with pytest.raises(DataError, match=r"1 cell\(s\) of the sky of 58\.6 deg.*data\.sky_cell_deg"):
        part(position, sky_cell_deg=90.0)
    with pytest.raises(DataError, match="do not fit"):
        part(position, val_fraction=0.9)
    for width in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match=r"data\.sky_cell_deg=.* wider than 0 degrees"):
            part(position, sky_cell_deg=width)
    with pytest.raises(ConfigError, match=r"data\.sky_cell_deg=1\.0 .*only data\.split_by=sky has them"):
        part(position, by=None, sky_cell_deg=1.0)
