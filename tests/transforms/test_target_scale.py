import numpy as np
import pytest
import torch

from astrocnn.errors import ConfigError, DataError
from astrocnn.transforms.target_scale import TargetScale


def target(factor: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two planes that reach over decades, a tenth of their pixels without a value."""
    generator = torch.Generator().manual_seed(0)
    values = torch.stack(
        [
            torch.randn(20, 12, 12, generator=generator).mul(2).exp(),
            3 + torch.randn(20, 12, 12, generator=generator),
        ],
        1,
    )
    valid = torch.rand(values.shape, generator=generator) > 0.1
    return torch.where(valid, values * factor, 0), valid


def fitted(values: torch.Tensor, valid: torch.Tensor, **options) -> TargetScale:
    scale = TargetScale(n_planes=values.shape[1], **options)
    scale.fit(values, valid)
    return scale


@pytest.mark.parametrize("factor", [1.0, 1e-11])
@pytest.mark.parametrize("stretch", ["linear", "asinh", ["log10", "linear"]])
def test_training_pixels_have_mean_zero_and_deviation_one_and_come_back(stretch, factor: float) -> None:
    values, valid = target(factor)
    scale = fitted(values, valid, stretch=stretch)
    y, known = scale(values, valid)
    torch.testing.assert_close(known, valid)
    for k in range(2):
        pixels = y[:, k][valid[:, k]]
        assert pixels.mean().item() == pytest.approx(0, abs=1e-5)
        assert pixels.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    back = scale.inverse(y)
    torch.testing.assert_close(back[valid], values[valid], rtol=2e-5, atol=1e-5 * factor)


def test_log10_is_numpys_and_knows_no_value_at_zero_and_below() -> None:
    values = torch.tensor([0.0, -1.0, 1.0, 100.0, 10.0]).view(5, 1, 1, 1)
    valid = torch.ones_like(values, dtype=torch.bool)
    scale = fitted(values, valid, stretch="log10")
    y, known = scale(values, valid)
    assert known.flatten().tolist() == [False, False, True, True, True]
    want = (np.array([0, 2, 1]) - 1) / np.std([0, 2, 1])
    np.testing.assert_allclose(y.flatten()[2:], want, rtol=1e-6)
    assert y.flatten()[:2].tolist() == [0, 0]
    assert scale.average.item() == pytest.approx(37)  # of what has a value


def test_asinh_turns_logarithmic_at_the_noise_or_at_the_median() -> None:
    values, valid = target()
    of_median = fitted(values, valid, stretch="asinh", softening=2.0)
    known = values[:, 0][valid[:, 0]]
    assert of_median.unit[0] == pytest.approx(2 * known.abs().median().item())
    scale = TargetScale(n_planes=2, stretch="asinh", softening=2.0)
    scale.fit(values, valid, noise=torch.tensor([0.5, 0.25]))
    assert scale.unit.tolist() == [1.0, 0.5]
    y, _ = scale(values, valid)
    want = np.arcsinh(values[:, 0].numpy())
    want = (want - want[valid[:, 0]].mean()) / want[valid[:, 0]].std()
    np.testing.assert_allclose(y[:, 0][valid[:, 0]], want[valid[:, 0]], atol=1e-5)


def test_a_bounded_scale_gives_fractions_and_takes_logits() -> None:
    values, valid = target()
    scale = fitted(values, valid, stretch="asinh", bounded=True)
    y, _ = scale(values, valid)
    assert y[:, 0][valid[:, 0]].min() == 0
    assert y[:, 0][valid[:, 0]].max() == 1
    assert scale(values * 100, valid)[0].max() == 1
    inner = valid & (y > 1e-3) & (y < 1 - 1e-3)
    torch.testing.assert_close(scale.inverse(y.logit())[inner], values[inner], rtol=1e-3, atol=1e-3)


def test_what_it_is_never_overflows() -> None:
    values, valid = target()
    for stretch in ("asinh", "log10", "linear"):
        scale = fitted(values.abs() + 0.1, valid, stretch=stretch)
        assert scale.inverse(torch.tensor([1e30, -1e30]).view(1, 2, 1, 1)).isfinite().all(), stretch


def test_edges_span_the_training_values() -> None:
    values, valid = target()
    scale = fitted(values, valid, stretch=["log10", "linear"])
    edges = scale.edges(8).numpy()
    assert edges.shape == (2, 9)
    for k in range(2):
        known = values[:, k][valid[:, k]].numpy()
        np.testing.assert_allclose(edges[k, [0, -1]], [known.min(), known.max()], rtol=1e-4)
    np.testing.assert_allclose(np.diff(np.log10(edges[0])), np.log10(edges[0, 1] / edges[0, 0]), rtol=1e-3)


def test_it_travels_in_the_state() -> None:
    values, valid = target()
    scale = fitted(values, valid, stretch="asinh")
    twin = TargetScale(n_planes=2, stretch="asinh")
    twin.load_state_dict(scale.state_dict())
    torch.testing.assert_close(twin(values, valid)[0], scale(values, valid)[0])
    torch.testing.assert_close(twin.edges(4), scale.edges(4))


def test_volumes_are_scaled_alike() -> None:
    values, valid = target()
    volumes, known = (x.view(5, 4, 2, 12, 12).transpose(1, 2) for x in (values, valid))
    torch.testing.assert_close(fitted(volumes, known).mean, fitted(values, valid).mean)
    assert fitted(volumes, known)(volumes, known)[0].shape == volumes.shape


def test_what_cannot_be_scaled_is_refused() -> None:
    values, valid = target()
    with pytest.raises(DataError, match="plane mass of the target has no positive pixel"):
        TargetScale(n_planes=2, stretch="log10").fit(-values.abs(), valid, planes=["mass", "age"])
    with pytest.raises(DataError, match="plane 1 of the target has no valid pixel"):
        fitted(values, valid & torch.tensor([True, False]).view(1, 2, 1, 1))
    with pytest.raises(DataError, match="plane 0 of the target is constant"):
        fitted(torch.ones(2, 1, 4, 4), torch.ones(2, 1, 4, 4, dtype=torch.bool))
    with pytest.raises(ConfigError, match=r"stretch='log' is not known; .*Did you mean 'log10'"):
        TargetScale(n_planes=1, stretch="log")
    with pytest.raises(ConfigError, match="each of the target's 2 planes"):
        TargetScale(n_planes=2, stretch=["linear"])
