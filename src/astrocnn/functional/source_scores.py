"""Everything that is said of the objects found in a set of scenes, as one JSON-able dict."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError
from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.figures import entry
from astrocnn.functional.scene_figures import INTERVALS, scene_estimates
from astrocnn.functional.source_figures import SNR_EDGES, SourceFigures, snr_bins
from astrocnn.functional.source_matches import MatchedSources, Objects, match_scenes
from astrocnn.functional.source_pairs import pairs_by_separation, pairs_by_snr
from astrocnn.functional.source_rates import rates, snr_edges

__all__ = ["summarise_objects"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BIN_MAG = 0.5
WIDEST_PAIR = 5  # times the distance within which an object counts as found
RESIDUAL_BINS = 30


def summarise_objects(
    measured: Sequence[Objects],
    true: Sequence[Objects],
    *,
    classes: Sequence[str],
    star: str | None = "star",
    radius_pix: float = 3.0,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Completeness and purity of the objects of a set of scenes, classes, positions, stars told from galaxies.

    True objects marked ``ignore``, and what is found of them, count neither way; the class of an object is judged
    where it is ``scored``. Curves have Wilson's intervals, figures those of a bootstrap over scenes.

    Args:
        measured: one table a scene; see :func:`astrocnn.functional.source_matches.match_scenes`.
        true: one table a scene, in the same order.
        classes: names of the K classes, the background first.
        star: name of the class of stars; None, or a name that is no class or that no true object has, leaves out what
            is said of stars.
        radius_pix: largest distance at which a measured object is a true one.
        n_bootstrap: number of resamples of the scenes; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        ``counts``, of which ``n_blended`` is None where no truth says what is blended; ``figures`` {name: {value,
        low, high}} of :class:`SourceFigures`; ``completeness`` against true, ``purity`` against measured magnitude
        {edges, all, isolated, blended}, each of the three with ``value``, ``low``, ``high``, ``n`` a bin;
        ``completeness_by_snr`` and ``purity_by_snr``, the same against true and measured S/N; ``pairs`` and
        ``pairs_by_snr``, how often both of two neighbours are found, of :mod:`astrocnn.functional.source_pairs`;
        ``stars`` {auroc_by_snr, completeness, purity}; ``classification`` {classes, confusion (rows are the true
        classes), recall}; ``residuals`` of the positions. What cannot be said for want of a column is None.

    Raises:
        ConfigError: ``n_bootstrap`` below 0 or ``radius_pix`` not above 0.
        DataError: as :func:`astrocnn.functional.source_matches.match_scenes`.
    """
    if n_bootstrap < 0:
        raise ConfigError(f"n_bootstrap={n_bootstrap} must be 0 or more.")
    star_class = list(classes).index(star) if star is not None and star in classes else None
    sources = match_scenes(measured, true, radius_pix=radius_pix, star=star_class)
    if not (~sources.true["ignore"] & (sources.true["label"] == star_class)).any():
        star_class = None
    figures = SourceFigures(sources, n_classes=len(classes), star=star_class)
    found = scene_estimates(figures, n_resamples=n_bootstrap, seed=seed)
    true_ones = sources.true, sources.true["partner"] >= 0, ~sources.true["ignore"]
    found_ones = sources.found, sources.found["partner"] >= 0, sources.found["counts"]
    of_snr = {name: found.pop(name) for name in list(found) if name.startswith("star_auroc_")}
    return {
        "counts": _counts(sources),
        "radius_pix": float(radius_pix),
        "intervals": INTERVALS.format(n=n_bootstrap),
        "figures": found,
        "completeness": _against_magnitude(*true_ones),
        "purity": _against_magnitude(*found_ones),
        "completeness_by_snr": _against_snr(*true_ones),
        "purity_by_snr": _against_snr(*found_ones),
        "pairs": pairs_by_separation(sources, widest_pix=WIDEST_PAIR * radius_pix),
        "pairs_by_snr": pairs_by_snr(sources),
        "stars": None if star_class is None else _star_summary(sources, star_class, of_snr),
        "classification": _classification(sources, classes),
        "residuals": _residuals(sources, radius_pix),
    }


