"""Masks, variances and units of tiles; which HDU and file belongs to which; objects by pixel."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tile_scenes import positions, targets, wcs_cards, write_stars

from astrocnn.datasets.tile_placement import Targets
from astrocnn.datasets.tiles import TileCutouts
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.layers import FluxScale, Mask, Variance
from astrocnn.io.sample import Sample

RealData = Callable[[str], Path]
RNG = np.random.default_rng(5)
SHAPE = (50, 60)


def tile(path: Path, *planes: fits.ImageHDU, value: float = 1.0, ra: float = 150.0, **cards: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = wcs_cards(ra, shape=SHAPE)
    header.update(cards)
    image = fits.ImageHDU(np.full(SHAPE, value, np.float32), header, name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image, *planes]).writeto(path)
    return path


def one(source: TileCutouts, number: int = 0) -> Sample:
    return source.read(number)


CENTRE = targets(*positions(wcs_cards(shape=SHAPE), np.array([30.0]), np.array([25.0])))
BETWEEN = targets(*positions(wcs_cards(shape=SHAPE), np.array([30.5]), np.array([25.5])))


@pytest.mark.parametrize("compressed", [False, True])
def test_mask_bits_by_name(tmp_path: Path, compressed: bool) -> None:
    mask = np.zeros(SHAPE, np.int32)
    mask[25, 30], mask[20, 30], mask[25, 33] = 2, 4, 2
    make = fits.CompImageHDU if compressed else fits.ImageHDU
    plane = make(mask, name="MASK")
    for bit, name in enumerate(("MP_BAD", "MP_SAT", "HIERARCH MP_DETECTED")):
        plane.header[name] = bit
    path = str(tile(tmp_path / "a.fits", plane))
    whole = one(TileCutouts(path, CENTRE, size_pix=11, mask=Mask(hdu="MASK", bits=["SAT", "BAD"])))
    assert np.argwhere(~whole.valid[0]).tolist() == [[5, 5], [5, 8]]
    shifted = one(TileCutouts(path, BETWEEN, size_pix=11, mask=Mask(hdu="MASK", bits=["SAT"])))
    # each bad pixel touches the four output pixels around it
    assert np.argwhere(~shifted.valid[0]).tolist() == [[y, x] for y in (4, 5) for x in (4, 5, 7, 8)]
    with pytest.raises(DataError, match=r"a\.fits, HDU 2 \(MASK\): the mask's header names no bit 'COSMIC'"):
        TileCutouts(path, CENTRE, mask=Mask(hdu="MASK", bits=["COSMIC"])).probe(0)
    with pytest.raises(DataError, match=r"has a bit DETECTED, which marks the sources"):
        TileCutouts(path, CENTRE, mask=Mask(hdu="MASK")).probe(0)


@pytest.mark.parametrize(
    ("kind", "value"), [("variance", 4.0), ("inverse", 0.25), ("weight", 0.25), ("rms", 2.0)]
)
def test_variance_of_every_kind(tmp_path: Path, kind: str, value: float) -> None:
    plane = np.full(SHAPE, value, np.float32)
    plane[25, 31] = -1
    path = str(tile(tmp_path / "a.fits", fits.ImageHDU(plane, name="NOISE")))
    for where, spoiled in ((CENTRE, 1), (BETWEEN, 4)):
        source = TileCutouts(path, where, size_pix=11, variance=Variance(hdu="NOISE", kind=kind))
        assert source.has_variance
        sample = one(source)
        assert sample.variance is not None
        assert (~sample.valid).sum() == spoiled
        np.testing.assert_allclose(sample.variance[sample.valid], 4.0, rtol=1e-6)
        assert (sample.variance[~sample.valid] == 0).all()


def test_a_sum_over_pixels_keeps_its_variance_when_resampled(tmp_path: Path) -> None:
    """Against the scatter of many fields of white noise: what an aperture measures must have the variance told."""
    header = {
        band: wcs_cards(scale_arcsec=s, turn_deg=t, shape=(400, 400))
        for band, s, t in (("g", 0.2, 0), ("r", 0.31, 20))
    }
    for band, cards in header.items():
        noise = RNG.normal(0, 3, (400, 400)).astype(np.float32)
        parts = [fits.ImageHDU(noise, cards), fits.ImageHDU(np.full((400, 400), 9.0, np.float32), name="VAR")]
        fits.HDUList([fits.PrimaryHDU(), *parts]).writeto(tmp_path / f"{band}.fits")
    x, y = (a.ravel() for a in np.meshgrid(np.arange(40, 370, 32.3), np.arange(40, 370, 32.3)))
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    for scale in (None, 0.45):
        source = TileCutouts(
            tiles,
            targets(*positions(header["g"], x, y)),
            size_pix=24,
            variance=Variance(hdu="VAR"),
            pixel_scale_arcsec=scale,
        )
        samples = [s for s in source.read_many(np.arange(len(source))) if isinstance(s, Sample)]
        inside = slice(4, -4), slice(4, -4)
        for band in range(2):
            whole = [s for s in samples if s.valid[band][inside].all()]
            sums = np.array([s.flux[band][inside].sum() for s in whole])
            told = np.array([s.variance[band][inside].sum() for s in whole])
            assert len(sums) > 50
            assert np.std(sums) == pytest.approx(np.sqrt(told.mean()), rel=0.25)


def test_separate_files_follow_the_stars_of_the_pattern(tmp_path: Path) -> None:
    for i in (1, 2):
        tile(tmp_path / f"v{i}/c4d_{i}_ooi_g.fits", value=i, ra=150.0 + i)
        bad = np.zeros(SHAPE, np.int16)
        bad[25, 30] = i
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(bad, name="SCI")]).writeto(
            tmp_path / f"v{i}/c4d_{i}_ood_g.fits"
        )
        raw = tmp_path / "w.fits"
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.full(SHAPE, 1 / i, np.float32))]).writeto(
            raw, overwrite=True
        )
        (tmp_path / f"v{i}/c4d_{i}_oow_g.fits.gz").write_bytes(gzip.compress(raw.read_bytes()))
    places = [
        positions(wcs_cards(150.0 + i, shape=SHAPE), np.array([30.0]), np.array([25.0])) for i in (1, 2)
    ]
    where = targets(*(np.concatenate(part) for part in zip(*places, strict=True)))
    root = str(tmp_path)
    source = TileCutouts(
        f"{root}/*/c4d_*_ooi_g.fits",
        where,
        size_pix=5,
        mask=Mask(files=f"{root}/*/c4d_*_ood_g.fits", bits=[1]),
        variance=Variance(files=f"{root}/*/c4d_*_oow_g.fits.gz", kind="weight"),
    )
    assert source.ids == ["o0", "o1"]
    assert [len(paths) for paths in source.paths] == [3, 3]
    samples = [one(source, i) for i in range(2)]
    assert [bool(s.valid[0, 2, 2]) for s in samples] == [True, False]  # bit 1 is the value 2
    assert [float(s.variance[0, 0, 0]) for s in samples] == [1.0, 2.0]  # type: ignore[index]
    (tmp_path / "v2/c4d_2_ood_g.fits").unlink()
    one_less = TileCutouts(
        f"{root}/*/c4d_*_ooi_g.fits", where, size_pix=5, mask=Mask(files=f"{root}/*/c4d_*_ood_g.fits")
    )
    assert one_less.ids == ["o0"]
    reasons = dict(one_less.incomplete)
    assert "no file of data.mask.files belongs to the tile" in reasons["c4d_2_ooi_g.fits"]
    assert reasons["o1"] == "outside every tile"
    with pytest.raises(DataError, match=r"no file matches data\.mask\.files="):
        TileCutouts(f"{root}/*/c4d_*_ooi_g.fits", where, mask=Mask(files=f"{root}/nowhere*.fits"))


def test_a_mosaic_of_ccds(tmp_path: Path) -> None:
    """Every HDU with a WCS is a tile; the mask is the HDU of the same name in another file."""
    hdus, masks = [fits.PrimaryHDU()], [fits.PrimaryHDU()]
    hdus.append(fits.ImageHDU(np.zeros((9, 9), np.float32), name="PREVIEW"))
    for i, name in enumerate(("N1", "S1", "S2")):
        hdus.append(
            fits.CompImageHDU(
                np.full(SHAPE, i + 1.0, np.float32), wcs_cards(150.0 + i, shape=SHAPE), name=name
            )
        )
        masks.append(fits.CompImageHDU(np.full(SHAPE, 1 if name == "S1" else 0, np.int16), name=name))
    hdus[0].header.update(FILTER="g DECam", MAGZERO=30.0)
    fits.HDUList(hdus).writeto(tmp_path / "c4d_ooi.fits.fz")
    fits.HDUList(masks).writeto(tmp_path / "c4d_ood.fits.fz")
    places = [
        positions(wcs_cards(150.0 + i, shape=SHAPE), np.array([30.0]), np.array([25.0])) for i in range(3)
    ]
    where = targets(*(np.concatenate(part) for part in zip(*places, strict=True)))
    source = TileCutouts(
        str(tmp_path / "*_ooi.fits.fz"), where, size_pix=5, hdu="all", mask=Mask(files=str(tmp_path / "*_ood.fits.fz")),
        flux=FluxScale("nJy"),
    )  # fmt: skip
    assert source.bands == ("g DECam",)
    assert source.columns(np.arange(3))["tile"].tolist() == ["c4d_ooi[N1]", "c4d_ooi[S1]", "c4d_ooi[S2]"]
    samples = [one(source, i) for i in range(3)]
    assert [s.valid.all() for s in samples] == [True, False, True]
    one_njy = 3631e9 * 10 ** (-0.4 * 30)
    np.testing.assert_allclose(samples[2].flux, 3 * one_njy, rtol=1e-6)
    by_name = TileCutouts(str(tmp_path / "*_ooi.fits.fz"), where, size_pix=5, hdu="S2")
    assert by_name.ids == ["o2"]


def test_chips_of_one_name_have_planes_of_their_version(tmp_path: Path) -> None:
    hdus: list[object] = [fits.PrimaryHDU()]
    for version in (1, 2):
        cards = wcs_cards(150.0 + version, shape=SHAPE)
        hdus.append(fits.ImageHDU(np.full(SHAPE, version, np.float32), cards, name="SCI", ver=version))
        hdus.append(fits.ImageHDU(np.full(SHAPE, version - 1, np.int16), name="DQ", ver=version))
    fits.HDUList(hdus).writeto(tmp_path / "flc.fits")
    places = [
        positions(wcs_cards(150.0 + i, shape=SHAPE), np.array([30.0]), np.array([25.0])) for i in (1, 2)
    ]
    where = targets(*(np.concatenate(part) for part in zip(*places, strict=True)))
    for hdu in ("SCI", "all"):
        source = TileCutouts(str(tmp_path / "flc.fits"), where, size_pix=5, hdu=hdu, mask=Mask(hdu="DQ"))
        assert [one(source, i).valid.all() for i in range(2)] == [True, False]
        assert source.columns(np.arange(2))["tile"].tolist() == ["flc[1]", "flc[3]"]


def test_bands_in_the_hdus_of_one_file(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU()]
    for i, name in enumerate("GRI"):
        hdus.append(fits.ImageHDU(np.full(SHAPE, i, np.float32), wcs_cards(shape=SHAPE), name=name))
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    listed = TileCutouts(str(tmp_path / "a.fits"), CENTRE, size_pix=5, hdu=["R", "G"])
    assert listed.bands == ("R", "G")
    assert one(listed).flux[:, 0, 0].tolist() == [1, 0]
    by_band = TileCutouts(str(tmp_path / "a.fits"), CENTRE, size_pix=5, hdu={"i": "I", "g": 1})
    assert by_band.bands == ("i", "g")
    assert one(by_band).flux[:, 0, 0].tolist() == [2, 0]
    tiles = {band: str(tmp_path / "a.fits") for band in "gr"}
    assert one(TileCutouts(tiles, CENTRE, size_pix=5, hdu={"g": "G", "r": "R"})).flux[:, 0, 0].tolist() == [
        0,
        1,
    ]
    with pytest.raises(ConfigError, match=r"data\.hdu is for g, z but data\.tiles has the bands g, r"):
        TileCutouts(tiles, CENTRE, hdu={"g": "G", "z": "R"})


def test_units_of_each_band(tmp_path: Path) -> None:
    for band, scale, zero in (("g", 0.2, 25.0), ("r", 0.4, 27.0)):
        header = wcs_cards(scale_arcsec=scale, shape=SHAPE)
        header["MAGZERO"] = zero
        fits.PrimaryHDU(np.ones(SHAPE, np.float32), header).writeto(tmp_path / f"{band}.fits")
    tiles = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    where = targets(np.array([150.0]), np.array([2.0]))

    def njy(magnitude: float) -> float:
        return 3631e9 * 10 ** (-0.4 * magnitude)

    source = TileCutouts(tiles, where, size_pix=5, flux=FluxScale("nJy"))
    np.testing.assert_allclose(one(source).flux[:, 2, 2], [njy(25), njy(27) / 4], rtol=1e-5)
    assert source.probe(0).unit == "nJy"
    given = TileCutouts(tiles, where, size_pix=5, flux=FluxScale("nJy", {"g": 26.0, "r": 28.0}))
    np.testing.assert_allclose(one(given).flux[:, 2, 2], [njy(26), njy(28) / 4], rtol=1e-5)
    surface = TileCutouts(tiles, where, size_pix=5, flux=FluxScale("nJy/arcsec2"))
    np.testing.assert_allclose(one(surface).flux[:, 2, 2], [njy(25) / 0.04, njy(27) / 0.16], rtol=1e-5)
    assert given.options != source.options


def test_objects_by_pixel_of_a_named_tile(tmp_path: Path) -> None:
    ramp = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    for name in ("a", "b"):
        fits.PrimaryHDU(ramp + (10000 if name == "b" else 0), wcs_cards(shape=SHAPE)).writeto(
            tmp_path / f"{name}.fits"
        )
    names = np.array(["a", "b.fits", str(tmp_path / "a.fits"), "b.fits", "c", "a", "a"])
    x, y = np.array([5.0, 6, 7, 8, 9, 60, np.nan]), np.array([10.0, 11, 12, 13, 14, 15, 16])
    n = len(x)
    where = Targets(
        [f"o{i}" for i in range(n)], np.full(n, np.nan), np.full(n, np.nan), x, y, names, tmp_path
    )
    source = TileCutouts(str(tmp_path / "?.fits"), where, size_pix=3)
    assert sorted(source.ids) == ["o0", "o1", "o2", "o3"]
    assert dict(source.incomplete) == {
        "o4": "its tile is not among those of data.tiles",
        "o5": "outside its tile",
        "o6": "no position (x or y is missing)",
    }
    for i in range(4):
        row = int(source.ids[i][1:])
        assert one(source, i).flux[0, 1, 1] == y[row] * 60 + x[row] + (10000 if row in (1, 3) else 0)
        info = source.probe(i)
        expected = positions(wcs_cards(shape=SHAPE), x[row : row + 1], y[row : row + 1])
        np.testing.assert_allclose([info.ra, info.dec], np.ravel(expected), atol=1e-9)
    with pytest.raises(DataError, match=r"of which tile\? .* matches several \(a, b\).*data\.tile="):
        TileCutouts(str(tmp_path / "?.fits"), Targets(["o"], x[:1], y[:1], x[:1], y[:1]))


def test_pixels_of_tiles_without_wcs(tmp_path: Path) -> None:
    for band, value in (("g", 1.0), ("r", 2.0)):
        (tmp_path / band).mkdir()
        for name in ("t1", "t2"):
            fits.PrimaryHDU(np.full(SHAPE, value * int(name[1]), np.float32)).writeto(
                tmp_path / band / f"{name}.fits"
            )
    nan = np.full(2, np.nan)
    where = Targets(
        ["o0", "o1"], nan, nan, np.array([9.3, 8.0]), np.array([7.0, 6.0]), np.array(["t1", "t2"])
    )
    tiles = {band: str(tmp_path / band / "*.fits") for band in "gr"}
    source = TileCutouts(tiles, where, size_pix=5)
    assert [one(source, i).flux[:, 2, 2].tolist() for i in range(2)] == [[1, 2], [2, 4]]
    info = source.probe(0)
    assert np.isnan(info.ra)
    assert info.pixel_scale_arcsec is None
    with pytest.raises(
        DataError, match=r"no celestial WCS, so ra and dec lead to no pixel.*data\.x=<column>"
    ):
        TileCutouts(tiles, targets(np.array([150.0]), np.array([2.0])))


def test_tiles_of_several_bands_under_one_pattern(tmp_path: Path) -> None:
    for i, band in enumerate("gr"):
        tile(tmp_path / f"{band}.fits", FILTER=band, ra=150.0 + i)
    places = [
        positions(wcs_cards(150.0 + i, shape=SHAPE), np.array([30.0]), np.array([25.0])) for i in range(2)
    ]
    ra, dec = (np.concatenate(part) for part in zip(*places, strict=True))
    with pytest.raises(DataError, match=r"tiles are of several bands \('g' in .*'r' in .*one pattern a band"):
        TileCutouts(str(tmp_path / "?.fits"), targets(ra, dec))
    named = TileCutouts({"any": str(tmp_path / "?.fits")}, targets(ra, dec))
    assert named.bands == ("any",)
    assert TileCutouts(str(tmp_path / "g.fits"), targets(ra, dec)).bands == ("g",)


def test_broken_tiles_are_listed_and_the_others_used(tmp_path: Path) -> None:
    for i, name in enumerate("abc"):
        tile(tmp_path / f"{name}.fits", ra=150.0 + i)
    (tmp_path / "b.fits").write_bytes((tmp_path / "b.fits").read_bytes()[:9000])
    (tmp_path / "c.fits").write_bytes(b"no FITS at all")
    places = [
        positions(wcs_cards(150.0 + i, shape=SHAPE), np.array([30.0]), np.array([25.0])) for i in range(3)
    ]
    where = targets(*(np.concatenate(part) for part in zip(*places, strict=True)))
    source = TileCutouts(str(tmp_path / "?.fits"), where, size_pix=5)
    assert source.ids == ["o0"]
    reasons = dict(source.incomplete)
    assert "truncated or its NAXIS is wrong" in reasons["b.fits"]
    assert "cannot be read as FITS" in reasons["c.fits"]
    assert reasons["o1"] == reasons["o2"] == "outside every tile"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Mask(hdu="DQ"),
            r"has no image HDU 'DQ', which is to be the mask; its images are HDU 1 \(SCI\).*data\.mask\.hdu=",
        ),
        (Mask(hdu="SMALL"), r"HDU 2 \(SMALL\): the mask is 5 × 5 pixels but the tile .* is 50 × 60"),
    ],
)
def test_planes_that_do_not_fit(tmp_path: Path, layer: Mask, message: str) -> None:
    path = tile(tmp_path / "a.fits", fits.ImageHDU(np.zeros((5, 5), np.int16), name="SMALL"))
    with pytest.raises(DataError, match=message):
        TileCutouts(str(path), CENTRE, mask=layer)


@pytest.mark.parametrize("suffix", ["fits", "fits.gz", "fits.fz"])
def test_every_packing_gives_the_same_cutouts(tmp_path: Path, suffix: str) -> None:
    cards = wcs_cards()
    ra, dec = positions(cards, RNG.uniform(0, 320, 20), RNG.uniform(0, 300, 20))
    write_stars(tmp_path / "a.fits", cards, ra, dec, sky=100.0)
    truth = TileCutouts(str(tmp_path / "a.fits"), targets(ra, dec), size_pix=21)
    path = tmp_path / f"b.{suffix}"
    if suffix == "fits.fz":
        data = fits.getdata(tmp_path / "a.fits")
        hdu = fits.CompImageHDU(data, cards, compression_type="GZIP_2", quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    else:
        raw = (tmp_path / "a.fits").read_bytes()
        path.write_bytes(gzip.compress(raw) if suffix.endswith("gz") else raw)
    other = TileCutouts(str(path), targets(ra, dec), size_pix=21)
    assert other.ids == truth.ids
    for a, b in zip(truth.read_many(np.arange(20)), other.read_many(np.arange(20)), strict=True):
        assert isinstance(a, Sample)
        np.testing.assert_array_equal(a.flux, b.flux)  # type: ignore[union-attr]
