"""Cutouts from tiles: where the light lands, how much of it there is, and what is valid."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage
from tile_scenes import centroid, positions, targets, wcs_cards, write_stars

from astrocnn.datasets.tile_grids import NativeGrid, TangentGrid, mapping
from astrocnn.datasets.tiles import TileCutouts
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.sample import Sample
from astrocnn.io.wcs import sky_wcs

RNG = np.random.default_rng(8)
STARS = np.array([[60.3, 61.7], [158.25, 150.5], [250.9, 60.1], [80.45, 230.8], [240.0, 235.0]]).T


def read(source: TileCutouts) -> list[Sample]:
    """The samples in the order of the targets o0, o1, ..."""
    found = list(source.read_many(np.arange(len(source))))
    assert all(isinstance(sample, Sample) for sample in found), found
    order = np.argsort([int(key[1:]) for key in source.ids])
    return [found[i] for i in order]  # type: ignore[misc]


@pytest.mark.parametrize("size", [31, 32])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"scale_arcsec": 0.2, "turn_deg": 25.0}, id="turned"),
        pytest.param({"scale_arcsec": 0.11, "turn_deg": -70.0, "shape": (560, 560)}, id="finer"),
        pytest.param(
            {"scale_arcsec": 0.33, "mirrored": True, "shape": (200, 210)}, id="coarser and mirrored"
        ),
        pytest.param(
            {"scale_arcsec": 0.25, "turn_deg": 180.0, "ctype": "SIN", "shape": (260, 270)},
            id="another projection",
        ),
    ],
)
def test_stars_land_in_the_centre_of_every_band(tmp_path: Path, other: dict, size: int) -> None:
    cards = wcs_cards()
    ra, dec = positions(cards, *STARS)
    write_stars(tmp_path / "g.fits", cards, ra, dec)
    shape = other.get("shape", (300, 320))
    write_stars(tmp_path / "r.fits", wcs_cards(**other), ra, dec, shape=shape, flux=500.0)
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    source = TileCutouts(tiles, targets(ra, dec), size_pix=size)
    for sample in read(source):
        assert sample.flux.shape == (2, size, size)
        assert sample.valid.all()
        for plane, flux in zip(sample.flux, (1000.0, 500.0), strict=True):
            assert np.abs(centroid(plane)).max() < 0.05
            assert plane.sum() == pytest.approx(flux, rel=0.01)


def test_one_scale_for_all(tmp_path: Path) -> None:
    ra, dec = positions(wcs_cards(), *STARS)
    for band, scale, shape in (("g", 0.2, (300, 320)), ("r", 0.3, (220, 220))):
        write_stars(
            tmp_path / f"{band}.fits", wcs_cards(scale_arcsec=scale, turn_deg=30), ra, dec, shape=shape
        )
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    ra, dec = ra[1:2], dec[1:2]
    for scale in (0.15, 0.4, 0.61):
        source = TileCutouts(tiles, targets(ra, dec), size_pix=33, pixel_scale_arcsec=scale)
        (sample,) = read(source)
        assert source.probe(0).pixel_scale_arcsec == scale
        for plane in sample.flux:
            assert np.abs(centroid(plane)).max() < 0.05
            assert plane.sum() == pytest.approx(1000, rel=0.01)
            y, x = np.mgrid[:33, :33] - 16
            width = np.sqrt((plane * (x**2 + y**2)).sum() / plane.sum() / 2) * scale
            # a pixel's own width adds s²/12 to the variance of what is averaged over it
            assert width == pytest.approx(1 / 2.3548, rel=0.03 if scale < 0.5 else 0.12)


def test_the_orientation_is_that_of_the_first_band(tmp_path: Path) -> None:
    cards = wcs_cards(turn_deg=40, mirrored=True)
    ra, dec = positions(cards, np.array([150.0, 158.0]), np.array([150.0, 150.0]))
    write_stars(tmp_path / "a.fits", cards, ra, dec)
    pattern = str(tmp_path / "a.fits")
    own = read(TileCutouts(pattern, targets(ra[:1], dec[:1]), size_pix=41))[0].flux[0]
    twice = read(TileCutouts(pattern, targets(ra[:1], dec[:1]), size_pix=41, pixel_scale_arcsec=0.1))[0].flux[
        0
    ]
    assert own[20, 28] > 0.9 * own[20, 20]  # the second star, 8 pixels along x
    assert twice[20, 36] > 0.9 * twice[20, 20]


@pytest.mark.parametrize("size", [9, 10])
def test_whole_pixels_are_copied(tmp_path: Path, size: int) -> None:
    image = RNG.normal(size=(60, 70)).astype(np.float32)
    cards = wcs_cards(shape=image.shape)
    for band in "gr":
        fits.PrimaryHDU(image if band == "g" else 2 * image, cards).writeto(tmp_path / f"{band}.fits")
    x, y = np.array([30.4, 2.1, 41.499]), np.array([20.6, 3.1, 30.1])
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    source = TileCutouts(tiles, targets(*positions(cards, x, y)), size_pix=size, subpixel=False)
    padded = np.pad(image, 20, constant_values=np.nan)
    for sample, a, b in zip(read(source), x, y, strict=True):
        x0, y0 = (round(v - (size - 1) / 2) + 20 for v in (a, b))
        truth = padded[y0 : y0 + size, x0 : x0 + size]
        np.testing.assert_array_equal(sample.valid, np.broadcast_to(np.isfinite(truth), sample.valid.shape))
        np.testing.assert_array_equal(sample.flux[0], np.nan_to_num(truth))
        np.testing.assert_array_equal(sample.flux[1], 2 * np.nan_to_num(truth))


def test_a_whole_pixel_position_is_copied_also_when_centred_exactly(tmp_path: Path) -> None:
    image = RNG.normal(size=(40, 40)).astype(np.float32)
    cards = wcs_cards(shape=image.shape)
    fits.PrimaryHDU(image, cards).writeto(tmp_path / "a.fits")
    where = targets(*positions(cards, np.array([20.0]), np.array([15.0])))
    (odd,) = read(TileCutouts(str(tmp_path / "a.fits"), where, size_pix=11))
    np.testing.assert_array_equal(odd.flux[0], image[10:21, 15:26])


def test_subpixel_shifts_are_the_cubic_spline(tmp_path: Path) -> None:
    image = RNG.normal(size=(60, 60)).astype(np.float32)
    cards = wcs_cards(shape=image.shape)
    fits.PrimaryHDU(image, cards).writeto(tmp_path / "a.fits")
    x, y = np.array([30.37]), np.array([28.81])
    (sample,) = read(TileCutouts(str(tmp_path / "a.fits"), targets(*positions(cards, x, y)), size_pix=15))
    rows, columns = np.mgrid[:15, :15] - 7
    truth = ndimage.map_coordinates(image.astype(float), [rows + 28.81, columns + 30.37], order=3)
    np.testing.assert_allclose(sample.flux[0], truth, atol=2e-4)


def test_neighbouring_tiles_of_one_grid_are_copied(tmp_path: Path) -> None:
    image = RNG.normal(size=(60, 60)).astype(np.float32)
    cards = wcs_cards(shape=image.shape)
    fits.PrimaryHDU(image, cards).writeto(tmp_path / "g.fits")
    part = image[10:55, 5:60]
    cards["CRPIX1"] -= 5
    cards["CRPIX2"] -= 10
    fits.PrimaryHDU(3 * part, cards).writeto(tmp_path / "r.fits")
    where = targets(*positions(cards, np.array([20.2]), np.array([15.4])))
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    (sample,) = read(TileCutouts(tiles, where, size_pix=9, subpixel=False))
    np.testing.assert_array_equal(sample.flux[1], 3 * sample.flux[0])


def test_invalid_pixels_spoil_the_pixels_around_and_no_others(tmp_path: Path) -> None:
    image = np.full((60, 60), 1000.0, np.float32)
    image[30, 30] = np.nan
    image[20:23, 40] = np.inf
    cards = wcs_cards(shape=image.shape)
    fits.PrimaryHDU(image, cards).writeto(tmp_path / "a.fits")
    where = targets(*positions(cards, np.array([30.5]), np.array([30.25])))
    (sample,) = read(TileCutouts(str(tmp_path / "a.fits"), where, size_pix=25))
    valid = sample.valid[0]
    bad = np.argwhere(~valid) + np.array([30.25 - 12, 30.5 - 12])  # in the tile's pixels
    assert {tuple(np.round(p, 2)) for p in bad} == {
        (y, x)
        for y0, x0 in ((30, 30), (20, 40), (21, 40), (22, 40))
        for y in (y0 - 0.75, y0 + 0.25)
        for x in (x0 - 0.5, x0 + 0.5)
    }
    np.testing.assert_allclose(sample.flux[0][valid], 1000, rtol=1e-6)  # no ringing
    assert (sample.flux[0][~valid] == 0).all()


def test_edges_are_not_valid(tmp_path: Path) -> None:
    image = np.ones((50, 50), np.float32)
    cards = wcs_cards(shape=image.shape)
    fits.PrimaryHDU(image, cards).writeto(tmp_path / "a.fits")
    where = targets(*positions(cards, np.array([0.0, 49.3, -0.4]), np.array([25.0, 49.4, 10.0])))
    samples = read(TileCutouts(str(tmp_path / "a.fits"), where, size_pix=11))
    assert samples[0].valid[0].sum() == 6 * 11
    assert samples[1].valid[0].sum() == 5 * 5
    assert samples[2].valid[0][:, :5].sum() == 0
    assert all((s.flux[s.valid] == 1).all() for s in samples)


def test_surface_brightness_keeps_its_value_and_flux_its_sum(tmp_path: Path) -> None:
    for name, unit in (("flux", "nJy"), ("surface", "MJy/sr"), ("beam", "JY/BEAM")):
        for band, scale in (("g", 0.2), ("r", 0.5)):
            cards = wcs_cards(scale_arcsec=scale, shape=(120, 120))
            cards["BUNIT"] = unit
            path = tmp_path / name / f"{band}.fits"
            path.parent.mkdir(exist_ok=True)
            fits.PrimaryHDU(np.full((120, 120), 8.0, np.float32), cards).writeto(path)
        tiles = {band: str(tmp_path / name / f"{band}.fits") for band in "gr"}
        (sample,) = read(TileCutouts(tiles, targets(np.array([150.0]), np.array([2.0])), size_pix=15))
        np.testing.assert_allclose(sample.flux[0], 8.0, rtol=1e-6)
        np.testing.assert_allclose(
            sample.flux[1], 8.0 * (0.2 / 0.5) ** 2 if name == "flux" else 8.0, rtol=1e-4
        )


def test_a_curved_map_is_followed_pixel_by_pixel(tmp_path: Path) -> None:
    """A strong distortion: an affine map would be wrong by pixels at the edges of the cutout."""
    cards = wcs_cards(ctype="TAN-SIP")
    cards.update(A_ORDER=2, B_ORDER=2, A_2_0=2e-4, A_0_2=-1e-4, B_1_1=3e-4)
    plain = wcs_cards()
    x, y = np.meshgrid(np.arange(70, 250, 20.0), np.arange(60, 240, 20.0))
    ra, dec = positions(plain, x.ravel(), y.ravel())
    write_stars(tmp_path / "g.fits", plain, ra, dec, shape=(300, 320))
    write_stars(tmp_path / "r.fits", cards, ra, dec, shape=(300, 320), fwhm_arcsec=1.0)
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    where = targets(*positions(plain, np.array([150.0]), np.array([140.0])))
    (sample,) = read(TileCutouts(tiles, where, size_pix=121))
    g, r = sample.flux
    stars = 0
    for row in range(20, 121, 20):
        for column in range(0, 121, 20):
            part = slice(row - 7, row + 8), slice(column - 7, column + 8)
            if g[part].shape != (15, 15) or g[part].max() < 20 or not sample.valid[1][part].all():
                continue
            assert np.abs(np.subtract(centroid(g[part]), centroid(r[part]))).max() < 0.05
            stars += 1
    assert stars >= 15


def test_affine_maps_are_checked_against_the_true_ones() -> None:
    straight, curved = wcs_cards(), wcs_cards(ctype="TAN-SIP")
    curved.update(A_ORDER=3, B_ORDER=2, A_3_0=2e-7)
    wcs = [sky_wcs(cards, 300, 320, path="a.fits") for cards in (straight, curved)]
    grid = NativeGrid(wcs[0], np.array([163.0, 40.0]), np.array([142.0, 142.0]))
    rows = np.arange(2)
    assert mapping(grid, rows, 64, wcs[0]).exact.tolist() == [False, False]
    to = mapping(grid, rows, 64, wcs[1])
    u = np.linspace(-32, 32, 65)
    true, _ = wcs[1].pixel(*grid.sky(rows, u, 0 * u))
    off = np.abs(true - to.centre[:, :1] - to.matrix[:, 0, :1] * u).max(axis=1)
    np.testing.assert_array_equal(to.exact, off >= 0.05)
    assert to.exact.any()
    tangent = TangentGrid(np.array([10.0]), np.array([90.0]), np.eye(2)[None] * 1e-4, 0.36)
    _, dec = tangent.sky(np.array([0]), np.array([0.0, 100.0]), np.array([0.0, 0.0]))
    np.testing.assert_allclose(dec[0], [90.0, 90 - np.degrees(np.arctan(np.radians(0.01)))], atol=1e-9)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 10.0), (359.9999, -60.0), (77.0, 90.0), (12.0, -89.99)])
def test_the_wrap_and_the_poles(tmp_path: Path, ra: float, dec: float) -> None:
    cards = {
        band: wcs_cards(ra, dec, scale_arcsec=s, turn_deg=t)
        for band, s, t in (("g", 0.2, 10), ("r", 0.3, 100))
    }
    where = positions(cards["g"], *STARS)
    for band, given in cards.items():
        write_stars(tmp_path / f"{band}.fits", given, *where)
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    source = TileCutouts(tiles, targets(*where), size_pix=33)
    assert len(source) >= 4
    for sample in source.read_many(np.arange(len(source))):
        for plane, valid in zip(sample.flux, sample.valid, strict=True):
            if valid.all():
                assert np.abs(centroid(plane)).max() < 0.05
                assert plane.sum() == pytest.approx(1000, rel=0.01)


def test_objects_are_cut_where_they_lie_deepest(tmp_path: Path) -> None:
    for i, shift in enumerate((0, 200)):
        cards = wcs_cards()
        cards["CRPIX1"] -= shift
        fits.PrimaryHDU(np.full((300, 320), i + 1.0, np.float32), cards).writeto(tmp_path / f"t{i}.fits")
    x = np.array([100.0, 255.0, 262.0, 400.0, 600.0, 319.4])
    y = np.array([100.0, 100.0, 100.0, 100.0, 100.0, 150.0])
    where = targets(*positions(wcs_cards(), x, y))
    source = TileCutouts(str(tmp_path / "t*.fits"), where, size_pix=5)
    tile = dict(zip(source.ids, source.columns(np.arange(len(source)))["tile"].tolist(), strict=True))
    # the tiles overlap from x = 200 to 320: the middle is 259.5
    assert tile == {"o0": "t0", "o1": "t0", "o2": "t1", "o3": "t1", "o5": "t1"}
    assert source.incomplete == [("o4", "outside every tile")]
    assert [int(s.flux[0, 2, 2]) for s in read(source)] == [1, 1, 2, 2, 2]


def test_a_band_that_is_missing(tmp_path: Path) -> None:
    for band, shift in (("g", 0), ("r", 200)):
        cards = wcs_cards()
        cards["CRPIX1"] -= shift
        fits.PrimaryHDU(np.full((300, 320), 5.0, np.float32), cards).writeto(tmp_path / f"{band}.fits")
    where = targets(*positions(wcs_cards(), np.array([50.0, 250.0, 450.0]), np.full(3, 100.0)))
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    source = TileCutouts(tiles, where, size_pix=5)
    assert source.ids == ["o1"]
    assert source.incomplete == [("o0", "on no tile of band r"), ("o2", "on no tile of band g")]
    samples = read(TileCutouts(tiles, where, size_pix=5, missing_band="invalid"))
    assert [s.valid.all(axis=(1, 2)).tolist() for s in samples] == [
        [True, False],
        [True, True],
        [False, True],
    ]
    with pytest.raises(ConfigError, match=r"data\.missing_band='ignore' is not known"):
        TileCutouts(tiles, where, missing_band="ignore")


def test_tiles_of_different_scales(tmp_path: Path) -> None:
    ra, dec = positions(wcs_cards(), *STARS)
    write_stars(tmp_path / "a.fits", wcs_cards(), ra, dec)
    far = positions(wcs_cards(151.0, scale_arcsec=0.3), *STARS)
    write_stars(tmp_path / "b.fits", wcs_cards(151.0, scale_arcsec=0.3), *far)
    where = targets(np.concatenate([ra, far[0]]), np.concatenate([dec, far[1]]))
    with pytest.raises(
        DataError, match=r"pixels of different sizes, such as 0\.2 arcsec in .*a\.fits and 0\.3 in"
    ):
        TileCutouts(str(tmp_path / "?.fits"), where)
    source = TileCutouts(str(tmp_path / "?.fits"), where, size_pix=31, pixel_scale_arcsec=0.2)
    for sample in read(source):
        assert np.abs(centroid(sample.flux[0])).max() < 0.05
        assert sample.flux.sum() == pytest.approx(1000, rel=0.01)


def test_portions_and_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ra, dec = positions(wcs_cards(), RNG.uniform(0, 320, 60), RNG.uniform(0, 300, 60))
    for band, turn in (("g", 0), ("r", 90)):
        write_stars(
            tmp_path / f"{band}.fits.fz", wcs_cards(turn_deg=turn), ra[:5], dec[:5], compression_type="RICE_1"
        )
    tiles = {band: str(tmp_path / f"{band}.fits.fz") for band in "gr"}
    source = TileCutouts(tiles, targets(ra, dec), size_pix=20, missing_band="invalid")
    numbers = np.arange(len(source))
    whole = list(source.read_many(numbers))
    monkeypatch.setattr("astrocnn.datasets.tiles.OBJECTS_A_TASK", 7)
    monkeypatch.setattr("astrocnn.datasets.tiles.MOST_IN_PORTION", 3)
    tasks = source.tasks(numbers)
    assert sorted(np.concatenate(tasks).tolist()) == numbers.tolist()
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda rows: list(source.read_many(numbers[rows])), tasks))
    for rows, samples in zip(tasks, parts, strict=True):
        for row, sample in zip(rows, samples, strict=True):
            np.testing.assert_array_equal(sample.flux, whole[row].flux)
            np.testing.assert_array_equal(sample.valid, whole[row].valid)


def test_keys_and_options_tell_cutouts_apart(tmp_path: Path) -> None:
    image = np.ones((50, 50), np.float32)
    cards = wcs_cards(shape=image.shape)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, cards), fits.ImageHDU(image, cards)]).writeto(
        tmp_path / "a.fits"
    )
    where = positions(cards, np.array([20.0, 20.001]), np.array([20.0, 20.0]))
    first = TileCutouts(str(tmp_path / "a.fits"), targets(*where), size_pix=9)
    assert first.key(0) != first.key(1)
    other = TileCutouts(str(tmp_path / "a.fits"), targets(*where), size_pix=9, hdu=2)
    assert first.key(0) != other.key(0)
    assert (
        first.options
        != TileCutouts(str(tmp_path / "a.fits"), targets(*where), size_pix=9, subpixel=False).options
    )
    turned = TileCutouts(str(tmp_path / "a.fits"), targets(where[0][::-1], where[1][::-1]), size_pix=9)
    assert [turned.key(i) for i in range(2)] == [first.key(i) for i in range(2)]


def test_astropys_wcs_puts_objects_on_the_same_pixel(tmp_path: Path) -> None:
    cards = wcs_cards(turn_deg=33, ctype="TAN-SIP")
    cards.update(A_ORDER=2, B_ORDER=2, A_2_0=1e-5, B_0_2=-2e-5)
    fits.PrimaryHDU(np.zeros((300, 320), np.float32), cards).writeto(tmp_path / "a.fits")
    ra, dec = positions(cards, *STARS)
    source = TileCutouts(str(tmp_path / "a.fits"), targets(ra, dec), size_pix=5)
    x, y = WCS(cards).all_world2pix(ra, dec, 0)
    band = source._placed.bands[0]
    order = [int(key[1:]) for key in source.ids]
    np.testing.assert_allclose(band.x, x[order], atol=0.01)
    np.testing.assert_allclose(band.y, y[order], atol=0.01)
