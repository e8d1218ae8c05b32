"""Chords against astropy's separations, at RA 0, at the poles and across the sky."""

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord

from astrocnn.functional.sphere import chord, unit_vectors


def test_the_chord_of_two_points_is_that_of_astropys_separation() -> None:
    rng = np.random.default_rng(0)
    one = np.stack([rng.uniform(-360, 720, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))], axis=1)
    two = one + rng.normal(0, 1, (500, 2)) * 10.0 ** rng.uniform(-6, 1, (500, 1))
    two[:, 1] = two[:, 1].clip(-90, 90)
    one[:3], two[:3] = [[359.9999, 0], [10, 90], [0, -89.9999]], [[0.0001, 0], [200, 90], [180, -89.9999]]
    truth = SkyCoord(*one.T, unit="deg").separation(SkyCoord(*two.T, unit="deg")).to_value(units.arcsec)
    distance = np.linalg.norm(unit_vectors(one) - unit_vectors(two), axis=1)
    np.testing.assert_allclose(distance, [chord(angle) for angle in truth], rtol=1e-7, atol=3e-16)
    assert chord(180 * 3600) == chord(1e9) == 2
