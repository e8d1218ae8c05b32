import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord, UnitSphericalRepresentation

from astrocnn.report.sky_plot import _hammer, _offsets, sky, sky_centre
from astrocnn.report.style import draw

COLORS = {"train": "#0a6aa8", "test": "#cf5a12"}


def field(ra0, dec0, *, n=50, radius_deg=1.0, seed=0):
    """Positions within a radius, made by astropy."""
    rng = np.random.default_rng(seed)
    centre = SkyCoord(ra0, dec0, unit="deg")
    away = centre.directional_offset_by(rng.uniform(0, 360, n) * u.deg, rng.uniform(0, radius_deg, n) * u.deg)
    return np.append(away.ra.deg, ra0), np.append(away.dec.deg, dec0)


def points(axes):
    lines = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    return tuple(
        np.concatenate([getattr(line, name)() for line in lines]) for name in ("get_xdata", "get_ydata")
    )


def drawn(ra, dec):
    centre = sky_centre(ra, dec)
    groups = np.where(np.arange(len(ra)) % 2, "train", "test")
    (axes,) = draw(sky, ra, dec, groups, colors=COLORS, centre=centre).axes
    return axes


@pytest.mark.parametrize(
    ("ra0", "dec0"), [(150.0, 2.0), (359.9, -30.0), (0.05, 60.0), (200.0, 89.9), (10.0, -90.0)]
)
def test_the_centre_is_the_mean_direction(ra0, dec0):
    ra, dec = field(ra0, dec0, n=400)
    middle = SkyCoord(
        SkyCoord(ra, dec, unit="deg").cartesian.mean().represent_as(UnitSphericalRepresentation)
    )
    found = SkyCoord(*sky_centre(ra, dec)[:2], unit="deg")
    assert middle.separation(found).arcsec < 1e-3
    reach = found.separation(SkyCoord(ra, dec, unit="deg")).deg.max()
    assert sky_centre(ra, dec)[2] == pytest.approx(reach, abs=1e-8)


def test_a_field_over_zero_hours_stays_together():
    ra, dec = field(0.0, -30.0)
    axes = drawn(ra, dec)
    x, y = points(axes)
    assert np.ptp(x) < 3
    np.testing.assert_allclose(np.sort(x % 360), np.sort(ra), atol=1e-9)
    np.testing.assert_allclose(np.sort(y), np.sort(dec))
    left, right = axes.get_xlim()
    assert left > right  # east is to the left
    assert axes.xaxis.get_major_formatter()(359.5 - 360) == "359.5"


@pytest.mark.parametrize("dec0", [89.5, -88.0])
def test_offsets_around_a_pole_are_astropys_angles(dec0):
    ra, dec = field(40.0, dec0, radius_deg=5)
    x, y = _offsets(ra, dec, 40.0, dec0)
    centre, sky_positions = SkyCoord(40.0, dec0, unit="deg"), SkyCoord(ra, dec, unit="deg")
    np.testing.assert_allclose(np.hypot(x, y), centre.separation(sky_positions).deg, atol=1e-9)
    inner = np.hypot(x, y) > 1e-6
    angle = centre.position_angle(sky_positions).rad[inner]
    np.testing.assert_allclose(np.exp(1j * np.arctan2(x, y))[inner], np.exp(1j * angle), atol=1e-9)
    assert "Offset" in drawn(ra, dec).get_xlabel()


def test_the_whole_sky_is_drawn_with_equal_areas():
    # the Jacobian of x, y by right ascension and the sine of declination is the same everywhere
    ra, dec = (grid.ravel() for grid in np.meshgrid(np.linspace(-170, 170, 30), np.linspace(-80, 80, 30)))
    step = 1e-4

    def xy(a, d):
        return np.stack(_hammer(a, d, 0.0))

    by_ra = (xy(ra + step, dec) - xy(ra - step, dec)) / np.radians(2 * step)
    by_dec = (xy(ra, dec + step) - xy(ra, dec - step)) / np.radians(2 * step)
    area = np.abs(by_ra[0] * by_dec[1] - by_ra[1] * by_dec[0]) / np.cos(np.radians(dec))
    np.testing.assert_allclose(area, 1, rtol=1e-6)
    x, _ = _hammer(np.array([179.999, 10.0]), np.zeros(2), 0.0)
    assert x[0] == pytest.approx(-2 * np.sqrt(2), rel=1e-4)  # east is to the left
    axes = drawn(np.linspace(0, 359, 200), np.linspace(-60, 60, 200))
    assert not axes.axison
    x, y = points(axes)
    assert (np.hypot(x / (2 * np.sqrt(2)), y / np.sqrt(2)) <= 1 + 1e-9).all()


def test_one_position_and_both_sides_of_the_sky():
    assert len(points(drawn(np.array([10.0]), np.array([20.0])))[0]) == 1
    assert sky_centre(np.array([0.0, 180.0]), np.zeros(2)) == (0.0, 0.0, 180.0)


def test_large_sets_are_thinned():
    ra, dec = np.random.default_rng(0).uniform(10, 20, (2, 5000))
    assert len(points(drawn(ra, dec))[0]) == 2000
