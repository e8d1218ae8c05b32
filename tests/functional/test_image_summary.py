"""The figures of images against scikit-learn, torchmetrics, numpy and sums done by hand."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torchmetrics.functional.image import peak_signal_noise_ratio

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.figures import estimates
from astrocnn.functional.image_summary import PlaneFigures, summarise_images
from astrocnn.functional.images import ImageSums, image_sums, joined, typical_and_worst

PLANES = ("mass", "speed")


def maps(n: int = 12, side: int = 16, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predictions, targets (a positive plane and one of either sign) and validity."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.randn(n, 2, side, side, generator=generator)
    t[:, 0] = t[:, 0].exp()
    p = t + 0.3 * torch.randn(t.shape, generator=generator)
    valid = torch.rand(t.shape, generator=generator) > 0.2
    valid[: n // 2] = True
    return torch.where(valid, p, torch.nan), torch.where(valid, t, torch.nan), valid


def sums_of(p: torch.Tensor, t: torch.Tensor, valid: torch.Tensor, **options) -> ImageSums:
    parts = [image_sums(p[i : i + 5], t[i : i + 5], valid[i : i + 5], **options) for i in range(0, len(p), 5)]
    return joined(parts)


def test_figures_are_those_of_other_libraries() -> None:
    p, t, valid = maps()
    found = summarise_images(sums_of(p, t, valid), planes=PLANES, n_bootstrap=0)["figures"]
    for k, plane in enumerate(PLANES):
        figures = {name: figure["value"] for name, figure in found[plane].items()}
        y, x = (m[:, k][valid[:, k]].double().numpy() for m in (t, p))
        assert figures["rmse"] == pytest.approx(root_mean_squared_error(y, x))
        assert figures["mae"] == pytest.approx(mean_absolute_error(y, x))
        assert figures["bias"] == pytest.approx((x - y).mean())
        assert figures["r2"] == pytest.approx(r2_score(y, x))
        psnr = [
            peak_signal_noise_ratio(
                p[i, k][valid[i, k]],
                t[i, k][valid[i, k]],
                data_range=t[i, k][valid[i, k]].max() - t[i, k][valid[i, k]].min(),
            )
            for i in range(len(p))
        ]
        assert figures["psnr"] == pytest.approx(np.mean(psnr), rel=1e-5)


def test_flux_figures_are_sums_done_by_hand() -> None:
    p, t, valid = maps()
    found = summarise_images(sums_of(p, t, valid), planes=PLANES, n_bootstrap=0)["figures"]
    totals = [torch.where(valid[:, 0], m[:, 0].double(), 0).sum((1, 2)).numpy() for m in (p, t)]
    error = np.abs(totals[0] / totals[1] - 1)
    figures = {name: figure["value"] for name, figure in found["mass"].items()}
    assert figures["flux_ratio"] == pytest.approx(totals[0].sum() / totals[1].sum())
    assert figures["flux_error"] == pytest.approx(error.mean())
    assert figures["flux_error_median"] == pytest.approx(np.median(error))
    assert "flux_ratio" not in found["speed"]  # of either sign: its sum means nothing
    logs = summarise_images(sums_of(p, t, valid), planes=PLANES, units=["dex(Msun)", None], n_bootstrap=0)
    assert "flux_ratio" not in logs["figures"]["mass"]


def test_a_resample_is_the_set_with_images_repeated() -> None:
    p, t, valid = maps()
    drawn = np.random.default_rng(0).integers(len(p), size=len(p))
    counts = np.bincount(drawn, minlength=len(p)).astype(float)[None]
    rows = torch.from_numpy(drawn)
    got = PlaneFigures(sums_of(p, t, valid), 0)(counts)
    want = PlaneFigures(sums_of(p[rows], t[rows], valid[rows]), 0)(np.ones((1, len(p))))
    np.testing.assert_allclose(got, want)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Residuals of deviation 0.3: of 40 sets of 20 images, 95 % of the intervals of the RMSE hold it."""
    inside = 0
    for seed in range(40):
        figures = PlaneFigures(image_sums(*maps(n=20, side=6, seed=seed)), 0)
        figure = estimates(figures, np.zeros(20), n_resamples=100, seed=0)["rmse"]
        inside += figure["low"] < 0.3 < figure["high"]
    assert 34 <= inside <= 40


