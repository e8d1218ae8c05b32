"""Measured and true objects of several scenes."""

import numpy as np

from astrocnn.functional.source_matches import match_scenes


def test_a_scene_in_which_nothing_is_found() -> None:
    nothing = {"x": np.empty(0), "y": np.empty(0), "p_class": np.empty((0, 3))}
    some = {"x": np.array([3.0]), "y": np.array([4.0]), "p_class": np.array([[0.2, 0.4, 0.4]])}
    there = {"x": np.array([3.0]), "y": np.array([4.0]), "label": np.array([1])}
    matched = match_scenes([nothing, some], [there, there], radius_pix=2.0, star=1)
    np.testing.assert_array_equal(matched.true["partner"], [-1, 0])
    np.testing.assert_allclose(matched.found["p_star"], [0.5])
