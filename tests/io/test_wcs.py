"""Sky positions and pixels against astropy.wcs, GalSim's own WCS, and the published formulae of TNX and ZPX."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

from astrocnn.io.headers import Header
from astrocnn.io.sky import centre_and_scale
from astrocnn.io.wcs import SkyWcs, separation_deg, sky_wcs, tangent_basis

RealData = Callable[[str], Path]
FILES = [
    "fits/decam_grz/decam_img_g.fits",
    "fits/legacysurvey/mzlsbass3/**/*oo*.fits",
    "fits/legacysurvey/testcase3/**/*oo*.fits",
    "fits/legacysurvey/testcase4/**/*oo*.fits",
    "fits/legacysurvey/testcase4/**/unwise*.fits*",
    "fits/photutils/*.fits",
    "fits/wcs/*.fits",
    "radio/*.fits",
]


def header(ctype: str = "TAN", *, size: int = 200, **cards: object) -> fits.Header:
    found = fits.Header({"NAXIS": 2, "NAXIS1": size, "NAXIS2": size})
    found.update(CTYPE1=f"RA---{ctype}", CTYPE2=f"DEC--{ctype}", CRVAL1=150.0, CRVAL2=2.0)
    found.update(CRPIX1=(size + 1) / 2, CRPIX2=(size + 1) / 2, CDELT1=-1e-4, CDELT2=1e-4, RADESYS="ICRS")
    found.update({key.replace("__", "-"): value for key, value in cards.items()})
    return found


def made(cards: fits.Header) -> SkyWcs:
    wcs = sky_wcs(cards, cards["NAXIS2"], cards["NAXIS1"], path="a.fits")
    assert wcs is not None
    return wcs


def grid(cards: fits.Header, n: int = 9) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.linspace(-0.5, cards[f"NAXIS{axis}"] - 0.5, n) for axis in (1, 2))
    return tuple(a.ravel() for a in np.meshgrid(x, y))  # type: ignore[return-value]


@pytest.mark.parametrize("pattern", FILES)
def test_every_real_image_is_where_astropy_says(realdata: RealData, pattern: str) -> None:
    root = realdata("README.md").parent
    n = 0
    for path in sorted(root.glob(pattern)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy's, about the files' cards; ours must not warn
            with fits.open(path) as hdus:
                headers = [hdu.header for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] >= 2]
        for cards in headers:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                raw = Header(cards.tostring(endcard=False).encode("latin-1"))
                truth = WCS(cards).celestial
            wcs = sky_wcs(raw, cards["NAXIS2"], cards["NAXIS1"], path=path)
            if truth.naxis != 2:
                assert wcs is None
                continue
            assert wcs is not None
            x, y = grid(cards)
            ra, dec = wcs.sky(x, y)
            expected = truth.pixel_to_world(x, y).icrs
            off = separation_deg(ra, dec, expected.ra.deg, expected.dec.deg) * 3600 / wcs.scale_arcsec
            assert off.max() < 1e-6
            assert np.hypot(*(np.array(wcs.pixel(ra, dec)) - [x, y])).max() < 0.01
            n += 1
    assert n >= 1


@pytest.mark.parametrize("name", ["sipsample", "tanpv", "tnx", "tpv", "cosmos_147246_masknoise"])
def test_galsim_agrees(realdata: RealData, name: str) -> None:
    galsim = pytest.importorskip("galsim")
    path = realdata(f"fits/wcs/{name}.fits")
    cards = fits.getheader(path)
    wcs, truth = made(cards), galsim.GSFitsWCS(str(path))
    x, y = grid(cards, 5)
    there = [truth.toWorld(galsim.PositionD(a + 1, b + 1)) for a, b in zip(x, y, strict=True)]
    ra, dec = np.array([(p.ra.deg, p.dec.deg) for p in there]).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = wcs_to_celestial_frame(WCS(cards))
    point = SkyCoord(ra, dec, unit="deg", frame=frame).icrs  # GalSim leaves positions in the header's frame
    found = wcs.pixel(point.ra.deg, point.dec.deg)
    assert np.hypot(found[0] - x, found[1] - y).max() < 0.01


def _iraf(
    projection: str, kind: int, cross: int, zeros: int = 0
) -> tuple[fits.Header, Callable[..., tuple[np.ndarray, np.ndarray]]]:
    """A header of IRAF's TNX or ZPX with random coefficients, and the documented formula that it stands for.

    https://fits.gsfc.nasa.gov/registry/tnx.html and .../zpxwcs.html: the correction of each standard coordinate is
    Σ C_mn P_m(ξ) P_n(η), P Chebyshev (1), Legendre (2) or plain powers (3), with no (0), all (1) or half (2) of the
    cross terms.
    """
    order, rng = 4, np.random.default_rng(kind * 10 + cross)
    limits = [-0.16, 0.15, -0.17, 0.155]
    terms = [
        (m, n)
        for n in range(order)
        for m in range(order)
        if cross == 1 or m * n == 0 or (cross == 2 and m + n < order)
    ]
    cards = header(projection, size=4000, CRVAL1=320.687375, CRVAL2=36.9085555, CRPIX1=2100.5, CRPIX2=1900.25)
    for key in ("CDELT1", "CDELT2"):
        del cards[key]
    cards.update(CD1_1=5.2588e-8, CD2_1=7.277e-5, CD1_2=7.2754e-5, CD2_2=-1.8638e-8, WAT0_001="system=image")
    # the radial terms of the Mosaic camera at Kitt Peak
    radial = [0.0, 1.0, 0.0, 337.74, 0.0, 632052.0] if projection == "ZPX" else []
    tables = []
    for axis, name in ((1, "lngcor"), (2, "latcor")):
        coefficients = rng.normal(size=len(terms)) * 2e-4
        coefficients[rng.permutation(len(terms))[:zeros]] = 0
        tables.append(coefficients)
        numbers = " ".join(f"{v:.15e}" for v in [*limits, *coefficients])
        extra = "".join(f" projp{i}={value}" for i, value in enumerate(radial))
        text = f'wtype={projection.lower()} axtype=ra{extra} {name} = "{kind}. {order}. {order}. {cross}. {numbers} "'
        for i in range(0, len(text), 68):  # as IRAF writes it, whether there is a blank at the end or not
            cards.append(fits.Card.fromstring(f"WAT{axis}_{i // 68 + 1:03d}= '{text[i : i + 68]}'"))

    def basis(degree: int, value: np.ndarray, low: float, high: float) -> np.ndarray:
        unit = np.eye(degree + 1)[degree]
        scaled = (2 * value - (high + low)) / (high - low)
        return {1: np.polynomial.chebyshev.chebval, 2: np.polynomial.legendre.legval}.get(
            kind, lambda s, c: value**degree
        )(scaled, unit)

    def truth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dx, dy = x + 1 - cards["CRPIX1"], y + 1 - cards["CRPIX2"]
        xi = cards["CD1_1"] * dx + cards["CD1_2"] * dy
        eta = cards["CD2_1"] * dx + cards["CD2_2"] * dy
        shift = [
            sum(
                c * basis(m, xi, *limits[:2]) * basis(n, eta, *limits[2:])
                for c, (m, n) in zip(t, terms, strict=True)
            )
            for t in tables
        ]
        xi, eta = xi + shift[0], eta + shift[1]
        radius, theta = np.radians(np.hypot(xi, eta)), np.radians(np.hypot(xi, eta))
        if projection == "TNX":
            theta = np.arctan(radius)
        else:
            powers = np.polynomial.Polynomial(radial)
            for _ in range(50):
                theta = theta - (powers(theta) - radius) / powers.deriv()(theta)
        east, north, toward = tangent_basis(np.array(cards["CRVAL1"]), np.array(cards["CRVAL2"]))
        way = np.stack([xi, eta], -1) / np.hypot(xi, eta)[:, None]
        point = np.cos(theta)[:, None] * toward + np.sin(theta)[:, None] * (
            way[:, :1] * east + way[:, 1:] * north
        )
        return np.degrees(np.arctan2(point[:, 1], point[:, 0])) % 360, np.degrees(np.arcsin(point[:, 2]))

    return cards, truth


@pytest.mark.parametrize("projection", ["TNX", "ZPX"])
@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize("cross", [0, 1, 2])
@pytest.mark.parametrize("zeros", [0, 2])
def test_iraf_polynomials(projection: str, kind: int, cross: int, zeros: int) -> None:
    cards, truth = _iraf(projection, kind, cross, zeros)
    wcs, (x, y) = made(cards), grid(cards)
    ra, dec = truth(x, y)
    found = wcs.pixel(ra, dec)
    assert np.hypot(found[0] - x, found[1] - y).max() < 0.01
    assert separation_deg(*wcs.sky(x, y), ra, dec).max() * 3600 < 0.01 * wcs.scale_arcsec


def test_a_radial_zpx_without_coefficients() -> None:
    cards, _ = _iraf("ZPX", 3, 0)
    del cards["WAT?_*"]
    for axis, name in ((1, "ra"), (2, "dec")):
        cards[f"WAT{axis}_001"] = f"wtype=zpx axtype={name} projp1=1. projp3=337.74"
    plain = header("ZPN", size=4000, **{key: cards[key] for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2")})
    for key in ("CDELT1", "CDELT2"):
        del plain[key]
    plain.update({key: cards[key] for key in ("CD1_1", "CD2_1", "CD1_2", "CD2_2")})
    plain.update(PV2_1=1.0, PV2_3=337.74)
    x, y = grid(cards)
    np.testing.assert_allclose(made(cards).sky(x, y), made(plain).sky(x, y), atol=1e-9)


@pytest.mark.parametrize(
    "cards",
    [
        pytest.param({"CRVAL1": 0.002}, id="ra 0"),
        pytest.param({"CRVAL1": 359.998}, id="ra 360"),
        pytest.param({"CRVAL2": 90.0}, id="north pole"),
        pytest.param({"CRVAL2": -89.999}, id="south pole"),
        pytest.param({"CDELT1": 1e-4}, id="mirrored"),
        pytest.param({"CDELT1": 1e-4, "CDELT2": -1e-4}, id="turned"),
        pytest.param(
            {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 2.0, "CRVAL2": 150.0}, id="axes swapped"
        ),
        pytest.param({"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"}, id="galactic"),
        pytest.param({"CTYPE1": "ELON-ARC", "CTYPE2": "ELAT-ARC"}, id="ecliptic"),
        pytest.param({"RADESYS": "FK5", "EQUINOX": 1975.0}, id="FK5 of 1975"),
        pytest.param({"RADESYS": "FK4", "EQUINOX": 1950.0, "DATE__OBS": "1982-03-04T00:00:00"}, id="FK4"),
        pytest.param(
            {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0, "CRVAL1": 0.0}, id="plate carrée"
        ),
    ],
)
def test_frames_edges_and_flips(cards: dict[str, object]) -> None:
    given = header(**cards)
    wcs, (x, y) = made(given), grid(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = WCS(given).pixel_to_world(x, y).icrs
    ra, dec = wcs.sky(x, y)
    assert ((ra >= 0) & (ra < 360)).all()
    assert separation_deg(ra, dec, expected.ra.deg, expected.dec.deg).max() * 3600 < 0.01 * wcs.scale_arcsec
    found = wcs.pixel(expected.ra.deg, expected.dec.deg)
    assert np.hypot(found[0] - x, found[1] - y).max() < 0.01
    centre, radius = wcs.cap()
    far = np.degrees(np.arccos(np.clip(tangent_basis(ra, dec)[2] @ centre, -1, 1)))
    assert far.max() < radius


def test_jacobian_and_area_at_a_pole() -> None:
    given = header(CRVAL2=90.0, CDELT1=-2e-4)
    wcs = made(given)
    x, y = np.array([99.5, 120.0]), np.array([99.5, 30.0])
    np.testing.assert_allclose(wcs.pixel_area_arcsec2(x, y), 2e-4 * 1e-4 * 3600**2, rtol=1e-4)
    assert wcs.scale_arcsec == pytest.approx(np.sqrt(2) * 0.36, rel=1e-4)
    flat = made(header(CRVAL2=40.0))
    np.testing.assert_allclose(flat.jacobian(x[:1], y[:1])[0], [[-1e-4, 0], [0, 1e-4]], atol=1e-9)


def test_a_cylinder_is_continued_past_half_a_turn() -> None:
    given = header("CAR", CRVAL1=0.0, CRVAL2=0.0, CRPIX1=-1699.5, CDELT1=-0.1, CDELT2=0.1)
    wcs = made(given)  # its columns run over native longitudes of −170° to −190°
    x, y = np.array([10.0, 100.0, 190.0]), np.array([20.0, 90.0, 99.0])
    found = wcs.pixel(*wcs.sky(x, y))
    np.testing.assert_allclose(found, [x, y], atol=1e-6)


def test_no_pixel_on_the_far_side_or_where_a_distortion_ends() -> None:
    x, _ = made(header()).pixel(np.array([330.0, 150.0, np.nan]), np.array([-2.0, 2.0, 0.0]))
    assert np.isnan(x).tolist() == [True, False, True]
    sip = header("TAN-SIP", A_ORDER=3, B_ORDER=3, A_3_0=1e-6, B_0_3=1e-6, A_2_0=2e-5)
    wcs = made(sip)
    ra, dec = np.array([150.0, 155.0, 100.0]), np.array([2.0, 2.0, -40.0])
    x, y = wcs.pixel(ra, dec)
    there = np.isfinite(x)
    assert there[0]
    assert separation_deg(*wcs.sky(x[there], y[there]), ra[there], dec[there]).max() * 3600 < 0.02


def test_distortion_tables(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU(np.zeros((200, 200), np.float32))]
    for axis in (1, 2):
        table = np.full((3, 3), 1.5 * axis, np.float32)
        part = fits.ImageHDU(table, name="WCSDVARR")
        part.header.update(
            EXTVER=axis, CRPIX1=2.0, CRPIX2=2.0, CRVAL1=100.0, CRVAL2=100.0, CDELT1=100.0, CDELT2=100.0
        )
        hdus.append(part)
    plain = header()
    for key in ("NAXIS1", "NAXIS2", "NAXIS"):
        del plain[key]
    hdus[0].header.update(plain)
    for axis in (1, 2):
        hdus[0].header[f"CPDIS{axis}"] = "LOOKUP"
        for value in (f"EXTVER: {axis}", "NAXES: 2", "AXIS.1: 1", "AXIS.2: 2"):
            hdus[0].header.append(fits.Card.fromstring(f"DP{axis}     = '{value}'"))
    path = tmp_path / "a.fits"
    fits.HDUList(hdus).writeto(path)
    with fits.open(path) as opened:
        given, truth = opened[0].header, WCS(opened[0].header, opened)
        wcs = sky_wcs(given, 200, 200, path=path)
        x, y = np.array([50.0, 120.0]), np.array([60.0, 150.0])
        expected = truth.all_pix2world(x, y, 0)
    assert wcs is not None
    np.testing.assert_allclose(wcs.sky(x, y), expected, atol=1e-10)
    undistorted = made(header()).sky(x, y)
    assert separation_deg(*wcs.sky(x, y), *undistorted).min() * 3600 > wcs.scale_arcsec


def test_no_wcs() -> None:
    assert sky_wcs(fits.Header({"NAXIS": 2}), 5, 5, path="a.fits") is None
    assert sky_wcs(fits.Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}), 5, 5, path="a.fits") is None
    broken = header(CTYPE2="RA---TAN")
    assert sky_wcs(broken, 200, 200, path="a.fits") is None


def test_cutouts_with_iraf_coefficients_have_their_place_too() -> None:
    cards, truth = _iraf("ZPX", 2, 2, 2)
    ra, dec, scale = centre_and_scale(cards, 4000, 4000)
    expected = truth(np.array([1999.5]), np.array([1999.5]))
    assert (
        separation_deg(np.array([ra]), np.array([dec]), *expected).max() * 3600
        < 0.01 * made(cards).scale_arcsec
    )
    assert scale is not None