def test_a_trivial_prediction_stands_beside_and_the_gain_is_paired() -> None:
    p, t, valid = maps()
    zero = sums_of(torch.zeros_like(p), t, valid)
    said = summarise_images(sums_of(p, t, valid), planes=PLANES, trivial={"zero": zero}, n_bootstrap=300)
    gain = said["gain"]["zero"]["speed"]["rmse"]
    ratio = said["figures"]["speed"]["rmse"]["value"] / said["trivial"]["zero"]["speed"]["rmse"]["value"]
    assert gain["value"] == pytest.approx(ratio)
    assert gain["low"] < gain["value"] < gain["high"] < 0.5
    json.dumps(said, allow_nan=False)


def test_spectra_are_those_of_images_without_missing_pixels() -> None:
    p, t, valid = maps()
    power = summarise_images(sums_of(2 * p, t, valid), planes=PLANES, n_bootstrap=50)["power"]["speed"]
    assert power["n"] == 6
    half = summarise_images(sums_of(p[:6], t[:6], valid[:6]), planes=PLANES, n_bootstrap=0)["power"]["speed"]
    np.testing.assert_allclose(power["ratio"], 4 * np.array(half["ratio"]))
    np.testing.assert_allclose(power["r"], half["r"])
    assert all(
        low <= r <= high for low, r, high in zip(power["r_low"], power["r"], power["r_high"], strict=True)
    )
    assert summarise_images(sums_of(p[6:], t[6:], valid[6:]), planes=PLANES, n_bootstrap=0)["power"] == {}


def test_the_table_of_predicted_against_true_values_is_numpys() -> None:
    p, t, valid = maps()
    edges = torch.tensor([[0.1, 0.5, 1.0, 4.0], [-2.0, -0.5, 0.5, 2.0]])
    said = summarise_images(
        sums_of(p, t, valid, edges=edges), planes=PLANES, edges=edges.numpy(), n_bootstrap=0
    )
    for k, plane in enumerate(PLANES):
        y, x = (m[:, k][valid[:, k]].clamp(edges[k, 0], edges[k, -1]).numpy() for m in (t, p))
        want = np.histogram2d(y, x, bins=edges[k].numpy())[0]
        np.testing.assert_array_equal(said["density"][plane]["counts"], want)


def test_figures_of_volumes() -> None:
    generator = torch.Generator().manual_seed(0)
    t = torch.randn(3, 1, 8, 8, 8, generator=generator)
    sums = image_sums(t + 0.1, t, torch.ones_like(t, dtype=torch.bool))
    said = summarise_images(sums, planes=["delta"], n_bootstrap=10)
    assert said["figures"]["delta"]["rmse"]["value"] == pytest.approx(0.1, rel=1e-5)
    np.testing.assert_allclose(said["power"]["delta"]["ratio"], 1, rtol=1e-4)


def test_what_cannot_be_summarised_is_refused() -> None:
    p, t, valid = maps()
    valid[:, 1] = False
    with pytest.raises(DataError, match="no target of these 12 images has a valid pixel in plane speed"):
        summarise_images(sums_of(p, t, valid), planes=PLANES)
    with pytest.raises(ConfigError, match="n_bootstrap=-1"):
        summarise_images(sums_of(p, t, valid), planes=PLANES, n_bootstrap=-1)


def test_an_image_without_a_valid_pixel_counts_nowhere() -> None:
    p, t, valid = maps()
    valid[3] = False
    others = torch.arange(len(p)) != 3
    said = summarise_images(sums_of(p, t, valid), planes=PLANES, n_bootstrap=20)
    want = summarise_images(sums_of(p[others], t[others], valid[others]), planes=PLANES, n_bootstrap=20)
    assert said["n_images"] == {"mass": 11, "speed": 11}
    for name, figure in want["figures"]["mass"].items():
        assert said["figures"]["mass"][name]["value"] == pytest.approx(figure["value"]), name


def test_typical_images_are_of_ordinary_error_and_the_worst_come_first() -> None:
    _, t, _ = maps(n=20)
    t = torch.nan_to_num(t)
    size = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    valid = torch.ones_like(t, dtype=torch.bool)
    valid[size == 19] = False
    sums = image_sums(t + 0.1 * size.view(-1, 1, 1, 1), t, valid)
    typical, worst = typical_and_worst(sums, 3)
    assert size[worst].tolist() == [18, 17, 16]
    assert size[typical].tolist() == [6, 7, 8]
    few = typical_and_worst(image_sums(t[:2] + 1, t[:2], valid[:2]), 6)
    assert sorted(np.concatenate(few)) == [0, 1]
