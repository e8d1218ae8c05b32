"""Pairs of neighbours against all distances of a scene's objects."""

import numpy as np
import pytest

from astrocnn.functional.source_matches import match_scenes
from astrocnn.functional.source_pairs import close_pairs, pairs_by_separation, pairs_by_snr


def scenes(n: int = 60) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    """Two crowded scenes of which two thirds are found."""
    rng = np.random.default_rng(4)
    true = [
        {
            "x": rng.uniform(0, 100, n),
            "y": rng.uniform(0, 100, n),
            "snr": 10 ** rng.uniform(0.5, 2.5, n),
            "blended": rng.random(n) < 0.7,
            "ignore": rng.random(n) < 0.1,
        }
        for _ in range(2)
    ]
    measured = []
    for table in true:
        kept = rng.random(n) < 2 / 3
        measured.append({"x": table["x"][kept], "y": table["y"][kept]})
    return measured, true


def by_hand(true: dict[str, np.ndarray], found: np.ndarray) -> list[tuple[float, float, bool, bool]]:
    """Distance, lower S/N, both blended, both found, of mutually nearest neighbours that count."""
    rows = [k for k in range(len(true["x"])) if not true["ignore"][k]]
    nearest = {}
    for a in rows:
        away = {b: np.hypot(true["x"][a] - true["x"][b], true["y"][a] - true["y"][b]) for b in rows if b != a}
        nearest[a] = min(away, key=away.__getitem__), min(away.values())
    return [
        (
            apart,
            min(true["snr"][a], true["snr"][b]),
            bool(true["blended"][a] and true["blended"][b]),
            bool(found[a] and found[b]),
        )
        for a, (b, apart) in nearest.items()
        if a < b and nearest[b][0] == a
    ]


def test_pairs_are_those_of_all_distances() -> None:
    measured, true = scenes()
    matched = match_scenes(measured, true, radius_pix=0.1)
    found = np.split(matched.true["partner"] >= 0, 2)
    expected = [pair for of_scene in zip(true, found, strict=True) for pair in by_hand(*of_scene)]
    pairs = close_pairs(matched)
    listed = np.stack([pairs.apart, pairs.snr, pairs.blended, pairs.found], 1)
    np.testing.assert_allclose(listed[np.argsort(listed[:, 0])], sorted(expected))
    chosen = [pair for pair in expected if pair[2]]
    curve = pairs_by_snr(matched)
    assert curve is not None
    for k, (low, high) in enumerate(zip(curve["edges"][:-1], curve["edges"][1:], strict=True)):
        inside = [pair[3] for pair in chosen if low <= pair[1] < high]
        assert curve["n"][k] == len(inside)
        assert curve["value"][k] == (pytest.approx(np.mean(inside)) if inside else None)
    curve = pairs_by_separation(matched, widest_pix=10.0)
    assert sum(curve["n"]) == sum(pair[0] <= 10 for pair in expected)
