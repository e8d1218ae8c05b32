"""Spectra against numpy's transform mode by mode, and fields whose spectra are known."""

import math

import numpy as np
import pytest
import torch

from astrocnn.functional.power_spectrum import frequencies, spectra


def field(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("sides", [(16, 16), (15, 15), (12, 20), (8, 10, 9)])
def test_bins_hold_the_modes_that_numpy_gives(sides: tuple[int, ...]) -> None:
    p, t = field((1, 1, *sides), 1), field((1, 1, *sides), 2)
    got = spectra(p, t)
    fp, ft = (np.fft.fftn(maps[0, 0].numpy() - maps[0, 0].numpy().mean(), norm="ortho") for maps in (p, t))
    k = np.sqrt(
        sum(axis**2 for axis in np.meshgrid(*[np.fft.fftfreq(side) for side in sides], indexing="ij"))
    )
    number = np.rint(k * max(sides)).astype(int)
    variance = t.numpy().var()
    for i, centre in enumerate(frequencies(sides).tolist(), start=1):
        assert centre == pytest.approx(i / max(sides))
        modes = number == i
        for values, want in (
            (got.predicted, np.abs(fp[modes]) ** 2),
            (got.true, np.abs(ft[modes]) ** 2),
            (got.cross, (fp[modes] * ft[modes].conj()).real),
        ):
            assert values[0, 0, i - 1].item() == pytest.approx(want.mean() / variance)


def test_white_noise_is_flat_and_another_field_is_not_correlated_with_it() -> None:
    p, t = field((400, 1, 32, 32), 1), field((400, 1, 32, 32), 2)
    got = spectra(p, t)
    torch.testing.assert_close(got.true.mean(0), torch.ones(1, 16, dtype=torch.float64), atol=0.05, rtol=0)
    r = got.cross.mean(0) / (got.true.mean(0) * got.predicted.mean(0)).sqrt()
    assert r.abs().max() < 0.05


@pytest.mark.parametrize("n_axes", [2, 3])
def test_smoothing_takes_the_power_that_its_transfer_function_says(n_axes: int) -> None:
    """A periodic Gaussian of σ pixels multiplies the power by exp(−(2π k σ)²)."""
    side, sigma = 32, 1.5
    t = field((3, 1, *[side] * n_axes))
    k = torch.stack(torch.meshgrid(*[torch.fft.fftfreq(side)] * n_axes, indexing="ij")).norm(dim=0)
    axes = tuple(range(2, 2 + n_axes))
    p = torch.fft.ifftn(
        torch.fft.fftn(t, dim=axes) * torch.exp(-2 * (math.pi * sigma * k) ** 2), dim=axes
    ).real
    got = spectra(p, t)
    ratio = (got.predicted.sum(0) / got.true.sum(0))[0, 2:8]
    want = torch.exp(-((2 * math.pi * frequencies((side,) * n_axes)[2:8] * sigma) ** 2))
    torch.testing.assert_close(ratio, want, rtol=0.1, atol=0)  # a bin has a width
    r = got.cross / (got.true * got.predicted).sqrt()
    assert r[..., :8].min() > 0.98


def test_units_and_levels_do_not_matter() -> None:
    p, t = field((2, 1, 16, 16), 1), field((2, 1, 16, 16), 2)
    want, got = spectra(p, t), spectra(1e-11 * p + 3e-11, 1e-11 * t - 5e-11)
    torch.testing.assert_close(got.predicted, want.predicted)
    torch.testing.assert_close(got.cross, want.cross)
