"""Dark matter against its own linear spectrum, growth by integration, and counting by hand."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from astrocnn.functional.power_spectrum import spectra
from astrocnn.simulate.cosmic_web import OMEGA_MATTER, Cosmology, Web, deposit, linear_power, zeldovich


def test_the_spectrum_has_the_variance_of_sigma_8() -> None:
    def integrand(log_k: float) -> float:
        k = np.exp(log_k)
        window = 3 * (np.sin(8 * k) - 8 * k * np.cos(8 * k)) / (8 * k) ** 3
        return float(k**3 * linear_power(k) * window**2 / (2 * np.pi**2))

    assert quad(integrand, np.log(1e-4), np.log(20), limit=400)[0] == pytest.approx(0.81**2, rel=1e-3)
    slope = np.diff(np.log(linear_power(np.array([1e-4, 2e-4])))) / np.log(2)
    assert slope[0] == pytest.approx(0.965, abs=0.03)  # as the fluctuations began
    assert linear_power(np.array([0.02])) > linear_power(np.array([1e-3, 1.0])).max()


@pytest.mark.parametrize("z", [0.0, 1.0, 3.0])
def test_growth_is_that_of_the_integral(z: float) -> None:
    """D ∝ H ∫ da / (a H)³ (Heath 1977), and velocity a H dlnD/dlna."""

    def hubble(a: float) -> float:
        return float(np.sqrt(OMEGA_MATTER / a**3 + 1 - OMEGA_MATTER))

    def growth(a: float) -> float:
        return hubble(a) * float(quad(lambda b: (b * hubble(b)) ** -3, 1e-8, a)[0])

    a = 1 / (1 + z)
    found = Cosmology.at(z)
    assert found.growth == pytest.approx(growth(a) / growth(1.0), rel=5e-3)
    rate = np.log(growth(1.001 * a) / growth(0.999 * a)) / np.log(1.001 / 0.999)
    assert found.velocity == pytest.approx(100 * a * hubble(a) * rate, rel=0.01)


def test_a_large_box_of_an_early_universe_has_the_linear_spectrum() -> None:
    """Where fluctuations are small, the density that is laid out is the linear one."""
    n, box, cosmology = 32, 400.0, Cosmology.at(9.0)
    rng = np.random.default_rng(0)
    webs = [zeldovich(rng, n=n, box_mpc_h=box, cosmology=cosmology) for _ in range(6)]
    delta = torch.stack([deposit(web, n)[0] - 1 for web in webs])[:, None]
    found = spectra(delta, delta).true * delta.square().mean((2, 3, 4))[..., None]  # mean |F|² of a cell
    power = found.mean((0, 1)).numpy() * (box / n) ** 3
    k = 2 * np.pi * np.arange(1, n // 2 + 1) / box
    want = linear_power(k) * cosmology.growth**2
    # clouds of one cell smooth, by sinc² along each axis: below 10 % for the first bins
    np.testing.assert_allclose(power[1:5] / want[1:5], 1, atol=0.25)
    assert np.mean(power[1:5] / want[1:5]) == pytest.approx(0.95, abs=0.1)
    flow = torch.stack([web.velocity for web in webs])
    assert abs(flow.mean()) < 1e-6 * flow.std()


def test_matter_is_conserved_and_clouds_are_shared_by_cells() -> None:
    position = torch.tensor([[0.5, 0.99], [0.5, 0.125], [0.5625, 0.125]]).view(3, 2, 1, 1).double()
    velocity = torch.tensor([[10.0, 0.0], [0.0, -4.0], [0.0, 0.0]]).view(3, 2, 1, 1).double()
    density, momentum = deposit(Web(position, velocity), 4)  # cells of 1/4, centres at 1/8, 3/8, ...
    assert density.mean().item() == pytest.approx(1)
    per_cell = 2 / 64
    # x = y = 1/2 lie between cells 1 and 2, z = 9/16 a quarter of the way from cell 1's to cell 2's centre ...
    share = density[1, 1] * per_cell
    assert share.tolist() == pytest.approx([0, 0.25 * 0.25, 0.25 * 0.75, 0])
    assert (momentum[0] * per_cell).sum().item() == pytest.approx(10)
    assert (momentum[1] * per_cell).sum().item() == pytest.approx(-4)
    # the second, at x = 0.99 of the periodic box, belongs to the last cell and to the first
    assert (density[3, 0] * per_cell).sum().item() == pytest.approx(1 - (0.99 * 4 - 3.5))
    assert (density[0, 0] * per_cell).sum().item() == pytest.approx(0.99 * 4 - 3.5)
