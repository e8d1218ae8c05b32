"""Measured and true objects of several scenes."""

import numpy as np

from astrocnn.functional.source_matches import match_scenes
from astrocnn.functional.source_scores import summarise_objects


def test_a_scene_in_which_nothing_is_found() -> None:
    nothing = {"x": np.empty(0), "y": np.empty(0), "p_class": np.empty((0, 3))}
    some = {"x": np.array([3.0]), "y": np.array([4.0]), "p_class": np.array([[0.2, 0.4, 0.4]])}
    there = {"x": np.array([3.0]), "y": np.array([4.0]), "label": np.array([1])}
    matched = match_scenes([nothing, some], [there, there], radius_pix=2.0, star=1)
    np.testing.assert_array_equal(matched.true["partner"], [-1, 0])
    np.testing.assert_allclose(matched.found["p_star"], [0.5])


def test_what_no_table_says_to_be_blended_is_not_known() -> None:
    place = {"x": np.array([3.0, 9.0, 15.0]), "y": np.array([4.0, 4.0, 4.0]), "label": np.array([1, 2, 2])}
    classes = ["background", "star", "galaxy"]
    found = summarise_objects([place], [place], classes=classes, n_bootstrap=0)
    assert found["counts"]["n_blended"] is None
    assert not [name for name in found["figures"] if "blended" in name or "isolated" in name]
    told = place | {"blended": np.array([1.0, 0.0, np.nan])}
    found = summarise_objects([place], [told], classes=classes, n_bootstrap=0)
    assert found["counts"]["n_blended"] == 1
    assert (
        found["figures"]["blended_completeness"]["value"]
        == found["figures"]["isolated_completeness"]["value"]
        == 1
    )


def test_nothing_is_said_of_stars_where_there_are_none() -> None:
    place = {"x": np.array([3.0, 9.0]), "y": np.array([4.0, 4.0]), "mag": np.array([20.0, 21.0])}
    said = place | {"label": np.array([1, 2]), "p_class": np.array([[0.0, 0.9, 0.1], [0.0, 0.2, 0.8]])}
    classes = ["background", "star", "galaxy"]
    found = summarise_objects([said], [place | {"label": np.array([2, 2])}], classes=classes, n_bootstrap=0)
    assert found["stars"] is None
    assert not [name for name in found["figures"] if "star" in name]
    found = summarise_objects([said], [place | {"label": np.array([1, 2])}], classes=classes, n_bootstrap=0)
    assert found["figures"]["star_purity"]["value"] == 1
