"""The class is not given away by brightness, size, noise or seeing: only the form of the light tells it."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from astrocnn.simulate.lenses import simulate_lenses


def _summary(image: np.ndarray) -> dict[str, float]:
    """Total flux, peak, half-light radius, second-moment radius (logarithms) and noise of one band."""
    y, x = np.indices(image.shape)
    r = np.hypot(x - 31.5, y - 31.5)
    valid = np.isfinite(image)
    rim = image[valid & (r > 29)]
    sky = np.median(rim)
    noise = 1.4826 * np.median(np.abs(rim - sky))
    light = np.where(valid, image - sky, 0.0)
    inner = r < 20
    order = np.argsort(r[inner])
    growth = np.maximum.accumulate(np.cumsum(light[inner][order]))
    # a cutout that a gap and the noise leave without positive light has no half of it
    half = r[inner][order][min(np.searchsorted(growth, growth[-1] / 2), len(order) - 1)]
    weight = np.where(inner & (light > 2 * noise), light, 0.0)
    moment = np.sqrt((weight * r**2).sum() / max(weight.sum(), 1e-9))
    raw = {
        "total": light[inner].sum(),
        "peak": light.max(),
        "half": half + 0.1,
        "moment": moment + 0.1,
        "noise": noise,
    }
    return {name: np.log10(max(value, 1e-3)) for name, value in raw.items()}


def _features(folder: Path, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    table = Table.read(folder / "catalog.fits", character_as_bytes=False)
    rows = []
    for name in table["id"]:
        bands = [_summary(band) for band in fits.getdata(folder / "images" / f"{name}.fits").astype(float)]
        rows.append([band[name] for band in bands for name in names])
    seeing = np.stack([table[f"seeing_{band}"] for band in "gri"], axis=1)
    return np.hstack([np.array(rows), seeing]), np.array(table["label"])


def _held_out_auroc(folder: Path, size: str) -> float:
    features, label = _features(folder, ("total", "peak", size, "noise"))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    score = cross_val_predict(model, features, label, cv=folds, method="decision_function")
    return float(roc_auc_score(label, score))


def test_plain_measurements_do_not_tell_the_class(small_set: Path) -> None:
    assert _held_out_auroc(small_set, "half") < 0.75


@pytest.mark.slow
@pytest.mark.parametrize("size", ["half", "moment"])
@pytest.mark.parametrize("depth", ["year10", "year1"])
def test_plain_measurements_do_not_tell_the_class_of_a_large_set(
    tmp_path: Path, size: str, depth: str
) -> None:
    folder = simulate_lenses(tmp_path / "set", n_images=2000, seed=21, depth=depth)
    assert _held_out_auroc(folder, size) < 0.75