def _counts(sources: MatchedSources) -> dict[str, int | None]:
    true, found = sources.true, sources.found
    counted = ~true["ignore"]
    known = counted & np.isfinite(true["blended"])
    return {
        "n_scenes": sources.n_scenes,
        "n_true": int(counted.sum()),
        "n_blended": int((counted & (true["blended"] == 1)).sum()) if known.any() else None,
        "n_ignored": int(true["ignore"].sum()),
        "n_measured": int(found["counts"].sum()),
        "n_matched": int((found["partner"] >= 0).sum()),
        "n_measured_ignored": int((~found["counts"]).sum()),
    }


def _against_magnitude(table: dict[str, Any], hit: Bools, among: Bools) -> dict[str, Any] | None:
    """Rates in bins of magnitude: of all, of isolated and of blended objects; None without magnitudes."""
    among = among & np.isfinite(table["mag"])
    if not among.any():
        return None
    low, high = np.quantile(table["mag"][among], [0.002, 0.998])  # an outlier makes no empty bins
    first = np.floor(low / BIN_MAG)
    edges = BIN_MAG * np.arange(first, max(np.floor(high / BIN_MAG), first) + 2)
    return _against(table["mag"], edges, table["blended"], hit, among)


def _against_snr(table: dict[str, Any], hit: Bools, among: Bools) -> dict[str, Any] | None:
    """Rates in bins of S/N likewise; None without S/N."""
    among = among & np.isfinite(table["snr"])
    if not among.any():
        return None
    edges = snr_edges(table["snr"][among])
    return _against(np.maximum(table["snr"], edges[0]), edges, table["blended"], hit, among)


def _against(values: Floats, edges: Floats, blended: Floats, hit: Bools, among: Bools) -> dict[str, Any]:
    kinds = {"all": among, "isolated": among & (blended == 0), "blended": among & (blended == 1)}
    return {"edges": edges.tolist()} | {
        name: rates(values[of_kind], hit[of_kind], edges) for name, of_kind in kinds.items() if of_kind.any()
    }


def _star_summary(sources: MatchedSources, star: int, of_snr: dict[str, dict[str, Any]]) -> dict[str, Any]:
    true, found = sources.true, sources.found
    counted, is_star = ~true["ignore"], true["label"] == star
    bins = []
    for number, inside in enumerate(snr_bins(true["snr"])):
        matched = counted & inside & (true["partner"] >= 0)
        n_star, n_all = int((matched & is_star).sum()), int(matched.sum())
        auroc = of_snr.get(f"star_auroc_{number}", entry(None))
        bins.append(auroc | {"n_star": n_star, "n_galaxy": n_all - n_star})
    return {
        "auroc_by_snr": {"edges": [edge if np.isfinite(edge) else None for edge in SNR_EDGES], "bins": bins},
        "completeness": _against_magnitude(true, true["called"] == star, counted & is_star),
        "purity": _against_magnitude(
            found, found["truly"] == star, found["counts"] & (found["label"] == star)
        ),
    }


def _classification(sources: MatchedSources, classes: Sequence[str]) -> dict[str, Any] | None:
    """Classes of the matched objects that are scored; None where no class is known."""
    true, K = sources.true, len(classes) - 1
    judged = ~true["ignore"] & true["scored"] & (true["called"] > 0) & (true["label"] > 0)
    if not judged.any():
        return None
    y, called = true["label"][judged] - 1, true["called"][judged] - 1
    table = np.bincount(y * K + called, minlength=K * K).reshape(K, K)
    hits, n = table.diagonal(), table.sum(1)
    low, high = wilson_interval(hits, n)
    rate = hits / np.where(n > 0, n, np.nan)
    return {
        "classes": list(classes[1:]),
        "confusion": table.tolist(),
        "recall": {name: entry(rate[k], low[k], high[k], n=int(n[k])) for k, name in enumerate(classes[1:])},
    }


def _residuals(sources: MatchedSources, radius_pix: float) -> dict[str, Any] | None:
    """How far measured positions lie from true ones: a histogram, and the medians of both axes."""
    hit = sources.true["partner"] >= 0
    if not hit.any():
        return None
    dx, dy = (sources.found[axis][sources.true["partner"][hit]] - sources.true[axis][hit] for axis in "xy")
    n, edges = np.histogram(np.hypot(dx, dy), np.linspace(0, radius_pix, RESIDUAL_BINS + 1))
    return {
        "edges_pix": edges.tolist(),
        "n": n.tolist(),
        "median_dx_pix": float(np.median(dx)),
        "median_dy_pix": float(np.median(dy)),
    }
